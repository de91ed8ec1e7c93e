//! Sources whose tokens fail verification: how often each may.
//!
//! Each source address has a token bucket, from which each failed verification takes one. A source whose bucket is
//! empty has to wait before another of its tokens is verified. What is refused so takes nothing, and neither does a
//! token that is proven.
//!
//! A flood must cost as little as it can, so the buckets stand in the memory of the VM, not in shared data: each worker
//! counts for itself. The table has a fixed size, and is made when the first token fails. Where it is full, a bucket
//! makes way that is full again, or else the fullest of a few: a source that is forgotten is forgiven. So no number
//! of sources locks others out.

use super::address::SourceAddress;
use super::rate::{Attempt, Rate, nanos_at};
use crate::time::UnixTime;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How many sources are remembered.
const BUCKETS: usize = 1_024;

/// Buckets stand in sets of so many.
const WAYS: usize = 8;

/// Routes of one rate share their buckets; those of another have their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bucket {
    source: SourceAddress,
    rate: Rate,
    /// When it is full again, in nanoseconds since the epoch.
    stands: u64,
}

/// The buckets of a VM.
#[derive(Debug, Default)]
pub struct FailingSources {
    /// Empty, or [`BUCKETS`] long.
    buckets: Vec<Option<Bucket>>,
    places: RandomState,
    /// No source has to wait from then on, in nanoseconds since the epoch; whatever was forgotten.
    waits_end: u64,
}

impl FailingSources {
    /// How long a source must wait until a token of its is verified; nothing if it need not. `source` is asked for
    /// only if one has to.
    #[must_use]
    pub fn wait(
        &self,
        rate: &Rate,
        source: impl FnOnce() -> Option<SourceAddress>,
        now: UnixTime,
    ) -> Option<Duration> {
        if nanos_at(now) >= self.waits_end {
            return None;
        }
        let source = source()?;
        let start = self.first_of_set(source);
        let bucket = self
            .buckets
            .iter()
            .skip(start)
            .take(WAYS)
            .flatten()
            .find(|bucket| bucket.source == source && bucket.rate == *rate)?;
        let retry = rate.level(Some(bucket.stands), now).retry;
        (!retry.is_zero()).then_some(retry)
    }

    /// Counts a failed verification.
    pub fn count(&mut self, rate: &Rate, source: SourceAddress, now: UnixTime) {
        if self.buckets.is_empty() {
            self.buckets = vec![None; BUCKETS];
        }
        let start = self.first_of_set(source);
        let set = || start..start.saturating_add(WAYS);
        let Some(buckets) = self.buckets.get_mut(set()) else {
            return;
        };
        let is_its_own = |bucket: &Bucket| bucket.source == source && bucket.rate == *rate;
        let known = buckets
            .iter()
            .position(|bucket| bucket.as_ref().is_some_and(is_its_own));
        let stands = known.and_then(|place| Some(buckets.get(place)?.as_ref()?.stands));
        let stands = match rate.attempt(stands, now) {
            Attempt::Passes(stands) | Attempt::Waits(_, Some(stands)) => stands,
            // It owes all that it can.
            Attempt::Waits(_, None) => return,
        };
        // A place that is free, or that of the bucket which owes least.
        let place = known.or_else(|| {
            let owing = |bucket: &Option<Bucket>| bucket.map_or(0, |bucket| bucket.stands);
            let places = buckets.iter().enumerate();
            let least = places.min_by_key(|(_, bucket)| owing(bucket))?;
            Some(least.0)
        });
        if let Some(bucket) = place.and_then(|place| buckets.get_mut(place)) {
            *bucket = Some(Bucket {
                source,
                rate: *rate,
                stands,
            });
            self.waits_end = self.waits_end.max(rate.passes_from(stands));
        }
    }

    /// The place of the first of the buckets among which a source's is, if it is there.
    fn first_of_set(&self, source: SourceAddress) -> usize {
        const SETS: usize = BUCKETS / WAYS;
        let hash = usize::try_from(self.places.hash_one(source) >> 32).unwrap_or_default();
        (hash % SETS).saturating_mul(WAYS)
    }
}

#[cfg(test)]
mod tests;
