//! RSA signatures (RFC 8017, sections 8.1.2 and 8.2.2), of all sizes in one way.
//!
//! All numbers in here are public, so the time that an operation takes may depend on them.

mod block;
mod montgomery;
mod pkcs1;
mod pss;
#[cfg(test)]
mod tests;

use super::digest::Hash;
use crate::token::Algorithm;
use montgomery::Modulus;

/// The smallest modulus, in bits (RFC 7518, section 3.3).
const MIN_BITS: usize = 2048;
/// The largest, in bits: a verification's cost grows with the square of it.
const MAX_BITS: usize = 8192;
/// The longest exponent, in bits: no library writes a longer one, and each bit is a squaring.
const MAX_EXPONENT_BITS: u32 = 33;

/// An RSA public key.
#[derive(Debug, Clone)]
pub(in crate::keys) struct RsaKey {
    /// Without leading zeros: as long as each of the key's signatures.
    modulus: Vec<u8>,
    exponent: u64,
    /// What is computed from the modulus once.
    arithmetic: Modulus,
}

impl PartialEq for RsaKey {
    fn eq(&self, other: &Self) -> bool {
        self.modulus == other.modulus && self.exponent == other.exponent
    }
}

impl Eq for RsaKey {}

impl RsaKey {
    /// A key from its big-endian modulus and exponent.
    ///
    /// Leading zeros are not looked at: RFC 7518, section 6.3.1, forbids them, publishers' libraries
    /// write them all the same, and no check depends on them.
    pub(in crate::keys) fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, &'static str> {
        const UNFIT: &str =
            "its modulus or exponent is even, or its exponent has more than 33 bits";
        let modulus = without_leading_zeros(modulus);
        let exponent = without_leading_zeros(exponent);
        if !(MIN_BITS..=MAX_BITS).contains(&bits(modulus)) {
            return Err("its modulus does not have 2048 to 8192 bits");
        }
        if exponent.len() > size_of::<u64>() {
            return Err(UNFIT);
        }
        let exponent = exponent
            .iter()
            .fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        if exponent < 3 {
            return Err("its exponent is less than 3");
        }
        let is_odd = |byte: &u8| byte & 1 == 1;
        let is_fit = modulus.last().is_some_and(is_odd)
            && exponent & 1 == 1
            && u64::BITS.saturating_sub(exponent.leading_zeros()) <= MAX_EXPONENT_BITS;
        if !is_fit {
            return Err(UNFIT);
        }
        Ok(Self {
            arithmetic: Modulus::new(modulus, bits(modulus)),
            modulus: modulus.to_vec(),
            exponent,
        })
    }

    /// Whether these bytes could be a signature: as long as the modulus and, read as a number, below it
    /// (RFC 8017, section 5.2.2). Otherwise each signature would have further forms. Bytes of one length
    /// compare as the numbers do.
    pub(super) fn may_have_made(&self, signature: &[u8]) -> bool {
        signature.len() == self.modulus.len() && signature < self.modulus.as_slice()
    }

    /// As [`VerifyingKey::verifies`](super::VerifyingKey::verifies), of a signature that the key
    /// [may have made](Self::may_have_made).
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let Some(hash) = Hash::of(algorithm) else {
            return false;
        };
        match algorithm {
            Rs256 | Rs384 | Rs512 => {
                let encoded = self.encoded(signature);
                pkcs1::is_encoding(&encoded, hash, message)
            }
            Ps256 | Ps384 | Ps512 => {
                let encoded = self.encoded(signature);
                let encoded_bits = bits(&self.modulus).saturating_sub(1);
                pss::is_encoding(&encoded, encoded_bits, hash, message)
            }
            Es256 | Es384 | EdDsa => false,
        }
    }

    /// The encoded message that a signature holds, as long as the modulus (RFC 8017, section 5.2.2, RSAVP1).
    fn encoded(&self, signature: &[u8]) -> Vec<u8> {
        self.arithmetic
            .power(signature, self.exponent, self.modulus.len())
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// How many bits a number without leading zeros has.
fn bits(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |byte| byte.leading_zeros());
    number
        .len()
        .saturating_mul(8)
        .saturating_sub(unused as usize)
}
