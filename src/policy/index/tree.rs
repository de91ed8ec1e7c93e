//! A tree of decisions over what rules ask for, made once for a policy.

use super::build::{Entry, root};
use super::dimension::{Ask, Dimension, Fixed};
use super::each_once;
use super::key::{Key, Shape};
use crate::policy::claim_name::ClaimName;
use std::collections::HashMap;

/// In more dimensions than this a node looks up those in which the request has something. In tests policies are
/// small.
const MANY: usize = if cfg!(test) { 2 } else { 32 };

/// Where the keys of a request come from.
pub(super) trait Probe {
    /// Calls `found` with the request's keys of these shapes in a dimension. Whether they can be told: if not,
    /// it is as if there were every key.
    fn probe(
        &self,
        dimension: Dimension<&ClaimName>,
        shapes: &[Shape],
        found: &mut dyn FnMut(Key),
    ) -> bool;

    /// The names of the claims that are there. Others have no keys.
    fn claim_names(&self) -> Vec<&str>;
}

/// Finds those of many things whose asks a request may meet.
#[derive(Debug, Default)]
pub(super) struct Tree {
    names: Names,
    root: Node,
}

/// The claims that are asked for.
#[derive(Debug, Default)]
pub(super) struct Names {
    claims: Vec<ClaimName>,
    /// Their places, by their names as they are written.
    places: HashMap<String, usize>,
}

#[derive(Debug, Default)]
pub(super) struct Node {
    /// What nothing tells apart.
    pub(super) rest: Box<[usize]>,
    /// Sorted by dimension.
    pub(super) splits: Box<[Split]>,
}

/// What is told apart by the keys of one dimension.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) dimension: Dimension<usize>,
    /// All that the keys have, sorted.
    pub(super) shapes: Vec<Shape>,
    /// By the hash of a key, sorted.
    pub(super) buckets: Box<[(u64, Node)]>,
}

impl Tree {
    /// A tree of these entries, which are in the order of their numbers.
    pub(super) fn new(names: Names, entries: &[Entry]) -> Self {
        Self {
            names,
            root: root(entries),
        }
    }

    /// Calls `found` with the numbers of all whose asks the request may meet, in lists that are sorted; some
    /// may come twice.
    pub(super) fn find<'t>(&'t self, request: &dyn Probe, found: &mut dyn FnMut(&'t [usize])) {
        self.descend(&self.root, request, found);
    }

    fn descend<'t>(
        &'t self,
        node: &'t Node,
        request: &dyn Probe,
        found: &mut dyn FnMut(&'t [usize]),
    ) {
        if !node.rest.is_empty() {
            found(&node.rest);
        }
        if node.splits.len() <= MANY {
            for split in &node.splits {
                self.follow(split, request, found);
            }
            return;
        }
        let always = self.names.always();
        let told = self.names.told(request);
        for dimension in always.chain(told) {
            let code = dimension.code();
            let place = node
                .splits
                .binary_search_by_key(&code, |split| split.dimension.code());
            if let Some(split) = place.ok().and_then(|place| node.splits.get(place)) {
                self.follow(split, request, found);
            }
        }
    }

    fn follow<'t>(
        &'t self,
        split: &'t Split,
        request: &dyn Probe,
        found: &mut dyn FnMut(&'t [usize]),
    ) {
        let Some(dimension) = self.names.name(split.dimension) else {
            return;
        };
        // A list may have the same key many times, and at each level of the tree anew.
        let mut met: Vec<usize> = Vec::new();
        let is_told = request.probe(dimension, &split.shapes, &mut |key| {
            let place = split
                .buckets
                .binary_search_by_key(&key.hash, |(hash, _)| *hash);
            met.extend(place);
        });
        if !is_told {
            met = (0..split.buckets.len()).collect();
        }
        each_once(&mut met);
        for (_, node) in met.iter().filter_map(|place| split.buckets.get(*place)) {
            self.descend(node, request, found);
        }
    }
}

impl Names {
    /// The entry of what asks for all of these.
    pub(super) fn entry(&mut self, number: usize, asks: Vec<Ask<&ClaimName>>) -> Entry {
        let asks = asks.into_iter().map(|ask| Ask {
            dimension: match ask.dimension {
                Dimension::Fixed(fixed) => Dimension::Fixed(fixed),
                Dimension::Claim(name) => Dimension::Claim(self.place(name)),
            },
            keys: ask.keys,
        });
        Entry {
            number,
            asks: asks.collect(),
        }
    }

    fn place(&mut self, name: &ClaimName) -> usize {
        /// Of so few to look at each costs less than to hash.
        const FEW: usize = 8;
        let mut first = self.claims.iter().take(FEW);
        if let Some(place) = first.position(|known| known.as_str() == name.as_str()) {
            return place;
        }
        if let Some(place) = self.places.get(name.as_str()) {
            return *place;
        }
        let place = self.claims.len();
        self.claims.push(name.clone());
        self.places.insert(name.as_str().to_owned(), place);
        place
    }

    fn name(&self, dimension: Dimension<usize>) -> Option<Dimension<&ClaimName>> {
        Some(match dimension {
            Dimension::Fixed(fixed) => Dimension::Fixed(fixed),
            Dimension::Claim(place) => Dimension::Claim(self.claims.get(place)?),
        })
    }

    /// The dimensions that are no claims by their whole names.
    fn always(&self) -> impl Iterator<Item = Dimension<usize>> {
        let pointers = (0..).zip(&self.claims);
        let pointers = pointers.filter(|(_, name)| name.as_str().starts_with('/'));
        Fixed::all()
            .map(Dimension::Fixed)
            .chain(pointers.map(|(place, _)| Dimension::Claim(place)))
    }

    /// Of the others those that the request has.
    fn told(&self, request: &dyn Probe) -> impl Iterator<Item = Dimension<usize>> {
        let names = request.claim_names().into_iter();
        names
            .filter(|name| !name.starts_with('/'))
            .filter_map(|name| self.places.get(name).copied())
            .map(Dimension::Claim)
    }
}
