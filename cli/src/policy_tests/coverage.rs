//! What tests have shown of a policy: each rule should have matched once, and each condition have held and have
//! failed. A condition that never failed could be deleted, and no test would notice.

use super::suite::Tested;
use crate::evaluate::{Answer, ConditionView, structure};
use jobgate::policy::Truth;
use std::collections::HashMap;
use std::rc::Rc;

/// What was seen of one policy.
pub(crate) struct Coverage {
    pub(crate) policy: Rc<Tested>,
    goals: Vec<Goal>,
    /// By the goal's place.
    places: HashMap<String, usize>,
}

/// A rule or a condition.
struct Goal {
    /// `rules.deploy`, `rules.deploy.methods`, `roles.deployer[0].claims.pipeline_slug`.
    what: String,
    /// A rule, which need not have been seen not to match.
    is_rule: bool,
    held: bool,
    failed: bool,
}

impl Coverage {
    /// Of a policy of which nothing was seen.
    pub(crate) fn new(policy: Rc<Tested>) -> Self {
        let mut goals = Vec::new();
        let mut places = HashMap::new();
        for answer in structure(&policy.policy) {
            for (what, is_rule, _) in stood(&policy, &answer) {
                places.entry(what.clone()).or_insert_with(|| {
                    goals.push(Goal {
                        what,
                        is_rule,
                        held: false,
                        failed: false,
                    });
                    goals.len() - 1
                });
            }
        }
        Self {
            policy,
            goals,
            places,
        }
    }

    /// Adds what a test has shown.
    pub(crate) fn add(&mut self, answer: &Answer) {
        for (what, _, holds) in stood(&self.policy, answer) {
            if let Some(goal) = self
                .places
                .get(&what)
                .and_then(|place| self.goals.get_mut(*place))
            {
                match holds {
                    Truth::Yes => goal.held = true,
                    Truth::No => goal.failed = true,
                    Truth::Unknown(_) => {}
                }
            }
        }
    }

    /// How many things should have been seen.
    pub(crate) fn all(&self) -> usize {
        self.goals
            .iter()
            .map(|goal| if goal.is_rule { 1 } else { 2 })
            .sum()
    }

    /// How many of them were.
    pub(crate) fn seen(&self) -> usize {
        self.all() - self.unseen().len()
    }

    /// What was not: its place in the policy, and what it never did.
    pub(crate) fn unseen(&self) -> Vec<(&str, &'static str)> {
        let goals = self.goals.iter();
        goals
            .flat_map(|goal| {
                let never = |did, seen: bool| (!seen).then_some((goal.what.as_str(), did));
                let held = if goal.is_rule {
                    "never matched"
                } else {
                    "never held"
                };
                [
                    never(held, goal.held),
                    never("never failed", goal.failed || goal.is_rule),
                ]
            })
            .flatten()
            .collect()
    }
}

/// How each rule and condition stood in an answer.
fn stood(tested: &Tested, answer: &Answer) -> Vec<(String, bool, Truth)> {
    let conditions = |of: &str, conditions: &[ConditionView]| -> Vec<_> {
        let stood = |condition: &ConditionView| {
            let what = format!("{of}.{}", condition.member);
            (what, false, condition.holds.clone())
        };
        conditions.iter().map(stood).collect()
    };
    let mut all = Vec::new();
    let issuer = answer
        .issuer
        .and_then(|place| tested.policy.issuers.get(place));
    if let Some(issuer) = issuer {
        all.extend(conditions(
            &format!("issuers.{}", issuer.issuer),
            &answer.required,
        ));
    }
    for role in &answer.all_roles {
        for (nth, way) in role.ways.iter().enumerate() {
            all.extend(conditions(&format!("roles.{}[{nth}]", role.name), way));
        }
    }
    for rule in answer.rules.iter().flatten() {
        let what = format!("rules.{}", rule.id);
        let of_rule = conditions(&what, &rule.conditions);
        all.push((what, true, Truth::from(rule.matches())));
        all.extend(of_rule);
    }
    all
}
