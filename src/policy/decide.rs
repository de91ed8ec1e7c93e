//! The decision: an explicit deny wins over every allow, any allow wins over nothing, and the order of the
//! rules never matters.

use super::compiled::{ClaimSet, Effect, Policy, Replay, Role, Rule};
use crate::request::NormalPath;
use crate::token::{Claims, VerifiedToken};

/// The most failed conditions a denial names.
const MAX_MISMATCHES: usize = 4;

/// A rule let the request through. Only [`Policy::decide`] makes one.
#[derive(Debug)]
pub struct Permit {
    rule: usize,
    roles: Vec<usize>,
    replay: Replay,
}

impl Permit {
    /// Whether the token passes only if it can be claimed for the rule: see [`crate::replay`].
    #[must_use]
    pub const fn replay(&self) -> Replay {
        self.replay
    }

    /// The rule, by its place in the policy: of several one that lets tokens through as often as they come,
    /// if there is one, and of those the first by id.
    #[must_use]
    pub const fn rule(&self) -> usize {
        self.rule
    }

    /// All roles that the job has, by their places in the policy.
    #[must_use]
    pub fn roles(&self) -> &[usize] {
        &self.roles
    }
}

/// No rule let the request through, or one refused it.
#[derive(Debug)]
pub struct Denial {
    /// The deny rule that matched, by its place in the policy; none if no rule allowed.
    pub rule: Option<usize>,
    /// All roles that the job has, by their places in the policy.
    pub roles: Vec<usize>,
    /// Where no rule allowed: what kept the rules that come nearest from matching.
    pub mismatches: Vec<Mismatch>,
}

/// The first condition of a rule that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The rule's id; none for a condition on all tokens of an issuer.
    pub rule: Option<String>,
    /// The condition, as its path below the policy: `rules.ID.methods`, `roles.NAME.claims.NAME`,
    /// `issuers.ISS.claims.NAME`.
    pub condition: String,
    /// What it asks for.
    pub expected: String,
    /// The claim it looks at, if it looks at one.
    pub claim: Option<String>,
}

/// The outcome of a policy for a proven token.
#[derive(Debug)]
pub enum Ruling {
    /// The request may pass.
    Allow(Permit),
    /// It may not.
    Deny(Denial),
}

impl Policy {
    /// Decides a request of a proven job.
    #[must_use]
    pub fn decide(&self, token: &VerifiedToken, method: &str, path: &NormalPath) -> Ruling {
        let claims = token.claims();
        let issuer = token.issuer();
        let may_pass = self
            .issuers
            .get(issuer)
            .is_some_and(|issuer| issuer.required.first_failing(claims).is_none());
        let roles: Vec<usize> = (0..)
            .zip(&self.roles)
            .filter(|(_, role)| role.is_held(claims))
            .map(|(place, _)| place)
            .collect();
        let mut allowed: Option<(usize, Replay)> = None;
        for (place, rule) in self.rules.iter().enumerate() {
            if !rule.is_for(issuer) || !rule.matches(claims, &roles, method, path) {
                continue;
            }
            match rule.effect {
                Effect::Deny => {
                    return Ruling::Deny(Denial {
                        rule: Some(place),
                        roles,
                        mismatches: Vec::new(),
                    });
                }
                Effect::Allow => {
                    let is_better = match allowed {
                        None => true,
                        Some((_, first)) => (first, rule.replay) == (Replay::Once, Replay::Allow),
                    };
                    if may_pass && is_better {
                        allowed = Some((place, rule.replay));
                    }
                }
            }
        }
        match allowed {
            Some((rule, replay)) => Ruling::Allow(Permit {
                rule,
                roles,
                replay,
            }),
            None => {
                let mismatches = self.mismatches(issuer, claims, method, path);
                Ruling::Deny(Denial {
                    rule: None,
                    roles,
                    mismatches,
                })
            }
        }
    }

    /// What kept the allow rules from matching: a condition on all tokens of the issuer, else those of the
    /// rules that cover the request's issuer, method and path if there are any, else of all.
    fn mismatches(
        &self,
        issuer: usize,
        claims: &Claims,
        method: &str,
        path: &NormalPath,
    ) -> Vec<Mismatch> {
        if let Some(missed) = self.missed_requirement(issuer, claims) {
            return vec![missed];
        }
        let allows = || {
            self.rules
                .iter()
                .filter(|rule| rule.effect == Effect::Allow)
        };
        let mut found: Vec<Mismatch> = allows()
            .filter(|rule| rule.is_for(issuer) && rule.covers(method, path))
            .flat_map(|rule| self.failed_claims(rule, claims))
            .take(MAX_MISMATCHES)
            .collect();
        if found.is_empty() {
            found = allows()
                .map(|rule| self.failed_scope(rule, method, path))
                .take(MAX_MISMATCHES)
                .collect();
        }
        found
    }

    fn missed_requirement(&self, issuer: usize, claims: &Claims) -> Option<Mismatch> {
        let issuer = self.issuers.get(issuer)?;
        let (name, test) = issuer.required.first_failing(claims)?;
        Some(Mismatch {
            rule: None,
            condition: format!("issuers.{}.claims.{name}", issuer.issuer),
            expected: test.to_string(),
            claim: Some(name.clone()),
        })
    }

    fn failed_claims(&self, rule: &Rule, claims: &Claims) -> Vec<Mismatch> {
        let failed = |prefix: String, set: &ClaimSet| {
            set.first_failing(claims).map(|(name, test)| Mismatch {
                rule: Some(rule.id.clone()),
                condition: format!("{prefix}.claims.{name}"),
                expected: test.to_string(),
                claim: Some(name.clone()),
            })
        };
        match failed(format!("rules.{}", rule.id), &rule.claims) {
            Some(mismatch) => vec![mismatch],
            None => rule
                .roles
                .iter()
                .filter_map(|role| self.roles.get(*role))
                .flat_map(|role| {
                    role.any_of
                        .iter()
                        .filter_map(|set| failed(format!("roles.{}", role.name), set))
                })
                .collect(),
        }
    }
}

impl Policy {
    /// The mismatch of a rule that does not cover the request.
    fn failed_scope(&self, rule: &Rule, method: &str, path: &NormalPath) -> Mismatch {
        let (condition, expected, claim) = if !rule.covers_method(method) {
            ("methods", format!("one of {:?}", rule.methods), None)
        } else if !rule.covers_path(path) {
            let paths: Vec<_> = rule.paths.iter().map(super::PathGlob::as_str).collect();
            ("paths", format!("one of {paths:?}"), None)
        } else {
            let issuers: Vec<_> = rule
                .issuers
                .iter()
                .filter_map(|place| self.issuers.get(*place))
                .map(|issuer| &issuer.issuer)
                .collect();
            ("issuer", format!("one of {issuers:?}"), Some("iss".into()))
        };
        Mismatch {
            rule: Some(rule.id.clone()),
            condition: format!("rules.{}.{condition}", rule.id),
            expected,
            claim,
        }
    }
}

impl Role {
    fn is_held(&self, claims: &Claims) -> bool {
        self.any_of
            .iter()
            .any(|set| set.first_failing(claims).is_none())
    }
}

impl Rule {
    /// Whether it is for tokens of the issuer at this place.
    pub(super) fn is_for(&self, issuer: usize) -> bool {
        self.issuers.is_empty() || self.issuers.contains(&issuer)
    }

    fn covers(&self, method: &str, path: &NormalPath) -> bool {
        self.covers_method(method) && self.covers_path(path)
    }

    fn covers_path(&self, path: &NormalPath) -> bool {
        // RFC 3986, section 2.2, has `:` and `%3A` as two things. Hardly a server does, and whoever wrote a rule
        // that denies the one meant the other too.
        let is_covered = |glob: &super::PathGlob| match self.effect {
            Effect::Allow => glob.matches(path.as_str()),
            Effect::Deny => glob.matches(path.as_str()) || glob.matches_unescaped(path.unescaped()),
        };
        self.paths.is_empty() || self.paths.iter().any(is_covered)
    }

    fn covers_method(&self, method: &str) -> bool {
        // Methods differ by case. Some upstreams think otherwise, and must not be a way around a deny rule.
        let is_covered = |covered: &String| match self.effect {
            Effect::Allow => covered == method,
            Effect::Deny => covered.eq_ignore_ascii_case(method),
        };
        self.methods.is_empty() || self.methods.iter().any(is_covered)
    }

    fn matches(&self, claims: &Claims, roles: &[usize], method: &str, path: &NormalPath) -> bool {
        self.covers(method, path)
            && (self.roles.is_empty() || self.roles.iter().any(|role| roles.contains(role)))
            && self.claims.first_failing(claims).is_none()
    }
}
