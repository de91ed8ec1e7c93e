//! Clients of a token endpoint, and how they prove who they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::form::decoded;
use super::jobs::verify;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client that is registered.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// The one way in which it proves who it is.
    pub proof: Proof,
    /// The `jti`s of its assertions so far.
    seen: Arc<Mutex<BTreeSet<String>>>,
}

/// How a client proves who it is.
#[derive(Clone, Debug)]
pub enum Proof {
    /// `client_secret_basic` (RFC 6749, section 2.3.1).
    Basic(String),
    /// `client_secret_post` (the same).
    Post(String),
    /// `private_key_jwt` (RFC 7523, section 2.2), by one of the keys of this JWK set.
    Key(Value),
}

impl Client {
    /// A client.
    pub fn new(id: &str, proof: Proof) -> Self {
        Self {
            id: id.to_owned(),
            proof,
            seen: Arc::default(),
        }
    }

    /// Whether it is this client that asks: in the registered way, and in no other one beside it (RFC 6749, section
    /// 2.3).
    pub(super) fn asks(
        &self,
        headers: &HeaderMap,
        form: &BTreeMap<String, String>,
        endpoint: &str,
    ) -> bool {
        let header = headers.get(header::AUTHORIZATION);
        let (secret, assertion) = (form.get("client_secret"), form.get("client_assertion"));
        let names_itself = form.get("client_id") == Some(&self.id);
        match (&self.proof, header, secret, assertion) {
            (Proof::Basic(secret), Some(header), None, None) => {
                let pair = header.to_str().ok().and_then(basic);
                pair == Some((self.id.clone(), secret.clone()))
            }
            (Proof::Post(secret), None, Some(sent), None) => names_itself && sent == secret,
            (Proof::Key(keys), None, None, Some(assertion)) => {
                let is_jwt = form.get("client_assertion_type").map(String::as_str);
                let named = form.get("client_id").is_none_or(|id| *id == self.id);
                is_jwt == Some(JWT_BEARER) && named && self.is_asserted(keys, assertion, endpoint)
            }
            _ => false,
        }
    }

    /// RFC 7523, section 3; each assertion once.
    fn is_asserted(&self, keys: &Value, assertion: &str, endpoint: &str) -> bool {
        let Ok(keys) = serde_json::from_value(keys.clone()) else {
            return false;
        };
        let Ok(claims) = verify(&keys, assertion, &self.id, endpoint) else {
            return false;
        };
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        text("sub") == Some(&self.id) && text("jti").is_some_and(|jti| seen.insert(jti.to_owned()))
    }
}

/// Both parts are encoded as in a form, within base64.
fn basic(header: &str) -> Option<(String, String)> {
    let pair = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (id, secret) = pair.split_once(':')?;
    decoded(id).zip(decoded(secret))
}
