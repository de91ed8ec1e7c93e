//! Globs that begin with a wildcard.

use super::Analysis;
use super::case::Case;
use crate::policy::compiled::{Effect, Rule};
use crate::policy::glob::ClaimGlob;
use crate::policy::matcher::ClaimTest;

pub(super) fn find(analysis: &mut Analysis<'_>, rule: &Rule, cases: &[Case<'_>]) {
    // A deny rule that covers more than was meant lets nobody in.
    if rule.effect == Effect::Deny {
        return;
    }
    for test in cases
        .iter()
        .filter(|case| case.is_whole)
        .flat_map(|case| &case.tests)
    {
        if let Some(glob) = open(test.test) {
            analysis.warn("leading-wildcard", &format_args!("{}.matches", test.path()), &format_args!(
                    "{:?} begins with a wildcard, so whoever can choose a {} can choose one that it covers",
                    glob.as_str(),
                    test.name
                ), &"begin it with what only the right ones begin with, or list them with in");
        }
    }
}

/// A glob with nothing fixed at its beginning, where nothing else asks for fixed values. One of nothing but
/// wildcards asks only that the claim be there, and is meant so.
fn open(test: &ClaimTest) -> Option<&ClaimGlob> {
    let is_any = |glob: &ClaimGlob| {
        let text = glob.as_str();
        text.contains('*') && text.chars().all(|character| matches!(character, '*' | '?'))
    };
    let globs = test.matches.iter().flatten();
    let mut open = globs.filter(|glob| !glob.is_anchored() && !is_any(glob));
    open.next()
        .filter(|_| test.equals.is_none() && test.one_of.is_none())
}
