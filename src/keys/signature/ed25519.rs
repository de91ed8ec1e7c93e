//! Ed25519 signatures (RFC 8032, section 5.1.7).
//!
//! The numbers, the points and their arithmetic are the library's. The verification itself is here, because the
//! library's multiplies the key as if it came once, which takes more than twice as long.

use super::multiples::Multiples;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};
use std::sync::Arc;

/// An Ed25519 public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::keys) struct Ed25519Key {
    bytes: [u8; 32],
    negated: Arc<Multiples<EdwardsPoint, 32>>,
}

impl Ed25519Key {
    /// A key from its 32 bytes: the one encoding of a point whose order is not small. With one of small
    /// order anyone could sign.
    #[expect(clippy::arithmetic_side_effects, reason = "points do not overflow")]
    pub(in crate::keys) fn new(x: &[u8]) -> Result<Self, &'static str> {
        let bytes: [u8; 32] = x.try_into().map_err(|_| "its x does not have 32 bytes")?;
        CompressedEdwardsY(bytes)
            .decompress()
            // The library takes other encodings for it, too.
            .filter(|point| point.compress().0 == bytes && !point.is_small_order())
            .map(|point| Self {
                bytes,
                negated: Arc::new(Multiples::new(-point)),
            })
            .ok_or("its x is not the canonical encoding of a point, or one of small order")
    }

    /// Refuses an s that is not reduced, and an R that is not canonical or of small order.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        static BASE: Multiples<EdwardsPoint, 32> = Multiples::new(ED25519_BASEPOINT_POINT);
        let Some((r, s)) = signature.split_first_chunk::<32>() else {
            return false;
        };
        let s = s.try_into().ok().map(Scalar::from_canonical_bytes);
        let Some(s) = s.and_then(Option::<Scalar>::from) else {
            return false;
        };
        let hash = Sha512::new()
            .chain_update(r)
            .chain_update(self.bytes)
            .chain_update(message)
            .finalize();
        let k = Scalar::from_bytes_mod_order_wide(&hash.into());
        // R is compared as it is encoded, so it is the one encoding of the point that it must be.
        BASE.sum(s.as_bytes(), &self.negated, k.as_bytes())
            .is_some_and(|sum| sum.compress().0 == *r && !sum.is_small_order())
    }
}
