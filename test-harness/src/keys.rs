//! RSA keys as an issuer has them: made here, published as JWKs, used to sign JWS.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs1v15;
use rsa::pkcs8::{EncodePublicKey, LineEnding};
use rsa::sha2::{Digest, Sha256};
use rsa::signature::{SignatureEncoding, Signer};
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};

/// The modulus size that every CI provider signs with.
const BITS: usize = 2048;

/// An RSA-2048 key pair that signs with RS256.
#[derive(Clone)]
pub struct SigningKey {
    signer: pkcs1v15::SigningKey<Sha256>,
    public: RsaPublicKey,
    kid: String,
}

impl SigningKey {
    /// A new random key. Takes some tenths of a second.
    ///
    /// # Panics
    ///
    /// If the system has no randomness to give.
    pub fn generate() -> Self {
        let private = RsaPrivateKey::new(&mut rand::thread_rng(), BITS)
            .expect("2048 bits is a size RSA keys can have");
        let public = private.to_public_key();
        Self {
            kid: thumbprint(&public),
            signer: pkcs1v15::SigningKey::new(private),
            public,
        }
    }

    /// The key's id: its RFC 7638 thumbprint, SHA-256 in base64url.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half, for an independent verification.
    pub fn public_key(&self) -> &RsaPublicKey {
        &self.public
    }

    /// The public half as the member of a JWK set (RFC 7517), laid out as Buildkite publishes its own.
    pub fn public_jwk(&self) -> Value {
        json!({
            "kty": "RSA",
            "n": base64url_uint(&self.public.n().to_bytes_be()),
            "e": base64url_uint(&self.public.e().to_bytes_be()),
            "kid": self.kid,
            "alg": "RS256",
            "use": "sig",
        })
    }

    /// The public half as a PEM `SubjectPublicKeyInfo`, as a careless verifier would hold it.
    ///
    /// # Panics
    ///
    /// Never: every RSA key has this encoding.
    pub fn public_pem(&self) -> String {
        self.public
            .to_public_key_pem(LineEnding::LF)
            .expect("an RSA key has a PEM encoding")
    }

    /// The RS256 signature (RFC 7518, section 3.3) over a JWS signing input. The same input gives the same signature.
    pub fn sign(&self, signing_input: &[u8]) -> Vec<u8> {
        self.signer.sign(signing_input).to_vec()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// RFC 7638: the hash over the required members only, in this order, without whitespace.
fn thumbprint(key: &RsaPublicKey) -> String {
    let canonical = format!(
        r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
        base64url_uint(&key.e().to_bytes_be()),
        base64url_uint(&key.n().to_bytes_be()),
    );
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

/// RFC 7518, section 2: Base64urlUInt. `to_bytes_be` gives no leading zeros.
fn base64url_uint(big_endian: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(big_endian)
}

#[cfg(test)]
mod tests {
    use rsa::BigUint;

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
        let uint = |text: &str| BigUint::from_bytes_be(&URL_SAFE_NO_PAD.decode(text).unwrap());
        let key = RsaPublicKey::new(uint(n), uint("AQAB")).unwrap();
        assert_eq!(
            thumbprint(&key),
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
        assert_eq!(modulus.len(), BITS / 8);
    }
}
