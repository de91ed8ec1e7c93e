//! ECDSA signatures as RFC 7518, section 3.4, has them: r and s side by side, each as long as the curve's
//! order, never DER.
//!
//! The numbers, the points and their arithmetic are the library's. The verification itself (SEC 1, section 4.1.4)
//! is here, because the library's multiplies every point as if it came once, which takes three times as long.

use super::multiples::Multiples;
use p256::elliptic_curve::ops::{Invert, Reduce};
use p256::elliptic_curve::point::AffineCoordinates;
use sha2::{Digest, Sha256, Sha384};
use std::sync::Arc;

macro_rules! ecdsa_key {
    ($(#[$doc:meta])* $name:ident, $curve:ident, $bytes:literal, $hash:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(in crate::keys) struct $name(Arc<Multiples<$curve::ProjectivePoint, $bytes>>);

        impl $name {
            /// A key from its big-endian coordinates, both of the field's full length (RFC 7518,
            /// section 6.2.1.2). The point must lie on the curve.
            pub(in crate::keys) fn new(x: &[u8], y: &[u8]) -> Result<Self, &'static str> {
                if x.len() != $bytes || y.len() != $bytes {
                    return Err("its coordinates do not have the curve's length");
                }
                let coordinate = |bytes: &[u8]| bytes.try_into().ok();
                let (x, y) = (coordinate(x), coordinate(y));
                // The library checks that each is below the field's order, and the equation. Reading SEC 1 would do so
                // too, and bring the square roots of compressed points along.
                x.zip(y)
                    .and_then(|(x, y)| {
                        $curve::AffinePoint::from_coordinates(&x, &y).into_option()
                    })
                    .map(|point| Self(Arc::new(Multiples::new(point.into()))))
                    .ok_or("its point does not lie on its curve")
            }

            /// The library takes exactly r and s, both at least 1 and below the order. Both signatures that
            /// differ in the sign of s count, as in JWS.
            #[expect(clippy::arithmetic_side_effects, reason = "of numbers modulo the order")]
            pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
                static GENERATOR: Multiples<$curve::ProjectivePoint, $bytes> =
                    Multiples::new($curve::ProjectivePoint::GENERATOR);
                let Ok(signature) = $curve::ecdsa::Signature::from_slice(signature) else {
                    return false;
                };
                let (r, s) = signature.split_scalars();
                let hash = $hash::digest(message);
                let hash = $curve::Scalar::reduce(&hash);
                let inverse = *s.invert_vartime();
                let little_endian = |factor: &$curve::Scalar| {
                    let mut bytes: [u8; $bytes] = (factor * &inverse).to_bytes().into();
                    bytes.reverse();
                    bytes
                };
                let sum = GENERATOR.sum(&little_endian(&hash), &self.0, &little_endian(&r));
                // The library gives the point at infinity an x of 0, which is no r.
                sum.is_some_and(|sum| $curve::Scalar::reduce(&sum.to_affine().x()) == *r)
            }
        }
    };
}

ecdsa_key!(
    /// A key on P-256, for ES256.
    P256Key, p256, 32, Sha256
);
ecdsa_key!(
    /// A key on P-384, for ES384.
    P384Key, p384, 48, Sha384
);

#[cfg(test)]
mod tests {
    use super::*;
    use p256::elliptic_curve::sec1::ToSec1Point;

    #[test]
    fn what_a_clone_computes_is_kept() {
        let point = p256::AffinePoint::GENERATOR.to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        let key = P256Key::new(x, y).unwrap();
        assert!(!key.clone().verifies(b"", &[1; 64]));
        assert!(key.0.is_computed());
    }
}
