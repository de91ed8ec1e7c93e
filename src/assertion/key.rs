//! A key that signs assertions.

use super::{jwk, pem};
use crate::audit::Line;
use crate::sha256::Hash;
use crate::{base64url, json};
use ed25519_dalek::ed25519::signature::Signer as _;
use p256::elliptic_curve::sec1::ToSec1Point;
use std::fmt;

/// A private key on P-256 (ES256) or Ed25519 (EdDSA), and its name. Its secret is overwritten when it is dropped.
pub struct SigningKey {
    kid: String,
    private: Private,
}

/// Both halves.
// Both types overwrite their secrets when they go. The one is boxed so that moving it leaves no copies behind.
pub(super) enum Private {
    P256(Box<p256::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

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
    pub(super) fn new(private: Private, kid: Option<String>) -> Self {
        let kid = kid.unwrap_or_else(|| private.public().thumbprint());
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
            Private::P256(_) => "ES256",
            Private::Ed25519(_) => "EdDSA",
        }
    }

    pub(super) fn public(&self) -> Public {
        self.private.public()
    }

    /// The signature over these bytes, as JWS has it (RFC 7518, section 3.4; RFC 8037, section 3.1): always the same
    /// for the same bytes, since both ways make their nonce of the key and the message (RFC 6979, RFC 8032). No random
    /// number is needed, which a host might not have.
    ///
    /// # Errors
    /// There is none: no hash and no nonce is 0.
    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], &'static str> {
        const FAILED: &str = "the assertion could not be signed";
        match &self.private {
            Private::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    key.try_sign(message).map_err(|_| FAILED)?;
                Ok(signature.to_bytes().into())
            }
            Private::Ed25519(key) => {
                let signature = key.try_sign(message).map_err(|_| FAILED)?;
                Ok(signature.to_bytes())
            }
        }
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

impl Private {
    /// A key from the number of a private half, which is secret: from 1 to below the order.
    pub(super) fn p256(d: &[u8]) -> Result<Self, &'static str> {
        if d.len() != 32 {
            return Err("its private half does not have the 32 bytes of P-256");
        }
        p256::ecdsa::SigningKey::from_slice(d)
            .map(|key| Self::P256(Box::new(key)))
            .map_err(|_| "its private half is no number of P-256's group")
    }

    /// A key from its seed (RFC 8032, section 5.1.5).
    pub(super) fn ed25519(seed: &[u8]) -> Result<Self, &'static str> {
        let seed = seed
            .try_into()
            .map_err(|_| "its private half does not have the 32 bytes of Ed25519")?;
        Ok(Self::Ed25519(Box::new(
            ed25519_dalek::SigningKey::from_bytes(seed),
        )))
    }

    /// The public half as SEC 1 (uncompressed or compressed, for P-256) or RFC 8032 write it.
    pub(super) fn public_bytes(&self, compressed: bool) -> Vec<u8> {
        match self {
            Self::P256(key) => key
                .verifying_key()
                .as_affine()
                .to_sec1_point(compressed)
                .as_bytes()
                .to_vec(),
            Self::Ed25519(key) => key.verifying_key().to_bytes().to_vec(),
        }
    }

    /// Whether this is its public half, in a form of which there is only one of this length.
    pub(super) fn belongs_to(&self, public: &[u8]) -> bool {
        self.public_bytes(public.len() == 33) == public
    }

    fn public(&self) -> Public {
        let bytes = self.public_bytes(false);
        match self {
            Self::P256(_) => {
                // After the byte that says that it is not compressed.
                let point = bytes.get(1..).unwrap_or_default();
                let (x, y) = point.split_at_checked(32).unwrap_or_default();
                Public {
                    kty: "EC",
                    crv: "P-256",
                    x: base64url::encode(x),
                    y: Some(base64url::encode(y)),
                }
            }
            Self::Ed25519(_) => Public {
                kty: "OKP",
                crv: "Ed25519",
                x: base64url::encode(bytes),
                y: None,
            },
        }
    }
}

impl Public {
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
