//! Private keys that sign, each with its public half: P-256 for ES256, Ed25519 for EdDSA.
//!
//! What enters are the bytes of a private half; what leaves are public halves and signatures. The secret is overwritten
//! when a key is dropped. The crate is one of its own so that it can be built for size: generic code is compiled where
//! it is used, and nothing here is used but when a policy is loaded, and once in a while for each job.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

pub mod mac;
pub mod sigv4;

use ed25519_dalek::ed25519::signature::Signer as _;
use p256::elliptic_curve::sec1::ToSec1Point;
use std::fmt;

/// Both halves of a key.
// Both types overwrite their secrets when they go. They are boxed so that moving them leaves no copies behind.
pub enum PrivateKey {
    /// On P-256.
    P256(Box<p256::ecdsa::SigningKey>),
    /// On Ed25519.
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

/// Says the type alone.
impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256(_) => "P256(..)",
            Self::Ed25519(_) => "Ed25519(..)",
        })
    }
}

impl PrivateKey {
    /// A key from the number of a private half: big-endian, from 1 to below the order.
    ///
    /// # Errors
    /// Why it is none.
    #[inline(never)]
    pub fn p256(d: &[u8]) -> Result<Self, &'static str> {
        if d.len() != 32 {
            return Err("its private half does not have the 32 bytes of P-256");
        }
        p256::ecdsa::SigningKey::from_slice(d)
            .map(|key| Self::P256(Box::new(key)))
            .map_err(|_| "its private half is no number of P-256's group")
    }

    /// A key from its seed (RFC 8032, section 5.1.5).
    ///
    /// # Errors
    /// As [`Self::p256`].
    #[inline(never)]
    pub fn ed25519(seed: &[u8]) -> Result<Self, &'static str> {
        let seed = seed
            .try_into()
            .map_err(|_| "its private half does not have the 32 bytes of Ed25519")?;
        Ok(Self::Ed25519(Box::new(
            ed25519_dalek::SigningKey::from_bytes(seed),
        )))
    }

    /// The public half as SEC 1 (uncompressed or compressed, for P-256) or RFC 8032 write it.
    #[inline(never)]
    #[must_use]
    pub fn public(&self, compressed: bool) -> Vec<u8> {
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

    /// The signature over these bytes, as JWS has it (RFC 7518, section 3.4; RFC 8037, section 3.1): always the same
    /// for the same bytes, since both ways make their nonce of the key and the message (RFC 6979, RFC 8032). No random
    /// number is needed, which a host might not have.
    ///
    /// # Errors
    /// There is none: no hash and no nonce is 0.
    #[inline(never)]
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], &'static str> {
        const FAILED: &str = "the assertion could not be signed";
        match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    key.try_sign(message).map_err(|_| FAILED)?;
                Ok(signature.to_bytes().into())
            }
            Self::Ed25519(key) => {
                let signature = key.try_sign(message).map_err(|_| FAILED)?;
                Ok(signature.to_bytes())
            }
        }
    }
}
