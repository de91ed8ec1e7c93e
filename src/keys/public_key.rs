//! A key of an issuer: what it verifies, and under which name.

use super::signature::{BuiltIn, SignatureVerifier, VerifyingKey};
use crate::reason::{Reason, Refusal};
use crate::token::Algorithm;

/// A key that can verify signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub(super) kid: Option<String>,
    /// The one algorithm that its `alg` limits it to.
    pub(super) only: Option<Algorithm>,
    pub(super) key: VerifyingKey,
    /// Its SubjectPublicKeyInfo, as [`Question::key`](super::Question::key) gives it, if it has a form that says how it
    /// verifies.
    pub(super) info: Option<Vec<u8>>,
}

impl PublicKey {
    /// The name by which tokens ask for it.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Whether it may verify this algorithm: its type can, and its `alg`, if it has one, says so.
    #[must_use]
    pub fn serves(&self, algorithm: Algorithm) -> bool {
        self.key.can(algorithm) && self.only.is_none_or(|only| only == algorithm)
    }

    /// Checks that this is the key's signature over the message: for a token its encoded header and
    /// payload with the dot between them (RFC 7515, section 5.2).
    ///
    /// # Errors
    /// `signature_invalid`, also for an algorithm that the key does not serve.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Refusal> {
        self.verify_by(&BuiltIn, algorithm, message, signature)
    }

    /// The same by whoever may be faster.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_by(
        &self,
        verifier: &dyn SignatureVerifier,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Refusal> {
        let info = self.info.as_deref();
        let verifies = self.serves(algorithm)
            && self
                .key
                .verifies(verifier, info, algorithm, message, signature);
        if verifies {
            Ok(())
        } else {
            Err(Refusal::new(
                Reason::SignatureInvalid,
                "the signature does not verify",
            ))
        }
    }

    /// Whether a token could ask for either of two different keys by the same `kid` and algorithm.
    pub(super) fn collides(&self, other: &Self) -> bool {
        self.kid.is_some()
            && self.kid == other.kid
            && self.key != other.key
            && Algorithm::ALL
                .iter()
                .any(|&algorithm| self.serves(algorithm) && other.serves(algorithm))
    }
}
