//! Keys as an issuer has them: made here or fixed for tests, published as JWKs, used to sign JWS.

mod algorithm;
mod private;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::sha2::{Digest, Sha256};
use serde_json::{Map, Value, json};

pub use algorithm::Algorithm;
use private::Private;
pub use private::RsaSize;

/// A key pair that signs with one algorithm.
#[derive(Clone)]
pub struct SigningKey {
    private: Private,
    algorithm: Algorithm,
    kid: String,
}

impl SigningKey {
    /// A new random key for RS256 of the size that every CI provider signs with. Takes some tenths of a second.
    ///
    /// # Panics
    ///
    /// If the system has no randomness to give.
    pub fn generate() -> Self {
        Self::of(Private::random_rsa(), Algorithm::Rs256)
    }

    /// The fixed key for an algorithm: always the same, and made at once.
    ///
    /// RSA has 3072 bits for RS384 and PS384, 4096 for RS512, 8192 for PS512, else 2048.
    pub fn fixed(algorithm: Algorithm) -> Self {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match algorithm {
            Rs256 | Ps256 => Self::fixed_rsa(algorithm, RsaSize::Bits2048),
            Rs384 | Ps384 => Self::fixed_rsa(algorithm, RsaSize::Bits3072),
            Rs512 => Self::fixed_rsa(algorithm, RsaSize::Bits4096),
            Ps512 => Self::fixed_rsa(algorithm, RsaSize::Bits8192),
            Es256 => Self::of(Private::p256("fixed"), algorithm),
            Es384 => Self::of(Private::p384("fixed"), algorithm),
            EdDsa => Self::of(Private::ed25519("fixed"), algorithm),
        }
    }

    /// The fixed RSA key of a size, for an algorithm of RSA.
    ///
    /// # Panics
    ///
    /// If the algorithm is none of RSA's.
    pub fn fixed_rsa(algorithm: Algorithm, size: RsaSize) -> Self {
        assert!(algorithm.is_rsa(), "{algorithm:?} is not RSA's");
        Self::of(Private::fixed_rsa(size), algorithm)
    }

    /// An Ed25519 key made from a seed: the cheapest there is, for tests that need many keys or tokens.
    pub fn ed25519(seed: &str) -> Self {
        Self::of(Private::ed25519(seed), Algorithm::EdDsa)
    }

    fn of(private: Private, algorithm: Algorithm) -> Self {
        // Two algorithms may share a key, and each is published under a name of its own.
        let thumbprint = thumbprint(&private.public_members());
        let kid = match algorithm {
            Algorithm::Rs256 => thumbprint,
            _ => format!("{}-{thumbprint}", algorithm.name()),
        };
        Self {
            private,
            algorithm,
            kid,
        }
    }

    /// The same key under another name.
    pub fn named(mut self, kid: impl Into<String>) -> Self {
        self.kid = kid.into();
        self
    }

    /// The key's id: its RFC 7638 thumbprint, SHA-256 in base64url; with the algorithm before it unless that is RS256.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half as the member of a JWK set (RFC 7517), laid out as Buildkite publishes its own.
    pub fn public_jwk(&self) -> Value {
        let mut jwk = self.private.public_members();
        jwk.insert("kid".to_owned(), json!(self.kid));
        jwk.insert("alg".to_owned(), json!(self.algorithm.name()));
        jwk.insert("use".to_owned(), json!("sig"));
        Value::Object(jwk)
    }

    /// The public half in the form in which a careless verifier would hold it: a PEM `SubjectPublicKeyInfo` for RSA,
    /// the JWK's text for the others.
    pub fn public_text(&self) -> String {
        self.private
            .public_pem()
            .unwrap_or_else(|| self.public_jwk().to_string())
    }

    /// The signature over a JWS signing input. The same input gives the same signature.
    pub fn sign(&self, signing_input: &[u8]) -> Vec<u8> {
        self.private.sign(self.algorithm, signing_input)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// RFC 7638: the hash over the required members only, ordered by name, without whitespace.
fn thumbprint(members: &Map<String, Value>) -> String {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(name, _)| *name);
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value)| format!("{}:{value}", json!(name)))
        .collect();
    let canonical = format!("{{{}}}", members.join(","));
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

/// RFC 7518, section 2: base64url of bytes; for Base64urlUInt these must have no leading zeros.
fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        // The example of RFC 7638, section 3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86z\
                 wu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5Js\
                 GY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic\
                 AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-\
                 bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF\
                 Cur-kEgU8awapJzKnqDKgw";
        let key = json!({"kty": "RSA", "n": n, "e": "AQAB"});
        assert_eq!(
            thumbprint(key.as_object().unwrap()),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    #[test]
    fn the_jwk_holds_the_public_key_and_nothing_else() {
        let key = SigningKey::generate();
        let jwk = key.public_jwk();
        let members: Vec<_> = jwk
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
        assert_eq!(jwk["e"], "AQAB");
        assert_eq!(jwk["kid"], key.kid());
        let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
        assert_eq!(modulus.len(), 2048 / 8);
    }

    #[test]
    fn every_algorithm_has_a_fixed_key_that_signs_the_same_each_time() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::fixed(algorithm);
            let again = SigningKey::fixed(algorithm);
            assert_eq!(key.public_jwk(), again.public_jwk());
            assert_eq!(key.public_jwk()["alg"], algorithm.name());
            assert!(key.public_jwk().get("d").is_none());
            assert_eq!(key.sign(b"input"), again.sign(b"input"), "{algorithm:?}");
        }
        assert_ne!(
            SigningKey::ed25519("a").public_jwk()["x"],
            SigningKey::ed25519("b").public_jwk()["x"]
        );
    }
}
