//! A real gate that makes real decision records.

use ct_codecs::{Base64UrlSafeNoPadding, Encoder as _};
use ed25519_compact::{KeyPair, Seed};
use jobgate::audit::record;
use jobgate::gate::{DecisionId, Request, State, judge};
use jobgate::policy::Policy;
use jobgate::request::HeaderMap;
use jobgate::shared_data::NoSharedData;
use jobgate::time::UnixTime;
use serde_json::{Map, Value, json};

/// 2026-11-16, a Monday, at nine.
pub(crate) const MONDAY: u64 = 1_794_819_600;

/// Who signs the tokens.
fn key() -> KeyPair {
    KeyPair::from_seed(Seed::new([7; 32]))
}

fn base64(bytes: &[u8]) -> String {
    Base64UrlSafeNoPadding::encode_to_string(bytes).expect("it has room")
}

/// An issuer with that key, as policies write it.
pub(crate) fn issuer() -> Value {
    json!({
        "preset": "buildkite",
        "audience": "https://deploy.acme.example",
        "algorithms": ["EdDSA"],
        "keys": { "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": base64(&*key().pk) }] },
    })
}

/// A request as it reaches the gate.
#[derive(Debug, Clone)]
pub(crate) struct Sent<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) route: &'a str,
    pub(crate) at: u64,
    /// Beside issuer, audience and times.
    pub(crate) claims: Value,
}

/// The token of a job.
fn token(policy: &Policy, sent: &Sent<'_>) -> String {
    let issuer = &policy.issuers[0];
    let mut claims = json!({
        "iss": issuer.issuer,
        "aud": issuer.audiences[0],
        "sub": "job",
        "iat": sent.at,
        "exp": sent.at + 300,
    });
    let own = sent.claims.as_object().cloned().unwrap_or_default();
    claims.as_object_mut().expect("it is one").extend(own);
    let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": "k" });
    let parts = [header, claims].map(|part| base64(part.to_string().as_bytes()));
    let signed = parts.join(".");
    let signature = key().sk.sign(signed.as_bytes(), None);
    format!("{signed}.{}", base64(&*signature))
}

/// The records of a gate with this policy that gets these requests.
pub(crate) fn records(document: &Value, sent: &[Sent<'_>]) -> Vec<String> {
    let policy = Policy::from_json(document.to_string().as_bytes()).expect("it is a policy");
    let mut state = State::alone(&policy);
    let mut nth = 0;
    let judged = sent.iter().map(|sent| {
        nth += 1;
        let bearer = format!("Bearer {}", token(&policy, sent)).into_bytes();
        let headers: HeaderMap = [("authorization".to_owned(), bearer)].into_iter().collect();
        let now = UnixTime::from_secs(sent.at);
        let request = Request {
            host: Some(b"deploy.acme.example"),
            route: Some(sent.route),
            ..Request::new(&headers, sent.method.as_bytes(), sent.target.as_bytes())
        };
        let id = DecisionId::new(now, 1, nth);
        let decision = judge(&policy, &mut state, &NoSharedData, request, id, now);
        record(&decision, Some(sent.route))
    });
    judged.collect()
}

/// The claims of a job of Buildkite.
pub(crate) fn job(pipeline: &str, branch: &str) -> Value {
    let claims = [
        ("organization_slug", "acme"),
        ("pipeline_slug", pipeline),
        ("build_branch", branch),
        ("step_key", "deploy"),
    ];
    let claims = claims.map(|(name, value)| (name.to_owned(), value.into()));
    Value::Object(Map::from_iter(claims))
}
