//! The decision: an explicit deny wins over every allow, any allow wins over nothing, and the order of the
//! rules never matters.

use super::compiled::{ClaimSet, Effect, Policy, Role, Rule};
use crate::request::NormalPath;
use crate::token::{Claims, VerifiedToken};

/// The most failed conditions a denial names.
const MAX_MISMATCHES: usize = 4;

/// A rule let the request through. Only [`Policy::decide`] makes one.
#[derive(Debug)]
pub struct Permit {
    rule: usize,
    roles: Vec<usize>,
}

impl Permit {
    /// The rule, by its place in the policy: of several the first by id.
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
    /// The rule's id.
    pub rule: String,
    /// The condition, as its path below the policy: `rules.ID.methods`, `roles.NAME.claims.NAME`.
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
        let roles: Vec<usize> = (0..)
            .zip(&self.roles)
            .filter(|(_, role)| role.is_held(claims))
            .map(|(place, _)| place)
            .collect();
        let mut allowed = None;
        for (place, rule) in self.rules.iter().enumerate() {
            if !rule.matches(claims, &roles, method, path) {
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
                Effect::Allow => allowed = allowed.or(Some(place)),
            }
        }
        match allowed {
            Some(rule) => Ruling::Allow(Permit { rule, roles }),
            None => {
                let mismatches = self.mismatches(claims, method, path);
                Ruling::Deny(Denial {
                    rule: None,
                    roles,
                    mismatches,
                })
            }
        }
    }

    /// What kept the allow rules from matching: of those that cover the request's method and path if there
    /// are any, else of all.
    fn mismatches(&self, claims: &Claims, method: &str, path: &NormalPath) -> Vec<Mismatch> {
        let allows = || {
            self.rules
                .iter()
                .filter(|rule| rule.effect == Effect::Allow)
        };
        let mut found: Vec<Mismatch> = allows()
            .filter(|rule| rule.covers(method, path))
            .flat_map(|rule| self.failed_claims(rule, claims))
            .take(MAX_MISMATCHES)
            .collect();
        if found.is_empty() {
            found = allows()
                .map(|rule| rule.failed_scope(method))
                .take(MAX_MISMATCHES)
                .collect();
        }
        found
    }

    fn failed_claims(&self, rule: &Rule, claims: &Claims) -> Vec<Mismatch> {
        let failed = |prefix: String, set: &ClaimSet| {
            set.first_failing(claims).map(|(name, test)| Mismatch {
                rule: rule.id.clone(),
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

impl Role {
    fn is_held(&self, claims: &Claims) -> bool {
        self.any_of
            .iter()
            .any(|set| set.first_failing(claims).is_none())
    }
}

impl Rule {
    fn covers(&self, method: &str, path: &NormalPath) -> bool {
        self.covers_method(method)
            && (self.paths.is_empty() || self.paths.iter().any(|glob| glob.matches(path.as_str())))
    }

    fn covers_method(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|covered| covered == method)
    }

    fn matches(&self, claims: &Claims, roles: &[usize], method: &str, path: &NormalPath) -> bool {
        self.covers(method, path)
            && (self.roles.is_empty() || self.roles.iter().any(|role| roles.contains(role)))
            && self.claims.first_failing(claims).is_none()
    }

    /// The mismatch of a rule that does not cover the request.
    fn failed_scope(&self, method: &str) -> Mismatch {
        let paths: Vec<_> = self.paths.iter().map(super::PathGlob::as_str).collect();
        let (condition, expected) = if self.covers_method(method) {
            ("paths", format!("one of {paths:?}"))
        } else {
            ("methods", format!("one of {:?}", self.methods))
        };
        Mismatch {
            rule: self.id.clone(),
            condition: format!("rules.{}.{condition}", self.id),
            expected,
            claim: None,
        }
    }
}
