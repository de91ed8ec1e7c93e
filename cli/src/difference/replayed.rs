//! What recorded requests would get from both policies.

use super::{Now, Said, Side, moment};
use crate::failure::Failure;
use crate::records::replay::{Replay, Replayed};
use crate::records::{self, Lines, Outcome, Record, Seen};
use jobgate::policy::{Issuer, Policy};
use jobgate::time::UnixTime;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// The outcome of a replay.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ReplayReport {
    pub(crate) lines: Lines,
    /// Records of requests that the rules were not asked about: without a proven token, revoked, ambiguous.
    pub(crate) not_asked: usize,
    /// Records that neither policy made. What their identities tell is read as the old policy reads it.
    pub(crate) of_other_policies: usize,
    /// Requests that get the same from both.
    pub(crate) same: usize,
    pub(crate) groups: Vec<Group>,
    pub(crate) unknown: Vec<UnknownGroup>,
}

/// Recorded requests of one pipeline on which the policies differ, for one reason.
#[derive(Debug, Serialize)]
pub(crate) struct Group {
    pub(crate) now: Now,
    pub(crate) old: String,
    pub(crate) new: String,
    pub(crate) pipeline: String,
    pub(crate) requests: usize,
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) example: RecordedExample,
}

/// A recorded request.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RecordedExample {
    pub(crate) decision_id: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) identity: BTreeMap<String, String>,
}

/// Recorded requests of which it can't be told.
#[derive(Debug, Serialize)]
pub(crate) struct UnknownGroup {
    /// What the records don't tell.
    pub(crate) missing: Vec<String>,
    /// The rules that look at it.
    pub(crate) rules: Vec<String>,
    pub(crate) requests: usize,
    pub(crate) example: RecordedExample,
}

struct Count {
    requests: usize,
    first: u64,
    last: u64,
    example: RecordedExample,
}

/// The most groups of each kind that are told apart: what is grouped by comes from a log.
const MOST_GROUPS: usize = 10_000;

/// Where the requests of what is beyond these go.
const OTHERS: &str = "(others)";

/// Replays a log.
///
/// # Errors
/// It can't be read.
pub(crate) fn replay(old: &Side<'_>, new: &Side<'_>, log: &Path) -> Result<ReplayReport, Failure> {
    let mut tally = Tally {
        old: old.policy,
        new: new.policy,
        report: ReplayReport::default(),
        groups: BTreeMap::new(),
        unknown: BTreeMap::new(),
    };
    let lines = records::each(log, |record| tally.add(&record))?;
    Ok(tally.finish(lines))
}

type Key = (Now, Said, Said, String);

struct Tally<'a> {
    old: &'a Policy,
    new: &'a Policy,
    report: ReplayReport,
    groups: BTreeMap<Key, Count>,
    unknown: BTreeMap<(BTreeSet<String>, BTreeSet<String>), Count>,
}

impl Tally<'_> {
    fn add(&mut self, record: &Record) {
        if record.outcome() == Outcome::NotAsked {
            self.report.not_asked += 1;
            return;
        }
        let digest = record.policy.as_deref();
        let mut sides = [self.old, self.new].into_iter();
        let maker = sides.find(|policy| Some(policy.digest.as_str()) == digest);
        if maker.is_none() {
            self.report.of_other_policies += 1;
        }
        let by = maker.unwrap_or(self.old);
        let seen = Seen {
            record,
            issuer: issuer(by, record).or_else(|| issuer(self.new, record)),
            maker,
        };
        // What a policy said itself needs no replay.
        let ask = |policy: &Policy| match maker {
            Some(maker) if maker.digest == policy.digest => Some(recorded(record, policy)),
            _ => Replay { policy }.ask(&seen),
        };
        let (Some(before), Some(after)) = (ask(self.old), ask(self.new)) else {
            self.report.not_asked += 1;
            return;
        };
        let (before, after) = match (said(&before, self.old), said(&after, self.new)) {
            (Ok(before), Ok(after)) => (before, after),
            (before, after) => {
                let mut key = (BTreeSet::new(), BTreeSet::new());
                for (missing, rules) in [before.err(), after.err()].into_iter().flatten() {
                    key.0.extend(missing);
                    key.1.extend(rules);
                }
                count(&mut self.unknown, key, record, None);
                return;
            }
        };
        let is_allowed = |said: &Said| matches!(said, Said::AllowedBy(_));
        let now = match (is_allowed(&before), is_allowed(&after)) {
            (false, true) => Now::Allowed,
            (true, false) => Now::Refused,
            _ => {
                self.report.same += 1;
                return;
            }
        };
        let pipeline = record.identity.get("pipeline").cloned().unwrap_or_default();
        let others = (now, before.clone(), after.clone(), OTHERS.to_owned());
        count(
            &mut self.groups,
            (now, before, after, pipeline),
            record,
            Some(others),
        );
    }

    fn finish(self, lines: Lines) -> ReplayReport {
        let text = |millis: u64| moment(UnixTime::new(Duration::from_millis(millis)));
        let groups = self.groups.into_iter();
        let unknown = self.unknown.into_iter();
        ReplayReport {
            lines,
            groups: groups
                .map(|((now, before, after, pipeline), count)| Group {
                    now,
                    old: before.to_string(),
                    new: after.to_string(),
                    pipeline,
                    requests: count.requests,
                    first: text(count.first),
                    last: text(count.last),
                    example: count.example,
                })
                .collect(),
            unknown: unknown
                .map(|((missing, rules), count)| UnknownGroup {
                    missing: missing.into_iter().collect(),
                    rules: rules.into_iter().collect(),
                    requests: count.requests,
                    example: count.example,
                })
                .collect(),
            ..self.report
        }
    }
}

fn count<K: Ord>(groups: &mut BTreeMap<K, Count>, key: K, record: &Record, others: Option<K>) {
    let is_full = groups.len() >= MOST_GROUPS && !groups.contains_key(&key);
    let key = others.filter(|_| is_full).unwrap_or(key);
    let count = groups.entry(key).or_insert_with(|| Count {
        requests: 0,
        first: record.time_ms,
        last: record.time_ms,
        example: RecordedExample {
            decision_id: record.decision_id.clone(),
            method: record.method.clone(),
            path: record.path.clone().unwrap_or_default(),
            identity: record.identity.clone(),
        },
    });
    count.requests += 1;
    count.first = count.first.min(record.time_ms);
    count.last = count.last.max(record.time_ms);
}

fn issuer<'p>(policy: &'p Policy, record: &Record) -> Option<&'p Issuer> {
    let iss = record.issuer.as_deref()?;
    policy.issuers.iter().find(|issuer| issuer.issuer == iss)
}

/// What a policy said itself.
fn recorded(record: &Record, policy: &Policy) -> Replayed {
    let id = record.rule.as_deref();
    let rule = policy
        .rules
        .iter()
        .position(|rule| Some(rule.id.as_str()) == id);
    match (record.outcome(), rule) {
        (Outcome::Allowed, Some(rule)) => Replayed::Allowed(rule),
        (Outcome::Denied, rule) => Replayed::Refused(rule),
        (Outcome::NotAllowed | Outcome::NotAsked, _) => Replayed::Refused(None),
        // A rule that the policy doesn't have: the record is no record of it.
        (Outcome::Allowed, None) => Replayed::Unknown {
            rules: BTreeSet::new(),
            missing: BTreeSet::from(["rule".to_owned()]),
        },
    }
}

/// In words; or what is missing, and the rules that look at it.
fn said(
    replayed: &Replayed,
    policy: &Policy,
) -> Result<Said, (BTreeSet<String>, BTreeSet<String>)> {
    let id = |rule: &usize| policy.rules[*rule].id.clone();
    match replayed {
        Replayed::Allowed(rule) => Ok(Said::AllowedBy(id(rule))),
        Replayed::Refused(Some(rule)) => Ok(Said::DeniedBy(id(rule))),
        Replayed::Refused(None) => Ok(Said::NotAllowed),
        Replayed::NoIssuer => Ok(Said::NoIssuer),
        Replayed::Unknown { rules, missing } => {
            Err((missing.clone(), rules.iter().map(id).collect()))
        }
    }
}
