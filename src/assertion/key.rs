//! A key that signs assertions.

use super::{jwk, pem};
use crate::audit::Line;
use crate::sha256::Hash;
use crate::{base64url, json};
use jobgate_signing::PrivateKey;
use std::fmt;

/// A private key on P-256 (ES256) or Ed25519 (EdDSA), and its name. Its secret is overwritten when it is dropped.
pub struct SigningKey {
    kid: String,
    private: PrivateKey,
}

/// Why an RSA key can't sign, in whichever form it is written.
pub(super) const NO_RSA: &str = "it is an RSA key; write one on P-256 (ES256) or Ed25519 (EdDSA)";

/// A public half, as JWKs write it.
pub(super) struct Public {
    pub(super) kty: &'static str,
    pub(super) crv: &'static str,
    pub(super) x: String,
    pub(super) y: Option<String>,
}

impl SigningKey {
    /// The key of a JWK (RFC 7517) that holds its private half.
    ///
    /// # Errors
    /// Why it can't sign, and what to write. Never a word of the key.
    pub fn from_jwk(key: &serde_json::Value) -> Result<Self, &'static str> {
        jwk::private_key(key)
    }

    /// The key of a PEM text that holds a `PRIVATE KEY` (RFC 7468, section 10; PKCS #8).
    ///
    /// # Errors
    /// As [`Self::from_jwk`].
    pub fn from_pem(text: &str) -> Result<Self, &'static str> {
        pem::private_key(text).map(|private| Self::new(private, None))
    }

    /// The key of a text that is one of the two.
    ///
    /// # Errors
    /// As [`Self::from_jwk`].
    pub fn from_text(text: &str) -> Result<Self, &'static str> {
        let text = text.trim_ascii();
        if text.starts_with('{') {
            // What the parser says may quote the text.
            let key = json::parse(text.as_bytes())
                .map_err(|_| "it is not JSON that can be read in one way only")?;
            Self::from_jwk(&key)
        } else if text.starts_with("-----BEGIN ") {
            Self::from_pem(text)
        } else {
            Err("it is neither a JWK (JSON) nor a PEM")
        }
    }

    /// A key that is named, or else by its thumbprint (RFC 7638).
    pub(super) fn new(private: PrivateKey, kid: Option<String>) -> Self {
        let kid = kid.unwrap_or_else(|| Public::of(&private).thumbprint());
        Self { kid, private }
    }

    /// Its name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The `alg` of its signatures.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self.private {
            PrivateKey::P256(_) => "ES256",
            PrivateKey::Ed25519(_) => "EdDSA",
        }
    }

    pub(super) fn public(&self) -> Public {
        Public::of(&self.private)
    }

    /// The signature over these bytes.
    ///
    /// # Errors
    /// There is none that can be met.
    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], &'static str> {
        self.private.sign(message)
    }
}

/// Says the name alone.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// Whether this is its public half, in a form of which there is only one of this length.
pub(super) fn belong_together(private: &PrivateKey, public: &[u8]) -> bool {
    private.public(public.len() == 33) == public
}

impl Public {
    fn of(private: &PrivateKey) -> Self {
        let bytes = private.public(false);
        match private {
            PrivateKey::P256(_) => {
                // After the byte that says that it is not compressed.
                let point = bytes.get(1..).unwrap_or_default();
                let (x, y) = point.split_at_checked(32).unwrap_or_default();
                Self {
                    kty: "EC",
                    crv: "P-256",
                    x: base64url::encode(x),
                    y: Some(base64url::encode(y)),
                }
            }
            PrivateKey::Ed25519(_) => Self {
                kty: "OKP",
                crv: "Ed25519",
                x: base64url::encode(bytes),
                y: None,
            },
        }
    }

    /// Its members, in the order of a thumbprint.
    pub(super) fn members(&self) -> Line {
        let mut members = Line::default();
        members.word("crv", self.crv);
        members.word("kty", self.kty);
        members.word("x", &self.x);
        if let Some(y) = &self.y {
            members.word("y", y);
        }
        members
    }

    /// RFC 7638, section 3.
    fn thumbprint(&self) -> String {
        base64url::encode(Hash::hash(self.members().into_object().as_bytes()))
    }
}

#[cfg(test)]
pub(super) mod tests;
