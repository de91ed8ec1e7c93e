//! Finds the few rules that can match a request among very many.
//!
//! Every rule stands in a [tree](tree::Tree) under that of its conditions which the fewest others share: a
//! path, a claim's value, a role, a host... A request is looked up there by what it has of each, and what is
//! found is then decided on as if there were no index; so an index can be too generous, and must never leave
//! out a rule that matches. What a deny rule asks for and the request does not tell counts as there.

mod ask;
mod build;
mod dimension;
mod key;
mod probe;
mod roles;
#[cfg(test)]
mod tests;
mod tree;

use self::ask::asks_of_rule;
use self::build::Entry;
use self::probe::Seen;
use self::roles::RoleIndex;
use self::tree::{Names, Tree};
use super::compiled::{Effect, Policy, Role, Rule};
use super::condition::Subject;
use crate::sort::sort_by;
use crate::token::Claims;

/// How many rules are looked at to say why none matched, at most.
const MAX_LOOKED_AT: usize = 64;

/// How rules and roles are found: with the index, or in tests by looking at each.
pub(super) trait Find {
    /// The places of all roles that a job has, in order.
    fn roles(&self, policy: &Policy, claims: &Claims) -> Vec<usize>;

    /// The places of the rules that may match, in order. Those that are left out fail a condition that is not
    /// the certificate.
    fn candidates(&self, subject: &Subject<'_>) -> Vec<usize>;

    /// The places of the first allow rules, without those on trial, that may be about such a request, in order.
    fn about(&self, subject: &Subject<'_>) -> impl Iterator<Item = usize>;
}

/// Made once for a policy.
#[derive(Debug, Default)]
pub(super) struct Index {
    allows: Tree,
    denies: Tree,
    /// The allow rules that are not on trial, by which requests they are about.
    scopes: Tree,
    roles: RoleIndex,
}

impl Index {
    /// `order` is [`Policy::role_order`].
    pub(super) fn new(rules: &[Rule], roles: &[Role], order: &[usize]) -> Self {
        let entries = |effect, names: &mut Names| -> Vec<Entry> {
            let rules = rules.iter().enumerate();
            rules
                .filter(|(_, rule)| rule.effect == effect)
                .map(|(place, rule)| names.entry(place, asks_of_rule(rule)))
                .collect()
        };
        let (mut of_allows, mut of_denies) = (Names::default(), Names::default());
        let denies = entries(Effect::Deny, &mut of_denies);
        let mut allows = entries(Effect::Allow, &mut of_allows);
        Self {
            denies: Tree::new(of_denies, &denies),
            allows: Tree::new(of_allows, &allows),
            scopes: {
                allows.retain(|entry| rules.get(entry.number).is_some_and(|rule| !rule.shadow));
                for entry in &mut allows {
                    entry.asks.retain(|ask| ask.dimension.is_scope());
                }
                Tree::new(Names::default(), &allows)
            },
            roles: RoleIndex::new(roles, order),
        }
    }
}

impl Find for Index {
    fn roles(&self, policy: &Policy, claims: &Claims) -> Vec<usize> {
        self.roles.held(&policy.roles, claims)
    }

    fn candidates(&self, subject: &Subject<'_>) -> Vec<usize> {
        let mut places = Vec::new();
        for (effect, tree) in [(Effect::Allow, &self.allows), (Effect::Deny, &self.denies)] {
            tree.find(&Seen { effect, subject }, &mut |found| {
                places.extend_from_slice(found);
            });
        }
        each_once(&mut places);
        places
    }

    fn about(&self, subject: &Subject<'_>) -> impl Iterator<Item = usize> {
        let seen = Seen {
            effect: Effect::Allow,
            subject,
        };
        let mut lists = Vec::new();
        self.scopes.find(&seen, &mut |found| lists.push(found));
        Merged(lists).take(MAX_LOOKED_AT)
    }
}

/// Sorts numbers, and leaves each of them there once. Mostly there are few, and they are so already.
fn each_once(numbers: &mut Vec<usize>) {
    if !numbers.is_sorted_by(|a, b| a < b) {
        sort_by(numbers, |a, b| a < b);
        numbers.dedup();
    }
}

/// Few sorted lists as one, in which each number is once.
struct Merged<'a>(Vec<&'a [usize]>);

impl Iterator for Merged<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let next = *self.0.iter().filter_map(|list| list.first()).min()?;
        for list in &mut self.0 {
            if let Some((first, rest)) = list.split_first()
                && *first == next
            {
                *list = rest;
            }
        }
        Some(next)
    }
}
