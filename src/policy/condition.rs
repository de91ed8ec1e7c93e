//! The conditions of a rule, one by one: what decides and what explains are the same code.

use super::certificate::CertificateTest;
use super::claim_name::ClaimName;
use super::compiled::{Effect, Policy, Rule};
use super::facts::Facts;
use super::glob::PathGlob;
use super::host_glob::HostGlob;
use super::matcher::ClaimTest;
use super::schedule::Schedule;
use super::when::{Environment, When};
use crate::token::Claims;
use std::borrow::Cow;

/// Whether a condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It can't be told, for this reason. An allow rule then does not match, and a deny rule does.
    Unknown(Cow<'static, str>),
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// What conditions are held against: a proven job and its request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) policy: &'a Policy,
    /// The issuer, by its place in the policy.
    pub(super) issuer: usize,
    pub(super) claims: &'a Claims,
    /// The job's roles, by their places in the policy, in order.
    pub(super) roles: &'a [usize],
    pub(super) facts: &'a Facts<'a>,
}

/// One condition of a rule.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'r> {
    Issuer(&'r [usize]),
    Routes(&'r [String]),
    Hosts(&'r [HostGlob]),
    Methods(&'r [String]),
    Paths(&'r [PathGlob]),
    Roles(&'r [usize]),
    Claim(&'r ClaimName, &'r ClaimTest),
    Schedule(&'r Schedule),
    When(&'r When),
    Certificate(&'r CertificateTest),
}

impl Rule {
    /// What it asks for, the cheap first and the certificate last: if that is what fails, all else held.
    pub(super) fn conditions(&self) -> impl Iterator<Item = Condition<'_>> {
        fn list<T>(list: &[T]) -> Option<&[T]> {
            (!list.is_empty()).then_some(list)
        }
        let first = [
            list(&self.issuers).map(Condition::Issuer),
            list(&self.routes).map(Condition::Routes),
            list(&self.hosts).map(Condition::Hosts),
            list(&self.methods).map(Condition::Methods),
            list(&self.paths).map(Condition::Paths),
            list(&self.roles).map(Condition::Roles),
        ];
        let claims = self.claims.0.iter();
        let last = [
            self.schedule.as_ref().map(Condition::Schedule),
            self.when.as_ref().map(Condition::When),
            self.certificate.as_ref().map(Condition::Certificate),
        ];
        first
            .into_iter()
            .flatten()
            .chain(claims.map(|(name, test)| Condition::Claim(name, test)))
            .chain(last.into_iter().flatten())
    }
}

impl Condition<'_> {
    /// Whether it says which requests the rule is about, rather than which jobs may make them.
    pub(super) fn is_scope(&self) -> bool {
        matches!(
            self,
            Self::Issuer(_) | Self::Routes(_) | Self::Hosts(_) | Self::Methods(_) | Self::Paths(_)
        )
    }

    /// Whether it holds, in a rule of this effect.
    pub(super) fn holds(&self, effect: Effect, subject: &Subject<'_>) -> Truth {
        let facts = subject.facts;
        match self {
            Self::Issuer(issuers) => issuers.contains(&subject.issuer).into(),
            Self::Routes(names) => match (facts.route, facts.service) {
                (None, None) => {
                    Truth::Unknown("the gateway names neither the route nor its service".into())
                }
                told => names
                    .iter()
                    .any(|name| [told.0, told.1].contains(&Some(name)))
                    .into(),
            },
            Self::Hosts(globs) => match facts.host {
                Some(host) => globs.iter().any(|glob| glob.matches(host)).into(),
                None => Truth::Unknown("the request names no host that can be read".into()),
            },
            // Methods differ by case. Some upstreams think otherwise, and must not be a way around a deny rule.
            Self::Methods(methods) => methods
                .iter()
                .any(|covered| match effect {
                    Effect::Allow => covered == facts.method,
                    Effect::Deny => covered.eq_ignore_ascii_case(facts.method),
                })
                .into(),
            // RFC 3986, section 2.2, has `:` and `%3A` as two things. Hardly a server does, and whoever wrote a
            // rule that denies the one meant the other too.
            Self::Paths(globs) => globs
                .iter()
                .any(|glob| {
                    glob.matches(facts.path.as_str())
                        || (effect == Effect::Deny
                            && glob.matches_unescaped(facts.path.unescaped()))
                })
                .into(),
            Self::Roles(roles) => roles
                .iter()
                .any(|role| subject.roles.binary_search(role).is_ok())
                .into(),
            Self::Claim(name, test) => test.truth(name.find(subject.claims)),
            Self::Schedule(schedule) => schedule.covers(facts.now).into(),
            Self::When(when) => {
                let roles: Vec<&str> = subject.policy.role_names(subject.roles).collect();
                let environment = Environment {
                    claims: subject.claims,
                    roles: &roles,
                    method: facts.method,
                    path: facts.path.as_str(),
                    host: facts.host,
                    route: facts.route,
                    service: facts.service,
                    now: facts.now,
                };
                when.eval(&environment).map_or_else(
                    |error| Truth::Unknown(error.to_string().into()),
                    Truth::from,
                )
            }
            Self::Certificate(test) => test.holds(facts.certificate),
        }
    }

    /// The member of the rule that it stands in: `methods`, `claims.build_branch`.
    pub(super) fn member(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Issuer(_) => "issuer",
            Self::Routes(_) => "routes",
            Self::Hosts(_) => "hosts",
            Self::Methods(_) => "methods",
            Self::Paths(_) => "paths",
            Self::Roles(_) => "roles",
            Self::Claim(name, _) => return format!("claims.{name}").into(),
            Self::Schedule(_) => "schedule",
            Self::When(_) => "when",
            Self::Certificate(_) => "client_certificate",
        })
    }

    /// What it asks for, in words.
    pub(super) fn expected(&self, policy: &Policy) -> String {
        match self {
            Self::Issuer(places) => {
                let issuers = places.iter().filter_map(|place| policy.issuers.get(*place));
                let issuers: Vec<_> = issuers.map(|issuer| &issuer.issuer).collect();
                format!("one of {issuers:?}")
            }
            Self::Routes(names) | Self::Methods(names) => format!("one of {names:?}"),
            Self::Hosts(globs) => {
                let globs: Vec<_> = globs.iter().map(ToString::to_string).collect();
                format!("one of {globs:?}")
            }
            Self::Paths(globs) => {
                let globs: Vec<_> = globs.iter().map(PathGlob::as_str).collect();
                format!("one of {globs:?}")
            }
            Self::Roles(places) => {
                let names: Vec<_> = policy.role_names(places).collect();
                format!("one of {names:?}")
            }
            Self::Claim(_, test) => test.to_string(),
            Self::Schedule(schedule) => schedule.to_string(),
            Self::When(when) => when.source().to_owned(),
            Self::Certificate(test) => test.to_string(),
        }
    }

    /// The claim that it looks at, if it is one.
    pub(super) fn claim(&self) -> Option<ClaimName> {
        match self {
            Self::Issuer(_) => Some(ClaimName::whole("iss")),
            Self::Claim(name, _) => Some((*name).clone()),
            _ => None,
        }
    }
}
