//! Roles, which may include others.

use super::Checker;
use crate::policy::compiled::{Role, RoleSet};
use crate::policy::raw::{OneOrMany, RawRole};
use std::collections::{BTreeMap, HashMap};

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
    pub(super) fn roles(&mut self, raw: BTreeMap<String, OneOrMany<RawRole>>) -> Roles {
        let names = raw.keys().cloned();
        let mut all = Roles {
            places: names.zip(0..).collect(),
            ..Roles::default()
        };
        for (name, sets) in raw {
            let path = format!("roles.{name}");
            self.name(&path, &name);
            if sets.items.is_empty() {
                self.error(&path, "has no claim set, so no job ever has it");
            }
            let mut any_of = Vec::new();
            for (nth, set) in sets.items.into_iter().enumerate() {
                let path = if sets.is_list {
                    format!("{path}[{nth}]")
                } else {
                    path.clone()
                };
                let place = sets.is_list.then_some(nth);
                any_of.push(self.role_set(&path, place, set, &all));
            }
            all.roles.push(Role { name, any_of });
        }
        all.order = self.role_order(&all.roles);
        all
    }

    fn role_set(&mut self, path: &str, place: Option<usize>, raw: RawRole, all: &Roles) -> RoleSet {
        let has_roles = raw.roles.is_some();
        let names = self.non_empty(&format!("{path}.roles"), raw.roles);
        let roles = self.role_places(&format!("{path}.roles"), &names, all);
        let claims = raw.claims.unwrap_or_default();
        if claims.is_empty() && !has_roles {
            self.error(
                format!("{path}.claims"),
                "is empty, so every job would have the role; name a claim, or a role that it includes",
            );
        }
        RoleSet {
            place,
            roles,
            claims: self.claims(&format!("{path}.claims"), claims),
        }
    }

    /// The places of roles that are named.
    pub(super) fn role_places(&mut self, path: &str, names: &[String], all: &Roles) -> Vec<usize> {
        let mut places = Vec::new();
        for (nth, name) in names.iter().enumerate() {
            match all.places.get(name) {
                Some(place) => places.push(*place),
                None => {
                    let mut known: Vec<_> = all.places.keys().collect();
                    known.sort();
                    let message = format!("{name:?} is no role; there are {known:?}");
                    self.error(format!("{path}[{nth}]"), message);
                }
            }
        }
        places
    }

    /// Each role after those that it includes. Roles that include each other are an error: nobody could say
    /// who has them.
    fn role_order(&mut self, roles: &[Role]) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::new();
        let mut is_placed = vec![false; roles.len()];
        let mut left: Vec<usize> = (0..roles.len()).collect();
        while !left.is_empty() {
            let before = left.len();
            left.retain(|place| {
                let includes = roles.get(*place).into_iter().flat_map(|role| &role.any_of);
                let mut includes = includes.flat_map(|set| &set.roles);
                let is_ready = includes.all(|role| is_placed.get(*role).copied().unwrap_or(true));
                if let Some(placed) = is_placed.get_mut(*place).filter(|_| is_ready) {
                    *placed = true;
                    order.push(*place);
                }
                !is_ready
            });
            if left.len() == before {
                if let Some(cycle) = cycle(roles, &left) {
                    let names: Vec<&str> = cycle
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
                }
                break;
            }
        }
        order
    }
}

/// A cycle among roles that can't be ordered: from the first of them along the first role each includes that
/// can't be ordered either, until one comes again.
fn cycle(roles: &[Role], left: &[usize]) -> Option<Vec<usize>> {
    let mut way: Vec<usize> = Vec::new();
    let mut at = *left.first()?;
    loop {
        if let Some(start) = way.iter().position(|seen| *seen == at) {
            return Some(way.split_off(start));
        }
        way.push(at);
        at = *roles
            .get(at)?
            .any_of
            .iter()
            .flat_map(|set| &set.roles)
            .find(|role| left.contains(role))?;
    }
}
