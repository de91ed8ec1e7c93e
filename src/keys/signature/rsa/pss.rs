//! EMSA-PSS (RFC 8017, section 9.1.2) with a salt as long as the hash (RFC 7518, section 3.5), and MGF1 with
//! the same hash function (appendix B.2.1).

use super::Hash;

/// The last byte of every encoding.
const TRAILER: u8 = 0xbc;

/// Whether this number, with leading zeros, is an encoding of the message with this many bits.
pub(super) fn is_encoding(number: &[u8], bits: usize, hash: Hash, message: &[u8]) -> bool {
    check(number, bits, hash, message).is_some()
}

fn check(number: &[u8], bits: usize, hash: Hash, message: &[u8]) -> Option<()> {
    let length = bits.div_ceil(8);
    // Where the modulus has one bit more than whole bytes, the encoding is a byte shorter than it.
    let (before, encoded) = number.split_at_checked(number.len().checked_sub(length)?)?;
    holds(before.iter().all(|&byte| byte == 0))?;
    let (&trailer, encoded) = encoded.split_last()?;
    holds(trailer == TRAILER)?;
    let (masked, claimed) = encoded.split_at_checked(encoded.len().checked_sub(hash.length())?)?;
    let unused = length.checked_mul(8)?.checked_sub(bits)?;
    let used = 0xff_u8.checked_shr(u32::try_from(unused).ok()?)?;
    holds(masked.first()? & !used == 0)?;
    let mut block: Vec<u8> = masked
        .iter()
        .zip(mask(hash, claimed, masked.len()))
        .map(|(masked, mask)| masked ^ mask)
        .collect();
    *block.first_mut()? &= used;
    let (padding, salt) = block.split_at_checked(block.len().checked_sub(hash.length())?)?;
    let (&one, zeros) = padding.split_last()?;
    holds(one == 1 && zeros.iter().all(|&byte| byte == 0))?;
    let digest = hash.hash(&[message]);
    let proven = hash.hash(&[&[0; 8], digest.as_slice(), salt]);
    holds(proven.as_slice() == claimed)
}

/// MGF1: this many bytes.
fn mask(hash: Hash, seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(length.saturating_add(hash.length()));
    for counter in 0_u32.. {
        if mask.len() >= length {
            break;
        }
        mask.extend_from_slice(hash.hash(&[seed, &counter.to_be_bytes()]).as_slice());
    }
    mask
}

/// For `?`.
fn holds(condition: bool) -> Option<()> {
    condition.then_some(())
}
