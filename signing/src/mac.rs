//! HMAC-SHA-256 (RFC 2104) of what someone else has signed with a secret that both know.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether this text, in hex of either case, is the code of these parts, one after the other, under this key. How long it
/// takes does not tell where the two differ.
#[inline(never)]
#[must_use]
pub fn is_mac(key: &[u8], parts: &[&[u8]], code: &str) -> bool {
    let mut bytes = [0; 32];
    let (pairs, rest) = code.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return false;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        let (Some(high), Some(low)) = (digit(high), digit(low)) else {
            return false;
        };
        *byte = u8::try_from(high << 4 | low).unwrap_or_default();
    }
    // Any length of key is one of HMAC's.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return false;
    };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(&bytes).is_ok()
}
