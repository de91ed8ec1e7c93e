//! Which rules could take in another one: most can be told by a path's beginning or a claim's value.

use super::case::Case;
use crate::policy::compiled::Rule;
use crate::policy::glob::PathGlob;
use crate::sort::sort_by;
use std::collections::BinaryHeap;

/// Rules by something that whatever they take in must have too.
pub(super) struct Index {
    /// A rule's key in the upper half and its place in the lower; sorted.
    entries: Vec<u64>,
    /// The places of rules that have nothing of the kind.
    rest: Vec<usize>,
}

/// What rules are filed under. Keys of different things can be the same: that makes a candidate more.
type Key = u32;

/// One of the rule's paths begins so, up to a slash.
fn below(beginning: &str) -> Key {
    fnv(&[beginning])
}

/// The claim of this name is this.
fn equals(name: &str, text: &str) -> Key {
    fnv(&[name, "=", text])
}

/// The FNV-1a hash.
fn fnv(parts: &[&str]) -> Key {
    let mut hash: Key = 0x811c_9dc5;
    for part in parts {
        for byte in part.bytes() {
            hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    }
    hash
}

impl Index {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut all = Self {
            entries: Vec::new(),
            rest: Vec::new(),
        };
        for (place, rule) in rules.iter().enumerate() {
            choices(rule).iter().for_each(|keys| all.file(keys, place));
        }
        all.sort();
        let mut index = Self {
            entries: Vec::new(),
            rest: Vec::new(),
        };
        for (place, rule) in rules.iter().enumerate() {
            let rarest = choices(rule).into_iter().min_by_key(|keys| {
                let counts = keys.iter().map(|key| all.under(*key).len());
                counts.max()
            });
            match rarest {
                Some(keys) => index.file(&keys, place),
                None => index.rest.push(place),
            }
        }
        index.sort();
        index
    }

    fn sort(&mut self) {
        // As findings are: a heap is sorted by far less code than a list.
        let entries = BinaryHeap::from(std::mem::take(&mut self.entries));
        self.entries = entries.into_sorted_vec();
    }

    fn file(&mut self, keys: &[Key], place: usize) {
        // No configuration has so many rules; one that had would find fewer candidates.
        let Ok(place) = u32::try_from(place) else {
            return;
        };
        let entry = |key: &Key| u64::from(*key) << 32 | u64::from(place);
        self.entries.extend(keys.iter().map(entry));
    }

    fn under(&self, key: Key) -> &[u64] {
        let first = u64::from(key) << 32;
        let start = self.entries.partition_point(|entry| *entry < first);
        let rest = self.entries.get(start..).unwrap_or_default();
        let end = rest.partition_point(|entry| entry >> 32 == u64::from(key));
        rest.get(..end).unwrap_or_default()
    }

    /// The places of the rules that could take in this one, which is met in these cases.
    pub(super) fn candidates(&self, rule: &Rule, cases: &[Case<'_>]) -> Vec<usize> {
        let mut found = self.rest.clone();
        let mut add = |key: Key| {
            for entry in self.under(key) {
                found.extend(usize::try_from(entry & u64::from(u32::MAX)));
            }
        };
        // All paths and all cases must be taken in, so the first of each tell enough.
        if let Some(path) = rule.paths.first() {
            for (slash, _) in path.beginning().match_indices('/') {
                if let Some(above) = path.beginning().get(..=slash) {
                    add(below(above));
                }
            }
        }
        if let Some(case) = cases.first() {
            for test in &case.tests {
                let name = test.name.as_str();
                for choice in case.claim(name).choices() {
                    choice.texts.iter().for_each(|text| add(equals(name, text)));
                }
            }
        }
        sort_by(&mut found, |a, b| a < b);
        found.dedup();
        found
    }
}

/// The lists of keys by which a rule could be filed: under all keys of one of them.
fn choices(rule: &Rule) -> Vec<Vec<Key>> {
    let mut choices: Vec<Vec<Key>> = Vec::new();
    for (name, test) in &rule.claims.0 {
        if let Some(text) = &test.equals {
            choices.push(vec![equals(name.as_str(), text)]);
        }
    }
    if !rule.paths.is_empty() && !rule.paths.iter().any(PathGlob::is_everything) {
        let mut keys: Vec<Key> = Vec::new();
        for path in &rule.paths {
            let beginning = path.beginning();
            let end = beginning.rfind('/');
            keys.push(below(
                end.and_then(|end| beginning.get(..=end))
                    .unwrap_or_default(),
            ));
        }
        keys.dedup();
        choices.push(keys);
    }
    choices
}
