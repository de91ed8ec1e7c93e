//! The seam to whoever verifies faster than this crate does.

use super::der;
use crate::token::Algorithm;
use std::borrow::Cow;
use std::fmt;

/// Whoever can verify signatures: a proxy that lends its cryptography.
///
/// It is asked only what has passed this crate's own cheap checks. Where it can't tell, this crate verifies itself.
pub trait SignatureVerifier: fmt::Debug {
    /// Whether the signature is the key's over the message; nothing where that can't be told.
    fn verify(&self, question: &Question<'_>) -> Option<bool>;
}

/// Nobody else: this crate verifies all itself.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn;

impl SignatureVerifier for BuiltIn {
    fn verify(&self, _: &Question<'_>) -> Option<bool> {
        None
    }
}

/// A signature in question, by RSASSA-PKCS1-v1_5 or ECDSA: what X.509's forms of keys and signatures say by themselves.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key: &'a [u8],
    pub(super) message: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> Question<'a> {
    /// The public key, as the DER of its SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
    #[must_use]
    pub const fn key(&self) -> &'a [u8] {
        self.key
    }

    /// The hash function's name: `sha256`, `sha384` or `sha512`.
    #[must_use]
    pub const fn hash(&self) -> &'static str {
        match self.algorithm {
            Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => "sha384",
            Algorithm::Rs512 | Algorithm::Ps512 => "sha512",
            _ => "sha256",
        }
    }

    /// What was signed.
    #[must_use]
    pub const fn message(&self) -> &'a [u8] {
        self.message
    }

    /// The signature as X.509 has it: RSA's as it is, ECDSA's in DER.
    #[must_use]
    pub fn signature(&self) -> Cow<'a, [u8]> {
        match self.algorithm {
            Algorithm::Es256 | Algorithm::Es384 => der::ecdsa_signature(self.signature).into(),
            _ => self.signature.into(),
        }
    }
}
