//! An [`Answer`] in words, for people and for programs.

pub(crate) mod human;
pub(crate) mod json;
pub(crate) mod plain;

use crate::evaluate::{Answer, Request, RuleView};
use jobgate::policy::{Effect, Policy, Truth};
use jobgate::time::UnixTime;

/// An answer with what was asked.
pub(crate) struct Explanation<'a> {
    /// The policy's file, and its place in it.
    pub(crate) file: &'a str,
    pub(crate) place: &'a str,
    pub(crate) policy: &'a Policy,
    pub(crate) request: &'a Request,
    pub(crate) at: UnixTime,
    pub(crate) answer: &'a Answer,
}

impl Explanation<'_> {
    /// The rules, the one that decides first, then the nearer before the farther.
    pub(crate) fn rules(&self) -> Vec<&RuleView> {
        let mut rules: Vec<_> = self.answer.rules.iter().flatten().collect();
        rules.sort_by_key(|rule| {
            let decides = self.answer.rule == Some(rule.place);
            // Where no rule allows, what would have is of more interest than what might have denied.
            let is_idle_deny = rule.effect == Effect::Deny && !rule.matches();
            (
                !decides,
                !rule.matches(),
                rule.shadow || is_idle_deny,
                rule.distance(),
                rule.place,
            )
        });
        rules
    }

    /// The moment, in UTC.
    pub(crate) fn moment(&self) -> String {
        moment(self.at)
    }

    fn rule_id(&self, place: usize) -> &str {
        self.policy.rules.get(place).map_or("", |rule| &rule.id)
    }

    fn role_names(&self) -> Vec<&str> {
        let roles = self.answer.roles.iter();
        roles
            .filter_map(|place| self.policy.roles.get(*place))
            .map(|role| role.name.as_str())
            .collect()
    }
}

/// A moment in UTC, in seconds.
fn moment(at: UnixTime) -> String {
    i64::try_from(at.as_secs())
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| at.as_secs().to_string(), |moment| moment.to_string())
}

/// How a condition stood, for programs.
const fn stood(holds: &Truth) -> &'static str {
    match holds {
        Truth::Yes => "holds",
        Truth::No => "fails",
        Truth::Unknown(_) => "unknown",
    }
}

/// How a rule stood, for programs.
fn outcome(rule: &RuleView) -> &'static str {
    match (&rule.holds, rule.matches()) {
        (Truth::Yes, _) => "matches",
        (_, true) => "may match",
        (_, false) => "does not match",
    }
}
