//! The keys: of several sizes and exponents, some with moduli that are not whole bytes.

use ct_codecs::{Base64UrlSafeNoPadding, Encoder};
use jobgate::keys::KeySet;
use rand::rngs::StdRng;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey, RsaPublicKey};
use serde_json::json;

/// A key in the forms in which it is compared.
pub(crate) struct Key {
    pub(crate) private: RsaPrivateKey,
    pub(crate) theirs: RsaPublicKey,
    pub(crate) ours: KeySet,
}

fn text(bytes: &[u8]) -> String {
    Base64UrlSafeNoPadding::encode_to_string(bytes).expect("it fits")
}

impl Key {
    fn new(bits: usize, exponent: u64, rng: &mut StdRng) -> Self {
        let exponent = BigUint::from(exponent);
        let private = RsaPrivateKey::new_with_exp(rng, bits, &exponent).expect("there are primes");
        let theirs = RsaPublicKey::new_with_max_size(private.n().clone(), exponent, 8192)
            .expect("it is good");
        let jwk = json!({ "kty": "RSA", "n": text(&theirs.n().to_bytes_be()), "e": text(&theirs.e().to_bytes_be()) });
        let ours = KeySet::from_value(&json!({ "keys": [jwk] })).expect("it is good");
        Self {
            private,
            theirs,
            ours,
        }
    }

    pub(crate) fn modulus(&self) -> Vec<u8> {
        self.theirs.n().to_bytes_be()
    }

    pub(crate) fn exponent(&self) -> Vec<u8> {
        self.theirs.e().to_bytes_be()
    }

    /// Whether signing and verifying take little time: of such there may be more.
    pub(crate) fn is_cheap(&self) -> bool {
        self.size() < 300 && self.exponent().len() == 1
    }

    /// How many bytes a signature has.
    pub(crate) fn size(&self) -> usize {
        self.theirs.size()
    }

    /// The signature that holds this number, which must be below the modulus (RFC 8017, section 5.1.2, with both
    /// primes).
    pub(crate) fn sign(&self, encoded: &[u8]) -> Vec<u8> {
        let number = BigUint::from_bytes_be(encoded);
        let [p, q] = self.private.primes() else {
            panic!("the key has two primes")
        };
        let power = |prime: &BigUint| number.modpow(&(self.private.d() % (prime - 1_u8)), prime);
        let (by_p, by_q) = (power(p), power(q));
        let inverse = self.private.crt_coefficient().expect("it is known");
        let more = inverse * (by_p + p - &by_q % p) % p;
        self.padded(&(by_q + more * q))
    }

    pub(crate) fn padded(&self, number: &BigUint) -> Vec<u8> {
        let bytes = number.to_bytes_be();
        [vec![0; self.size().saturating_sub(bytes.len())], bytes].concat()
    }
}

/// The keys of a run. Most are such that a verification is cheap.
pub(crate) fn keys(all: bool, rng: &mut StdRng) -> Vec<Key> {
    let mut wanted = vec![(2048, 3), (2048, 65537), (2049, 3), (2055, 17)];
    if all {
        wanted.extend([
            (2048, 17),
            (2050, 3),
            (2051, 65537),
            (2048, (1 << 32) + 1),
            (2057, 3),
            (2111, 5),
            (3072, 3),
            (4096, 3),
        ]);
    }
    wanted
        .into_iter()
        .map(|(bits, exponent)| Key::new(bits, exponent, rng))
        .collect()
}
