//! The tenant's pin: an allow rule that any customer of the CI provider could meet is a configuration error.

use super::compiled::{ClaimSet, Effect, Issuer, Role, Rule};

/// Which roles (by their places) only jobs can have whose tenant is pinned: by every claim set of the role, or
/// every role that such a set includes, since any one is enough to have the role.
pub(super) fn pinned_roles(roles: &[Role], order: &[usize], issuer: &Issuer) -> Vec<bool> {
    let mut pinned = vec![false; roles.len()];
    for place in order {
        let is_pinned = roles.get(*place).is_some_and(|role| {
            let mut sets = role.any_of.iter();
            !role.any_of.is_empty()
                && sets.all(|set| pins(&set.claims, issuer) || all_pinned(&set.roles, &pinned))
        });
        if let Some(pinned) = pinned.get_mut(*place) {
            *pinned = is_pinned;
        }
    }
    pinned
}

/// Whether a rule can be met only by those jobs of an issuer whose tenant it, each of its roles, or the
/// issuer's own claims name. A rule that is not for this issuer needs no pin for it.
pub(super) fn is_pinned(rule: &Rule, pinned: &[bool], place: usize, issuer: &Issuer) -> bool {
    rule.effect == Effect::Deny
        || !rule.is_for(place)
        || issuer.tenant_claims.is_empty()
        || pins(&issuer.required, issuer)
        || pins(&rule.claims, issuer)
        || all_pinned(&rule.roles, pinned)
}

fn all_pinned(places: &[usize], pinned: &[bool]) -> bool {
    !places.is_empty()
        && places
            .iter()
            .all(|place| pinned.get(*place).copied().unwrap_or(false))
}

fn pins(set: &ClaimSet, issuer: &Issuer) -> bool {
    set.0.iter().any(|(name, test)| {
        let is_tenant = |claim: &String| *claim == name.claim();
        name.is_whole() && issuer.tenant_claims.iter().any(is_tenant) && test.pins()
    })
}
