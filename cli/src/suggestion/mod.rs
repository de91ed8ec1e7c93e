//! The least policy that allows what records show.
//!
//! [`Survey`] reads records and keeps one of each kind of request, [`cover`] makes rules that cover these kinds
//! and no others, and [`Suggestion`] is the policy with them, after the core has read it and the records were
//! replayed with it. [`yaml`] writes it.

mod cover;
mod dimension;
mod names;
mod survey;
#[cfg(test)]
mod tests;
mod yaml;

pub(crate) use dimension::{Also, Any};
pub(crate) use survey::Survey;
pub(crate) use yaml::yaml;

use self::cover::{Cover, Kind, cover};
use self::dimension::Dimension;
use self::survey::Asked;
use crate::failure::Failure;
use crate::records::replay::{Replay, Replayed};
use jobgate::policy::{PathGlob, Policy, Severity};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What the policy is made from and how far it may go beyond what was seen.
pub(crate) struct Options {
    /// What rules don't ask for.
    pub(crate) any: Vec<Any>,
    /// What they ask for beside the usual.
    pub(crate) also: Vec<Also>,
    /// What stands for the paths that it covers.
    pub(crate) globs: Vec<PathGlob>,
    /// Whether requests that were refused for want of a rule are to be allowed.
    pub(crate) refused_too: bool,
}

/// The policy to which rules are added: its issuers, settings and deny rules.
pub(crate) struct Base {
    document: Value,
    policy: Policy,
}

impl Base {
    /// Takes the allow rules out of a policy.
    ///
    /// # Errors
    /// What is left is no policy.
    pub(crate) fn new(mut document: Value) -> Result<Self, Failure> {
        if let Some(rules) = document["rules"].as_array_mut() {
            rules.retain(|rule| rule["effect"] == "deny");
        }
        let policy = Policy::from_json(document.to_string().as_bytes()).map_err(|errors| {
            let lines = errors
                .0
                .iter()
                .map(|error| format!("{}: {}", error.path, error.message));
            let text = lines.collect::<Vec<_>>().join("\n");
            Failure::new(format!("the policy to begin from has errors\n{text}"))
        })?;
        Ok(Self { document, policy })
    }
}

/// What a rule was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Evidence {
    pub(crate) requests: usize,
    pub(crate) first: String,
    pub(crate) last: String,
    /// The id of one decision.
    pub(crate) example: String,
}

/// Requests that the policy does not allow, though that was asked, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) why: String,
    pub(crate) requests: usize,
    pub(crate) example: String,
}

/// What `jobgate check` warns of in the policy, once for each kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Warning {
    pub(crate) code: &'static str,
    /// Where it is found first.
    pub(crate) path: String,
    /// In how many places.
    pub(crate) places: usize,
    pub(crate) message: String,
    pub(crate) fix: String,
}

fn warnings(policy: &Policy) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = Vec::new();
    let findings = policy.findings().into_iter();
    for found in findings.filter(|found| found.severity >= Severity::Warning) {
        match warnings.iter_mut().find(|known| known.code == found.code) {
            Some(known) => known.places += 1,
            None => warnings.push(Warning {
                code: found.code,
                path: found.path,
                places: 1,
                message: found.message,
                fix: found.fix,
            }),
        }
    }
    warnings
}

/// A policy, and where its rules come from.
#[derive(Debug, Serialize)]
pub(crate) struct Suggestion {
    pub(crate) policy: Value,
    /// By the rule's id.
    pub(crate) evidence: BTreeMap<String, Evidence>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) warnings: Vec<Warning>,
    /// Requests that were refused, and that the policy allows as it was told to generalise.
    pub(crate) also_allows: usize,
    /// Records of requests that rules were not asked about.
    pub(crate) not_asked: usize,
}

impl Suggestion {
    /// Makes rules of what was seen.
    ///
    /// # Errors
    /// The policy is not what it should be, which is a mistake in here.
    pub(crate) fn make(
        base: &Base,
        options: &Options,
        survey: Survey<'_>,
    ) -> Result<Self, Failure> {
        let Survey {
            kinds,
            refused,
            mut left_out,
            not_asked,
            ..
        } = survey;
        // One that was refused can't be told from it, so a rule for the one would let the other through.
        let (kinds, doubtful): (Vec<_>, Vec<_>) = kinds
            .into_iter()
            .partition(|(kind, _)| !refused.contains_key(kind));
        for (_, seen) in doubtful {
            let why = "others like it were refused; --also tells them apart by more".to_owned();
            left_out.entry(why).or_insert_with(|| (0, seen.example())).0 += seen.requests;
        }
        let taken = base
            .policy
            .rules
            .iter()
            .map(|rule| rule.id.clone())
            .collect();
        let mut covers = cover(&kinds, &options.globs);
        let (document, policy) = loop {
            let ids = names::ids(&covers, &taken);
            let mut document = base.document.clone();
            let first = document["rules"].as_array().map_or(0, Vec::len);
            if let Some(rules) = document["rules"].as_array_mut() {
                let several = base.policy.issuers.len() > 1;
                let written = covers.iter().zip(&ids);
                rules.extend(written.map(|(cover, id)| rule(cover, id, several)));
            }
            let errors = match Policy::from_json(document.to_string().as_bytes()) {
                Ok(policy) => break (document, (policy, ids)),
                Err(errors) => errors,
            };
            // What was seen can't be written as a rule.
            let mut wrong = BTreeMap::new();
            for error in errors.0 {
                let place = place_of_rule(&error.path)
                    .and_then(|place| place.checked_sub(first))
                    .filter(|place| *place < covers.len());
                let Some(place) = place else {
                    return Err(Failure::new(format!("{}: {}", error.path, error.message)));
                };
                wrong.entry(place).or_insert(error.message);
            }
            for (place, why) in wrong.into_iter().rev() {
                let evidence = covers.remove(place).evidence(&kinds);
                let example = evidence.example.clone();
                left_out.entry(why).or_insert((0, example)).0 += evidence.requests;
            }
        };
        let (policy, ids) = policy;
        let covered: BTreeSet<_> = covers.iter().flat_map(|cover| &cover.kinds).collect();
        let replay = Replay { policy: &policy };
        for (place, (_, seen)) in kinds.iter().enumerate() {
            let is_allowed = matches!(
                seen.replay(replay, &base.policy),
                Some(Replayed::Allowed(_))
            );
            if covered.contains(&place) != is_allowed {
                return Err(Failure::new(format!(
                    "the rules do not allow what they are made of: decision {}",
                    seen.example()
                )));
            }
        }
        let also = refused.values().filter(|seen| {
            matches!(
                seen.replay(replay, &base.policy),
                Some(Replayed::Allowed(_))
            )
        });
        let evidence = covers.iter().map(|cover| cover.evidence(&kinds));
        Ok(Self {
            warnings: warnings(&policy),
            also_allows: also.map(|seen| seen.requests).sum(),
            policy: document,
            evidence: ids.into_iter().zip(evidence).collect(),
            left_out: left_out
                .into_iter()
                .map(|(why, (requests, example))| LeftOut {
                    why,
                    requests,
                    example,
                })
                .collect(),
            not_asked,
        })
    }
}

/// The place in an error's path: 2 of `rules[2].paths[0]`.
fn place_of_rule(path: &str) -> Option<usize> {
    path.strip_prefix("rules[")?.split(']').next()?.parse().ok()
}

fn rule(cover: &Cover, id: &str, names_issuer: bool) -> Value {
    let mut rule = json!({ "id": id });
    if names_issuer {
        rule["issuer"] = cover.issuer.as_str().into();
    }
    let mut claims = serde_json::Map::new();
    let single = |(dimension, value): &(Dimension, String)| {
        (dimension.clone(), BTreeSet::from([value.clone()]))
    };
    let group = cover.group.iter().map(single);
    for (dimension, values) in group.chain(cover.values.iter().cloned()) {
        let list = || Value::from_iter(values.iter().map(String::as_str));
        match dimension {
            Dimension::Method => rule["methods"] = list(),
            Dimension::Path => rule["paths"] = list(),
            Dimension::Host => rule["hosts"] = list(),
            Dimension::Route => rule["routes"] = list(),
            Dimension::Claim(name) => {
                let test = match values.first() {
                    Some(only) if values.len() == 1 => only.as_str().into(),
                    _ => json!({ "in": list() }),
                };
                claims.insert(name, test);
            }
        }
    }
    if !claims.is_empty() {
        rule["claims"] = claims.into();
    }
    rule
}
