//! What one policy allows or refuses that another does not.

mod pool;
mod replayed;
mod requests;
mod settings;
mod structure;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use replayed::{ReplayReport, replay};
pub(crate) use settings::Effect;
pub(crate) use words::{counted, human, plain};

use self::pool::Pool;
use self::requests::{Answer, Request, Requests};
use self::structure::{Change, Kind, Part};
use jobgate::policy::{ClientCertificate, Policy};
use jobgate::time::UnixTime;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A policy, as it was written and as it is decided with.
pub(crate) struct Side<'a> {
    pub(crate) written: &'a Value,
    pub(crate) policy: &'a Policy,
}

/// A part of the policy that differs, and what that does.
#[derive(Debug, Serialize)]
pub(crate) struct ChangeReport {
    /// Its path: `rules.deploy`.
    pub(crate) path: String,
    pub(crate) change: Kind,
    /// Which of its members differ.
    pub(crate) members: Vec<String>,
    /// What it does alone, as if nothing else differed.
    pub(crate) effect: Effect,
    /// Of that, what no request shows.
    #[serde(skip)]
    beyond_requests: Effect,
}

/// Whether a request passes now, or no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Now {
    Allowed,
    Refused,
}

/// Requests on which the policies differ, for one reason.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    pub(crate) now: Now,
    pub(crate) old: String,
    pub(crate) new: String,
    /// How many of the requests that were tried.
    pub(crate) requests: usize,
    /// The simplest of them.
    pub(crate) example: Example,
}

/// A request, as people and programs read it.
#[derive(Debug, Serialize)]
pub(crate) struct Example {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_certificate: Option<BTreeMap<&'static str, String>>,
    pub(crate) issuer: String,
    pub(crate) claims: BTreeMap<String, String>,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) changes: Vec<ChangeReport>,
    /// How many requests were tried.
    pub(crate) requests_tried: usize,
    /// Whether there would have been more to try.
    pub(crate) more_to_try: bool,
    pub(crate) differences: Vec<Difference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replay: Option<ReplayReport>,
}

impl Report {
    /// Whether more passes, as far as was found, and whether anything else is or may be different.
    pub(crate) fn verdict(&self) -> (bool, bool) {
        let differ = |now: Now| {
            let replayed = self.replay.iter().flat_map(|replay| &replay.groups);
            self.differences.iter().any(|each| each.now == now)
                || replayed.into_iter().any(|group| group.now == now)
        };
        // What a change does alone, another may undo.
        let effects = || self.changes.iter().map(|change| change.beyond_requests);
        let widens = differ(Now::Allowed) || effects().any(Effect::widens);
        let other = differ(Now::Refused)
            || effects().any(|effect| effect.narrows() || effect == Effect::NotCompared);
        (widens, widens || other)
    }
}

/// Compares two policies by requests made of their rules. `compile` makes policies of documents.
pub(crate) fn compare(
    old: &Side<'_>,
    new: &Side<'_>,
    compile: impl Fn(&Value) -> Option<Policy>,
) -> Report {
    let changes = structure::changes(old.written, new.written);
    let policies = [old.policy, new.policy];
    let concerned = concerned(&changes, policies);
    let differs = |id: &str| match &concerned {
        None => true,
        Some(rules) => rules.contains(id),
    };
    let pool = Pool::of(policies, &days(&[old.written, new.written]), differs);
    let requests = Requests::make(policies, &pool, differs);
    let shown = Shown::of(policies);
    let mut groups: BTreeMap<(Now, Said, Said), (usize, &Request)> = BTreeMap::new();
    let mut answers = Vec::new();
    for (_, request) in &requests.all {
        let (before, after) = (request.ask(old.policy), request.ask(new.policy));
        answers.push(before);
        let now = match (before.allows(), after.allows()) {
            (false, true) => Now::Allowed,
            (true, false) => Now::Refused,
            _ => continue,
        };
        let key = (
            now,
            Said::of(before, old.policy),
            Said::of(after, new.policy),
        );
        groups.entry(key).or_insert((0, request)).0 += 1;
    }
    let differences = groups
        .into_iter()
        .map(|((now, before, after), (count, request))| Difference {
            now,
            old: before.to_string(),
            new: after.to_string(),
            requests: count,
            example: shown.example(request),
        })
        .collect();
    let changes = changes
        .into_iter()
        .map(|change| {
            let alone = || compile(&structure::with(old.written, new.written, &change.part));
            let beyond_requests = beyond_requests(&change, old.policy, new.policy);
            let shown = by_requests(&change, &requests, &answers, alone);
            ChangeReport {
                effect: beyond_requests.and(shown),
                beyond_requests,
                path: change.part.path(),
                change: change.kind,
                members: change.members,
            }
        })
        .collect();
    Report {
        changes,
        requests_tried: requests.all.len(),
        more_to_try: requests.all.len() >= requests::MOST,
        differences,
        replay: None,
    }
}

/// The rules that changes can touch, by id; none if that is every rule.
fn concerned(changes: &[Change], policies: [&Policy; 2]) -> Option<BTreeSet<String>> {
    let mut rules = BTreeSet::new();
    let mut roles = BTreeSet::new();
    for change in changes {
        match &change.part {
            Part::Issuer(_) => return None,
            Part::Rule(id) => drop(rules.insert(id.clone())),
            Part::Role(name) => drop(roles.insert(name.as_str())),
            Part::Setting(_) => {}
        }
    }
    for policy in policies {
        // A role that includes one of them is concerned too.
        let mut touched = vec![false; policy.roles.len()];
        for place in &policy.role_order {
            let role = &policy.roles[*place];
            let mut included = role.any_of.iter().flat_map(|set| &set.roles);
            touched[*place] =
                roles.contains(role.name.as_str()) || included.any(|inner| touched[*inner]);
        }
        for rule in &policy.rules {
            if rule.roles.iter().any(|role| touched[*role]) {
                rules.insert(rule.id.clone());
            }
        }
    }
    Some(rules)
}

/// What a change does that no request shows.
fn beyond_requests(change: &Change, old: &Policy, new: &Policy) -> Effect {
    match &change.part {
        Part::Setting(name) => settings::of_policy(name, old, new),
        Part::Issuer(name) if change.kind == Kind::Changed => {
            let named = |policy: &Policy| {
                let mut issuers = policy.issuers.iter();
                issuers.position(|issuer| issuer.issuer == *name || issuer.preset == Some(name))
            };
            match (named(old), named(new)) {
                (Some(a), Some(b)) => {
                    settings::of_issuer(&change.members, &old.issuers[a], &new.issuers[b])
                }
                _ => Effect::NothingFound,
            }
        }
        Part::Rule(id) => {
            let named = |policy: &Policy| policy.rules.iter().position(|rule| rule.id == *id);
            match (named(old), named(new)) {
                (Some(a), Some(b)) => settings::of_rule(&old.rules[a], &new.rules[b]),
                _ => Effect::NothingFound,
            }
        }
        Part::Issuer(_) | Part::Role(_) => Effect::NothingFound,
    }
}

/// What a change does alone to the requests.
fn by_requests(
    change: &Change,
    requests: &Requests,
    before: &[Answer],
    alone: impl Fn() -> Option<Policy>,
) -> Effect {
    match &change.part {
        Part::Setting(_) => return Effect::NothingFound,
        // No request could be made that is the rule's: that nothing was found would say too much.
        Part::Rule(id) if !requests.all.iter().any(|(rule, _)| rule == id) => {
            return Effect::NotCompared;
        }
        _ => {}
    }
    let Some(changed) = alone() else {
        return Effect::WithOthers;
    };
    let (mut widens, mut narrows) = (false, false);
    for ((rule, request), before) in requests.all.iter().zip(before) {
        if matches!(&change.part, Part::Rule(id) if id != rule) {
            continue;
        }
        match (before.allows(), request.ask(&changed).allows()) {
            (false, true) => widens = true,
            (true, false) => narrows = true,
            _ => {}
        }
        if widens && narrows {
            break;
        }
    }
    Effect::of(widens, narrows)
}

/// An answer with its rule's id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    AllowedBy(String),
    DeniedBy(String),
    NotAllowed,
    NoIssuer,
}

impl Said {
    fn of(answer: Answer, policy: &Policy) -> Self {
        match answer {
            Answer::Allowed(rule) => Self::AllowedBy(policy.rules[rule].id.clone()),
            Answer::Denied(rule) => Self::DeniedBy(policy.rules[rule].id.clone()),
            Answer::NotAllowed => Self::NotAllowed,
            Answer::NoIssuer => Self::NoIssuer,
        }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AllowedBy(rule) => write!(f, "allowed by {rule}"),
            Self::DeniedBy(rule) => write!(f, "denied by {rule}"),
            Self::NotAllowed => f.write_str("no rule allows it"),
            Self::NoIssuer => f.write_str("no such issuer"),
        }
    }
}

/// Which parts of a request conditions look at: only these are shown.
struct Shown {
    host: bool,
    route: bool,
    at: bool,
    certificate: bool,
}

impl Shown {
    fn of(policies: [&Policy; 2]) -> Self {
        let mut rules = policies.into_iter().flat_map(|policy| &policy.rules);
        let mut shown = Self {
            host: false,
            route: false,
            at: false,
            certificate: false,
        };
        rules.by_ref().for_each(|rule| {
            let any = rule.when.is_some();
            shown.host |= any || !rule.hosts.is_empty();
            shown.route |= any || !rule.routes.is_empty();
            shown.at |= any || rule.schedule.is_some();
            shown.certificate |= rule.certificate.is_some();
        });
        shown
    }

    fn example(&self, request: &Request) -> Example {
        let claims = request.claims.iter();
        Example {
            method: request.method.clone(),
            path: request.path.as_str().to_owned(),
            host: self.host.then(|| request.host.clone()),
            route: self.route.then(|| request.route.clone()),
            at: self.at.then(|| moment(request.at)),
            client_certificate: self.certificate.then(|| certificate(&request.certificate)),
            issuer: request.issuer.clone(),
            claims: claims
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect(),
        }
    }
}

fn certificate(certificate: &ClientCertificate) -> BTreeMap<&'static str, String> {
    let verified = certificate.verified.map(|verified| verified.to_string());
    let parts = [
        ("verified", verified),
        ("subject", certificate.subject.clone()),
        ("uri_san", certificate.uri_san.clone()),
        ("dns_san", certificate.dns_san.clone()),
    ];
    parts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// A moment in UTC, as RFC 3339 writes it.
pub(crate) fn moment(at: UnixTime) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

/// The beginnings of the spans in which moments are looked for: a usual week, and the days before those that
/// schedules name.
fn days(policies: &[&Value]) -> Vec<UnixTime> {
    const DAY: u64 = 86_400;
    fn texts<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::String(text) => found.push(text),
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(members) => members.values().for_each(|item| texts(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for policy in policies {
        for rule in policy["rules"].as_array().into_iter().flatten() {
            texts(&rule["schedule"], &mut found);
        }
    }
    // 4 January 2027 is a Monday.
    let mut days = BTreeSet::from([1_799_020_800]);
    for text in found {
        let date = text.parse::<jiff::civil::Date>().ok();
        let midnight = date.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
        let seconds = midnight.and_then(|day| u64::try_from(day.timestamp().as_second()).ok());
        days.extend(seconds.map(|seconds| seconds.saturating_sub(DAY)));
    }
    days.into_iter().map(UnixTime::from_secs).collect()
}
