//! Which roles a job has, without looking at each.

use super::ask::{asks_of_claims, numbers};
use super::build::{Crowds, Entry};
use super::dimension::{Ask, Dimension, Fixed};
use super::probe::Claimed;
use super::tree::{Names, Tree};
use crate::policy::claim_name::ClaimName;
use crate::policy::compiled::{Role, RoleSet};
use crate::token::Claims;
use std::collections::BTreeSet;

const ROLE: Dimension<usize> = Dimension::Fixed(Fixed::Role);

/// The claim sets of all roles, numbered so that each comes after those of the roles that it includes.
#[derive(Debug, Default)]
pub(super) struct RoleIndex {
    /// The role of each set, and the set's place in it.
    sets: Vec<(usize, usize)>,
    /// The sets that are found by their claims.
    by_claims: Tree,
    /// The sets that are found by the roles that they include: by the place of each of those.
    by_included: Vec<Vec<usize>>,
}

impl RoleIndex {
    /// `order` are the places of all roles, each after those that it includes.
    pub(super) fn new(roles: &[Role], order: &[usize]) -> Self {
        let mut names = Names::default();
        let mut sets = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        for place in order {
            let any_of = roles.get(*place).into_iter().flat_map(|role| &role.any_of);
            for (nth, set) in any_of.enumerate() {
                entries.push(names.entry(sets.len(), asks_of(set)));
                sets.push((*place, nth));
            }
        }
        let crowds = Crowds::new(entries.iter().flat_map(|entry| &entry.asks));
        let mut by_included: Vec<Vec<usize>> = vec![Vec::new(); roles.len()];
        entries.retain_mut(|entry| {
            let least = crowds.least(&entry.asks);
            let is_by_included = least.is_some_and(|(_, ask)| ask.dimension == ROLE);
            if is_by_included {
                let set = sets.get(entry.number);
                let set = set.and_then(|(place, nth)| roles.get(*place)?.any_of.get(*nth));
                for role in set.into_iter().flat_map(|set| &set.roles) {
                    if let Some(sets) = by_included.get_mut(*role) {
                        sets.push(entry.number);
                    }
                }
            }
            entry.asks.retain(|ask| ask.dimension != ROLE);
            !is_by_included
        });
        Self {
            by_claims: Tree::new(names, &entries),
            by_included,
            sets,
        }
    }

    /// The places of all roles that a job with these claims has, in order.
    pub(super) fn held(&self, roles: &[Role], claims: &Claims) -> Vec<usize> {
        self.search(roles, claims, &mut 0)
    }

    /// The same, and counts the sets that it looks at.
    pub(super) fn search(
        &self,
        roles: &[Role],
        claims: &Claims,
        looked_at: &mut usize,
    ) -> Vec<usize> {
        let mut waiting: BTreeSet<usize> = BTreeSet::new();
        self.by_claims
            .find(&Claimed(claims), &mut |sets| waiting.extend(sets));
        let mut held: BTreeSet<usize> = BTreeSet::new();
        // In the order of their numbers: by the turn of a set it is known who has the roles that it includes.
        while let Some(number) = waiting.pop_first() {
            let Some(&(place, nth)) = self.sets.get(number) else {
                continue;
            };
            let set = roles.get(place).and_then(|role| role.any_of.get(nth));
            *looked_at = looked_at.saturating_add(1);
            let is_new = !held.contains(&place);
            if is_new && set.is_some_and(|set| set.is_met(claims, &held)) {
                held.insert(place);
                let including = self.by_included.get(place);
                waiting.extend(including.into_iter().flatten());
            }
        }
        held.into_iter().collect()
    }
}

/// Its claims, and the roles of which it wants one.
fn asks_of(set: &RoleSet) -> Vec<Ask<&ClaimName>> {
    let mut asks = asks_of_claims(&set.claims);
    if !set.roles.is_empty() {
        asks.extend(numbers(&set.roles).map(|keys| Ask::fixed(Fixed::Role, keys)));
    }
    asks
}

impl RoleSet {
    /// Whether a job meets it that has these claims, and of the roles that come before this one has these.
    fn is_met(&self, claims: &Claims, held: &BTreeSet<usize>) -> bool {
        (self.roles.is_empty() || self.roles.iter().any(|role| held.contains(role)))
            && self.claims.first_failing(claims).is_none()
    }
}
