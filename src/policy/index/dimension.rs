//! In what rules can differ.

use super::key::Key;
#[cfg(doc)]
use crate::policy::condition::Condition;

/// So many segments of a path are looked at one by one.
const SEGMENTS: u8 = 8;

/// In what rules can differ. What has no dimension (times, expressions, certificates) is left to the rule.
/// `N` names a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension<N> {
    Fixed(Fixed),
    /// A claim, or what stands within one.
    Claim(N),
}

/// What every request has, if the gateway tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fixed {
    Issuer,
    /// The route's or the service's name.
    Route,
    Host,
    /// Without regard to case, which deny rules do not regard.
    Method,
    Role,
    /// Unescaped, as deny rules look at it too. See [`PathGlob::literal`].
    Path,
    /// One segment of that path, by its number.
    Segment(u8),
}

impl Fixed {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [
            Self::Issuer,
            Self::Route,
            Self::Host,
            Self::Method,
            Self::Role,
            Self::Path,
        ]
        .into_iter()
        .chain(Self::segments().map(Self::Segment))
    }

    /// The numbers of the segments that are looked at.
    pub(super) fn segments() -> impl Iterator<Item = u8> {
        0..SEGMENTS
    }
}

impl Dimension<usize> {
    /// Whether it tells which requests a rule is about: see [`Condition::is_scope`].
    pub(super) const fn is_scope(self) -> bool {
        !matches!(self, Self::Claim(_) | Self::Fixed(Fixed::Role))
    }

    /// A number for each.
    pub(super) fn code(self) -> u64 {
        const SEGMENT: u64 = 6;
        const CLAIM: u64 = 0x100;
        match self {
            Self::Fixed(Fixed::Issuer) => 0,
            Self::Fixed(Fixed::Route) => 1,
            Self::Fixed(Fixed::Host) => 2,
            Self::Fixed(Fixed::Method) => 3,
            Self::Fixed(Fixed::Role) => 4,
            Self::Fixed(Fixed::Path) => 5,
            Self::Fixed(Fixed::Segment(number)) => SEGMENT.saturating_add(number.into()),
            Self::Claim(place) => CLAIM.saturating_add(u64::try_from(place).unwrap_or(u64::MAX)),
        }
    }

    /// A number for each key in each of them, by which they can be counted.
    pub(super) fn mixed(self, key: Key) -> u64 {
        key.hash ^ self.code().wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// What is asked for: in a dimension a value that has one of these keys.
pub(super) struct Ask<N> {
    pub(super) dimension: Dimension<N>,
    pub(super) keys: Vec<Key>,
}

impl<N> Ask<N> {
    pub(super) const fn fixed(fixed: Fixed, keys: Vec<Key>) -> Self {
        Self {
            dimension: Dimension::Fixed(fixed),
            keys,
        }
    }
}
