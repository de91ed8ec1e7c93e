//! A share of many things that come one after the other.

/// A part of the whole, from none to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// In parts of 2^32.
    parts: u64,
}

/// The whole, in parts.
const WHOLE: f64 = 4_294_967_296.0;

impl Share {
    /// The whole.
    pub const ALL: Self = Self { parts: 1 << 32 };

    /// The share of a number from 0 to 1.
    #[must_use]
    pub fn new(part: f64) -> Option<Self> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and 2^32"
        )]
        (0.0..=1.0).contains(&part).then(|| Self {
            parts: (part * WHOLE).ceil() as u64,
        })
    }

    /// Whether a thing is in the share, by a number of its own that is spread evenly over all numbers.
    #[must_use]
    pub fn takes(self, spread: u32) -> bool {
        u64::from(spread) < self.parts
    }
}
