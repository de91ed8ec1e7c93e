//! For people.

use super::Explanation;
use crate::evaluate::{
    CheckView, ConditionView, Decision, RoleView, RuleView, Standing, printable,
};
use crate::output::style::{self, paint};
use anstyle::Style;
use jobgate::policy::{Effect, Truth};
use jobgate::reason::{Reason, Refusal};
use std::io::{self, Write};

/// Which rules are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// All, if they are few; else the nearest.
    Near,
    All,
}

/// So many rules are few.
const FEW: usize = 6;
/// So many of more are shown.
const NEAREST: usize = 3;
/// The widest that a column becomes.
const WIDEST: usize = 44;

/// Writes all of it.
pub(crate) fn write(
    out: &mut dyn Write,
    explanation: &Explanation<'_>,
    shown: Shown,
    only: &[String],
) -> io::Result<()> {
    headline(out, explanation)?;
    asked(out, explanation)?;
    let answer = explanation.answer;
    writeln!(out)?;
    writeln!(out, "{}", paint(style::STRONG, "Before the rules"))?;
    let width = answer
        .checks
        .iter()
        .map(|check| check.name.len())
        .max()
        .unwrap_or_default();
    for check in &answer.checks {
        line_of_check(out, check, width)?;
    }
    if !answer.required.is_empty() {
        writeln!(out)?;
        writeln!(out, "{}", paint(style::STRONG, "Every token of the issuer"))?;
        conditions(out, &answer.required, 2)?;
    }
    writeln!(out)?;
    rules(out, explanation, shown, only)?;
    if !answer.notes.is_empty() {
        writeln!(out)?;
    }
    for note in &answer.notes {
        writeln!(out, "{} {note}", paint(style::WARNING, "note:"))?;
    }
    Ok(())
}

fn headline(out: &mut dyn Write, explanation: &Explanation<'_>) -> io::Result<()> {
    let answer = explanation.answer;
    let by = answer.rule.map(|place| explanation.rule_id(place));
    match &answer.refusal {
        None => {
            write!(out, "{}", paint(style::GOOD, "✓ ALLOW"))?;
            if let Some(rule) = by {
                write!(out, "  by rule {}", paint(style::STRONG, rule))?;
            }
            if answer.signature_unknown {
                write!(
                    out,
                    "{}",
                    paint(style::WARNING, ", if the signature is good")
                )?;
            }
            writeln!(out)?;
        }
        Some(refusal) => {
            let reason = refusal.reason;
            let word = match answer.decision {
                Decision::ShadowDeny => "✗ SHADOW-DENY",
                _ => "✗ DENY",
            };
            write!(
                out,
                "{}  {} {}",
                paint(style::ERROR, word),
                reason.status(),
                paint(style::STRONG, reason.code())
            )?;
            if let Some(rule) = by {
                write!(out, "  by rule {}", paint(style::STRONG, rule))?;
            }
            writeln!(out)?;
            writeln!(out, "  {}", reason.hint())?;
            if !is_told_by_rules(explanation, refusal) {
                writeln!(out, "  {}", paint(style::QUIET, printable(&refusal.detail)))?;
            }
            if answer.decision == Decision::ShadowDeny {
                writeln!(
                    out,
                    "  The policy is in shadow mode: the request passes, and the refusal is recorded."
                )?;
            }
        }
    }
    Ok(())
}

/// Whether the rules below say what the detail does.
fn is_told_by_rules(explanation: &Explanation<'_>, refusal: &Refusal) -> bool {
    let mut rules = explanation.answer.rules.iter().flatten();
    match refusal.reason {
        Reason::NoRuleMatched | Reason::ClientCertificateRequired => true,
        Reason::DeniedByRule => rules
            .any(|rule| Some(rule.place) == explanation.answer.rule && rule.holds == Truth::Yes),
        _ => false,
    }
}

fn asked(out: &mut dyn Write, explanation: &Explanation<'_>) -> io::Result<()> {
    let request = explanation.request;
    let answer = explanation.answer;
    let mut line = format!("{} {}", request.method, request.without_query());
    for (name, value) in [
        ("host", &request.host),
        ("route", &request.route),
        ("service", &request.service),
    ] {
        if let Some(value) = value {
            line += &format!(" · {name} {value}");
        }
    }
    writeln!(out)?;
    let mut put = |name: &str, text: &str| {
        writeln!(
            out,
            "  {}  {}",
            paint(style::QUIET, format!("{name:<8}")),
            printable(text)
        )
    };
    put("request", &line)?;
    put("at", &explanation.moment())?;
    if let Some(issuer) = answer
        .issuer
        .and_then(|place| explanation.policy.issuers.get(place))
    {
        put("issuer", &issuer.issuer)?;
        let parts: Vec<_> = answer
            .identity
            .iter()
            .map(|(field, value)| format!("{} {}", field.name(), short(value)))
            .collect();
        if !parts.is_empty() {
            put("job", &parts.join(" · "))?;
        }
        if !explanation.policy.roles.is_empty() {
            let roles = explanation.role_names();
            put(
                "roles",
                &if roles.is_empty() {
                    "none".into()
                } else {
                    roles.join(", ")
                },
            )?;
        }
    }
    let place = match explanation.place {
        "" => explanation.file.to_owned(),
        place => format!("{}, {place}", explanation.file),
    };
    put("policy", &place)
}

/// Commits and UUIDs need not be whole to be known again.
fn short(value: &str) -> String {
    let is_id = value.len() >= 32
        && value
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    match value.get(..8) {
        Some(start) if is_id => format!("{start}…"),
        _ => value.to_owned(),
    }
}

fn line_of_check(out: &mut dyn Write, check: &CheckView, width: usize) -> io::Result<()> {
    let (mark, style, about) = match &check.standing {
        Standing::Passes => (
            "✓",
            style::GOOD,
            paint(style::QUIET, &check.about).to_string(),
        ),
        Standing::NotMade => ("?", style::WARNING, check.about.clone()),
        Standing::Fails(refusal) => {
            let detail = printable(&refusal.detail);
            let about = match check.about.as_str() {
                "" => detail,
                about => format!("{detail} ({about})"),
            };
            (
                "✗",
                style::ERROR,
                format!("{}: {about}", refusal.reason.code()),
            )
        }
    };
    let name = check.name;
    writeln!(out, "  {} {name:<width$}  {about}", paint(style, mark))
}

fn rules(
    out: &mut dyn Write,
    explanation: &Explanation<'_>,
    shown: Shown,
    only: &[String],
) -> io::Result<()> {
    let answer = explanation.answer;
    let Some(_) = &answer.rules else {
        return writeln!(
            out,
            "{}",
            paint(
                style::QUIET,
                "The rules are not asked: they need a path, an issuer and claims."
            )
        );
    };
    let mut rules = explanation.rules();
    let all = rules.len();
    if !only.is_empty() {
        rules.retain(|rule| only.contains(&rule.id));
    } else if shown == Shown::Near && all > FEW {
        let matching = rules.iter().filter(|rule| rule.matches()).count();
        rules.truncate(matching + NEAREST);
    }
    let title = match &answer.otherwise {
        None => "Rules".to_owned(),
        Some(Ok(rule)) => format!(
            "Rules, which are not asked; were it not for that, {} would allow",
            explanation.rule_id(*rule)
        ),
        Some(Err(refusal)) => format!(
            "Rules, which are not asked; they would refuse too: {}",
            refusal.reason.code()
        ),
    };
    writeln!(out, "{}", paint(style::STRONG, title))?;
    if all == 0 {
        writeln!(
            out,
            "  {}",
            paint(style::QUIET, "The policy has none, so nothing is allowed.")
        )?;
    }
    for view in &rules {
        rule(out, view, 2)?;
    }
    if only.is_empty() && rules.len() < all {
        let hidden = all - rules.len();
        let what = if hidden == 1 { "rule is" } else { "rules are" };
        writeln!(
            out,
            "  {}",
            paint(
                style::QUIET,
                format!("{hidden} more {what} further from matching; --all shows them")
            )
        )?;
    }
    if !answer.shadow.is_empty() {
        let ids: Vec<_> = answer
            .shadow
            .iter()
            .map(|place| explanation.rule_id(*place))
            .collect();
        let would = if answer.refusal.is_none() {
            "would have refused it"
        } else {
            "would have allowed it"
        };
        writeln!(out, "  on trial, {would}: {}", ids.join(", "))?;
    }
    Ok(())
}

/// Where a test failed: what the expected rule lacks, or else the rule that decides or comes nearest.
pub(crate) fn nearest(
    out: &mut dyn Write,
    explanation: &Explanation<'_>,
    expected: Option<&str>,
    indent: usize,
) -> io::Result<()> {
    let before = explanation.answer.checks.iter();
    for check in before.filter(|check| matches!(check.standing, Standing::Fails(_))) {
        write!(out, "{:width$}", "", width = indent.saturating_sub(2))?;
        line_of_check(out, check, 0)?;
    }
    let required = &explanation.answer.required;
    if required
        .iter()
        .any(|condition| condition.holds != Truth::Yes)
    {
        writeln!(out, "{:indent$}every token of the issuer", "")?;
        conditions(out, required, indent + 4)?;
    }
    let rules = explanation.rules();
    let decides = rules.first().filter(|rule| rule.matches());
    let expected = rules.iter().find(|rule| Some(rule.id.as_str()) == expected);
    let shown = decides
        .into_iter()
        .chain(expected.filter(|rule| !rule.matches()));
    let mut shown: Vec<_> = shown.collect();
    if shown.is_empty() {
        shown.extend(rules.first());
    }
    for view in shown {
        rule(out, view, indent)?;
    }
    Ok(())
}

/// One rule with its conditions.
pub(crate) fn rule(out: &mut dyn Write, rule: &RuleView, indent: usize) -> io::Result<()> {
    let deny = rule.effect == Effect::Deny;
    let (mark, mark_style) = match (rule.matches(), deny) {
        (true, _) if rule.shadow => ("✓", style::WARNING),
        (true, false) => ("✓", style::GOOD),
        (true, true) => ("✗", style::ERROR),
        (false, false) => ("✗", style::ERROR),
        (false, true) => ("·", style::QUIET),
    };
    let total = rule.conditions.len();
    let missing = rule.missing();
    let how = match (&rule.holds, rule.matches()) {
        (Truth::Yes, _) if total == 0 => "matches everything".to_owned(),
        (Truth::Yes, _) => "matches".to_owned(),
        (_, true) => "counts as matching: it can't be told that it does not".to_owned(),
        (_, false) if total == 1 => "does not match".to_owned(),
        (_, false) if missing == 1 => format!("1 of {total} conditions does not hold"),
        (_, false) => format!("{missing} of {total} conditions do not hold"),
    };
    let trial = if rule.shadow { " on trial" } else { "" };
    writeln!(
        out,
        "{:indent$}{} {} {}{}  {}",
        "",
        paint(mark_style, mark),
        if deny {
            paint(style::ERROR, "deny").to_string()
        } else {
            "allow".to_owned()
        },
        paint(style::STRONG, &rule.id),
        trial,
        paint(style::QUIET, how)
    )?;
    conditions(out, &rule.conditions, indent + 4)
}

fn conditions(out: &mut dyn Write, conditions: &[ConditionView], indent: usize) -> io::Result<()> {
    let expected: Vec<_> = conditions
        .iter()
        .map(|condition| printable(&one_line(&condition.expected)))
        .collect();
    let width = |texts: &mut dyn Iterator<Item = usize>| {
        texts
            .filter(|width| *width <= WIDEST)
            .max()
            .unwrap_or_default()
    };
    let members = width(
        &mut conditions
            .iter()
            .map(|condition| condition.member.chars().count()),
    );
    let patterns = width(&mut expected.iter().map(|text| text.chars().count()));
    for (condition, expected) in conditions.iter().zip(&expected) {
        let (mark, mark_style) = mark(&condition.holds);
        let actual = actual(condition);
        let member = printable(&condition.member);
        writeln!(
            out,
            "{:indent$}{} {member:<members$}  {}  {actual}",
            "",
            paint(mark_style, mark),
            paint(style::QUIET, format!("{expected:<patterns$}")),
        )?;
        if condition.holds != Truth::Yes {
            for role in &condition.roles {
                way_to(out, role, indent + 4)?;
            }
        }
    }
    Ok(())
}

/// What was found, and why that can't be told.
fn actual(condition: &ConditionView) -> String {
    match &condition.holds {
        Truth::Yes => paint(style::GOOD, &condition.actual).to_string(),
        Truth::No => paint(style::ERROR, &condition.actual).to_string(),
        Truth::Unknown(why) => format!(
            "{} {}",
            paint(style::WARNING, &condition.actual),
            paint(style::QUIET, format!("({})", printable(why)))
        ),
    }
}

fn mark(holds: &Truth) -> (&'static str, Style) {
    match holds {
        Truth::Yes => ("✓", style::GOOD),
        Truth::No => ("✗", style::ERROR),
        Truth::Unknown(_) => ("?", style::WARNING),
    }
}

fn way_to(out: &mut dyn Write, role: &RoleView, indent: usize) -> io::Result<()> {
    let several = role.ways.len() > 1;
    for (nth, way) in role.ways.iter().enumerate() {
        let which = if several {
            format!(", way {}", nth + 1)
        } else {
            String::new()
        };
        let title = format!("role {}{which}", role.name);
        writeln!(out, "{:indent$}{}", "", paint(style::QUIET, title))?;
        conditions(out, way, indent + 2)?;
    }
    Ok(())
}

/// An expression may be written in several lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
