//! Jobs' tokens, as whoever takes them for credentials verifies them.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::issuer::Issuer;

/// Whose tokens are taken, and for whom they must be.
#[derive(Clone, Debug)]
pub struct Jobs {
    keys: JwkSet,
    issuer: String,
    audience: String,
}

impl Jobs {
    /// Those of this issuer with the keys that it publishes now, and for this audience.
    ///
    /// # Panics
    ///
    /// If the issuer publishes what is no key set.
    pub fn of(issuer: &Issuer, audience: &str) -> Self {
        let keys = serde_json::from_value(issuer.jwks()).expect("the issuer publishes a key set");
        Self {
            keys,
            issuer: issuer.base_url(),
            audience: audience.to_owned(),
        }
    }

    /// A token's claims, if it is good: by its signature, `iss`, `aud`, `exp` and `nbf`.
    pub(super) fn verify(&self, token: &str) -> Result<Map<String, Value>, String> {
        verify(&self.keys, token, &self.issuer, &self.audience)
    }
}

/// The claims of a token that one of these keys signed, with this issuer and this audience.
pub(super) fn verify(
    keys: &JwkSet,
    token: &str,
    issuer: &str,
    audience: &str,
) -> Result<Map<String, Value>, String> {
    let header = decode_header(token).map_err(|error| error.to_string())?;
    let kid = header.kid.ok_or("the token names no key")?;
    let jwk = keys.find(&kid).ok_or("the token's key is not known")?;
    // The algorithm is the key's own, whatever the token says.
    let algorithm = jwk
        .common
        .key_algorithm
        .ok_or("the key names no algorithm")?;
    let algorithm = algorithm
        .to_string()
        .parse()
        .map_err(|_| "the key's algorithm is not known")?;
    let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
    let mut validation = Validation::new(algorithm);
    validation.leeway = 5;
    validation.validate_nbf = true;
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
    decode::<Map<String, Value>>(token, &key, &validation)
        .map(|data| data.claims)
        .map_err(|error| error.to_string())
}
