//! Claims that the provider does not issue.

use super::Analysis;
use super::case::{Place, Test, tests};
use super::provider::Provider;
use crate::policy::compiled::{Issuer, Rule};

/// In a rule's own claims.
pub(super) fn in_rule(analysis: &mut Analysis<'_>, rule: &Rule) {
    let issuers: Vec<&Issuer> = (0..)
        .zip(&analysis.policy.issuers)
        .filter(|(place, _)| rule.is_for(*place))
        .map(|(_, issuer)| issuer)
        .collect();
    for test in tests(&rule.claims, Place::Rule(rule.place)) {
        check(analysis, &test, &issuers);
    }
}

/// In issuers and roles.
pub(super) fn outside_rules(analysis: &mut Analysis<'_>) {
    let policy = analysis.policy;
    for (place, issuer) in policy.issuers.iter().enumerate() {
        for test in tests(&issuer.required, Place::Issuer(place)) {
            check(analysis, &test, &[issuer]);
        }
    }
    let issuers: Vec<&Issuer> = policy.issuers.iter().collect();
    for role in &policy.roles {
        for set in &role.any_of {
            for test in tests(&set.claims, Place::Role(&role.name, set.place)) {
                check(analysis, &test, &issuers);
            }
        }
    }
}

/// What issuers without a preset issue is not known, so nothing is said if there is one.
fn check(analysis: &mut Analysis<'_>, test: &Test<'_>, issuers: &[&Issuer]) {
    let providers: Option<Vec<&Provider>> =
        issuers.iter().map(|issuer| Provider::of(issuer)).collect();
    let Some(mut providers) = providers else {
        return;
    };
    providers.dedup_by_key(|provider| provider.preset());
    let name = test.name.claim();
    if providers.is_empty() || providers.iter().any(|provider| provider.knows(name)) {
        return;
    }
    let names: Vec<&str> = providers.iter().map(|provider| provider.name).collect();
    let fix = match providers.iter().find_map(|provider| provider.meant(name)) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "look at the claims of one of the job's tokens".into(),
    };
    analysis.warn(
        "unknown-claim",
        &test.path(),
        &format_args!(
            "{name:?} is no claim that {} is known to issue, and one that is missing never matches",
            names.join(" or ")
        ),
        &fix,
    );
}
