//! One page of the buckets, as bytes in the host's store. The [sessions](crate::session) that ended stand on such pages
//! too, each until a moment.
//!
//! The format's name, entries (a bucket's key and its theoretical arrival time), and zeros to the end. Numbers are
//! big-endian. All pages are of one size, for the reason that [`crate::replay::page`] gives.

use super::rate::{SKEW, nanos_at};
use crate::shared_data::{Failed, SetError, SharedData, UpdateError, update};
use crate::time::UnixTime;

/// What stands for one bucket: the first half of a SHA-256 digest.
pub type Key = [u8; 16];

/// The most buckets of a page. With what Kong's store keeps beside a value it fills one of its pages of 4 KiB.
pub const MAX_ENTRIES: usize = 160;

/// The bytes of a page.
pub const BYTES: usize = HEADER + MAX_ENTRIES * ENTRY;

const NAME: [u8; 8] = *b"joblimit";
const HEADER: usize = 8;
const ENTRY: usize = 24;

/// A page.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Page(Vec<(Key, u64)>);

/// Why a page was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unchanged {
    /// There was no need.
    Left,
    /// It can't be read, which is as good as not being there.
    Unreadable,
}

/// Changes the page under this key, if `change` says that it did.
pub(crate) fn change(
    data: &dyn SharedData,
    key: &str,
    change: &mut dyn FnMut(&mut Page) -> bool,
) -> Result<(), UpdateError<Unchanged>> {
    update(data, key, |bytes| {
        let mut page = Page::decode(bytes).ok_or(Unchanged::Unreadable)?;
        change(&mut page)
            .then(|| page.encode())
            .ok_or(Unchanged::Left)
    })
}

/// Makes the page of this key, with nothing on it. Where somebody else made it meanwhile, that one stays.
pub(crate) fn make(data: &dyn SharedData, key: &str) -> Result<(), Failed> {
    let (value, cas) = data.get(key)?;
    let cas = match value {
        Some(value) if Page::decode(&value).is_some() => return Ok(()),
        // Something else stands there.
        Some(_) => Some(cas.ok_or_else(|| Failed("it did not tell the value's number".into()))?),
        None => None,
    };
    match data.set(key, &Page::default().encode(), cas) {
        Ok(()) | Err(SetError::Conflict) => Ok(()),
        Err(SetError::Failed(failed)) => Err(failed),
    }
}

/// There is no room for another bucket: all that are there still owe something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl Page {
    /// Reads a page; nothing if the bytes are not one, to the last.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (name, mut rest) = bytes.split_first_chunk()?;
        if *name != NAME || bytes.len() != BYTES {
            return None;
        }
        let mut entries = Vec::with_capacity(MAX_ENTRIES);
        while let Some((key, after)) = rest.split_first_chunk() {
            let (stands, after) = after.split_first_chunk()?;
            let stands = u64::from_be_bytes(*stands);
            if stands == 0 {
                break;
            }
            entries.push((*key, stands));
            rest = after;
        }
        // Nothing stands behind the entries: no bucket was full at the beginning of time.
        rest.iter().all(|byte| *byte == 0).then_some(Self(entries))
    }

    /// Its bytes, [`BYTES`] of them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend(NAME);
        for (key, stands) in &self.0 {
            bytes.extend(key);
            bytes.extend(stands.to_be_bytes());
        }
        bytes.resize(BYTES, 0);
        bytes
    }

    /// Where a bucket stands, if something is known of it.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<u64> {
        let (_, stands) = self.0.iter().find(|(known, _)| known == key)?;
        Some(*stands)
    }

    /// Puts a bucket down. A new one takes the place of those that are full again, which is the same as not being
    /// there: by every worker's clock, or one that is ahead would forget what another still counts.
    ///
    /// # Errors
    /// When the page is full.
    pub fn put(&mut self, key: Key, stands: u64, now: UnixTime) -> Result<(), Full> {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == key) {
            *known = stands;
            return Ok(());
        }
        let past = nanos_at(now.minus(SKEW));
        self.0.retain(|(_, stands)| *stands > past);
        if self.0.len() >= MAX_ENTRIES {
            return Err(Full);
        }
        self.0.push((key, stands));
        Ok(())
    }

    /// Puts an entry down, for no shorter than it stood. Where there is no room the one that came first makes it.
    /// Whether one did.
    pub(crate) fn put_over(&mut self, key: Key, stands: u64, now: UnixTime) -> bool {
        let stands = stands.max(self.get(&key).unwrap_or_default());
        let is_full = self.put(key, stands, now).is_err();
        if is_full {
            self.0.drain(..1);
            self.0.push((key, stands));
        }
        is_full
    }
}
