//! The tenant's pin: an allow rule that any customer of the CI provider could meet is a configuration error.

use super::compiled::{ClaimSet, Effect, Issuer, Role, Rule};

/// Whether a rule can be met only by those jobs of an issuer whose tenant it, each of its roles, or the
/// issuer's own claims name.
///
/// If the pin stands in the roles, then in every claim set of every role, since any one is enough to have the
/// role. A rule that is not for this issuer needs no pin for it.
pub(super) fn is_pinned(rule: &Rule, roles: &[Role], place: usize, issuer: &Issuer) -> bool {
    if rule.effect == Effect::Deny || !rule.is_for(place) || issuer.tenant_claims.is_empty() {
        return true;
    }
    let pins = |set: &ClaimSet| {
        set.0
            .iter()
            .any(|(claim, test)| issuer.tenant_claims.contains(claim) && test.pins())
    };
    let sets = || {
        rule.roles
            .iter()
            .filter_map(|role| roles.get(*role))
            .flat_map(|role| &role.any_of)
    };
    pins(&issuer.required) || pins(&rule.claims) || (sets().next().is_some() && sets().all(pins))
}
