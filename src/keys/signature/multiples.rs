//! Sums of multiples of two points, of which many are asked for: what verifying a signature on a curve takes.
//!
//! A comb (Lim and Lee, "More Flexible Exponentiation with Precomputation", CRYPTO '94) with digits 1 and -1. The
//! bits of a number are laid out in eight rows, the teeth; the sums that a column can stand for are computed once
//! for a point and kept, and then one addition and an eighth of the doublings are left for each column. How long a
//! sum takes tells of the numbers, so none of them may be secret.

use std::iter;
use std::ops::{Add, Neg, Sub};
use std::sync::OnceLock;

const TEETH: usize = 8;
/// The highest tooth always counts: without its sign, the others make up the place of a sum.
const SUMS: usize = 1 << (TEETH - 1);

/// A point, and what was computed for multiplying it by numbers of `BYTES` bytes: nothing before the first time.
///
/// Its addition must be right for all points, also for equal ones.
#[derive(Debug)]
pub(super) struct Multiples<P, const BYTES: usize> {
    point: P,
    /// With 8 bits to a byte and 8 teeth, a tooth has as many columns as the number has bytes. The nth holds the
    /// highest tooth's column plus those of the teeth that are bits in n, minus those that are not.
    sums: OnceLock<Box<[P]>>,
}

impl<P: PartialEq, const BYTES: usize> PartialEq for Multiples<P, BYTES> {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl<P: Eq, const BYTES: usize> Eq for Multiples<P, BYTES> {}

impl<P, const BYTES: usize> Multiples<P, BYTES> {
    pub(super) const fn new(point: P) -> Self {
        Self {
            point,
            sums: OnceLock::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn is_computed(&self) -> bool {
        self.sums.get().is_some()
    }
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "points do not overflow; columns and teeth are below the bits of a number"
)]
impl<P, const BYTES: usize> Multiples<P, BYTES>
where
    P: Copy + Add<Output = P> + Sub<Output = P> + Neg<Output = P>,
{
    /// This point multiplied by `a` plus the other one multiplied by `b`, both little endian. `None` never happens.
    pub(super) fn sum(&self, a: &[u8; BYTES], other: &Self, b: &[u8; BYTES]) -> Option<P> {
        let mut sum: Option<P> = None;
        for column in (0..BYTES).rev() {
            let both = self.column(a, column)? + other.column(b, column)?;
            sum = Some(sum.map_or(both, |sum| sum + sum + both));
        }
        Some(other.corrected(self.corrected(sum?, a), b))
    }

    /// What a column stands for, without its weight.
    ///
    /// An odd number is the sum of all powers of two up to its highest, each added or subtracted: the digit of
    /// `2^i` is that of bit `i + 1`, -1 where it is 0, and the highest is 1.
    fn column(&self, number: &[u8; BYTES], column: usize) -> Option<P> {
        let is_added = |tooth: usize| {
            let bit = column + tooth * BYTES + 1;
            number
                .get(bit / 8)
                .is_none_or(|byte| (byte >> (bit % 8)) & 1 == 1)
        };
        let lower = (0..TEETH - 1).fold(0, |place, tooth| {
            place | usize::from(is_added(tooth)) << tooth
        });
        let sums = self.sums.get_or_init(|| self.sums());
        if is_added(TEETH - 1) {
            sums.get(lower).copied()
        } else {
            sums.get(SUMS - 1 - lower).map(|sum| -*sum)
        }
    }

    /// An even number was multiplied as the odd one behind it.
    #[inline]
    fn corrected(&self, sum: P, number: &[u8; BYTES]) -> P {
        if number.first().is_some_and(|byte| byte & 1 == 0) {
            sum - self.point
        } else {
            sum
        }
    }

    fn sums(&self) -> Box<[P]> {
        let next = |tooth: &P| (0..BYTES).fold(*tooth, |power, _| power + power);
        let mut teeth: Vec<P> = iter::successors(Some(self.point), |tooth| Some(next(tooth)))
            .take(TEETH)
            .collect();
        let Some(highest) = teeth.pop() else {
            return Box::default();
        };
        let mut sums = Vec::with_capacity(SUMS);
        sums.push(teeth.iter().fold(highest, |sum, tooth| sum - *tooth));
        for tooth in teeth {
            let twice = tooth + tooth;
            sums.extend_from_within(..);
            let half = sums.len() / 2;
            sums.iter_mut()
                .skip(half)
                .for_each(|sum| *sum = *sum + twice);
        }
        sums.into_boxed_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::num::Wrapping;

    /// The lowest 128 bits.
    fn low<const BYTES: usize>(number: [u8; BYTES]) -> Wrapping<u128> {
        let mut bytes = number.into_iter().chain([0; 16]);
        Wrapping(u128::from_le_bytes(std::array::from_fn(|_| {
            bytes.next().unwrap()
        })))
    }

    /// The numbers modulo 2^128 are a group whose multiples are known.
    fn check<const BYTES: usize>(points: [u128; 2], a: [u8; BYTES], b: [u8; BYTES]) {
        let [p, q] = points.map(|point| Multiples::<_, BYTES>::new(Wrapping(point)));
        let expected = low(a) * p.point + low(b) * q.point;
        assert_eq!(p.sum(&a, &q, &b), Some(expected));
        assert_eq!(q.sum(&b, &p, &a), Some(expected));
        assert_eq!(p.sums.get().map(|sums| sums.len()), Some(SUMS));
    }

    fn number<const BYTES: usize>() -> impl Strategy<Value = [u8; BYTES]> {
        prop_oneof![
            any::<[u8; BYTES]>(),
            any::<u8>().prop_map(|byte| [byte; BYTES]),
            (0..BYTES, any::<u8>()).prop_map(|(at, byte)| {
                let mut number = [0; BYTES];
                number[at] = byte;
                number
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_sum_is_what_plain_multiplication_says(
            points in any::<[u128; 2]>(),
            (a, b) in (number::<16>(), number::<16>()),
            (c, d) in (number::<32>(), number::<32>()),
            (e, f) in (number::<48>(), number::<48>()),
        ) {
            check(points, a, b);
            check(points, c, d);
            check(points, e, f);
        }
    }
}
