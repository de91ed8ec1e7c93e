//! Tokens as a CI job gets them (a Buildkite job, unless it is said), and every way in which one can be wrong.
//!
//! In goes a [`TokenSpec`], which says how the token differs from the one a job would get; out comes the token's text.
//! A token is a pure function of the keys, the spec and the time it is given: no clock is read here.

mod claims;
mod spec;
mod tamper;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::keys::{Algorithm, SigningKey};
pub use spec::{Provider, SignWith, Tamper, TokenSpec};
pub use tamper::signature as tampered_signature;

/// An issuer's signing side: its name, its audience and its keys.
#[derive(Clone, Debug)]
pub struct Minter {
    issuer: String,
    audience: String,
    current: Arc<SigningKey>,
    /// Retired keys that are published still, newest first.
    retired: Vec<Arc<SigningKey>>,
    /// Whether the fixed key of each algorithm is published beside these.
    every_algorithm: bool,
    /// Made when it is first asked for: most runs need no such key, and making one takes a while.
    unpublished: Arc<OnceLock<SigningKey>>,
}

impl Minter {
    /// A minter with a new key.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self::with_key(issuer, audience, SigningKey::generate())
    }

    /// A minter that signs with `key`.
    pub fn with_key(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        key: SigningKey,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            current: Arc::new(key),
            retired: Vec::new(),
            every_algorithm: false,
            unpublished: Arc::default(),
        }
    }

    /// What `iss` says unless a spec overrides it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What `aud` says unless a spec overrides it.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The key that signs now.
    pub fn current_key(&self) -> &SigningKey {
        &self.current
    }

    /// Signs with `new` from now on. The old keys stay published if `keep_old`, else they are all withdrawn.
    pub fn rotate(&mut self, new: SigningKey, keep_old: bool) {
        let old = std::mem::replace(&mut self.current, Arc::new(new));
        if keep_old {
            self.retired.insert(0, old);
        } else {
            self.retired.clear();
        }
    }

    /// Publishes the fixed key of each algorithm too, which sign where a spec names their `algorithm`.
    pub fn publish_every_algorithm(&mut self) {
        self.every_algorithm = true;
    }

    /// The published keys as a JWK set (RFC 7517), the current one first.
    pub fn jwks(&self) -> Value {
        let own = std::iter::once(&self.current).chain(&self.retired);
        let mut keys: Vec<_> = own.map(|key| key.public_jwk()).collect();
        if self.every_algorithm {
            let fixed = Algorithm::ALL
                .into_iter()
                .filter(|algorithm| *algorithm != self.current.algorithm())
                .map(|algorithm| SigningKey::fixed(algorithm).public_jwk());
            keys.extend(fixed);
        }
        json!({ "keys": keys })
    }

    /// The names of the algorithms that the published keys are for.
    pub fn algorithms(&self) -> Vec<&'static str> {
        match self.every_algorithm {
            true => Algorithm::ALL.map(Algorithm::name).to_vec(),
            false => vec![self.current.algorithm().name()],
        }
    }

    /// The token that `spec` describes, issued around `now` (in seconds since the epoch).
    pub fn mint(&self, spec: &TokenSpec, now: u64) -> String {
        if let Some(raw) = &spec.raw {
            return raw.clone();
        }
        let key = match spec.algorithm {
            Some(algorithm) if algorithm != self.current.algorithm() => {
                Arc::new(SigningKey::fixed(algorithm))
            }
            _ => self.current.clone(),
        };
        let header = spec
            .raw_header
            .clone()
            .unwrap_or_else(|| Value::Object(header(&key, spec)).to_string());
        let payload = spec.raw_payload.clone().unwrap_or_else(|| {
            Value::Object(claims::claims(&self.issuer, &self.audience, spec, now)).to_string()
        });

        let input = signing_input(&header, &payload);
        let signature = self.sign(&key, spec.sign_with, input.as_bytes());
        let (signed, signature) = match spec.tamper {
            None => (input, signature),
            Some(Tamper::Header) => {
                let header = tampered(&header, "x-tampered");
                (signing_input(&header, &payload), signature)
            }
            Some(Tamper::Payload) => {
                let payload = tampered(&payload, "build_number");
                (signing_input(&header, &payload), signature)
            }
            Some(of_signature) => {
                let signature = tamper::signature(of_signature, key.algorithm(), signature);
                (input, signature)
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn sign(&self, key: &SigningKey, with: SignWith, input: &[u8]) -> Vec<u8> {
        match with {
            SignWith::Current => key.sign(input),
            SignWith::Unpublished if key.algorithm() == Algorithm::EdDsa => {
                SigningKey::ed25519("unpublished").sign(input)
            }
            SignWith::Unpublished => self
                .unpublished
                .get_or_init(SigningKey::generate)
                .sign(input),
            SignWith::HmacPublicKey => hmac_sha256::HMAC::mac(input, key.public_text()).to_vec(),
            SignWith::Nothing => Vec::new(),
        }
    }
}

/// The JOSE header (RFC 7515, section 4).
fn header(key: &SigningKey, spec: &TokenSpec) -> Map<String, Value> {
    // The confusion with HS256 only works on a token that says HS256.
    let alg = match spec.sign_with {
        SignWith::HmacPublicKey => "HS256",
        _ => key.algorithm().name(),
    };
    let base = [
        ("alg", json!(alg)),
        ("typ", json!("JWT")),
        // Also for the unpublished key: the attacker names a key that the verifier has.
        ("kid", json!(key.kid())),
    ];
    merged(base, &spec.header, &spec.without_header)
}

/// RFC 7515, section 5.1: what a JWS signs.
fn signing_input(header: &str, payload: &str) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    )
}

/// `base` with `overrides` over it and `without` out of it.
fn merged<'a>(
    base: impl IntoIterator<Item = (&'a str, Value)>,
    overrides: &Map<String, Value>,
    without: &BTreeSet<String>,
) -> Map<String, Value> {
    let mut members: Map<_, _> = base
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    members.extend(overrides.clone());
    members.retain(|name, _| !without.contains(name));
    members
}

/// Changes one member of a JSON object, such that it is as good as before but for its signature.
///
/// What isn't an object gets a space at its end, which changes the bytes and not the JSON.
fn tampered(text: &str, member: &str) -> String {
    match serde_json::from_str(text) {
        Ok(Value::Object(mut object)) => {
            let changed = object.get(member).and_then(Value::as_i64).unwrap_or(0) + 1;
            object.insert(member.to_owned(), json!(changed));
            Value::Object(object).to_string()
        }
        _ => format!("{text} "),
    }
}

#[cfg(test)]
mod tests;
