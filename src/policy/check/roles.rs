//! Roles, which may include others.

use super::{At, Checker};
use crate::policy::compiled::{Role, RoleSet};
use crate::policy::raw::{Named, OneOrMany, RawRole};
use crate::sort::sort_by;
use std::collections::HashMap;

/// The roles of a policy.
#[derive(Debug, Default)]
pub(super) struct Roles {
    /// Sorted by name.
    pub(super) roles: Vec<Role>,
    /// Their places, each after those that it includes.
    pub(super) order: Vec<usize>,
    places: HashMap<String, usize>,
}

impl Roles {
    /// Whether none include each other.
    pub(super) fn are_ordered(&self) -> bool {
        self.order.len() == self.roles.len()
    }
}

impl Checker {
    pub(super) fn roles(&mut self, raw: Named<OneOrMany<RawRole>>) -> Roles {
        let names = raw.0.iter().map(|(name, _)| name.clone());
        let mut all = Roles {
            places: names.zip(0..).collect(),
            ..Roles::default()
        };
        for (name, sets) in raw.0 {
            let roles = At::from("roles");
            let path = roles.member(&name);
            self.name(path, &name);
            if sets.items.is_empty() {
                self.error(path, "has no claim set, so no job ever has it");
            }
            let mut any_of = Vec::new();
            for (nth, set) in sets.items.into_iter().enumerate() {
                let path = if sets.is_list { path.item(nth) } else { path };
                let place = sets.is_list.then_some(nth);
                any_of.push(self.role_set(path, place, set, &all));
            }
            all.roles.push(Role { name, any_of });
        }
        all.order = self.role_order(&all.roles);
        all
    }

    fn role_set(
        &mut self,
        path: At<'_>,
        place: Option<usize>,
        raw: RawRole,
        all: &Roles,
    ) -> RoleSet {
        let has_roles = raw.roles.is_some();
        let names = self.non_empty(path.member("roles"), raw.roles);
        let roles = self.role_places(path.member("roles"), &names, all);
        let claims = raw.claims.unwrap_or_default();
        if claims.0.is_empty() && !has_roles {
            self.error(
                path.member("claims"),
                "is empty, so every job would have the role; name a claim, or a role that it includes",
            );
        }
        RoleSet {
            place,
            roles,
            claims: self.claims(path.member("claims"), claims),
        }
    }

    /// The places of roles that are named.
    pub(super) fn role_places<'a>(
        &mut self,
        path: impl Into<At<'a>>,
        names: &[String],
        all: &Roles,
    ) -> Vec<usize> {
        let path = path.into();
        let mut places = Vec::new();
        for (nth, name) in names.iter().enumerate() {
            match all.places.get(name) {
                Some(place) => places.push(*place),
                None => {
                    let mut known: Vec<_> = all.places.keys().collect();
                    sort_by(&mut known, |a, b| a < b);
                    let message = format!("{name:?} is no role; there are {known:?}");
                    self.error(path.item(nth), message);
                }
            }
        }
        places
    }

    /// Each role after those that it includes. Roles that include each other are an error: nobody could say
    /// who has them.
    fn role_order(&mut self, roles: &[Role]) -> Vec<usize> {
        // How many of a role's inclusions wait for their place in the order, and who waits for each role.
        let mut open: Vec<usize> = Vec::new();
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); roles.len()];
        for (place, role) in roles.iter().enumerate() {
            let waits = included(role).filter_map(|included| {
                waiting.get_mut(included)?.push(place);
                Some(())
            });
            open.push(waits.count());
        }
        let is_free = |(place, open): (usize, &usize)| (*open == 0).then_some(place);
        let mut order: Vec<usize> = open.iter().enumerate().filter_map(is_free).collect();
        let mut next = 0;
        while let Some(&place) = order.get(next) {
            next = next.saturating_add(1);
            for by in waiting.get(place).into_iter().flatten() {
                if let Some(open) = open.get_mut(*by) {
                    *open = open.saturating_sub(1);
                    if *open == 0 {
                        order.push(*by);
                    }
                }
            }
        }
        let names: Vec<&str> = cycle(roles, &open)
            .iter()
            .filter_map(|place| roles.get(*place))
            .map(|role| role.name.as_str())
            .collect();
        if let Some(first) = names.first() {
            self.error(
                format!("roles.{first}"),
                format!(
                    "includes itself: {} -> {first}; take one of these out",
                    names.join(" -> ")
                ),
            );
        }
        order
    }
}

/// The roles that a role includes, one for each time that it does.
fn included(role: &Role) -> impl Iterator<Item = usize> {
    role.any_of.iter().flat_map(|set| set.roles.iter().copied())
}

/// A cycle among the roles that have open inclusions: from the first of them along the first role each
/// includes that has some too, until one comes again. Nothing if no role has any.
fn cycle(roles: &[Role], open: &[usize]) -> Vec<usize> {
    let is_open = |place: &usize| open.get(*place).is_some_and(|open| *open > 0);
    let mut way: Vec<usize> = Vec::new();
    let mut turns = vec![None; roles.len()];
    let mut at = (0..roles.len()).find(is_open);
    while let Some(place) = at {
        match turns.get_mut(place) {
            Some(Some(turn)) => return way.split_off(*turn),
            Some(turn) => *turn = Some(way.len()),
            None => break,
        }
        way.push(place);
        at = roles
            .get(place)
            .and_then(|role| included(role).find(is_open));
    }
    Vec::new()
}
