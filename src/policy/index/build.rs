//! How a tree is made: each rule goes by what fewest others ask for.

use super::dimension::Ask;
use super::key::Shape;
use super::tree::{Node, Split};

/// So few are tried one by one.
const FEW: usize = 4;

/// One of the things in a tree.
pub(super) struct Entry {
    pub(super) number: usize,
    /// All of which a request must meet.
    pub(super) asks: Vec<Ask<usize>>,
}

/// The root of a tree of these, whose order is kept.
pub(super) fn root(entries: &[Entry]) -> Node {
    let asks = entries.iter().flat_map(|entry| &entry.asks);
    let mut builder = Builder {
        copies: asks.map(|ask| ask.keys.len()).sum(),
    };
    builder.node(entries.iter().collect())
}

struct Builder {
    /// How many more copies may be made of what asks for one of several keys.
    copies: usize,
}

impl Builder {
    /// A node over these. It is never by what it was found by: that is the same for all of them.
    fn node(&mut self, entries: Vec<&Entry>) -> Node {
        let mut rest = Vec::new();
        let mut chosen = Vec::new();
        if entries.len() <= FEW {
            rest = entries;
        } else {
            let crowds = Crowds::new(entries.iter().flat_map(|entry| &entry.asks));
            // What nearly all ask for tells too little apart to be worth a level.
            let most = entries.len().saturating_mul(3).wrapping_div(4);
            for entry in entries {
                let best = crowds.least(&entry.asks);
                match best.filter(|(crowd, ask)| *crowd <= most && self.may_copy(ask)) {
                    Some((_, ask)) => chosen.push((entry, ask)),
                    None => rest.push(entry),
                }
            }
        }
        let mut by_dimension: Vec<(u64, usize)> = (0..)
            .zip(&chosen)
            .map(|(place, (_, ask))| (ask.dimension.code(), place))
            .collect();
        by_dimension.sort_unstable();
        let splits = by_dimension.chunk_by(|(a, _), (b, _)| a == b);
        let splits = splits.filter_map(|places| {
            let places = places.iter().map(|(_, place)| *place);
            let chosen: Vec<_> = places
                .filter_map(|place| chosen.get(place).copied())
                .collect();
            self.split(&chosen)
        });
        Node {
            splits: splits.collect(),
            rest: rest.iter().map(|entry| entry.number).collect(),
        }
    }

    /// Entries, each with what it asks for in the dimension that is the same for all.
    fn split(&mut self, entries: &[(&Entry, &Ask<usize>)]) -> Option<Split> {
        let dimension = entries.first()?.1.dimension;
        let mut shapes: Vec<Shape> = Vec::new();
        let mut by_hash: Vec<(u64, usize)> = Vec::new();
        for (place, (_, ask)) in entries.iter().enumerate() {
            for key in &ask.keys {
                by_hash.push((key.hash, place));
                if let Err(place) = shapes.binary_search(&key.shape) {
                    shapes.insert(place, key.shape);
                }
            }
        }
        by_hash.sort_unstable();
        by_hash.dedup();
        let buckets = by_hash.chunk_by(|(a, _), (b, _)| a == b);
        let buckets = buckets.filter_map(|places| {
            let hash = places.first()?.0;
            let entries = places.iter().filter_map(|(_, place)| entries.get(*place));
            let entries = entries.map(|(entry, _)| *entry).collect();
            Some((hash, self.node(entries)))
        });
        Some(Split {
            dimension,
            shapes,
            buckets: buckets.collect(),
        })
    }

    /// Whether an entry may stand at each key that it asks for; if so, its copies are counted.
    fn may_copy(&mut self, ask: &Ask<usize>) -> bool {
        let copies = ask.keys.len().saturating_sub(1);
        let left = self.copies.checked_sub(copies);
        self.copies = left.unwrap_or(self.copies);
        left.is_some()
    }
}

/// How many ask for each key of each dimension, sorted.
pub(super) struct Crowds(Vec<(u64, usize)>);

impl Crowds {
    /// Counts what all ask for.
    pub(super) fn new<'a>(asks: impl Iterator<Item = &'a Ask<usize>>) -> Self {
        let mut keys: Vec<(u64, usize)> = asks
            .flat_map(|ask| ask.keys.iter().map(|key| (ask.dimension.mixed(*key), 1)))
            .collect();
        keys.sort_unstable();
        let alike = keys.chunk_by(|(a, _), (b, _)| a == b);
        Self(
            alike
                .filter_map(|alike| Some((alike.first()?.0, alike.len())))
                .collect(),
        )
    }

    /// Of what one of them asks for that which fewest others ask for, and how many these are; where that is the
    /// same, what has the fewest keys.
    pub(super) fn least<'a>(&self, asks: &'a [Ask<usize>]) -> Option<(usize, &'a Ask<usize>)> {
        let crowd = |code: u64| {
            let place = self.0.binary_search_by_key(&code, |(code, _)| *code);
            self.0.get(place.ok()?).map(|(_, count)| *count)
        };
        let asks = asks.iter().filter_map(|ask| {
            let crowds = ask.keys.iter().map(|key| crowd(ask.dimension.mixed(*key)));
            Some((crowds.max()??, ask))
        });
        asks.min_by_key(|(crowd, ask)| (*crowd, ask.keys.len()))
    }
}
