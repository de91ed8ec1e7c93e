//! For grep and diff: one line for each thing, its parts between tabs.

use super::{Explanation, outcome, stood};
use crate::evaluate::{ConditionView, Standing, printable};
use jobgate::policy::Truth;
use std::io::{self, Write};

/// What stands for nothing.
const NONE: &str = "-";

/// Writes all of it. Rules are in the policy's order.
pub(crate) fn write(
    out: &mut dyn Write,
    explanation: &Explanation<'_>,
    only: &[String],
) -> io::Result<()> {
    let answer = explanation.answer;
    let refusal = answer.refusal.as_ref();
    let rule = answer.rule.map(|place| explanation.rule_id(place));
    line(out, &["decision", answer.decision.as_str()])?;
    line(
        out,
        &[
            "reason",
            refusal.map_or(NONE, |refusal| refusal.reason.code()),
        ],
    )?;
    line(
        out,
        &["detail", refusal.map_or(NONE, |refusal| &refusal.detail)],
    )?;
    line(out, &["rule", rule.unwrap_or(NONE)])?;
    let roles = explanation.role_names();
    line(
        out,
        &[
            "roles",
            &if roles.is_empty() {
                NONE.into()
            } else {
                roles.join(",")
            },
        ],
    )?;
    for place in &answer.shadow {
        line(out, &["on-trial", explanation.rule_id(*place)])?;
    }
    for check in &answer.checks {
        let (stood, reason) = match &check.standing {
            Standing::Passes => ("passes", NONE),
            Standing::Fails(refusal) => ("fails", refusal.reason.code()),
            Standing::NotMade => ("not made", NONE),
        };
        line(out, &["check", check.name, stood, reason, &check.about])?;
    }
    conditions(out, "required", NONE, &answer.required)?;
    for rule in answer.rules.iter().flatten() {
        if !only.is_empty() && !only.contains(&rule.id) {
            continue;
        }
        line(out, &["rule", &rule.id, rule.effect_name(), outcome(rule)])?;
        conditions(out, "condition", &rule.id, &rule.conditions)?;
    }
    for note in &answer.notes {
        line(out, &["note", note])?;
    }
    Ok(())
}

fn conditions(
    out: &mut dyn Write,
    kind: &str,
    of: &str,
    conditions: &[ConditionView],
) -> io::Result<()> {
    for condition in conditions {
        let why = match &condition.holds {
            Truth::Unknown(why) => why,
            Truth::Yes | Truth::No => NONE,
        };
        line(
            out,
            &[
                kind,
                of,
                &condition.member,
                stood(&condition.holds),
                &condition.expected,
                &condition.actual,
                why,
            ],
        )?;
        for role in &condition.roles {
            for (nth, way) in role.ways.iter().enumerate() {
                let of = format!("{}[{nth}]", role.name);
                self::conditions(out, "role", &of, way)?;
            }
        }
    }
    Ok(())
}

fn line(out: &mut dyn Write, parts: &[&str]) -> io::Result<()> {
    let parts: Vec<_> = parts.iter().map(|part| printable(part)).collect();
    writeln!(out, "{}", parts.join("\t"))
}
