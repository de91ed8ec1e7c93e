//! Requests that may tell two policies apart, made of what their rules ask for.
//!
//! For each rule that differs: requests that meet it, in each way in which its roles can be had; those requests
//! with one part changed at a time; and for a deny rule those that an allow rule lets through too. What comes of
//! a request is not worked out here but asked of the policies.

use super::pool::Pool;
use crate::records::put;
use jobgate::policy::{
    ClaimName, ClaimTest, ClientCertificate, Effect, Facts, Policy, Rule, Verdict,
};
use jobgate::request::NormalPath;
use jobgate::time::UnixTime;
use jobgate::token::Claims;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashSet};

/// The most requests that are made.
pub(crate) const MOST: usize = 20_000;

/// The most ways of having a rule's roles that are looked at.
const MOST_WAYS: usize = 64;

/// A request of a proven job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) issuer: String,
    pub(crate) claims: BTreeMap<ClaimName, String>,
    pub(crate) method: String,
    pub(crate) path: NormalPath,
    pub(crate) host: String,
    pub(crate) route: String,
    pub(crate) certificate: ClientCertificate,
    pub(crate) at: UnixTime,
}

/// What a policy says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Answer {
    /// Allowed, by this rule among others.
    Allowed(usize),
    /// Refused by this deny rule.
    Denied(usize),
    /// No rule allows it.
    NotAllowed,
    /// The policy has no such issuer.
    NoIssuer,
}

impl Answer {
    pub(crate) const fn allows(self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

impl Request {
    /// What the policy's rules say of it.
    pub(crate) fn ask(&self, policy: &Policy) -> Answer {
        let mut issuers = policy.issuers.iter();
        let Some(issuer) = issuers.position(|issuer| issuer.issuer == self.issuer) else {
            return Answer::NoIssuer;
        };
        let facts = Facts {
            host: Some(&self.host),
            route: Some(&self.route),
            certificate: &self.certificate,
            ..Facts::new(&self.method, &self.path, self.at)
        };
        match policy.weigh(issuer, &self.token(), &facts) {
            Verdict::Allow { rule, .. } => Answer::Allowed(rule),
            Verdict::Deny(denial) => denial.rule.map_or(Answer::NotAllowed, Answer::Denied),
        }
    }

    fn token(&self) -> Claims {
        let mut members = Map::new();
        members.insert("iss".into(), self.issuer.as_str().into());
        for (name, text) in &self.claims {
            put(&mut members, name, text.as_str().into());
        }
        Claims::new(members)
    }
}

/// Conditions that must all hold, of one rule or of two at once.
#[derive(Clone, Default)]
struct Wanted<'p> {
    rules: Vec<&'p Rule>,
    claims: Vec<(&'p ClaimName, &'p ClaimTest)>,
    /// None: any.
    issuers: Option<Vec<&'p str>>,
}

impl<'p> Wanted<'p> {
    /// Each way of meeting a rule.
    fn ways(policy: &'p Policy, rule: &'p Rule) -> Vec<Self> {
        let issuers = match rule.issuers.as_slice() {
            [] => None,
            places => Some(
                places
                    .iter()
                    .map(|place| policy.issuers[*place].issuer.as_str())
                    .collect(),
            ),
        };
        let base = Self {
            rules: vec![rule],
            claims: rule
                .claims
                .0
                .iter()
                .map(|(name, test)| (name, test))
                .collect(),
            issuers,
        };
        let mut roles = Vec::new();
        for place in &rule.roles {
            role_ways(policy, *place, &mut roles);
        }
        if rule.roles.is_empty() {
            return vec![base];
        }
        let with = |claims: Vec<(&'p ClaimName, &'p ClaimTest)>| Self {
            claims: base.claims.iter().copied().chain(claims).collect(),
            ..base.clone()
        };
        roles.into_iter().map(with).collect()
    }

    fn and(&self, other: &Self) -> Self {
        let both = |a: &Vec<&'p str>, b: &Vec<&'p str>| {
            a.iter().copied().filter(|name| b.contains(name)).collect()
        };
        Self {
            rules: self.rules.iter().chain(&other.rules).copied().collect(),
            claims: self.claims.iter().chain(&other.claims).copied().collect(),
            issuers: match (&self.issuers, &other.issuers) {
                (Some(a), Some(b)) => Some(both(a, b)),
                (a, b) => a.clone().or_else(|| b.clone()),
            },
        }
    }

    /// A request of this issuer that meets it all, if the pool holds what it takes.
    fn request(&self, pool: &Pool, issuer: &str, policy: &'p Policy) -> Option<Request> {
        if self
            .issuers
            .as_ref()
            .is_some_and(|names| !names.contains(&issuer))
        {
            return None;
        }
        let required = policy.issuers.iter().find(|known| known.issuer == issuer)?;
        let required = required.required.0.iter().map(|(name, test)| (name, test));
        let mut tests: BTreeMap<&ClaimName, Vec<&ClaimTest>> = BTreeMap::new();
        for (name, test) in self.claims.iter().copied().chain(required) {
            tests.entry(name).or_default().push(test);
        }
        let mut claims = BTreeMap::new();
        for (name, tests) in tests {
            if name.claim() == "iss" {
                continue;
            }
            let passes = |text: &&String| {
                let value = Value::from(text.as_str());
                tests.iter().all(|test| test.holds(Some(&value)))
            };
            claims.insert(
                name.clone(),
                pool.claims.get(name)?.iter().find(passes)?.clone(),
            );
        }
        let all = |test: &dyn Fn(&Rule) -> bool| self.rules.iter().all(|rule| test(rule));
        let method = pool
            .methods
            .iter()
            .find(|method| all(&|rule| rule.methods.is_empty() || rule.methods.contains(method)));
        let path = pool.paths.iter().find(|path| {
            let covers = |rule: &Rule| rule.paths.iter().any(|glob| glob.matches(path.as_str()));
            all(&|rule| rule.paths.is_empty() || covers(rule))
        });
        let host = pool.hosts.iter().find(|host| {
            let covers = |rule: &Rule| rule.hosts.iter().any(|glob| glob.matches(host));
            all(&|rule| rule.hosts.is_empty() || covers(rule))
        });
        let route = pool
            .routes
            .iter()
            .find(|route| all(&|rule| rule.routes.is_empty() || rule.routes.contains(route)));
        let certificate = pool.certificates.iter().find(|certificate| {
            all(&|rule| {
                rule.certificate
                    .as_ref()
                    .is_none_or(|test| passes(test, certificate))
            })
        });
        let at = pool.times.iter().find(|at| {
            all(&|rule| {
                rule.schedule
                    .as_ref()
                    .is_none_or(|schedule| schedule.covers(**at))
            })
        });
        Some(Request {
            issuer: issuer.to_owned(),
            claims,
            method: method?.clone(),
            path: path?.clone(),
            host: host?.clone(),
            route: route?.clone(),
            certificate: certificate?.clone(),
            at: *at?,
        })
    }
}

fn passes(test: &jobgate::policy::CertificateTest, certificate: &ClientCertificate) -> bool {
    let parts = [
        &certificate.subject,
        &certificate.uri_san,
        &certificate.dns_san,
    ];
    certificate.verified == Some(true)
        && test.globs().iter().zip(parts).all(|(globs, part)| {
            let is_covered = |text: &String| globs.iter().any(|glob| glob.matches(text));
            globs.is_empty() || part.as_ref().is_some_and(is_covered)
        })
}

/// Each way of having a role, as conditions on claims.
fn role_ways<'p>(
    policy: &'p Policy,
    place: usize,
    ways: &mut Vec<Vec<(&'p ClaimName, &'p ClaimTest)>>,
) {
    for set in &policy.roles[place].any_of {
        let own: Vec<_> = set
            .claims
            .0
            .iter()
            .map(|(name, test)| (name, test))
            .collect();
        if set.roles.is_empty() {
            ways.push(own);
        } else {
            let mut inner = Vec::new();
            for place in &set.roles {
                role_ways(policy, *place, &mut inner);
            }
            ways.extend(
                inner
                    .into_iter()
                    .map(|more| own.iter().copied().chain(more).collect()),
            );
        }
        ways.truncate(MOST_WAYS);
        if ways.len() == MOST_WAYS {
            return;
        }
    }
}

/// The requests, and what each was made for: a rule's id.
pub(crate) struct Requests {
    pub(crate) all: Vec<(String, Request)>,
    seen: HashSet<String>,
}

impl Requests {
    /// `differs` says of which rules, by id, requests are made.
    pub(crate) fn make(
        policies: [&Policy; 2],
        pool: &Pool,
        differs: impl Fn(&str) -> bool,
    ) -> Self {
        let mut requests = Self {
            all: Vec::new(),
            seen: HashSet::new(),
        };
        let changed = |policy: &Policy| -> Vec<usize> {
            let rules = policy.rules.iter().enumerate();
            rules
                .filter(|(_, rule)| differs(&rule.id))
                .map(|(place, _)| place)
                .collect()
        };
        // The plain ones of all rules before the variations of any.
        let mut plain = Vec::new();
        for policy in policies {
            for place in changed(policy) {
                let rule = &policy.rules[place];
                for way in Wanted::ways(policy, rule) {
                    for issuer in &pool.issuers {
                        let alone = way.request(pool, issuer, policy);
                        let with_an_allow = || {
                            let others = policies.into_iter().flat_map(|other| {
                                let rules = other.rules.iter();
                                rules.map(move |rule| (other, rule))
                            });
                            others
                                .filter(|(_, rule)| rule.effect == Effect::Allow)
                                .flat_map(|(other, rule)| Wanted::ways(other, rule))
                                .filter_map(|allow| allow.and(&way).request(pool, issuer, policy))
                                .collect::<Vec<_>>()
                        };
                        let combined = match rule.effect {
                            Effect::Deny => with_an_allow(),
                            Effect::Allow => Vec::new(),
                        };
                        for request in alone.into_iter().chain(combined) {
                            requests.add(&rule.id, &request);
                            plain.push((rule.id.clone(), request));
                        }
                    }
                    if requests.all.len() >= MOST {
                        return requests;
                    }
                }
            }
        }
        for (id, request) in plain {
            requests.vary(&id, &request, pool);
        }
        requests
    }

    fn add(&mut self, rule: &str, request: &Request) {
        if self.all.len() < MOST && self.seen.insert(format!("{request:?}")) {
            self.all.push((rule.to_owned(), request.clone()));
        }
    }

    /// The request with one part changed, in every way that the pool has.
    fn vary(&mut self, rule: &str, request: &Request, pool: &Pool) {
        let mut with = |change: &dyn Fn(&mut Request)| {
            let mut other = request.clone();
            change(&mut other);
            self.add(rule, &other);
        };
        for (name, values) in &pool.claims {
            with(&|other| drop(other.claims.remove(name)));
            for value in values {
                with(&|other| drop(other.claims.insert(name.clone(), value.clone())));
            }
        }
        for method in &pool.methods {
            with(&|other| other.method.clone_from(method));
        }
        for path in &pool.paths {
            with(&|other| other.path.clone_from(path));
        }
        for host in &pool.hosts {
            with(&|other| other.host.clone_from(host));
        }
        for route in &pool.routes {
            with(&|other| other.route.clone_from(route));
        }
        for certificate in &pool.certificates {
            with(&|other| other.certificate.clone_from(certificate));
        }
        for at in &pool.times {
            with(&|other| other.at = *at);
        }
        for issuer in &pool.issuers {
            with(&|other| other.issuer.clone_from(issuer));
        }
    }
}
