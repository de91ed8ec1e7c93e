//! Conditions that no token can meet together.

use super::Analysis;
use super::case::{Case, Place, Test, tests};
use super::provider::Provider;
use crate::policy::claim_name::ClaimName;
use crate::policy::compiled::{Effect, Rule};

/// The longest that a test is quoted, in bytes.
const MAX_QUOTED: usize = 120;

/// A rule none of whose cases any token can meet.
pub(super) fn rule(analysis: &mut Analysis<'_>, rule: &Rule, cases: &[Case<'_>]) {
    let Some((case, name)) = cases
        .iter()
        .find_map(|case| Some((case, case.contradiction()?)))
    else {
        return;
    };
    let own = Place::Rule(rule.place);
    let of_claim = || case.tests.iter().filter(|test| test.name == name);
    let path = match of_claim().find(|test| test.place == own) {
        Some(test) => test.path().to_string(),
        None if of_claim().any(|test| matches!(test.place, Place::Role(..))) => {
            format!("{}.roles", own.path())
        }
        None => own.path().to_string(),
    };
    let others = match cases.len() {
        0 | 1 => "",
        _ => "; the other ways to meet it contradict themselves as well",
    };
    let asked = asked(case, name);
    let message = format!("no token can meet the rule: {asked}{others}");
    let fix = match rule.effect {
        Effect::Allow => "change one of these conditions, or take the rule out",
        Effect::Deny => "change one of these conditions: so far the rule denies nothing",
    };
    analysis.warn("rule-never-matches", &path, &message, &fix);
}

/// Roles no token can have, and claim sets that none can meet.
pub(super) fn role(analysis: &mut Analysis<'_>, place: usize) {
    let policy = analysis.policy;
    let Some(role) = policy.roles.get(place) else {
        return;
    };
    let cases = analysis.ways.cases_of_role(policy, place);
    if !analysis.may_compare(&cases) {
        return;
    }
    let contradicts = |case: &&Case<'_>| case.contradiction().is_some();
    for set in &role.any_of {
        let of_set = Place::Role(&role.name, set.place);
        let mut of_this = cases
            .iter()
            .filter(|case| case.tests.iter().any(|test| test.place == of_set))
            .peekable();
        let Some(first) = of_this.peek().copied() else {
            continue;
        };
        let Some(name) = first
            .contradiction()
            .filter(|_| of_this.all(|case| contradicts(&case)))
        else {
            continue;
        };
        let what = match role.any_of.len() {
            1 => "the role",
            _ => "this claim set",
        };
        let message = format!("no token can meet {what}: {}", asked(first, name));
        let path = format!("{}.claims", of_set.path());
        let path = match first
            .tests
            .iter()
            .any(|test| test.place == of_set && test.name == name)
        {
            true => format!("{path}.{name}"),
            false => of_set.path().to_string(),
        };
        analysis.warn(
            "role-never-held",
            &path,
            &message,
            &"change one of these conditions, or take the claim set out",
        );
    }
}

/// Issuers whose own conditions no token can meet.
pub(super) fn issuers(analysis: &mut Analysis<'_>) {
    let policy = analysis.policy;
    for (place, issuer) in policy.issuers.iter().enumerate() {
        let case = Case {
            issuer: place,
            provider: Provider::of(issuer),
            roles: Vec::new(),
            tests: tests(&issuer.required, Place::Issuer(place)).collect(),
            is_whole: true,
        };
        if !analysis.may_compare(std::slice::from_ref(&case)) {
            return;
        }
        if let Some(name) = case.contradiction() {
            analysis.warn(
                "issuer-never-passes",
                &format_args!("issuers[{place}].claims.{name}"),
                &format_args!(
                    "no token of {} can pass any allow rule: {}",
                    issuer.issuer,
                    asked(&case, name)
                ),
                &"change one of these conditions",
            );
        }
    }
}

/// What a case asks of a claim, with the place of each test if there are several.
fn asked(case: &Case<'_>, name: &ClaimName) -> String {
    let of_claim: Vec<&Test<'_>> = case.tests.iter().filter(|test| test.name == name).collect();
    let several = of_claim.len() > 1;
    let parts: Vec<String> = of_claim
        .iter()
        .map(|test| {
            let quoted = clipped(&test.test.to_string());
            match test.place {
                place if several => format!("{quoted} ({})", place.path()),
                _ => quoted,
            }
        })
        .collect();
    format!("{name} can't be at once {}", parts.join(" and "))
}

fn clipped(text: &str) -> String {
    let mut end = MAX_QUOTED.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    match text.get(..end) {
        Some(short) if short.len() < text.len() => format!("{short}..."),
        _ => text.to_owned(),
    }
}
