//! Tokens as `buildkite-agent oidc request-token` gives them, and every way in which one can be wrong.
//!
//! In goes a [`TokenSpec`], which says how the token differs from the one a job would get; out comes the token's text.
//! A token is a pure function of the keys, the spec and the time it is given: no clock is read here.

mod claims;
mod spec;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::keys::SigningKey;
pub use spec::{SignWith, Tamper, TokenSpec};

/// An issuer's signing side: its name, its audience and its keys.
#[derive(Clone, Debug)]
pub struct Minter {
    issuer: String,
    audience: String,
    current: Arc<SigningKey>,
    /// Retired keys that are published still, newest first.
    retired: Vec<Arc<SigningKey>>,
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

    /// The published keys as a JWK set (RFC 7517), the current one first.
    pub fn jwks(&self) -> Value {
        let keys: Vec<_> = std::iter::once(&self.current)
            .chain(&self.retired)
            .map(|key| key.public_jwk())
            .collect();
        json!({ "keys": keys })
    }

    /// The token that `spec` describes, issued around `now` (in seconds since the epoch).
    pub fn mint(&self, spec: &TokenSpec, now: u64) -> String {
        if let Some(raw) = &spec.raw {
            return raw.clone();
        }
        let header = spec
            .raw_header
            .clone()
            .unwrap_or_else(|| Value::Object(self.header(spec)).to_string());
        let payload = spec.raw_payload.clone().unwrap_or_else(|| {
            Value::Object(claims::claims(&self.issuer, &self.audience, spec, now)).to_string()
        });

        let input = signing_input(&header, &payload);
        let mut signature = self.sign(spec.sign_with, input.as_bytes());
        let signed = match spec.tamper {
            None => input,
            Some(Tamper::Header) => signing_input(&tampered(&header, "x-tampered"), &payload),
            Some(Tamper::Payload) => signing_input(&header, &tampered(&payload, "build_number")),
            Some(Tamper::Signature) => {
                let middle = signature.len() / 2;
                if let Some(byte) = signature.get_mut(middle) {
                    *byte ^= 1;
                }
                input
            }
            Some(Tamper::TruncateSignature) => {
                signature.pop();
                input
            }
            Some(Tamper::SignatureTrailingByte) => {
                signature.push(0);
                input
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The JOSE header (RFC 7515, section 4).
    fn header(&self, spec: &TokenSpec) -> Map<String, Value> {
        // The confusion of RS256 and HS256 only works on a token that says HS256.
        let alg = match spec.sign_with {
            SignWith::HmacPublicKey => "HS256",
            _ => "RS256",
        };
        let base = [
            ("alg", json!(alg)),
            ("typ", json!("JWT")),
            // Also for the unpublished key: the attacker names a key that the verifier has.
            ("kid", json!(self.current.kid())),
        ];
        merged(base, &spec.header, &spec.without_header)
    }

    fn sign(&self, with: SignWith, input: &[u8]) -> Vec<u8> {
        match with {
            SignWith::Current => self.current.sign(input),
            SignWith::Unpublished => self
                .unpublished
                .get_or_init(SigningKey::generate)
                .sign(input),
            SignWith::HmacPublicKey => {
                hmac_sha256::HMAC::mac(input, self.current.public_pem()).to_vec()
            }
            SignWith::Nothing => Vec::new(),
        }
    }
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
