//! Tokens whose signature did not verify: one that comes again is refused without parsing and cryptography.
//!
//! An entry says no more than that the key set of some generation does not verify these very bytes: it is found by
//! SHA-256 of the whole compact token, for the gate that it was made by, and counts only while that key set serves.
//! What depends on the time is decided again, so with the table and without, every verdict is the same.
//!
//! The table has a fixed size and is made with its first entry. Where it is full, the new entry takes the place of one
//! of a few: a flood of ever new tokens makes it useless, and costs nothing else.

use super::compact::Compact;
use super::{Digest, Times};
use std::hash::{BuildHasher, RandomState};

/// How many tokens are remembered.
const ENTRIES: usize = 512;

/// Entries stand in sets of so many, the last used first.
const WAYS: usize = 4;

/// What is known of a token whose signature did not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rejection {
    /// The issuer, by its place in the policy.
    pub(super) issuer: usize,
    /// Its times.
    pub(super) times: Times,
    /// What the refusal says.
    pub(super) detail: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Of the token's end, so that other tokens need not be digested to see that they are others.
    tag: u64,
    digest: Digest,
    gate: u64,
    /// The generation of the key set that it was verified with.
    keys: u64,
    rejection: Rejection,
}

/// The tokens of all gates of a VM whose signature did not verify.
#[derive(Debug, Default)]
pub(super) struct RejectedTokens {
    /// Empty, or [`ENTRIES`] long.
    entries: Vec<Option<Entry>>,
    tags: RandomState,
}

impl RejectedTokens {
    /// What is known of this token by this gate, if the key set serves still with which it was verified. `serving`
    /// tells the generation of that set, by the issuer's place. The token's times must be checked still.
    pub(super) fn get(
        &mut self,
        gate: u64,
        token: &Compact<'_>,
        serving: impl Fn(usize) -> Option<u64>,
    ) -> Option<Rejection> {
        if self.entries.is_empty() {
            return None;
        }
        let tag = self.tag(gate, token);
        let set = self.set(tag)?;
        let place = set.iter().position(|entry| {
            entry.as_ref().is_some_and(|entry| {
                entry.tag == tag && entry.gate == gate && entry.digest == *token.digest()
            })
        })?;
        set.get_mut(..=place)?.rotate_right(1);
        let entry = set.first()?.as_ref()?;
        (serving(entry.rejection.issuer) == Some(entry.keys)).then_some(entry.rejection)
    }

    /// Remembers a token that a key of this generation did not verify.
    pub(super) fn insert(
        &mut self,
        gate: u64,
        token: &Compact<'_>,
        keys: u64,
        rejection: Rejection,
    ) {
        if self.entries.is_empty() {
            self.entries = vec![None; ENTRIES];
        }
        let tag = self.tag(gate, token);
        let digest = *token.digest();
        let Some(set) = self.set(tag) else {
            return;
        };
        let known = set.iter().position(|entry| {
            entry
                .as_ref()
                .is_some_and(|entry| entry.gate == gate && entry.digest == digest)
        });
        let place = known.unwrap_or(WAYS.saturating_sub(1));
        if let Some(used) = set.get_mut(..=place) {
            used.rotate_right(1);
        }
        if let Some(first) = set.first_mut() {
            *first = Some(Entry {
                tag,
                digest,
                gate,
                keys,
                rejection,
            });
        }
    }

    /// A number by which a token is found. Who makes tokens that have the same one spoils the table for these alone.
    fn tag(&self, gate: u64, token: &Compact<'_>) -> u64 {
        const END: usize = 32;
        let bytes = token.text().as_bytes();
        let end = bytes
            .last_chunk::<END>()
            .map_or(bytes, |end| end.as_slice());
        self.tags.hash_one((gate, end))
    }

    /// The entries among which this one is, if it is there.
    fn set(&mut self, tag: u64) -> Option<&mut [Option<Entry>]> {
        const SETS: usize = ENTRIES / WAYS;
        let nth = usize::try_from(tag >> 32).unwrap_or_default() % SETS;
        self.entries.chunks_exact_mut(WAYS).nth(nth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Claims;
    use serde_json::json;

    fn rejection(issuer: usize) -> Rejection {
        let claims = json!({ "iat": 0, "exp": 300 });
        let times = Times::read(&Claims::new(claims.as_object().unwrap().clone())).unwrap();
        Rejection {
            issuer,
            times,
            detail: "forged",
        }
    }

    #[test]
    fn an_entry_is_of_one_token_one_gate_and_one_key_set() {
        let mut table = RejectedTokens::default();
        let token = Compact::new("a.b.c");
        assert_eq!(table.get(1, &token, |_| Some(7)), None);
        table.insert(1, &token, 7, rejection(3));
        let serving = |issuer| (issuer == 3).then_some(7);
        assert_eq!(table.get(1, &token, serving), Some(rejection(3)));
        assert_eq!(table.get(2, &token, serving), None);
        for other in ["a.b.d", "a.b.c.", "a.b", ""] {
            assert_eq!(table.get(1, &Compact::new(other), serving), None, "{other}");
        }
        // Only the end is looked at first, and then the whole.
        let [long, other] = ["a", "b"].map(|start| format!("{start}.{}", "c".repeat(100)));
        table.insert(1, &Compact::new(&long), 7, rejection(3));
        assert!(table.get(1, &Compact::new(&long), serving).is_some());
        assert_eq!(table.get(1, &Compact::new(&other), serving), None);
        for keys in [None, Some(6), Some(8)] {
            assert_eq!(table.get(1, &token, |_| keys), None);
        }
        // Verified with another key set, it is one entry still.
        table.insert(1, &token, 8, rejection(3));
        assert_eq!(table.get(1, &token, |_| Some(7)), None);
        assert_eq!(table.get(1, &token, |_| Some(8)), Some(rejection(3)));
        assert_eq!(table.entries.iter().flatten().count(), 2);
    }

    #[test]
    fn what_comes_again_stays_as_long_as_its_set_is_not_flooded_and_nothing_grows() {
        let mut table = RejectedTokens::default();
        let again = Compact::new("again");
        table.insert(1, &again, 1, rejection(0));
        for nth in 0..20 * ENTRIES {
            let text = nth.to_string();
            table.insert(1, &Compact::new(&text), 1, rejection(0));
            assert!(table.get(1, &again, |_| Some(1)).is_some(), "{nth}");
        }
        assert_eq!(table.entries.iter().flatten().count(), ENTRIES);
        assert!(size_of::<Option<Entry>>() * ENTRIES <= 80 * 1024);
    }
}
