//! Tokens that were proven before: a hit skips parsing and cryptography, and nothing else.
//!
//! An entry holds the whole compact token, and only the very same bytes hit: a digest of them would cost more than all
//! else that a hit does (docs/adr/0015). It counts only while the issuer's key store serves the key set that it was
//! verified with. What depends on the time, on revocations or on the request is decided again on every request; so with
//! the cache and without, every verdict is the same.
//!
//! The memory is bounded in entries and bytes; what was not asked for longest makes way. Whatever is done costs the same
//! however many entries there are.

use super::VerifiedToken;
use super::budget::{Budget, Share};
use super::footprint::block;
use crate::assertion::Vouched;
use crate::time::UnixTime;
use lru::LruCache;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
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
    /// By the [tag](Self::tag) of each. Of two tokens with the same one, the later stays.
    entries: LruCache<u64, Entry, BuildHasherDefault<AsItIs>>,
    tags: RandomState,
    share: Share,
    /// When the last of the entries is accepted no more.
    until: UnixTime,
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
        // In the list of what was asked for last: the entry, its tag, and the way to its neighbours.
        const NODE: usize = size_of::<Entry>() + size_of::<u64>() + 2 * size_of::<usize>();
        // A hash table is a power of two long and at most 7/8 full, and while it grows there are two of them.
        const SLOT: usize = 2 * size_of::<usize>() + 1;
        let bytes = block(NODE)
            .saturating_add(SLOT.saturating_mul(4))
            .saturating_add(token.footprint());
        Self {
            token,
            keys,
            until,
            bytes,
        }
    }
}

impl TokenCache {
    /// An empty cache that stays within its own limits and, with others, within a budget.
    #[must_use]
    pub fn new(limits: CacheLimits, budget: &Rc<Budget>) -> Self {
        Self {
            limits,
            entries: LruCache::unbounded_with_hasher(BuildHasherDefault::default()),
            tags: RandomState::new(),
            share: Share::none_of(Rc::clone(budget)),
            until: UnixTime::from_secs(0),
        }
    }

    /// How many tokens it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes of memory it takes, from above.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.share.bytes()
    }

    /// Gives up the memory of tokens that nobody will be let in with. Worth a call now and then, apart from requests,
    /// where the budget is shared: a route without requests would keep its part.
    pub fn forget_expired(&mut self, now: UnixTime) {
        if now >= self.until {
            self.entries.clear();
            self.share.shrink(self.share.bytes());
            return;
        }
        while self
            .entries
            .peek_lru()
            .is_some_and(|(_, entry)| now >= entry.until)
        {
            self.give_up_one();
        }
    }

    /// A token that was verified with the key set that its issuer's store serves now, and that is not past
    /// its time. `serving` tells the generation of that set, by the issuer's place. The token's times must be
    /// checked still.
    pub(super) fn get(
        &mut self,
        presented: &[u8],
        serving: impl Fn(usize) -> Option<u64>,
        now: UnixTime,
    ) -> Option<VerifiedToken> {
        if self.is_empty() {
            return None;
        }
        let tag = self.tag(presented);
        let entry = self.entries.get(&tag)?;
        if !is_same(entry.token.compact().as_bytes(), presented) {
            return None;
        }
        if now < entry.until && serving(entry.token.issuer()) == Some(entry.keys) {
            return Some(entry.token.clone());
        }
        self.remove(tag);
        None
    }

    /// Keeps a token that was just verified with a key of this generation, which is accepted `until`.
    pub(super) fn insert(&mut self, token: VerifiedToken, keys: u64, until: UnixTime) {
        let tag = self.tag(token.compact().as_bytes());
        self.remove(tag);
        let entry = Entry::new(token, keys, until);
        if self.limits.entries > 0 && self.make_room(entry.bytes) {
            self.until = self.until.max(until);
            self.entries.put(tag, entry);
        }
    }

    /// Keeps what was said of a token beside it, if it is kept itself: for as long, and within the same bounds.
    pub(crate) fn keep(&mut self, token: &VerifiedToken, vouched: Vouched, now: UnixTime) {
        let tag = self.tag(token.compact().as_bytes());
        // This makes it the last to make way, too.
        if !self.entries.get(&tag).is_some_and(|it| it.token.is(token)) {
            return;
        }
        let kept = token.kept();
        let before = kept.footprint();
        kept.add(vouched, now);
        let more = kept.footprint().saturating_sub(before);
        while !self.has_room(more, 0) {
            if self.len() <= 1 || !self.give_up_one() {
                kept.clear();
                break;
            }
        }
        let after = kept.footprint();
        if after < before {
            self.share.shrink(before.saturating_sub(after));
        }
        if let Some(entry) = self.entries.peek_mut(&tag) {
            entry.bytes = entry.bytes.saturating_sub(before).saturating_add(after);
        }
    }

    /// Keeps nothing any more of what was said of a token.
    pub(crate) fn keep_nothing(&mut self, token: &VerifiedToken) {
        let kept = token.kept();
        let before = kept.footprint();
        kept.clear();
        if before == 0 {
            return;
        }
        let tag = self.tag(token.compact().as_bytes());
        if let Some(entry) = self.entries.peek_mut(&tag)
            && entry.token.is(token)
        {
            entry.bytes = entry.bytes.saturating_sub(before);
            self.share.shrink(before);
        }
    }

    /// A number by which a token is found. Two tokens that differ before their ends have the same one; the key of the
    /// hash keeps others from being made to.
    fn tag(&self, bytes: &[u8]) -> u64 {
        /// The end is of the signature: 24 bytes that no two tokens share.
        const END: usize = 32;
        self.tags.hash_one(
            bytes
                .last_chunk::<END>()
                .map_or(bytes, <[u8; END]>::as_slice),
        )
    }

    fn remove(&mut self, tag: u64) {
        if let Some(entry) = self.entries.pop(&tag) {
            self.share.shrink(entry.bytes);
        }
    }

    /// Whether there was one.
    fn give_up_one(&mut self) -> bool {
        let entry = self.entries.pop_lru();
        if let Some((_, entry)) = &entry {
            self.share.shrink(entry.bytes);
        }
        entry.is_some()
    }

    /// Takes this many bytes from the share for as many new entries, if they fit.
    #[inline]
    fn has_room(&mut self, bytes: usize, entries: usize) -> bool {
        self.len().saturating_add(entries) <= self.limits.entries
            && self.share.bytes().saturating_add(bytes) <= self.limits.bytes
            && self.share.grow(bytes)
    }

    /// Takes this many bytes from the share, if that can be done. As many entries go as take that much.
    fn make_room(&mut self, bytes: usize) -> bool {
        if bytes > self.limits.bytes {
            return false;
        }
        loop {
            if self.has_room(bytes, 1) {
                return true;
            }
            // Where nothing is left, the other caches leave no room for it.
            if !self.give_up_one() {
                return false;
            }
        }
    }
}

/// Whether these are the same bytes. Words at a time: what WebAssembly compares memory with takes a byte at a time, six
/// times as long.
fn is_same(known: &[u8], presented: &[u8]) -> bool {
    const WORD: usize = size_of::<u64>();
    let (words, end) = known.as_chunks::<WORD>();
    let (others, other_end) = presented.as_chunks::<WORD>();
    known.len() == presented.len()
        && end == other_end
        && words.iter().zip(others).fold(0, |difference, (a, b)| {
            difference | (u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b))
        }) == 0
}

/// For tags, which are hashes already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests;
