//! Why a policy decides as it does: every condition of every rule.

use super::claim_name::ClaimName;
use super::compiled::{Policy, Rule};
use super::condition::{Subject, Truth};
use super::decide::Outcome;
use super::facts::Facts;
use crate::token::Claims;

/// How a rule stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTrace {
    /// The rule, by its place in the policy.
    pub rule: usize,
    /// Whether all its conditions hold.
    pub holds: Truth,
    /// Its conditions, in the order in which they are tried.
    pub conditions: Vec<ConditionTrace>,
}

/// How a condition stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionTrace {
    /// The member of the rule that it stands in: `methods`, `claims.build_branch`.
    pub member: String,
    /// What it asks for, in words.
    pub expected: String,
    /// The claim it looks at, if it looks at one.
    pub claim: Option<ClaimName>,
    /// Whether it holds.
    pub holds: Truth,
}

impl Policy {
    /// How every rule stands for these claims, of the issuer at this place, and this request; by the same code
    /// as the decision.
    #[must_use]
    pub fn trace(&self, issuer: usize, claims: &Claims, facts: &Facts<'_>) -> Vec<RuleTrace> {
        let roles = self.held_roles(claims);
        let subject = Subject {
            policy: self,
            issuer,
            claims,
            roles: &roles,
            facts,
        };
        let trace = |(place, rule): (usize, &Rule)| RuleTrace {
            rule: place,
            holds: match rule.outcome(&subject) {
                Outcome::Holds => Truth::Yes,
                Outcome::Fails(_) => Truth::No,
                Outcome::Uncertain(_, why) => Truth::Unknown(why.into()),
            },
            conditions: rule
                .conditions()
                .map(|condition| ConditionTrace {
                    member: condition.member().into_owned(),
                    expected: condition.expected(self),
                    claim: condition.claim(),
                    holds: condition.holds(rule.effect, &subject),
                })
                .collect(),
        };
        self.rules.iter().enumerate().map(trace).collect()
    }

    /// The roles that a job with these claims has, by their places in the policy.
    #[must_use]
    pub fn roles_of(&self, claims: &Claims) -> Vec<usize> {
        self.held_roles(claims)
    }
}
