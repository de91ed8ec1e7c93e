//! Ed25519 signatures (RFC 8032, section 5.1.7).

use ed25519_compact::{PublicKey, Signature};

/// An Ed25519 public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::keys) struct Ed25519Key(PublicKey);

impl Ed25519Key {
    /// A key from its 32 bytes: the one encoding of a point whose order is not small. With one of small
    /// order anyone could sign.
    pub(in crate::keys) fn new(x: &[u8]) -> Result<Self, &'static str> {
        let key = PublicKey::from_slice(x).map_err(|_| "its x does not have 32 bytes")?;
        key.validate()
            .map_err(|_| "its x is not the canonical encoding of a point, or one of small order")?;
        Ok(Self(key))
    }

    /// The library refuses an s that is not reduced, and an R that is not canonical or of small order.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }
}
