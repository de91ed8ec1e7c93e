//! Four limbs at a time, and the sums of their products.
//!
//! A number is cut into limbs of 27 bits. The products of two are so short that those of a whole column are
//! summed in 64 bits without a carry, up to 8192 bits and more. What is summed is kept apart by the place
//! within the second block, so that nothing is shifted or carried from one pair of blocks to the next.

#[cfg(not(target_feature = "simd128"))]
pub(super) use portable::{Block, Spread, Sums};
#[cfg(target_feature = "simd128")]
pub(super) use simd::{Block, Spread, Sums};

/// The bits of a limb.
pub(super) const LIMB_BITS: u32 = 27;
/// A limb with all bits set.
pub(super) const MASK: u32 = (1 << LIMB_BITS) - 1;
/// The limbs of a block.
pub(super) const LIMBS: usize = 4;
/// The bits of a block.
pub(super) const BLOCK_BITS: usize = LIMB_BITS as usize * LIMBS;

/// The limbs of a block, the lowest first.
pub(super) type Limbs = [u32; LIMBS];

/// How many columns the product of two blocks has.
pub(super) const COLUMNS: usize = 2 * LIMBS - 1;

#[cfg(not(target_feature = "simd128"))]
mod portable {
    use super::{COLUMNS, LIMBS, Limbs};

    /// Four limbs to multiply.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Block(Limbs);

    impl Block {
        #[inline(always)]
        pub(in super::super) const fn new(limbs: Limbs) -> Self {
            Self(limbs)
        }

        pub(in super::super) const fn limbs(self) -> Limbs {
            self.0
        }
    }

    /// Four limbs to multiply by.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Spread(Limbs);

    impl Spread {
        #[inline(always)]
        pub(in super::super) const fn new(limbs: Limbs) -> Self {
            Self(limbs)
        }
    }

    /// Sums of products of blocks, by the place of the limb in the second and then in the first.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Sums([[u64; LIMBS]; LIMBS]);

    impl Sums {
        pub(in super::super) const ZERO: Self = Self([[0; LIMBS]; LIMBS]);

        /// Adds the product of two blocks.
        #[inline(always)]
        pub(in super::super) fn add_product(&mut self, first: &Block, second: &Spread) {
            for (row, &by) in self.0.iter_mut().zip(&second.0) {
                for (sum, &limb) in row.iter_mut().zip(&first.0) {
                    *sum = sum.wrapping_add(u64::from(limb).wrapping_mul(u64::from(by)));
                }
            }
        }

        /// Doubles what was summed so far.
        #[inline(always)]
        pub(in super::super) fn double(&mut self) {
            for sum in self.0.iter_mut().flatten() {
                *sum <<= 1;
            }
        }

        /// The sums of each column.
        #[inline(always)]
        pub(in super::super) fn columns(&self) -> [u64; COLUMNS] {
            let mut columns = [0_u64; COLUMNS];
            for (shift, row) in self.0.iter().enumerate() {
                for (column, &sum) in columns.iter_mut().skip(shift).zip(row) {
                    *column = column.wrapping_add(sum);
                }
            }
            columns
        }
    }
}

/// The same with vectors. The compiler would multiply limbs of 64 bits, which no processor does at once,
/// wherever it sees that an operand is a repeated or an unchanging limb: that is why these are stored spread.
#[cfg(target_feature = "simd128")]
mod simd {
    use super::{COLUMNS, LIMBS, Limbs};
    use core::arch::wasm32::{
        i64x2_add, i64x2_shl, i64x2_shuffle, u32x4, u32x4_extract_lane, u32x4_splat, u64x2,
        u64x2_extmul_high_u32x4, u64x2_extmul_low_u32x4, u64x2_extract_lane, v128,
    };

    const NONE: v128 = u64x2(0, 0);

    /// Four limbs to multiply.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Block(v128);

    impl Block {
        #[inline(always)]
        pub(in super::super) fn new([a, b, c, d]: Limbs) -> Self {
            Self(u32x4(a, b, c, d))
        }

        pub(in super::super) fn limbs(self) -> Limbs {
            [
                u32x4_extract_lane::<0>(self.0),
                u32x4_extract_lane::<1>(self.0),
                u32x4_extract_lane::<2>(self.0),
                u32x4_extract_lane::<3>(self.0),
            ]
        }
    }

    /// Four limbs to multiply by, each in a vector of its own.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Spread([v128; LIMBS]);

    impl Spread {
        #[inline(always)]
        pub(in super::super) fn new(limbs: Limbs) -> Self {
            Self(limbs.map(|limb| u32x4_splat(limb)))
        }
    }

    /// Sums of products of blocks, by the place of the limb in the second and then in the first: two vectors each.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Sums([[v128; 2]; LIMBS]);

    impl Sums {
        pub(in super::super) const ZERO: Self = Self([[NONE; 2]; LIMBS]);

        /// Adds the product of two blocks.
        #[inline(always)]
        pub(in super::super) fn add_product(&mut self, first: &Block, second: &Spread) {
            for ([low, high], &by) in self.0.iter_mut().zip(&second.0) {
                *low = i64x2_add(*low, u64x2_extmul_low_u32x4(first.0, by));
                *high = i64x2_add(*high, u64x2_extmul_high_u32x4(first.0, by));
            }
        }

        /// Doubles what was summed so far.
        #[inline(always)]
        pub(in super::super) fn double(&mut self) {
            for sums in self.0.iter_mut().flatten() {
                *sums = i64x2_shl(*sums, 1);
            }
        }

        /// The sums of each column.
        #[inline(always)]
        pub(in super::super) fn columns(&self) -> [u64; COLUMNS] {
            // The second of one and the first of the next: two columns from an odd place on.
            let across = |one, next| i64x2_shuffle::<1, 2>(one, next);
            let [[a, b], [c, d], [e, f], [g, h]] = self.0;
            let first = i64x2_add(a, across(NONE, c));
            let second = i64x2_add(i64x2_add(b, across(c, d)), i64x2_add(e, across(NONE, g)));
            let third = i64x2_add(i64x2_add(across(d, NONE), f), across(g, h));
            [
                u64x2_extract_lane::<0>(first),
                u64x2_extract_lane::<1>(first),
                u64x2_extract_lane::<0>(second),
                u64x2_extract_lane::<1>(second),
                u64x2_extract_lane::<0>(third),
                u64x2_extract_lane::<1>(third),
                u64x2_extract_lane::<1>(h),
            ]
        }
    }
}
