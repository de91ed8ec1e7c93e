//! ECDSA signatures as RFC 7518, section 3.4, has them: r and s side by side, each as long as the curve's
//! order, never DER.

use p256::ecdsa::signature::Verifier;

/// The byte before an uncompressed point (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 4;

macro_rules! ecdsa_key {
    ($(#[$doc:meta])* $name:ident, $curve:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(in crate::keys) struct $name($curve::ecdsa::VerifyingKey);

        impl $name {
            /// A key from its big-endian coordinates, both of the field's full length (RFC 7518,
            /// section 6.2.1.2). The point must lie on the curve.
            pub(in crate::keys) fn new(x: &[u8], y: &[u8]) -> Result<Self, &'static str> {
                if x.len() != $bytes || y.len() != $bytes {
                    return Err("its coordinates do not have the curve's length");
                }
                $curve::ecdsa::VerifyingKey::from_sec1_bytes(&[&[UNCOMPRESSED], x, y].concat())
                    .map(Self)
                    .map_err(|_| "its point does not lie on its curve")
            }

            /// The library takes exactly r and s, both at least 1 and below the order. It takes both
            /// signatures that differ in the sign of s, as JWS does.
            pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
                $curve::ecdsa::Signature::from_slice(signature)
                    .is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
            }
        }
    };
}

ecdsa_key!(
    /// A key on P-256, for ES256.
    P256Key, p256, 32
);
ecdsa_key!(
    /// A key on P-384, for ES384.
    P384Key, p384, 48
);
