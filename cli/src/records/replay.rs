//! What a policy says of a recorded request.
//!
//! A record doesn't tell all of a request. So each condition holds, fails, or depends on what the record does
//! not tell; and a verdict is given only where that makes no difference.

use super::expression;
use super::record::{Record, whole};
use super::seen::{Seen, Value, put};
use jobgate::policy::{ClaimSet, ClientCertificate, Effect, Facts, Policy, Rule, Truth};
use jobgate::request::NormalPath;
use jobgate::time::UnixTime;
use jobgate::token::Claims;
use serde_json::Map;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a policy says of a recorded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replayed {
    /// It is allowed, by this rule among others.
    Allowed(usize),
    /// It is refused, by this deny rule if one is known to match.
    Refused(Option<usize>),
    /// The policy has no such issuer, so it is refused.
    NoIssuer,
    /// That depends on what the record doesn't tell.
    Unknown {
        /// The rules that it would take to tell.
        rules: BTreeSet<usize>,
        /// What of the request they look at: claims by their names, else members of rules.
        missing: BTreeSet<String>,
    },
}

/// A replay of records with a policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replay<'a> {
    pub(crate) policy: &'a Policy,
}

/// What a policy's deny rules say of a recorded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denied {
    /// None matches.
    No,
    /// This one does.
    By(usize),
    /// That depends on what the record doesn't tell.
    Unknown,
}

impl Replay<'_> {
    /// What the policy says; nothing where the record is of no request that rules could be asked about.
    pub(crate) fn ask(&self, seen: &Seen<'_>) -> Option<Replayed> {
        let standing = match self.standing(seen)? {
            Ok(standing) => standing,
            Err(replayed) => return Some(replayed),
        };
        let Standing {
            denied,
            allowed,
            unclear_deny,
            unclear_allow,
        } = standing;
        if denied.is_some() {
            return Some(Replayed::Refused(denied));
        }
        let unclear = match allowed {
            Some(rule) if unclear_deny.is_empty() => return Some(Replayed::Allowed(rule)),
            None if unclear_allow.is_empty() => return Some(Replayed::Refused(None)),
            Some(_) => unclear_deny,
            None => unclear_allow,
        };
        let (rules, missing): (_, Vec<_>) = unclear.into_iter().unzip();
        Some(Replayed::Unknown {
            rules,
            missing: missing.into_iter().flatten().collect(),
        })
    }

    /// What the deny rules say alone.
    pub(crate) fn denies(&self, seen: &Seen<'_>) -> Denied {
        match self.standing(seen) {
            Some(Ok(standing)) => match standing.denied {
                Some(rule) => Denied::By(rule),
                None if standing.unclear_deny.is_empty() => Denied::No,
                None => Denied::Unknown,
            },
            Some(Err(_)) | None => Denied::Unknown,
        }
    }

    fn standing(&self, seen: &Seen<'_>) -> Option<Result<Standing, Replayed>> {
        let policy = self.policy;
        let record = seen.record;
        let iss = record.issuer.as_deref()?;
        let unknown = |what: &str| {
            Some(Err(Replayed::Unknown {
                rules: BTreeSet::new(),
                missing: BTreeSet::from([what.to_owned()]),
            }))
        };
        let (Some(path), Some(method)) = (whole(record.path.as_deref()?), whole(&record.method))
        else {
            return unknown("method or path");
        };
        let Some(iss) = whole(iss) else {
            return unknown("iss");
        };
        let path = NormalPath::parse(path.as_bytes()).ok()?;
        let mut issuers = policy.issuers.iter();
        let Some(issuer) = issuers.position(|issuer| issuer.issuer == iss) else {
            return Some(Err(Replayed::NoIssuer));
        };
        let certificate = certificate(record);
        let facts = Facts {
            host: record.host.as_deref(),
            route: record.route.as_deref(),
            service: record.service.as_deref(),
            certificate: &certificate,
            ..Facts::new(
                method,
                &path,
                UnixTime::new(Duration::from_millis(record.time_ms)),
            )
        };
        Some(Ok(Standing::of(policy, issuer, seen, &facts)))
    }
}

/// How the rules stand. Where a deny rule matches, the rest was not looked at.
#[derive(Default)]
struct Standing {
    denied: Option<usize>,
    allowed: Option<usize>,
    /// The rules of which it can't be told, and what is missing.
    unclear_deny: Vec<(usize, BTreeSet<String>)>,
    unclear_allow: Vec<(usize, BTreeSet<String>)>,
}

impl Standing {
    fn of(policy: &Policy, issuer: usize, seen: &Seen<'_>, facts: &Facts<'_>) -> Self {
        let mut standing = Self::default();
        let roles = Roles::of(policy, seen);
        let mut required = Holds::Yes;
        required.all_of(&policy.issuers[issuer].required, seen);
        // The core tells of every condition but those on claims and roles: these may be known in part.
        let claims = known(policy, seen);
        let tells_roles = roles.are(&policy.roles_of(&claims));
        for trace in policy.trace(issuer, &claims, facts) {
            let rule = &policy.rules[trace.rule];
            if rule.shadow {
                continue;
            }
            let mut holds = match rule.effect {
                Effect::Allow => required.clone(),
                Effect::Deny => Holds::Yes,
            };
            for condition in &trace.conditions {
                match condition.member.as_str() {
                    "roles" => {}
                    member if member.starts_with("claims.") => {}
                    "when" => {
                        let when = rule.when.as_ref();
                        let untold = when.map(|when| expression::untold(when, seen, tells_roles));
                        let untold = untold.unwrap_or_default();
                        holds.and(if untold.is_empty() {
                            Holds::of(&condition.holds, rule.effect)
                        } else {
                            Holds::Unknown(untold)
                        });
                    }
                    member => holds.and(other(rule, member, &condition.holds, seen)),
                }
            }
            if !rule.roles.is_empty() {
                holds.and(roles.any(&rule.roles));
            }
            holds.all_of(&rule.claims, seen);
            match (holds, rule.effect) {
                (Holds::Yes, Effect::Deny) => {
                    standing.denied = Some(trace.rule);
                    return standing;
                }
                (Holds::Yes, Effect::Allow) => {
                    standing.allowed = standing.allowed.or(Some(trace.rule));
                }
                (Holds::Unknown(missing), Effect::Deny) => {
                    standing.unclear_deny.push((trace.rule, missing));
                }
                (Holds::Unknown(missing), Effect::Allow) => {
                    standing.unclear_allow.push((trace.rule, missing));
                }
                (Holds::No, _) => {}
            }
        }
        standing
    }
}

/// Whether a condition that is not on claims or roles holds.
fn other(rule: &Rule, member: &str, holds: &Truth, seen: &Seen<'_>) -> Holds {
    let record = seen.record;
    // A service is told only where a rule looks at it.
    let asked_service = seen.maker.is_some_and(|policy| policy.needs().service);
    let tells = match member {
        "hosts" => record
            .host
            .as_deref()
            .is_some_and(|host| whole(host).is_some()),
        // Either name is enough.
        "routes" => {
            let is_whole = |name: &str| whole(name).is_some();
            *holds == Truth::Yes
                || (record.route.as_deref().is_none_or(is_whole)
                    && record.service.as_deref().map_or(asked_service, is_whole))
        }
        "client_certificate" => record.client_certificate.as_ref().is_some_and(|told| {
            let parts = [&told.subject, &told.uri_san, &told.dns_san];
            parts
                .into_iter()
                .flatten()
                .all(|part| whole(part).is_some())
        }),
        _ => true,
    };
    if tells {
        Holds::of(holds, rule.effect)
    } else {
        Holds::Unknown(BTreeSet::from([member.to_owned()]))
    }
}

/// The claims that the record tells as they are.
fn known(policy: &Policy, seen: &Seen<'_>) -> Claims {
    let mut members = Map::new();
    for name in &policy.claims_read {
        if let Value::Is(value) = seen.claim(name) {
            put(&mut members, name, value);
        }
    }
    Claims::new(members)
}

fn certificate(record: &Record) -> ClientCertificate {
    let Some(told) = &record.client_certificate else {
        return ClientCertificate::default();
    };
    ClientCertificate {
        verified: Some(told.verified),
        subject: told.subject.clone(),
        uri_san: told.uri_san.clone(),
        dns_san: told.dns_san.clone(),
    }
}

/// Whether something holds, where what is missing may decide.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holds {
    Yes,
    No,
    /// It depends on these.
    Unknown(BTreeSet<String>),
}

impl Holds {
    /// What the core says of a condition of a rule.
    fn of(truth: &Truth, effect: Effect) -> Self {
        match (truth, effect) {
            (Truth::Yes, _) | (Truth::Unknown(_), Effect::Deny) => Self::Yes,
            (Truth::No, _) | (Truth::Unknown(_), Effect::Allow) => Self::No,
        }
    }

    fn and(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::No, _) | (_, Self::Yes) => {}
            (Self::Unknown(missing), Self::Unknown(more)) => missing.extend(more),
            (Self::Yes | Self::Unknown(_), other) => *self = other,
        }
    }

    fn or(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Yes, _) | (_, Self::No) => {}
            (Self::Unknown(missing), Self::Unknown(more)) => missing.extend(more),
            (Self::No | Self::Unknown(_), other) => *self = other,
        }
    }

    fn all_of(&mut self, claims: &ClaimSet, seen: &Seen<'_>) {
        for (name, test) in &claims.0 {
            self.and(match seen.holds(name, test) {
                Some(true) => Self::Yes,
                Some(false) => Self::No,
                None => Self::Unknown(BTreeSet::from([format!("claims.{name}")])),
            });
        }
    }
}

/// Which roles the job has, by their places.
struct Roles(Vec<Holds>);

impl Roles {
    fn of(policy: &Policy, seen: &Seen<'_>) -> Self {
        let mut roles = Self(vec![Holds::No; policy.roles.len()]);
        for place in &policy.role_order {
            let mut held = Holds::No;
            for set in &policy.roles[*place].any_of {
                let mut holds = Holds::Yes;
                if !set.roles.is_empty() {
                    holds.and(roles.any(&set.roles));
                }
                holds.all_of(&set.claims, seen);
                held.or(holds);
            }
            roles.0[*place] = held;
        }
        roles
    }

    /// Whether it is certain that the job has just these.
    fn are(&self, held: &[usize]) -> bool {
        let mut roles = self.0.iter().enumerate();
        roles.all(|(place, holds)| match holds {
            Holds::Yes => held.contains(&place),
            Holds::No => !held.contains(&place),
            Holds::Unknown(_) => false,
        })
    }

    fn any(&self, places: &[usize]) -> Holds {
        let mut any = Holds::No;
        for place in places {
            any.or(self.0[*place].clone());
        }
        any
    }
}
