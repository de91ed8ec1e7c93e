//! One page of the record of used tokens, as bytes in the host's store.
//!
//! A header (the format's name, since when the page is complete, up to which expiry it may have forgotten
//! entries), entries (a key and an expiry), and zeros to the end. Numbers are big-endian; times are whole
//! seconds, rounded so that they err towards refusing.
//!
//! All pages are of one size: where a value grows, Kong's store looks for a larger block, and when it is full
//! it may make room by dropping the very value that grows.

use crate::time::UnixTime;

/// What stands for one use of a token: the first half of a SHA-256 digest.
pub type Key = [u8; 16];

/// The most entries of a page. Kong's store hands out whole pages of 4 KiB, of which this fills two.
pub const MAX_ENTRIES: usize = 320;

/// The bytes of a page.
pub const BYTES: usize = HEADER + MAX_ENTRIES * ENTRY;

const NAME: [u8; 8] = *b"jobgate1";
const HEADER: usize = 24;
const ENTRY: usize = 24;

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    begins: u64,
    forgotten: u64,
    entries: Vec<(Key, u64)>,
}

/// There is no room for another entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Page {
    /// An empty page that is complete from a moment on.
    #[must_use]
    pub fn beginning(at: UnixTime) -> Self {
        Self {
            begins: rounded_up(at),
            forgotten: 0,
            entries: Vec::new(),
        }
    }

    /// Reads a page; nothing if the bytes are not one, to the last.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (name, rest) = bytes.split_first_chunk()?;
        if *name != NAME || bytes.len() != BYTES {
            return None;
        }
        let (begins, rest) = number(rest)?;
        let (forgotten, mut rest) = number(rest)?;
        let mut entries = Vec::with_capacity(MAX_ENTRIES);
        while let Some((key, after)) = rest.split_first_chunk() {
            let (expires, after) = number(after)?;
            if expires == 0 {
                break;
            }
            entries.push((*key, expires));
            rest = after;
        }
        // Nothing stands behind the entries: no entry expires at the beginning of time.
        rest.iter().all(|byte| *byte == 0).then_some(Self {
            begins,
            forgotten,
            entries,
        })
    }

    /// Its bytes, [`BYTES`] of them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend(NAME);
        bytes.extend(self.begins.to_be_bytes());
        bytes.extend(self.forgotten.to_be_bytes());
        for (key, expires) in &self.entries {
            bytes.extend(key);
            bytes.extend(expires.to_be_bytes());
        }
        bytes.resize(BYTES, 0);
        bytes
    }

    /// Since when it is complete.
    #[must_use]
    pub const fn begins(&self) -> UnixTime {
        UnixTime::from_secs(self.begins)
    }

    /// Forgets the entries whose time is over, and remembers up to which expiry it did.
    pub fn forget_expired(&mut self, now: UnixTime) {
        let (forgotten, now) = (&mut self.forgotten, now.as_secs());
        self.entries.retain(|(_, expires)| {
            let lives = *expires > now;
            if !lives {
                *forgotten = (*forgotten).max(*expires);
            }
            lives
        });
    }

    /// Whether it holds an entry.
    #[must_use]
    pub fn holds(&self, key: &Key) -> bool {
        self.entries.iter().any(|(known, _)| known == key)
    }

    /// Whether an entry of this expiry may have been forgotten.
    #[must_use]
    pub fn may_have_forgotten(&self, expires: UnixTime) -> bool {
        rounded_up(expires) <= self.forgotten
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// When the page is full.
    pub fn add(&mut self, key: Key, expires: UnixTime) -> Result<(), Full> {
        if self.entries.len() >= MAX_ENTRIES {
            return Err(Full);
        }
        self.entries.push((key, rounded_up(expires)));
        Ok(())
    }
}

/// The first whole second that is not before a moment.
fn rounded_up(at: UnixTime) -> u64 {
    let floor = at.as_secs();
    floor.saturating_add(u64::from(UnixTime::from_secs(floor) < at))
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u64::from_be_bytes(*number), rest))
}
