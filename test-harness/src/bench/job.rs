//! The job whose tokens are sent, the request it sends, and what every variant must know of both.

use serde_json::{Map, Value, json};

use crate::keys::{Algorithm, SigningKey};
use crate::mint::{Minter, TokenSpec};

/// Who signs.
pub(super) const ISSUER: &str = "https://agent.buildkite.com";
/// For whom.
pub(super) const AUDIENCE: &str = "https://deploy.acme.example";
/// The claims that a rule asks for.
pub(super) const PINS: [(&str, &str); 3] = [
    ("organization_slug", "acme"),
    ("pipeline_slug", "deploy-web"),
    ("build_branch", "main"),
];
/// The request's method.
pub(super) const METHOD: &str = "POST";
/// What its path must begin with.
pub(super) const PREFIX: &str = "/deploy/production/";
/// Its path.
pub(super) const PATH: &str = "/deploy/production/eu";

/// The longest that a policy can let tokens live: they are kept from run to run.
const LIFETIME: i64 = 7 * 24 * 60 * 60;

/// The issuer, by the algorithm that it signs with.
pub(super) fn issuer(algorithm: Algorithm) -> Minter {
    Minter::with_key(ISSUER, AUDIENCE, SigningKey::fixed(algorithm))
}

/// The nth of many good tokens.
pub(super) fn good(nth: usize) -> TokenSpec {
    let claims = json!({
        "build_number": 1_000 + nth,
        "job_id": format!("0190046e-e199-453b-a302-{nth:012x}"),
    });
    TokenSpec {
        claims: members(claims),
        lifetime: LIFETIME,
        // Envoy's filter and the gate allow for a minute and for half of one.
        age: 5,
        ..TokenSpec::default()
    }
}

/// A token with these claims over those of a good one.
pub(super) fn with(claims: Value) -> TokenSpec {
    TokenSpec {
        claims: members(claims),
        ..TokenSpec::default()
    }
}

fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
