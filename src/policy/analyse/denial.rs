//! Deny rules on claims that a token can be without.

use super::Analysis;
use super::case::Case;
use super::cover::weight;
use crate::policy::compiled::{Effect, Rule};
use crate::policy::glob::PathGlob;

pub(super) fn find(analysis: &mut Analysis<'_>, rule: &Rule, cases: &[Case<'_>]) {
    if rule.effect == Effect::Allow {
        return;
    }
    on_request(analysis, rule, cases);
    when(analysis, rule, cases);
}

/// A job that need not ask for the claim chooses itself whether the rule is for it: a claim that is missing never
/// matches.
fn on_request(analysis: &mut Analysis<'_>, rule: &Rule, cases: &[Case<'_>]) {
    for case in cases {
        let Some(provider) = case.provider else {
            continue;
        };
        for test in &case.tests {
            let name = test.name.as_str();
            if provider.is_on_request(name) && is_allowed_without(analysis, rule, case, name) {
                analysis.warn("deny-evadable", &test.path(), &format_args!(
                        "{} issues {name} only to jobs that ask for it, and the rule {:?} denies nothing without it: a job that does not ask gets around the rule",
                        provider.name, rule.id
                    ), &format_args!("ask for {name} in the allow rules too, so that no job passes without it"));
            }
        }
    }
}

/// Whether an allow rule for some of the same requests can be met without the claim.
fn is_allowed_without(
    analysis: &mut Analysis<'_>,
    deny: &Rule,
    case: &Case<'_>,
    name: &str,
) -> bool {
    let policy = analysis.policy;
    analysis.rules.iter().any(|allow| {
        allow.effect == Effect::Allow
            && !allow.shadow
            && allow.is_for(case.issuer)
            && analysis
                .budget
                .take(weight(deny).saturating_mul(weight(allow)))
            && meet(&deny.routes, &allow.routes, |one, other| one == other)
            && meet(&deny.methods, &allow.methods, |one, other| one == other)
            && meet(&deny.paths, &allow.paths, PathGlob::overlaps)
            && analysis.ways.cases(policy, allow).iter().any(|other| {
                other.issuer == case.issuer
                    && other.is_whole
                    && other.contradiction().is_none()
                    && other.is_likely()
                    && !other.tests.iter().any(|test| test.name.as_str() == name)
            })
    })
}

fn meet<T>(one: &[T], other: &[T], meets: impl Fn(&T, &T) -> bool) -> bool {
    one.is_empty()
        || other.is_empty()
        || one
            .iter()
            .any(|one| other.iter().any(|other| meets(one, other)))
}

/// What can't be told counts as a match of a deny rule.
fn when(analysis: &mut Analysis<'_>, rule: &Rule, cases: &[Case<'_>]) {
    let Some(when) = &rule.when else { return };
    // Whoever asks whether it is there has thought of it.
    if when.source().contains("has(") || when.source().contains(" in claims") {
        return;
    }
    for case in cases.iter().filter(|case| case.is_whole) {
        let Some(provider) = case.provider else {
            continue;
        };
        let is_asked_for = |name: &str| case.tests.iter().any(|test| test.name.as_str() == name);
        let missing = when
            .claims_read()
            .find(|name| provider.may_lack(name) && !is_asked_for(name));
        if let Some(name) = missing {
            analysis.note("deny-when-unknown", &format_args!("rules[{}].when", rule.place), &format_args!(
                    "tokens of {} can be without {name}; then the expression has no value, and the rule denies",
                    provider.name
                ), &format_args!("if that is not meant, begin it with has(claims.{name}) &&"));
            return;
        }
    }
}
