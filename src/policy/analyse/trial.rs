//! What is only on trial.

use super::Analysis;
use crate::policy::compiled::{Effect, Mode, Rule};

pub(super) fn mode(analysis: &mut Analysis<'_>) {
    if analysis.policy.mode == Mode::Shadow {
        analysis.note(
            "mode-shadow",
            &"mode",
            &"the policy is on trial: what it refuses is recorded, and passes",
            &"once the records show what they should, leave mode out",
        );
    }
}

pub(super) fn rule(analysis: &mut Analysis<'_>, rule: &Rule) {
    if rule.shadow {
        let what = match rule.effect {
            Effect::Allow => "lets nothing through",
            Effect::Deny => "denies nothing",
        };
        analysis.note(
            "rule-on-trial",
            &format_args!("rules[{}].shadow", rule.place),
            &format_args!("the rule is on trial: it is recorded, and {what}"),
            &"once the records show what they should, leave shadow out",
        );
    }
}
