//! Rules that another rule makes superfluous.

use super::Analysis;
use super::case::Case;
use crate::policy::certificate::CertificateTest;
use crate::policy::compiled::{Effect, Policy, Replay, Rule};
use crate::policy::glob::PathGlob;
use crate::policy::host_glob::HostGlob;

/// What a wider rule makes of a narrower one; the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Effects {
    Swallowed,
    OnceDefeated,
    AlwaysDenied,
}

pub(super) fn find(analysis: &mut Analysis<'_>, rule: &Rule, cases: &[Case<'_>]) {
    let policy = analysis.policy;
    let mut worst: Option<(Effects, &Rule)> = None;
    let candidates = analysis.index.candidates(rule, cases);
    if !analysis.budget.take(candidates.len() as u64) {
        return;
    }
    for place in candidates {
        let Some(wide) = analysis.rules.get(place).filter(|wide| wide.id != rule.id) else {
            continue;
        };
        let Some(effects) = effects(rule, wide) else {
            continue;
        };
        // Which of two allow rules decides, the limits may tell apart.
        if effects == Effects::Swallowed && (is_limited(policy, rule) || is_limited(policy, wide)) {
            continue;
        }
        if worst.is_some_and(|(known, _)| known >= effects) {
            continue;
        }
        let cost = weight(rule).saturating_mul(weight(wide));
        if !analysis
            .budget
            .take(cost.saturating_mul(cases.len() as u64))
        {
            return;
        }
        if !includes(policy, wide, rule, cases) {
            continue;
        }
        // Of two that take in each other the first by id stays.
        if effects == Effects::Swallowed
            && rule.id < wide.id
            && rule.shadow == wide.shadow
            && takes_in(analysis, rule, wide)
        {
            continue;
        }
        worst = Some((effects, wide));
    }
    if let Some((effects, wide)) = worst {
        report(analysis, rule, wide, effects);
    }
}

fn report(analysis: &mut Analysis<'_>, rule: &Rule, wide: &Rule, effects: Effects) {
    let path = format!("rules[{}]", rule.place);
    let by = format!("{:?} (rules[{}])", wide.id, wide.place);
    match effects {
        Effects::Swallowed => {
            let what = match rule.effect {
                Effect::Allow => "lets through",
                Effect::Deny => "denies",
            };
            analysis.warn("rule-swallowed", &path, &format_args!("whatever it {what}, the rule {by} {what} too"), &"take it out, or narrow the other rule");
        }
        Effects::OnceDefeated => analysis.warn("once-defeated", &path, &format_args!(
                "it lets each token through once, and the rule {by} lets the same requests through as often as they come"
            ), &"give the other rule replay: once too, or narrow it"),
        Effects::AlwaysDenied => analysis.warn("allow-always-denied", &path, &format_args!("whatever it lets through, the rule {by} denies, and a deny always wins"), &"take it out, or narrow the other rule"),
    }
}

/// What a rule that takes in all of another makes of it.
fn effects(rule: &Rule, wide: &Rule) -> Option<Effects> {
    // What is only on trial decides nothing.
    if wide.shadow && !rule.shadow {
        return None;
    }
    match (rule.effect, wide.effect) {
        (Effect::Allow, Effect::Deny) => Some(Effects::AlwaysDenied),
        (Effect::Deny, Effect::Allow) => None,
        (Effect::Deny, Effect::Deny) => Some(Effects::Swallowed),
        // What the upstream gets tells them apart.
        (Effect::Allow, Effect::Allow) if rule.exchange != wide.exchange => None,
        (Effect::Allow, Effect::Allow) => match (rule.replay, wide.replay) {
            (Replay::Allow, Replay::Allow) => Some(Effects::Swallowed),
            (Replay::Once, Replay::Allow) => Some(Effects::OnceDefeated),
            // Tokens are used up by rule: where this rule comes first, it decides.
            (Replay::Once, Replay::Once) if wide.id < rule.id => Some(Effects::Swallowed),
            (_, Replay::Once) => None,
        },
    }
}

/// Whether a limit is for this rule by name.
fn is_limited(policy: &Policy, rule: &Rule) -> bool {
    policy.limits.iter().any(|limit| {
        let mut rules = limit
            .rules
            .iter()
            .filter_map(|rule| policy.rules.get(*rule));
        rules.any(|limited| limited.id == rule.id)
    })
}

/// Whether a rule takes in another, whose cases are not known yet.
fn takes_in(analysis: &Analysis<'_>, wide: &Rule, narrow: &Rule) -> bool {
    let policy = analysis.policy;
    let mut rules = policy.rules.iter();
    let Some(narrow) = rules.find(|rule| rule.id == narrow.id) else {
        return false;
    };
    let mut cases = analysis.ways.cases(policy, narrow);
    cases.retain(|case| case.contradiction().is_none());
    includes(policy, wide, narrow, &cases)
}

/// Whether the one rule matches whatever the other does, which is met in these cases. A "no" can be wrong, a
/// "yes" can't.
///
/// Where it can't be told whether a condition holds, the same condition or none can't be told of the wider rule
/// either; so this is as true of deny rules, which match then, as of allow rules, which don't.
pub(super) fn includes(policy: &Policy, wide: &Rule, narrow: &Rule, cases: &[Case<'_>]) -> bool {
    is_within(&narrow.routes, &wide.routes, |wide, route| wide == route)
        && is_within(&narrow.hosts, &wide.hosts, covers_host)
        && is_within(&narrow.methods, &wide.methods, |wide, method| {
            wide == method
        })
        && (wide.paths.iter().any(PathGlob::is_everything)
            || is_within(&narrow.paths, &wide.paths, PathGlob::includes))
        && (wide.schedule.is_none() || wide.schedule == narrow.schedule)
        && wide.when.as_ref().is_none_or(|wide| {
            let narrow = narrow.when.as_ref();
            narrow.is_some_and(|narrow| narrow.source() == wide.source())
        })
        && wide.certificate.as_ref().is_none_or(|wide| {
            let narrow = narrow.certificate.as_ref();
            narrow.is_some_and(|narrow| wide == narrow || *wide == CertificateTest::default())
        })
        && cases.iter().all(|case| {
            wide.is_for(case.issuer)
                && has_role(policy, wide, narrow, case)
                && wide
                    .claims
                    .0
                    .iter()
                    .all(|(name, test)| case.implies(name, test))
        })
}

fn has_role(policy: &Policy, wide: &Rule, narrow: &Rule, case: &Case<'_>) -> bool {
    wide.roles.is_empty()
        || is_within(&narrow.roles, &wide.roles, |wide, role| wide == role)
        || wide
            .roles
            .iter()
            .any(|role| case.implies_role(policy, *role))
}

/// Whether each of a list is covered by one of the other; a list that is empty asks for nothing.
fn is_within<T>(narrow: &[T], wide: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
    wide.is_empty()
        || !narrow.is_empty()
            && narrow
                .iter()
                .all(|narrow| wide.iter().any(|wide| covers(wide, narrow)))
}

fn covers_host(wide: &HostGlob, narrow: &HostGlob) -> bool {
    if wide == narrow {
        return true;
    }
    let narrow = narrow.to_string();
    match narrow.strip_prefix("*.") {
        None => wide.matches(&narrow),
        // What covers any two of the names below a name is a star above them all.
        Some(name) => ["a", "b"]
            .iter()
            .all(|label| wide.matches(&format!("{label}.{name}"))),
    }
}

/// How many things there are to compare in a rule.
pub(super) fn weight(rule: &Rule) -> u64 {
    let claims = rule.claims.0.iter().map(|(_, test)| {
        let lists = [&test.one_of, &test.none_of].map(|list| list.as_ref().map_or(0, Vec::len));
        let globs = test.matches.iter().flatten();
        let globs = globs.map(|glob| glob.as_str().len());
        globs.chain(lists).fold(1, usize::saturating_add)
    });
    let paths = rule.paths.iter().map(|path| path.as_str().len());
    let lists = [rule.routes.len(), rule.hosts.len(), rule.methods.len()];
    let sum = claims
        .chain(paths)
        .chain(lists)
        .fold(1, usize::saturating_add);
    u64::try_from(sum).unwrap_or(u64::MAX)
}
