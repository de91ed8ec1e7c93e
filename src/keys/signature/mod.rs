//! Signatures: a public key of some type, and whether bytes are its signature over a message.
//!
//! What enters is the message and the signature's raw bytes as a JWS has them (RFC 7515, section 5.2);
//! what leaves is yes or no. Nothing here knows of tokens. This is the one place where cryptography is
//! called, so another back end is a change to this folder alone.

mod digest;
mod ecdsa;
mod ed25519;
mod rsa;

use crate::token::Algorithm;

pub(super) use ecdsa::{P256Key, P384Key};
pub(super) use ed25519::Ed25519Key;
pub(super) use rsa::RsaKey;

/// A public key of a type that can verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum VerifyingKey {
    Rsa(RsaKey),
    P256(P256Key),
    P384(P384Key),
    Ed25519(Ed25519Key),
}

impl VerifyingKey {
    /// Whether a key of this type can verify this algorithm.
    pub(super) const fn can(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Rsa(_) => matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256 | Ps384 | Ps512),
            Self::P256(_) => matches!(algorithm, Es256),
            Self::P384(_) => matches!(algorithm, Es384),
            Self::Ed25519(_) => matches!(algorithm, EdDsa),
        }
    }

    /// Whether this is a signature over the message. Never for an algorithm that the key's type cannot do.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.can(algorithm)
            && match self {
                Self::Rsa(key) => {
                    key.may_have_made(signature) && key.verifies(algorithm, message, signature)
                }
                Self::P256(key) => key.verifies(message, signature),
                Self::P384(key) => key.verifies(message, signature),
                Self::Ed25519(key) => key.verifies(message, signature),
            }
    }
}
