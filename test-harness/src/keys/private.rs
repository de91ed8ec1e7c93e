//! The private halves, of each type.

use std::sync::{Arc, LazyLock};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey, LineEnding};
use rsa::sha2::{Digest, Sha256, Sha384, Sha512};
use rsa::signature::{RandomizedSigner, SignatureEncoding, Signer};
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, pkcs1v15, pss};
use serde_json::{Map, Value, json};

use super::{Algorithm, encode};

/// The sizes of RSA of which there is a fixed key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaSize {
    /// 2048 bits.
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
    /// 8192 bits.
    Bits8192,
}

#[derive(Clone)]
pub(super) enum Private {
    Rsa(Arc<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    Ed25519(ed25519_compact::KeyPair),
}

macro_rules! fixed_rsa {
    ($file:literal) => {{
        static KEY: LazyLock<Arc<RsaPrivateKey>> = LazyLock::new(|| {
            let pem = include_str!(concat!("../../keys/", $file));
            Arc::new(RsaPrivateKey::from_pkcs8_pem(pem).expect("the fixed keys are keys"))
        });
        Self::Rsa(KEY.clone())
    }};
}

impl Private {
    pub(super) fn random_rsa() -> Self {
        let key = RsaPrivateKey::new(&mut rand::thread_rng(), 2048)
            .expect("2048 bits is a size RSA keys can have");
        Self::Rsa(Arc::new(key))
    }

    pub(super) fn fixed_rsa(size: RsaSize) -> Self {
        match size {
            RsaSize::Bits2048 => fixed_rsa!("rsa2048.pem"),
            RsaSize::Bits3072 => fixed_rsa!("rsa3072.pem"),
            RsaSize::Bits4096 => fixed_rsa!("rsa4096.pem"),
            RsaSize::Bits8192 => fixed_rsa!("rsa8192.pem"),
        }
    }

    pub(super) fn p256(seed: &str) -> Self {
        let scalar = Sha256::digest(seed);
        let key = p256::ecdsa::SigningKey::from_slice(&scalar);
        Self::P256(key.expect("a hash is as good as never past the order"))
    }

    pub(super) fn p384(seed: &str) -> Self {
        let scalar = Sha384::digest(seed);
        let key = p384::ecdsa::SigningKey::from_slice(&scalar);
        Self::P384(key.expect("a hash is as good as never past the order"))
    }

    pub(super) fn ed25519(seed: &str) -> Self {
        let seed = ed25519_compact::Seed::new(Sha256::digest(seed).into());
        Self::Ed25519(ed25519_compact::KeyPair::from_seed(seed))
    }

    /// The members that a JWK of this type must have, and no others.
    pub(super) fn public_members(&self) -> Map<String, Value> {
        let members = match self {
            Self::Rsa(key) => json!({
                "kty": "RSA",
                "n": encode(&key.n().to_bytes_be()),
                "e": encode(&key.e().to_bytes_be()),
            }),
            Self::P256(key) => {
                ec_members("P-256", key.verifying_key().to_sec1_point(false).as_bytes())
            }
            Self::P384(key) => {
                ec_members("P-384", key.verifying_key().to_sec1_point(false).as_bytes())
            }
            Self::Ed25519(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key.pk.as_ref()) })
            }
        };
        match members {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    pub(super) fn public_pem(&self) -> Option<String> {
        match self {
            Self::Rsa(key) => key.to_public_key().to_public_key_pem(LineEnding::LF).ok(),
            _ => None,
        }
    }

    pub(super) fn sign(&self, algorithm: Algorithm, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(key) => sign_rsa(key, algorithm, input),
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    p256::ecdsa::signature::Signer::sign(key, input);
                signature.to_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature =
                    p384::ecdsa::signature::Signer::sign(key, input);
                signature.to_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sk.sign(input, None).to_vec(),
        }
    }
}

/// A SEC 1 point is a byte and two coordinates of the same length.
fn ec_members(curve: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
}

fn sign_rsa(key: &RsaPrivateKey, algorithm: Algorithm, input: &[u8]) -> Vec<u8> {
    let key = key.clone();
    // The salt follows from the input, so that the same input gives the same signature.
    let mut salt = StdRng::from_seed(Sha256::digest(input).into());
    match algorithm {
        Algorithm::Rs384 => pkcs1v15::SigningKey::<Sha384>::new(key)
            .sign(input)
            .to_vec(),
        Algorithm::Rs512 => pkcs1v15::SigningKey::<Sha512>::new(key)
            .sign(input)
            .to_vec(),
        Algorithm::Ps256 => pss::SigningKey::<Sha256>::new(key)
            .sign_with_rng(&mut salt, input)
            .to_vec(),
        Algorithm::Ps384 => pss::SigningKey::<Sha384>::new(key)
            .sign_with_rng(&mut salt, input)
            .to_vec(),
        Algorithm::Ps512 => pss::SigningKey::<Sha512>::new(key)
            .sign_with_rng(&mut salt, input)
            .to_vec(),
        _ => pkcs1v15::SigningKey::<Sha256>::new(key)
            .sign(input)
            .to_vec(),
    }
}
