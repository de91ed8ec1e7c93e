//! What records show, one record of each kind of request.

use super::dimension::{Dimension, Told, Use, dimensions, pattern};
use super::{Base, Kind, Options};
use crate::difference::moment;
use crate::records::replay::{Denied, Replay, Replayed};
use crate::records::{Outcome, Record, Seen};
use jobgate::policy::Policy;
use jobgate::time::UnixTime;
use std::collections::BTreeMap;
use std::time::Duration;

/// Requests of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(super) requests: usize,
    pub(super) first: u64,
    pub(super) last: u64,
    /// The first one's record.
    record: Box<Record>,
}

impl Asked {
    pub(super) fn example(&self) -> String {
        self.record.decision_id.clone()
    }

    /// What a policy says of it. `base` knows its issuer.
    pub(super) fn replay(&self, replay: Replay<'_>, base: &Policy) -> Option<Replayed> {
        replay.ask(&seen(&self.record, base))
    }

    pub(super) fn moment(millis: u64) -> String {
        moment(UnixTime::new(Duration::from_millis(millis)))
    }
}

fn seen<'a>(record: &'a Record, base: &'a Policy) -> Seen<'a> {
    let mut issuers = base.issuers.iter();
    Seen {
        record,
        issuer: issuers.find(|issuer| Some(&issuer.issuer) == record.issuer.as_ref()),
        maker: Some(base).filter(|base| Some(&base.digest) == record.policy.as_ref()),
    }
}

/// What was read so far.
pub(crate) struct Survey<'b> {
    base: &'b Base,
    options: &'b Options,
    /// By issuer, in the order of the policy.
    told: Vec<Vec<Told>>,
    pub(super) kinds: BTreeMap<Kind, Asked>,
    /// Kinds of which requests were refused by rules and are not to be allowed.
    pub(super) refused: BTreeMap<Kind, Asked>,
    /// By why.
    pub(super) left_out: BTreeMap<String, (usize, String)>,
    pub(super) not_asked: usize,
}

impl<'b> Survey<'b> {
    /// # Errors
    /// The options are none for these issuers.
    pub(crate) fn new(base: &'b Base, options: &'b Options) -> Result<Self, String> {
        let issuers = base.policy.issuers.iter();
        let told = issuers.map(|issuer| dimensions(issuer, &options.any, &options.also));
        Ok(Self {
            base,
            options,
            told: told.collect::<Result<_, _>>()?,
            kinds: BTreeMap::new(),
            refused: BTreeMap::new(),
            left_out: BTreeMap::new(),
            not_asked: 0,
        })
    }

    /// Whether anything was asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.left_out.is_empty()
    }

    pub(crate) fn add(&mut self, record: Record) {
        let is_asked = record.is_allowed()
            || record.is_on_trial()
            || (self.options.refused_too && record.lacks_a_rule());
        if is_asked {
            match self.kind(&record) {
                Ok(kind) => count(&mut self.kinds, kind, record),
                Err(why) => {
                    let entry = self.left_out.entry(why);
                    entry.or_insert_with(|| (0, record.decision_id.clone())).0 += 1;
                }
            }
            return;
        }
        match record.outcome() {
            Outcome::Denied | Outcome::NotAllowed => {
                // One that no rule could be made for, or that is denied still, is not let through by accident.
                if let Ok(kind) = self.kind(&record) {
                    count(&mut self.refused, kind, record);
                }
            }
            Outcome::Allowed | Outcome::NotAsked => self.not_asked += 1,
        }
    }

    /// The kind that a request is of.
    ///
    /// # Errors
    /// Why no rule can be made for it.
    fn kind(&self, record: &Record) -> Result<Kind, String> {
        let policy = &self.base.policy;
        let iss = record.issuer.as_deref().unwrap_or_default();
        let mut issuers = policy.issuers.iter();
        let Some(issuer) = issuers.position(|issuer| issuer.issuer == iss) else {
            return Err(format!("{iss} is no issuer of the policy"));
        };
        let seen = seen(record, policy);
        match (Replay { policy }).denies(&seen) {
            Denied::No => {}
            Denied::By(rule) => {
                return Err(format!(
                    "the policy's rule {} denies it",
                    policy.rules[rule].id
                ));
            }
            Denied::Unknown => {
                return Err(
                    "whether a rule of the policy denies it, the record does not tell".into(),
                );
            }
        }
        let mut kind = Kind {
            issuer: iss.to_owned(),
            group: Vec::new(),
            values: Vec::new(),
            ignored: Vec::new(),
        };
        for (dimension, used) in &self.told[issuer] {
            let value = dimension.value(&seen);
            let dimension = dimension.clone();
            match used {
                Use::Any => kind.ignored.push(value.ok()),
                Use::Group => kind.group.push((dimension, value?)),
                Use::Asked => {
                    let value = value?;
                    if dimension == Dimension::Path {
                        pattern(&value, &self.options.globs)?;
                    }
                    kind.values.push((dimension, value));
                }
            }
        }
        Ok(kind)
    }
}

fn count(kinds: &mut BTreeMap<Kind, Asked>, kind: Kind, record: Record) {
    let asked = kinds.entry(kind).or_insert_with(|| Asked {
        requests: 0,
        first: record.time_ms,
        last: record.time_ms,
        record: Box::new(record.clone()),
    });
    asked.requests += 1;
    asked.first = asked.first.min(record.time_ms);
    asked.last = asked.last.max(record.time_ms);
}
