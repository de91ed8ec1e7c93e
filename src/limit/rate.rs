//! How much a limit lets through: a token bucket's size and the rate at which it fills, and the arithmetic of it.
//!
//! The arithmetic is the generic cell rate algorithm (GCRA; ITU-T I.371, annex A): a bucket is one number, the
//! theoretical arrival time, at which it is full again. Each request moves it by one interval, and passes if it
//! then lies no further ahead than the whole bucket takes to fill. That is a token bucket, without a count to keep.
//!
//! Moments are whole nanoseconds since the Unix epoch. The interval is rounded up, so a rate is never exceeded.

use crate::time::{UnixTime, span_text};
use std::fmt;
use std::time::Duration;

/// The shortest interval between two tokens, in nanoseconds: no rate is above 10,000 a second. Hosts' clocks and
/// compare-and-swap keep up with no more.
const MIN_INTERVAL: u64 = 100_000;

/// The most tokens of a bucket.
const MAX_BURST: u64 = 1_000_000;

/// The longest time in which a bucket may fill: buckets are kept for as long.
const MAX_REFILL: Duration = Duration::from_secs(30 * 86_400);

/// How far the clocks of a gateway's workers can be apart, with room to spare: Kong's workers each keep theirs for
/// as long as an event takes. A theoretical arrival time that is further ahead than it can be by such clocks shows
/// that the clock went back.
pub(super) const SKEW: Duration = Duration::from_secs(10);

/// A rate and a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u64,
    per: Duration,
    burst: u64,
    /// Nanoseconds between two tokens, rounded up.
    interval: u64,
}

/// What the next request would find in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// How many requests would pass at once.
    pub remaining: u64,
    /// How long it takes until one would pass; nothing, if one would now.
    pub retry: Duration,
}

/// What becomes of a request at a bucket. Times are theoretical arrival times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It passes, and the bucket stands here then.
    Passes(u64),
    /// It has to wait. Where the clock went back, the bucket's time must become this one.
    Waits(Level, Option<u64>),
}

impl Rate {
    /// A rate of so many requests in a period, and a bucket of this size.
    ///
    /// # Errors
    /// Which of the two is wrong: the rate, or the burst, with a message.
    pub fn new(count: u64, per: Duration, burst: u64) -> Result<Self, WrongRate> {
        let period = nanos(per);
        if period.checked_div(count).unwrap_or_default() < MIN_INTERVAL {
            let message = "is more than 10000 a second; write a lower one";
            return Err(WrongRate::Rate(message.into()));
        }
        let interval = period.div_ceil(count);
        if !(1..=MAX_BURST).contains(&burst) {
            let message = format!("{burst} is not between 1 and {MAX_BURST}");
            return Err(WrongRate::Burst(message));
        }
        if interval
            .checked_mul(burst)
            .is_none_or(|refill| refill > nanos(MAX_REFILL))
        {
            let message = format!(
                "{burst} at this rate take more than {} to come back; write a smaller burst or a higher rate",
                span_text(MAX_REFILL)
            );
            return Err(WrongRate::Burst(message));
        }
        Ok(Self {
            count,
            per,
            burst,
            interval,
        })
    }

    /// Reads a rate as policies write it: a whole number, `/` and a unit, `s`, `m`, `h` or `d`. What comes back is
    /// the number and the unit's length.
    ///
    /// # Errors
    /// A message that names what is accepted.
    pub fn parse(text: &str) -> Result<(u64, Duration), String> {
        let refuse = || {
            format!(
                "{text:?} is not a rate; write a whole number, \"/\" and a unit (s, m, h, d), like \"30/m\""
            )
        };
        let (count, unit) = text.split_once('/').ok_or_else(refuse)?;
        let per = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(refuse()),
        };
        let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        match count.parse() {
            Ok(count) if is_number && count > 0 => Ok((count, Duration::from_secs(per))),
            _ => Err(refuse()),
        }
    }

    /// The size of the bucket: how many requests pass at once.
    #[must_use]
    pub const fn burst(&self) -> u64 {
        self.burst
    }

    /// The rate as a quota: so many requests in so many whole seconds. The seconds are those in which an empty
    /// bucket fills, so that the quota is the bucket's size unless that would take less than a whole number of them.
    #[must_use]
    pub fn quota(&self) -> (u64, u64) {
        let period = self.per.as_secs();
        let window = self
            .burst
            .saturating_mul(period)
            .div_ceil(self.count)
            .max(1);
        let quota = window
            .saturating_mul(self.count)
            .checked_div(period)
            .unwrap_or_default();
        (quota.max(self.burst), window)
    }

    /// What tells this rate from another, in bytes.
    pub(super) fn bytes(&self) -> [[u8; 8]; 3] {
        [self.count, nanos(self.per), self.burst].map(u64::to_be_bytes)
    }

    /// Nanoseconds in which an empty bucket fills.
    pub(super) const fn capacity(&self) -> u64 {
        self.interval.saturating_mul(self.burst)
    }

    /// What becomes of a request at a bucket that stands here; at one that nothing is known of, it finds all tokens.
    pub(super) fn attempt(&self, stands: Option<u64>, now: UnixTime) -> Attempt {
        let at = nanos_at(now);
        let stands = stands.unwrap_or_default();
        let believed = self.believed(stands, at);
        let level = self.level(Some(believed), now);
        if level.retry.is_zero() {
            Attempt::Passes(believed.max(at).saturating_add(self.interval))
        } else {
            // Were it not written down, every later look would find the bucket just as empty, until the clock is
            // where it was.
            Attempt::Waits(level, (believed != stands).then_some(believed))
        }
    }

    /// What the next request finds in a bucket that stands here.
    pub(super) fn level(&self, stands: Option<u64>, now: UnixTime) -> Level {
        let at = nanos_at(now);
        let owed = self
            .believed(stands.unwrap_or_default(), at)
            .saturating_sub(at);
        let room = self.capacity().saturating_sub(owed);
        let retry = owed
            .saturating_add(self.interval)
            .saturating_sub(self.capacity());
        Level {
            remaining: room.checked_div(self.interval).unwrap_or_default(),
            retry: Duration::from_nanos(retry),
        }
    }

    /// The moment from which on a request passes at a bucket that stands here.
    pub(super) const fn passes_from(&self, stands: u64) -> u64 {
        stands
            .saturating_add(self.interval)
            .saturating_sub(self.capacity())
    }

    /// Where a bucket stands once a token is put back that was taken for nothing, if that still matters. `taken` is
    /// where it stood right after. Whoever took or put back one since moved it by whole intervals, unless it was full
    /// again in between: then the token is there already.
    pub(super) fn given_back(&self, stands: u64, taken: u64) -> Option<u64> {
        let moved = stands.abs_diff(taken).checked_rem(self.interval);
        (moved == Some(0)).then(|| stands.saturating_sub(self.interval))
    }

    /// No bucket stands further ahead than it takes to fill. One that does is from before the clock went back: it
    /// is taken for empty, so that nothing is forgiven and nobody is locked out.
    fn believed(&self, stands: u64, at: u64) -> u64 {
        let latest = at.saturating_add(self.capacity());
        if stands > latest.saturating_add(nanos(SKEW)) {
            latest
        } else {
            stands
        }
    }
}

/// What is wrong with a rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WrongRate {
    /// The rate itself.
    Rate(String),
    /// The burst.
    Burst(String),
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.per.as_secs() {
            1 => "s",
            60 => "m",
            3_600 => "h",
            _ => "d",
        };
        write!(f, "{}/{unit} and {} at once", self.count, self.burst)
    }
}

/// Whole nanoseconds since the epoch; the year 2554 at the latest.
pub(crate) fn nanos_at(at: UnixTime) -> u64 {
    nanos(at.since(UnixTime::from_secs(0)))
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
