//! EMSA-PKCS1-v1_5 (RFC 8017, section 9.2).
//!
//! What a signature holds is compared with the one encoding that the message has, and never parsed: there is
//! nothing in it for a forger to choose.

use super::Hash;

/// The DER of `DigestInfo` before the hash (RFC 8017, section 9.2, note 1).
const fn info(hash: Hash) -> [u8; 19] {
    // The length of it all, the last arc of the function's identifier, and the hash's length.
    let (all, function, length) = match hash {
        Hash::Sha256 => (0x31, 1, 0x20),
        Hash::Sha384 => (0x41, 2, 0x30),
        Hash::Sha512 => (0x51, 3, 0x40),
    };
    [
        0x30, all, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
        function, 0x05, 0x00, 0x04, length,
    ]
}

/// Whether this is the message's encoding of this length.
pub(super) fn is_encoding(encoded: &[u8], hash: Hash, message: &[u8]) -> bool {
    let info = info(hash);
    let digest = hash.hash(&[message]);
    let digest = digest.as_slice();
    let tail = info.iter().chain(digest);
    // Two bytes before the padding, and one after.
    let fixed = 3_usize
        .saturating_add(info.len())
        .saturating_add(digest.len());
    // At least eight bytes of padding.
    let Some(padding) = encoded.len().checked_sub(fixed).filter(|&n| n >= 8) else {
        return false;
    };
    let expected = [0x00, 0x01]
        .iter()
        .chain(std::iter::repeat_n(&0xff, padding))
        .chain(&[0x00])
        .chain(tail);
    encoded.iter().eq(expected)
}
