//! The decision: an explicit deny wins over every allow, any allow wins over nothing, and the order of the
//! rules never matters.

use super::claim_name::ClaimName;
use super::compiled::{ClaimSet, Effect, Policy, Replay, Rule};
use super::condition::{Condition, Subject, Truth};
use super::facts::Facts;
use super::index::Find;
use crate::reason::{Reason, Refusal};
use crate::token::{Claims, VerifiedToken};

/// The most failed conditions a denial names.
const MAX_MISMATCHES: usize = 4;

/// A rule let the request through. Only [`Policy::decide`] makes one.
#[derive(Debug)]
pub struct Permit {
    rule: usize,
    roles: Vec<usize>,
    shadow: Vec<usize>,
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

    /// The deny rules on trial that would have refused it, by their places in the policy.
    #[must_use]
    pub fn shadow(&self) -> &[usize] {
        &self.shadow
    }
}

/// No rule let the request through, or one refused it.
#[derive(Debug, PartialEq, Eq)]
pub struct Denial {
    /// The deny rule that matched, by its place in the policy; none if no rule allowed.
    pub rule: Option<usize>,
    /// Where the deny rule matched because a condition of it could not be told: why not.
    pub uncertain: Option<String>,
    /// All roles that the job has, by their places in the policy.
    pub roles: Vec<usize>,
    /// The allow rules on trial that would have let it through, by their places in the policy.
    pub shadow: Vec<usize>,
    /// Whether an allow rule asked for nothing more than another client certificate.
    pub lacks_certificate: bool,
    /// Where no rule allowed: what kept the rules that come nearest from matching.
    pub mismatches: Vec<Mismatch>,
}

impl Denial {
    /// The code and its detail.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match (self.rule, &self.uncertain) {
            (Some(_), None) => Refusal::new(Reason::DeniedByRule, "a deny rule matched"),
            (Some(_), Some(why)) => Refusal::new(
                Reason::DeniedByRule,
                format!("it can't be told whether a deny rule matches: {why}"),
            ),
            (None, _) if self.lacks_certificate => Refusal::new(
                Reason::ClientCertificateRequired,
                "only the client certificate that a rule asks for is missing",
            ),
            (None, _) => Refusal::new(Reason::NoRuleMatched, "no allow rule matched"),
        }
    }
}

/// The first condition of a rule that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The rule's id; none for a condition on all tokens of an issuer.
    pub rule: Option<String>,
    /// The condition, as its path below the policy: `rules.ID.methods`, `roles.NAME.claims.NAME`,
    /// `issuers.ISS.claims.NAME`.
    pub condition: String,
    /// What it asks for; and where it could not be told whether that holds, why.
    pub expected: String,
    /// The claim it looks at, if it looks at one.
    pub claim: Option<ClaimName>,
}

/// The outcome of a policy for a proven token.
#[derive(Debug)]
pub enum Ruling {
    /// The request may pass.
    Allow(Permit),
    /// It may not.
    Deny(Denial),
}

/// What the rules say of a job and its request, whoever proved the job. It permits nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// An allow rule matches and no deny rule does.
    Allow {
        /// As [`Permit::rule`].
        rule: usize,
        /// As [`Permit::roles`].
        roles: Vec<usize>,
        /// As [`Permit::shadow`].
        shadow: Vec<usize>,
    },
    /// The request is refused.
    Deny(Denial),
}

impl Policy {
    /// Decides a request of a proven job.
    #[must_use]
    pub fn decide(&self, token: &VerifiedToken, facts: &Facts<'_>) -> Ruling {
        match self.weigh(token.issuer(), token.claims(), facts) {
            Verdict::Deny(denial) => Ruling::Deny(denial),
            Verdict::Allow {
                rule,
                roles,
                shadow,
            } => Ruling::Allow(Permit {
                rule,
                roles,
                shadow,
                replay: self
                    .rules
                    .get(rule)
                    .map_or(Replay::Once, |rule| rule.replay),
            }),
        }
    }

    /// What the rules say of these claims, of the issuer at this place, and this request.
    ///
    /// Whether the claims are true is not asked: that is for [`Self::decide`], which takes the proof.
    #[must_use]
    pub fn weigh(&self, issuer: usize, claims: &Claims, facts: &Facts<'_>) -> Verdict {
        self.weigh_with(&self.index, issuer, claims, facts)
    }

    pub(super) fn weigh_with(
        &self,
        find: &impl Find,
        issuer: usize,
        claims: &Claims,
        facts: &Facts<'_>,
    ) -> Verdict {
        let may_pass = self
            .issuers
            .get(issuer)
            .is_some_and(|issuer| issuer.required.first_failing(claims).is_none());
        let roles = find.roles(self, claims);
        let subject = Subject {
            policy: self,
            issuer,
            claims,
            roles: &roles,
            facts,
        };
        let mut allowed: Option<(usize, Replay)> = None;
        let (mut shadow_allows, mut shadow_denies) = (Vec::new(), Vec::new());
        let mut lacks_certificate = false;
        for (place, rule) in self.at(find.candidates(&subject)) {
            let outcome = rule.outcome(&subject);
            match (rule.effect, outcome) {
                (Effect::Deny, Outcome::Fails(_)) => {}
                (Effect::Deny, _) if rule.shadow => shadow_denies.push(place),
                (Effect::Deny, outcome) => {
                    return Verdict::Deny(Denial {
                        rule: Some(place),
                        uncertain: match outcome {
                            Outcome::Uncertain(condition, why) => {
                                Some(format!("{}: {why}", condition.member()))
                            }
                            _ => None,
                        },
                        roles,
                        shadow: Vec::new(),
                        lacks_certificate: false,
                        mismatches: Vec::new(),
                    });
                }
                (Effect::Allow, _) if !may_pass => {}
                (Effect::Allow, Outcome::Holds) if rule.shadow => shadow_allows.push(place),
                (Effect::Allow, Outcome::Holds) => {
                    let is_better = match allowed {
                        None => true,
                        Some((_, first)) => (first, rule.replay) == (Replay::Once, Replay::Allow),
                    };
                    if is_better {
                        allowed = Some((place, rule.replay));
                    }
                }
                (Effect::Allow, Outcome::Fails(condition) | Outcome::Uncertain(condition, _)) => {
                    lacks_certificate |=
                        !rule.shadow && matches!(condition, Condition::Certificate(_));
                }
            }
        }
        match allowed {
            Some((rule, _)) => Verdict::Allow {
                rule,
                roles,
                shadow: shadow_denies,
            },
            None => Verdict::Deny(Denial {
                rule: None,
                uncertain: None,
                mismatches: self.mismatches(find, &subject),
                roles,
                // On trial too, a deny wins.
                shadow: if shadow_denies.is_empty() {
                    shadow_allows
                } else {
                    Vec::new()
                },
                lacks_certificate,
            }),
        }
    }

    /// The rules at these places.
    fn at(&self, places: impl IntoIterator<Item = usize>) -> impl Iterator<Item = (usize, &Rule)> {
        let rule = |place| Some((place, self.rules.get(place)?));
        places.into_iter().filter_map(rule)
    }

    /// All roles that a job has, by their places, in order.
    pub(super) fn held_roles(&self, claims: &Claims) -> Vec<usize> {
        self.index.roles(self, claims)
    }

    /// What kept the allow rules from matching: a condition on all tokens of the issuer, else those of the
    /// rules that are about such a request if there are any, else of all.
    fn mismatches(&self, find: &impl Find, subject: &Subject<'_>) -> Vec<Mismatch> {
        if let Some(missed) = self.missed_requirement(subject.issuer, subject.claims) {
            return vec![missed];
        }
        let allows = || {
            self.rules
                .iter()
                .filter(|rule| rule.effect == Effect::Allow && !rule.shadow)
        };
        let is_about = |rule: &&Rule| {
            let mut scope = rule.conditions().filter(Condition::is_scope);
            scope.all(|condition| condition.holds(rule.effect, subject) == Truth::Yes)
        };
        let mut found: Vec<Mismatch> = self
            .at(find.about(subject))
            .map(|(_, rule)| rule)
            .filter(is_about)
            .flat_map(|rule| self.failed(rule, subject))
            .take(MAX_MISMATCHES)
            .collect();
        if found.is_empty() {
            found = allows()
                .flat_map(|rule| self.failed(rule, subject))
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

    /// The first condition of a rule that fails; where that is its roles, what each of them lacks.
    fn failed(&self, rule: &Rule, subject: &Subject<'_>) -> Vec<Mismatch> {
        let id = &rule.id;
        let (condition, why) = match rule.outcome(subject) {
            Outcome::Holds => return Vec::new(),
            Outcome::Fails(condition) => (condition, None),
            Outcome::Uncertain(condition, why) => (condition, Some(why)),
        };
        if let Condition::Roles(places) = condition {
            let lacking = self.lacking(id, places, subject.claims);
            if !lacking.is_empty() {
                return lacking;
            }
        }
        let expected = condition.expected(self);
        vec![Mismatch {
            rule: Some(id.clone()),
            condition: format!("rules.{id}.{}", condition.member()),
            expected: match why {
                Some(why) => format!("{expected} ({why})"),
                None => expected,
            },
            claim: condition.claim(),
        }]
    }

    fn lacking(&self, rule: &str, roles: &[usize], claims: &Claims) -> Vec<Mismatch> {
        let failed = |role: &str, set: &ClaimSet| {
            set.first_failing(claims).map(|(name, test)| Mismatch {
                rule: Some(rule.to_owned()),
                condition: format!("roles.{role}.claims.{name}"),
                expected: test.to_string(),
                claim: Some(name.clone()),
            })
        };
        roles
            .iter()
            .filter_map(|role| self.roles.get(*role))
            .flat_map(|role| {
                let sets = role.any_of.iter();
                sets.filter_map(|set| failed(&role.name, &set.claims))
            })
            .take(MAX_MISMATCHES)
            .collect()
    }
}

/// How a rule's conditions stand.
pub(super) enum Outcome<'r> {
    /// All hold.
    Holds,
    /// None fails, and of this one it can't be told.
    Uncertain(Condition<'r>, String),
    /// This one fails.
    Fails(Condition<'r>),
}

impl Rule {
    /// Whether it is for tokens of the issuer at this place.
    pub(super) fn is_for(&self, issuer: usize) -> bool {
        self.issuers.is_empty() || self.issuers.contains(&issuer)
    }

    /// How its conditions stand: the first that fails, else the first that can't be told. The certificate fails an
    /// allow rule only if all else holds.
    pub(super) fn outcome(&self, subject: &Subject<'_>) -> Outcome<'_> {
        let mut outcome = Outcome::Holds;
        for condition in self.conditions() {
            match (condition.holds(self.effect, subject), &outcome) {
                (Truth::No, Outcome::Uncertain(..))
                    if self.effect == Effect::Allow
                        && matches!(condition, Condition::Certificate(_)) => {}
                (Truth::No, _) => return Outcome::Fails(condition),
                (Truth::Unknown(why), Outcome::Holds) => {
                    outcome = Outcome::Uncertain(condition, why.into_owned());
                }
                (Truth::Unknown(_) | Truth::Yes, _) => {}
            }
        }
        outcome
    }
}
