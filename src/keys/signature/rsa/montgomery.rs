//! Powers modulo an odd number, by Montgomery's multiplication.
//!
//! With R, a power of two more than four times the modulus n, a product of two numbers below 2n is brought
//! to abR^-1 mod n, again below 2n, by adding multiples of n that make the lowest blocks zero one after the
//! other. Columns are computed from the lowest up, the product's and the multiples' together.

use super::block::{BLOCK_BITS, Block, COLUMNS, LIMB_BITS, LIMBS, Limbs, MASK, Spread, Sums};
use std::iter::once;
use std::ops::Range;

/// An odd number to compute by, with what follows from it.
#[derive(Debug, Clone)]
pub(super) struct Modulus {
    blocks: Vec<Block>,
    lowest: Limbs,
    /// The negative inverse of the lowest limb, modulo a limb.
    inverse: u32,
    /// R² modulo it.
    r_squared: Number,
}

/// A number in the two forms in which it is multiplied.
#[derive(Debug, Clone, Default)]
struct Number {
    blocks: Vec<Block>,
    spread: Vec<Spread>,
}

impl Number {
    fn with_room(blocks: usize) -> Self {
        Self {
            blocks: Vec::with_capacity(blocks),
            spread: Vec::with_capacity(blocks),
        }
    }

    #[inline(always)]
    fn push(&mut self, limbs: Limbs) {
        self.blocks.push(Block::new(limbs));
        self.spread.push(Spread::new(limbs));
    }

    fn clear(&mut self) {
        self.blocks.clear();
        self.spread.clear();
    }
}

impl FromIterator<Limbs> for Number {
    fn from_iter<I: IntoIterator<Item = Limbs>>(blocks: I) -> Self {
        let mut number = Self::default();
        blocks.into_iter().for_each(|limbs| number.push(limbs));
        number
    }
}

/// Where results and what leads to them are written, so that memory is asked for once.
struct Work {
    /// Which multiples of the modulus were added.
    quotients: Vec<Spread>,
    result: Number,
}

impl Modulus {
    /// A modulus from its big-endian bytes, without leading zeros, and how many bits it has. It must be odd.
    pub(super) fn new(bytes: &[u8], bits: usize) -> Self {
        // R must be more than four times as large.
        let blocks = bits.saturating_add(2).div_ceil(BLOCK_BITS);
        let limbs = limbs(bytes, blocks);
        let lowest = limbs.first().copied().unwrap_or_default();
        let mut modulus = Self {
            blocks: limbs.iter().copied().map(Block::new).collect(),
            lowest,
            inverse: negative_inverse(lowest.first().copied().unwrap_or_default()),
            r_squared: Number::default(),
        };
        modulus.r_squared = modulus.square_of_r(bits);
        modulus
    }

    /// `base` to the power of `exponent`, as this many big-endian bytes. The base must be below the modulus, the
    /// exponent odd and at least 3.
    pub(super) fn power(&self, base: &[u8], exponent: u64, length: usize) -> Vec<u8> {
        let plain: Number = limbs(base, self.blocks.len()).into_iter().collect();
        let mut work = self.work();
        self.multiply(&plain, &self.r_squared, &mut work);
        let base = work.result.clone();
        let mut power = base.clone();
        let highest = u64::BITS.saturating_sub(exponent.leading_zeros().saturating_add(1));
        for bit in (1..highest).rev() {
            self.square(&power, &mut work);
            std::mem::swap(&mut power, &mut work.result);
            if exponent >> bit & 1 == 1 {
                self.multiply(&power, &base, &mut work);
                std::mem::swap(&mut power, &mut work.result);
            }
        }
        self.square(&power, &mut work);
        std::mem::swap(&mut power, &mut work.result);
        // By the base itself, which takes R out again.
        self.multiply(&power, &plain, &mut work);
        to_bytes(&self.least(&work.result), length)
    }

    fn work(&self) -> Work {
        Work {
            quotients: Vec::with_capacity(self.blocks.len()),
            result: Number::with_room(self.blocks.len()),
        }
    }

    /// R² from R by as many squarings as it takes: with x for 2^k R modulo n, x² R^-1 is 2^2k R.
    fn square_of_r(&self, bits: usize) -> Number {
        let size = self.blocks.len().saturating_mul(BLOCK_BITS);
        // The highest power of two below the modulus, doubled until it is R.
        let highest = bits.saturating_sub(1);
        let mut bytes = vec![0; highest.div_euclid(8).saturating_add(1)];
        if let Some(first) = bytes.first_mut() {
            *first = 1 << highest.rem_euclid(8);
        }
        let mut x = limbs(&bytes, self.blocks.len());
        for _ in highest..size {
            x = self.doubled(&x);
        }
        let mut work = self.work();
        for bit in (0..usize::BITS.saturating_sub(size.leading_zeros())).rev() {
            let number = x.into_iter().collect();
            self.square(&number, &mut work);
            x = self.least(&work.result);
            if size >> bit & 1 == 1 {
                x = self.doubled(&x);
            }
        }
        x.into_iter().collect()
    }

    /// Twice a number below the modulus.
    fn doubled(&self, number: &[Limbs]) -> Vec<Limbs> {
        let mut carry = 0;
        let doubled = number.iter().map(|block| {
            block.map(|limb| {
                let sum = limb << 1 | carry;
                carry = sum >> LIMB_BITS;
                sum & MASK
            })
        });
        self.less_modulus(doubled.collect())
    }

    /// The one number below the modulus that equals this one, which is below twice the modulus.
    fn least(&self, number: &Number) -> Vec<Limbs> {
        self.less_modulus(number.blocks.iter().map(|block| block.limbs()).collect())
    }

    fn less_modulus(&self, number: Vec<Limbs>) -> Vec<Limbs> {
        let modulus = self.blocks.iter().map(|block| block.limbs());
        let reversed = |mut limbs: Limbs| {
            limbs.reverse();
            limbs
        };
        let is_below = number
            .iter()
            .rev()
            .copied()
            .map(reversed)
            .lt(modulus.clone().rev().map(reversed));
        if is_below {
            return number;
        }
        let mut borrow = 0;
        let less = number.iter().zip(modulus).map(|(block, modulus)| {
            let mut modulus = modulus.into_iter();
            block.map(|limb| {
                let part = modulus.next().unwrap_or_default();
                let difference = limb.wrapping_sub(part).wrapping_sub(borrow);
                borrow = difference >> 31;
                difference & MASK
            })
        });
        less.collect()
    }

    /// abR^-1.
    fn multiply(&self, a: &Number, b: &Number, work: &mut Work) {
        self.reduce(work, |range, sums| {
            let (a, b) = (within(&a.blocks, &range), within(&b.spread, &range));
            for (a, b) in a.iter().zip(b.iter().rev()) {
                sums.add_product(a, b);
            }
        });
    }

    /// a²R^-1. Of the products that come twice one is computed.
    fn square(&self, a: &Number, work: &mut Work) {
        self.reduce(work, |range, sums| {
            let (blocks, spread) = (within(&a.blocks, &range), within(&a.spread, &range));
            let (half, rest) = blocks.split_at(blocks.len().div_euclid(2));
            for (a, b) in half.iter().zip(spread.iter().rev()) {
                sums.add_product(a, b);
            }
            sums.double();
            if blocks.len() & 1 == 1
                && let (Some(a), Some(b)) = (rest.first(), spread.get(half.len()))
            {
                sums.add_product(a, b);
            }
        });
    }

    /// Brings a product down to the modulus's size. `add` adds the products of the blocks in a range, the first
    /// operand's from the lowest, the second's from the highest: those of one column.
    ///
    /// A column sums up to 8 products for each block, and what the one before carries: below 2^64 for as many
    /// as 127 blocks, where 8192 bits are 76.
    #[inline(always)]
    fn reduce(&self, work: &mut Work, add: impl Fn(Range<usize>, &mut Sums)) {
        let size = self.blocks.len();
        let Work { quotients, result } = work;
        quotients.clear();
        result.clear();
        let mut carry = 0;
        let mut spilled = [0_u64; LIMBS];
        for column in 0..size.saturating_mul(2) {
            let first = column.saturating_add(1).saturating_sub(size);
            let range = first..column.saturating_add(1).min(size);
            let mut sums = Sums::ZERO;
            add(range.clone(), &mut sums);
            let multiples = quotients.get(first..).unwrap_or_default();
            let modulus = within(&self.blocks, &range);
            for (modulus, quotient) in modulus.iter().rev().zip(multiples) {
                sums.add_product(modulus, quotient);
            }
            let mut columns = sums.columns();
            for (column, spilled) in columns.iter_mut().zip(spilled) {
                *column = column.wrapping_add(spilled);
            }
            if column < size {
                quotients.push(Spread::new(self.clear_lowest(&mut columns, &mut carry)));
            } else {
                result.push(carried(&columns, &mut carry));
            }
            let [_, _, _, _, a, b, c] = columns;
            spilled = [a, b, c, 0];
        }
    }

    /// Adds the multiple of the modulus that makes the block's four columns zero: the multiple's block, with
    /// the products that reach the columns above. What is carried out of the four comes with it.
    #[inline(always)]
    fn clear_lowest(&self, columns: &mut [u64; COLUMNS], carry: &mut u64) -> Limbs {
        let mut quotients = [0; LIMBS];
        for (place, quotient) in quotients.iter_mut().enumerate() {
            let mut above = columns.iter_mut().skip(place).zip(self.lowest);
            let Some((lowest, limb)) = above.next() else {
                continue;
            };
            *lowest = lowest.wrapping_add(*carry);
            // The lower half is all that the product's lowest limb depends on.
            *quotient = (*lowest as u32).wrapping_mul(self.inverse) & MASK;
            let factor = u64::from(*quotient);
            *lowest = lowest.wrapping_add(factor.wrapping_mul(u64::from(limb)));
            *carry = *lowest >> LIMB_BITS;
            for (column, limb) in above {
                *column = column.wrapping_add(factor.wrapping_mul(u64::from(limb)));
            }
        }
        quotients
    }
}

/// The limbs of a block's four columns, with what is carried in and out.
#[inline(always)]
fn carried(columns: &[u64; COLUMNS], carry: &mut u64) -> Limbs {
    let mut limbs = [0; LIMBS];
    for (limb, column) in limbs.iter_mut().zip(columns) {
        let sum = column.wrapping_add(*carry);
        *limb = sum as u32 & MASK;
        *carry = sum >> LIMB_BITS;
    }
    limbs
}

fn within<'a, T>(all: &'a [T], range: &Range<usize>) -> &'a [T] {
    all.get(range.clone()).unwrap_or_default()
}

/// The negative inverse of an odd limb, modulo a limb: each of Newton's steps doubles the bits that are right.
fn negative_inverse(limb: u32) -> u32 {
    let mut inverse = 1_u32;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2_u32.wrapping_sub(limb.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg() & MASK
}

/// A big-endian number as this many blocks, the lowest first.
fn limbs(bytes: &[u8], blocks: usize) -> Vec<Limbs> {
    let mut bytes = bytes.iter().rev();
    let mut bits = 0_u64;
    let mut held = 0_u32;
    let mut limb = || {
        while held < LIMB_BITS {
            bits |= u64::from(bytes.next().copied().unwrap_or_default()) << held;
            held = held.saturating_add(8);
        }
        let limb = bits as u32 & MASK;
        bits >>= LIMB_BITS;
        held = held.saturating_sub(LIMB_BITS);
        limb
    };
    (0..blocks)
        .map(|_| [limb(), limb(), limb(), limb()])
        .collect()
}

/// Blocks as this many big-endian bytes.
fn to_bytes(blocks: &[Limbs], length: usize) -> Vec<u8> {
    let mut limbs = blocks.iter().flatten();
    let mut bits = 0_u64;
    let mut held = 0_u32;
    let mut bytes: Vec<u8> = once(())
        .cycle()
        .take(length)
        .map(|()| {
            if held < 8 {
                bits |= u64::from(limbs.next().copied().unwrap_or_default()) << held;
                held = held.saturating_add(LIMB_BITS);
            }
            let byte = bits as u8;
            bits >>= 8;
            held = held.saturating_sub(8);
            byte
        })
        .collect();
    bytes.reverse();
    bytes
}
