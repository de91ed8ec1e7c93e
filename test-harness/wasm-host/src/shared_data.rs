//! The key-value store that all VMs of a gateway share, with each gateway's compare-and-swap.
//!
//! Envoy keeps a map without bounds. Kong keeps a zone of fixed size (`ngx_wa_shm_kv.c`), whose
//! ways a filter has to survive: keys are told apart by their CRC-32 alone, `cas` numbers count
//! per key and begin again after an eviction, and a full zone evicts the least recently used.

use std::collections::BTreeMap;

use crate::profile::Profile;

/// What nginx's slab allocator takes beside key and value, for one entry.
const NODE: usize = 96;
/// What the slab allocator keeps for itself of each page.
const OVERHEAD_PER_PAGE: usize = 24;
const PAGE: usize = 4096;

/// Keys to values with the `cas` number of their last write.
#[derive(Debug)]
pub(crate) struct SharedData {
    store: Store,
}

#[derive(Debug)]
enum Store {
    Map {
        values: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
        last_cas: u32,
    },
    Zone(Zone),
}

/// Why a write was not done.
#[derive(Debug)]
pub(crate) enum NotWritten {
    /// Somebody else wrote the key in between.
    CasMismatch,
    /// The zone has no room for it, even when all else is evicted, as it now is.
    NoRoom,
}

impl SharedData {
    /// An empty store. `bytes` is the size of Kong's zone.
    pub(crate) fn new(profile: Profile, bytes: usize) -> Self {
        let store = match profile {
            Profile::Envoy => Store::Map {
                values: BTreeMap::new(),
                last_cas: 0,
            },
            Profile::Kong => Store::Zone(Zone::new(bytes)),
        };
        Self { store }
    }

    /// Reads as a guest does: on Kong that keeps the entry from being evicted next.
    pub(crate) fn get(&mut self, key: &[u8]) -> Option<(&[u8], u32)> {
        if let Store::Zone(zone) = &mut self.store {
            zone.touch(key);
        }
        self.peek(key)
    }

    /// Reads without a trace.
    pub(crate) fn peek(&self, key: &[u8]) -> Option<(&[u8], u32)> {
        match &self.store {
            Store::Map { values, .. } => {
                let (value, cas) = values.get(key)?;
                Some((value, *cas))
            }
            Store::Zone(zone) => {
                let entry = zone.entries.get(&crc32(key))?;
                Some((&entry.value, entry.cas))
            }
        }
    }

    /// Writes, or deletes with no value. `cas` 0 stands for none: Envoy then overwrites what is
    /// there, Kong refuses. Where nothing is there, Envoy takes any `cas` and Kong only 0.
    pub(crate) fn set(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        cas: u32,
    ) -> Result<(), NotWritten> {
        match &mut self.store {
            Store::Map { values, last_cas } => {
                let current = values.get(key).map(|(_, cas)| *cas);
                if current.is_some_and(|current| cas != 0 && current != cas) {
                    return Err(NotWritten::CasMismatch);
                }
                *last_cas += 1;
                values.insert(
                    key.to_vec(),
                    (value.unwrap_or_default().to_vec(), *last_cas),
                );
                Ok(())
            }
            Store::Zone(zone) => zone.set(key, value, cas),
        }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        match &self.store {
            Store::Map { values, .. } => values.len(),
            Store::Zone(zone) => zone.entries.len(),
        }
    }
}

#[derive(Debug)]
struct Entry {
    value: Vec<u8>,
    cas: u32,
    /// What its block takes of the zone. A shorter value is written into the block that is there.
    block: usize,
    /// How much value the block holds.
    room: usize,
    used: u64,
}

/// Kong's zone, without the slab's fragmentation: what is full here is full there, not always the
/// other way round.
#[derive(Debug)]
struct Zone {
    entries: BTreeMap<u32, Entry>,
    /// Who was used when, the oldest first.
    order: BTreeMap<u64, u32>,
    free: usize,
    uses: u64,
}

impl Zone {
    fn new(bytes: usize) -> Self {
        let pages = bytes / (PAGE + OVERHEAD_PER_PAGE);
        Self {
            entries: BTreeMap::new(),
            order: BTreeMap::new(),
            free: pages * PAGE,
            uses: 0,
        }
    }

    fn touch(&mut self, key: &[u8]) {
        self.touch_hash(crc32(key));
    }

    fn touch_hash(&mut self, hash: u32) {
        self.uses += 1;
        if let Some(entry) = self.entries.get_mut(&hash) {
            self.order.remove(&entry.used);
            entry.used = self.uses;
            self.order.insert(self.uses, hash);
        }
    }

    fn set(&mut self, key: &[u8], value: Option<&[u8]>, cas: u32) -> Result<(), NotWritten> {
        let hash = crc32(key);
        let current = self.entries.get(&hash).map(|entry| entry.cas);
        if cas != current.unwrap_or(0) {
            return Err(NotWritten::CasMismatch);
        }
        let Some(value) = value else {
            // Deleting what is not there is no success either.
            return match self.remove(hash) {
                Some(_) => Ok(()),
                None => Err(NotWritten::CasMismatch),
            };
        };
        if let Some(entry) = self.entries.get_mut(&hash)
            && value.len() <= entry.room
        {
            entry.value = value.to_vec();
            entry.cas += 1;
            self.touch_hash(hash);
            return Ok(());
        }
        let block = block(NODE + key.len() + value.len());
        // The new block is taken before the old one is given back. nginx may evict the old one for
        // it and then frees it twice; here it only counts as evicted.
        while self.free < block {
            let Some(oldest) = self.order.values().next().copied() else {
                return Err(NotWritten::NoRoom);
            };
            self.remove(oldest);
        }
        self.remove(hash);
        self.free -= block;
        self.uses += 1;
        self.order.insert(self.uses, hash);
        let entry = Entry {
            value: value.to_vec(),
            cas: current.unwrap_or(0) + 1,
            block,
            room: value.len(),
            used: self.uses,
        };
        self.entries.insert(hash, entry);
        Ok(())
    }

    fn remove(&mut self, hash: u32) -> Option<Entry> {
        let entry = self.entries.remove(&hash)?;
        self.order.remove(&entry.used);
        self.free += entry.block;
        Some(entry)
    }
}

/// The slab's block for so many bytes: a power of two up to half a page, whole pages above.
fn block(size: usize) -> usize {
    if size > PAGE / 2 {
        size.next_multiple_of(PAGE)
    } else {
        size.next_power_of_two()
    }
}

/// CRC-32 (ISO 3309), which is all that the zone compares of a key.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::crc32;

    #[test]
    fn crc32_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }
}
