//! Tokens that were proven before: a hit skips parsing and cryptography, and nothing else.
//!
//! An entry is found by SHA-256 of the whole compact token, so only the very same bytes hit. It counts only
//! while the issuer's key store serves the key set that it was verified with. What depends on the time, on
//! revocations or on the request is decided again on every request; so with the cache and without, every
//! verdict is the same.
//!
//! The memory is bounded in entries and bytes, by two halves: what is new or hit goes into the young one;
//! when that is full it becomes the old one, and what was in the old one is gone. So an insertion costs the
//! same however many entries there are, and what is used stays.

use super::budget::{Budget, Share};
use super::footprint::block;
use super::{Digest, VerifiedToken};
use crate::time::UnixTime;
use std::collections::HashMap;
use std::mem;
use std::rc::Rc;

/// How much a cache may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// Tokens; none switches the cache off.
    pub entries: usize,
    /// Bytes of memory.
    pub bytes: usize,
}

/// The cache of one policy. Its entries are proofs under that policy's issuers, and under no other's.
#[derive(Debug)]
pub struct TokenCache {
    limits: CacheLimits,
    young: Half,
    old: Half,
}

#[derive(Debug)]
struct Entry {
    token: VerifiedToken,
    /// The generation of the key set that it was verified with.
    keys: u64,
    /// When it is accepted no more, leeway included.
    until: UnixTime,
    bytes: usize,
}

impl Entry {
    fn new(token: VerifiedToken, keys: u64, until: UnixTime) -> Self {
        // A hash table is a power of two long and at most 7/8 full, and while it grows there are two of them.
        const SLOT: usize = size_of::<(Digest, Entry)>() + 1;
        let bytes = block(SLOT.saturating_mul(4)).saturating_add(token.footprint());
        Self {
            token,
            keys,
            until,
            bytes,
        }
    }
}

#[derive(Debug)]
struct Half {
    entries: HashMap<Digest, Entry>,
    share: Share,
    /// When the last of its entries is accepted no more.
    until: UnixTime,
}

impl Half {
    fn new(share: Share) -> Self {
        Self {
            entries: HashMap::new(),
            share,
            until: UnixTime::from_secs(0),
        }
    }

    /// What it holds; it holds nothing afterwards.
    fn take(&mut self) -> Self {
        let empty = Self::new(self.share.another());
        mem::replace(self, empty)
    }

    fn remove(&mut self, digest: &Digest) -> Option<Entry> {
        let entry = self.entries.remove(digest)?;
        self.share.shrink(entry.bytes);
        Some(entry)
    }

    /// The bytes of the entry must have been taken from the share.
    fn insert(&mut self, entry: Entry) {
        self.until = self.until.max(entry.until);
        self.entries.insert(*entry.token.digest(), entry);
    }
}

impl TokenCache {
    /// An empty cache that stays within its own limits and, with others, within a budget.
    #[must_use]
    pub fn new(limits: CacheLimits, budget: &Rc<Budget>) -> Self {
        let half = || Half::new(Share::none_of(Rc::clone(budget)));
        Self {
            limits,
            young: half(),
            old: half(),
        }
    }

    /// How many tokens it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young
            .entries
            .len()
            .saturating_add(self.old.entries.len())
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory it takes, from above.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.young
            .share
            .bytes()
            .saturating_add(self.old.share.bytes())
    }

    /// Gives up the memory of tokens that nobody will be let in with. Worth a call now and then where the
    /// budget is shared: a route without requests would keep its part.
    pub fn forget_expired(&mut self, now: UnixTime) {
        for half in [&mut self.young, &mut self.old] {
            if now >= half.until && !half.entries.is_empty() {
                half.take();
            }
        }
    }

    /// A token that was verified with the key set that its issuer's store serves now, and that is not past
    /// its time. `serving` tells the generation of that set, by the issuer's place. The token's times must be
    /// checked still.
    pub(super) fn get(
        &mut self,
        digest: &Digest,
        serving: impl Fn(usize) -> Option<u64>,
        now: UnixTime,
    ) -> Option<VerifiedToken> {
        self.forget_expired(now);
        let holds =
            |entry: &Entry| now < entry.until && serving(entry.token.issuer()) == Some(entry.keys);
        if let Some(entry) = self.young.entries.get(digest) {
            if holds(entry) {
                return Some(entry.token.clone());
            }
            self.young.remove(digest);
            return None;
        }
        let entry = self.old.remove(digest).filter(holds)?;
        let token = entry.token.clone();
        self.put(entry);
        Some(token)
    }

    /// Keeps a token that was just verified with a key of this generation, which is accepted `until`.
    pub(super) fn insert(&mut self, token: VerifiedToken, keys: u64, until: UnixTime) {
        self.young.remove(token.digest());
        self.old.remove(token.digest());
        self.put(Entry::new(token, keys, until));
    }

    fn put(&mut self, entry: Entry) {
        let CacheLimits { entries, bytes } = self.limits;
        if entries == 0 || entry.bytes > bytes {
            return;
        }
        let is_full = |len: usize, used: usize, entries: usize, bytes: usize| {
            len >= entries || used.saturating_add(entry.bytes) > bytes
        };
        let young = &self.young;
        if is_full(
            young.entries.len(),
            young.share.bytes(),
            entries.div_ceil(2),
            bytes.div_ceil(2),
        ) {
            self.old = self.young.take();
        }
        if is_full(self.len(), self.bytes(), entries, bytes) {
            self.old.take();
        }
        if !self.young.share.grow(entry.bytes) {
            self.old.take();
            if !self.young.share.grow(entry.bytes) {
                // The other caches leave no room for it. What is here grows old, so that what nobody
                // asks for again makes way for the next.
                self.old = self.young.take();
                return;
            }
        }
        self.young.insert(entry);
    }
}

#[cfg(test)]
mod tests;
