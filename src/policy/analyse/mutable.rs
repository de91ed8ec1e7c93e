//! Pins on names that can be given to others, where an id stays what it is.

use super::Analysis;
use super::case::Case;
use crate::policy::compiled::{Effect, Rule};
use crate::policy::matcher::ClaimTest;

/// Only allow rules: a deny rule by an id that comes on request would be met by those jobs alone that ask for it.
/// Only what names values one by one: a glob can't be written over ids.
pub(super) fn find(analysis: &mut Analysis<'_>, rule: &Rule, cases: &[Case<'_>]) {
    if rule.effect == Effect::Deny {
        return;
    }
    for case in cases.iter().filter(|case| case.is_whole) {
        let Some(provider) = case.provider else {
            continue;
        };
        for test in case.tests.iter().filter(|test| names_values(test.test)) {
            let name = test.name.as_str();
            let Some(id) = provider.id_of(name) else {
                continue;
            };
            if case.claim(id).is_positive() {
                continue;
            }
            let on_request = match provider.is_on_request(id) {
                true => format!(
                    ", for which jobs must ask (buildkite-agent oidc request-token --claim {id})"
                ),
                false => String::new(),
            };
            analysis.note(
                "mutable-claim",
                &test.path(),
                &format_args!(
                    "what {name} names can be renamed, and the name then be taken by another"
                ),
                &format_args!("where that matters, pin {id} in its place or beside it{on_request}"),
            );
        }
    }
}

const fn names_values(test: &ClaimTest) -> bool {
    test.equals.is_some() || test.one_of.is_some()
}
