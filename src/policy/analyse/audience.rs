//! Audiences that several issuers' tokens are for.

use super::case::Case;
use super::{Analysis, listed};
use crate::policy::compiled::{Effect, Rule};

pub(super) fn find(analysis: &mut Analysis<'_>) {
    let policy = analysis.policy;
    for (later, issuer) in policy.issuers.iter().enumerate() {
        if !analysis.budget.take(later as u64) {
            return;
        }
        let mut earlier = policy.issuers.iter().enumerate().take(later);
        let shared = earlier.find_map(|(place, other)| {
            let mut audiences = issuer.audiences.iter();
            let shared = audiences.find(|audience| other.audiences.contains(audience))?;
            Some((place, other, shared))
        });
        let Some((earlier, other, audience)) = shared else {
            continue;
        };
        if !analysis.budget.take_looks(analysis.rules.len()) {
            return;
        }
        let confused: Vec<&Rule> = analysis
            .rules
            .iter()
            .filter(|rule| rule.effect == Effect::Allow)
            .filter(|rule| rule.is_for(earlier) && rule.is_for(later) && rule.issuers.is_empty())
            .filter(|rule| {
                let cases = analysis.ways.cases(policy, rule);
                [earlier, later]
                    .iter()
                    .all(|place| cases.iter().any(|case| is_met_by(case, *place)))
            })
            .collect();
        if confused.is_empty() {
            continue;
        }
        let rules = listed(confused.iter().map(|rule| rule.id.as_str()));
        analysis.note("audience-shared", &format_args!("issuers[{later}].audience"), &format_args!(
                "{audience:?} is also the audience of issuers[{earlier}], {}, so it does not tell tokens of the two apart, and neither do rules that can be met by both: {rules}",
                other.issuer
            ), &"say in such rules by issuer whose tokens they are for, if not for both");
    }
}

/// Whether tokens of the issuer can meet the case, which does not look at who issued them.
fn is_met_by(case: &Case<'_>, issuer: usize) -> bool {
    case.issuer == issuer
        && case.is_likely()
        && case.contradiction().is_none()
        && !case.tests.iter().any(|test| test.name.as_str() == "iss")
}
