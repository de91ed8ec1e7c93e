//! HMAC-SHA-256 (RFC 2104) of what someone else has signed with a secret that both know.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether this is the code of these parts, one after the other, under this key. How long it takes does not tell where the
/// two differ.
#[inline(never)]
#[must_use]
pub fn is_mac(key: &[u8], parts: &[&[u8]], code: &[u8]) -> bool {
    // Any length of key is one of HMAC's.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return false;
    };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(code).is_ok()
}
