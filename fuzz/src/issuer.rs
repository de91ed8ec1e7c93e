//! An issuer with fixed keys, and what a token of it must be to be good, written down a second time.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::{KeyPair, Seed};
use serde_json::{Map, Value, json};

use crate::json;

/// `iss`.
pub const ISSUER: &str = "https://ci.example";
/// `aud`.
pub const AUDIENCE: &str = "https://deploy.acme.example";
/// The leeway of the policies here, in seconds.
pub const LEEWAY: f64 = 30.0;
/// The longest lifetime, in seconds.
pub const MAX_LIFETIME: f64 = 3_600.0;

/// How many keys the issuer has.
pub const KEYS: usize = 3;

/// Its keys: made from fixed seeds, so that a token is the same in every run.
static PAIRS: LazyLock<[KeyPair; KEYS]> =
    LazyLock::new(|| [1, 2, 3].map(|seed| KeyPair::from_seed(Seed::new([seed; 32]))));

/// The id of a key.
#[must_use]
pub fn kid(key: usize) -> String {
    format!("key-{}", key % KEYS)
}

/// A set of its keys.
#[must_use]
pub fn jwks(keys: impl IntoIterator<Item = usize>) -> Value {
    let keys: Vec<_> = keys
        .into_iter()
        .map(|key| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid(key),
                "x": URL_SAFE_NO_PAD.encode(PAIRS[key % KEYS].pk.as_ref()),
            })
        })
        .collect();
    json!({ "keys": keys })
}

/// A policy of one allow rule for every job of acme, with the keys in it.
#[must_use]
pub fn policy() -> Value {
    json!({
        "issuers": [{
            "issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["EdDSA"],
            "tenant_claims": ["organization_slug"], "leeway": "30s", "max_lifetime": "1h",
            "keys": jwks([0]),
        }],
        "rules": [{ "id": "any-job", "claims": { "organization_slug": "acme" } }],
    })
}

/// The claims of a good token.
#[must_use]
pub fn claims(now: u64) -> Map<String, Value> {
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "organization:acme:pipeline:deploy",
        "iat": now, "nbf": now, "exp": now + 300,
        "organization_slug": "acme", "pipeline_slug": "deploy", "build_branch": "main",
    });
    claims.as_object().cloned().unwrap_or_default()
}

/// The JOSE header of a good token.
#[must_use]
pub fn header(key: usize) -> Value {
    json!({ "alg": "EdDSA", "typ": "JWT", "kid": kid(key) })
}

/// A token with this header and payload, signed with one of the keys.
#[must_use]
pub fn sign(header: &str, payload: &str, key: usize) -> String {
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = PAIRS[key % KEYS].sk.sign(input.as_bytes(), None);
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

/// A good token.
#[must_use]
pub fn good_token(now: u64) -> String {
    let payload = Value::Object(claims(now)).to_string();
    sign(&header(0).to_string(), &payload, 0)
}

/// Whether a token with this header and payload, signed with the first key, may be let in.
#[must_use]
pub fn is_good(header: &str, payload: &str, now: u64) -> bool {
    let unique = json::has_no_duplicates(header) && json::has_no_duplicates(payload);
    let (Some(header), Some(claims)) = (json::object(header), json::object(payload)) else {
        return false;
    };
    let now = now as f64;
    let number = |name: &str| claims.get(name).and_then(Value::as_f64);
    let starts = ["iat", "nbf"].map(number);
    // Of an array one element must match, in `aud` (RFC 7519, section 4.1.3) as in the policy's claims.
    let says = |name: &str, text: &str| match claims.get(name) {
        Some(Value::Array(all)) => all.iter().any(|one| one == text),
        Some(one) => one == text,
        None => false,
    };
    let lives = match (starts[0].or(starts[1]), number("exp")) {
        (Some(start), Some(end)) => end - start <= MAX_LIFETIME && end + LEEWAY > now,
        _ => false,
    };
    unique
        && header.get("alg") == Some(&json!("EdDSA"))
        && header.get("kid").is_none_or(|id| *id == json!(kid(0)))
        && !header.contains_key("crit")
        && header.get("b64") != Some(&json!(false))
        && claims.get("iss") == Some(&json!(ISSUER))
        && says("organization_slug", "acme")
        && says("aud", AUDIENCE)
        && lives
        && starts.iter().flatten().all(|start| *start <= now + LEEWAY)
}
