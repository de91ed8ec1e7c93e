//! A gate whose issuer publishes a key of every algorithm, and some that nobody should publish.

use jobgate::fetch::{Answer, Remote};
use jobgate::gate::{Decision, DecisionId, Request, State, judge};
use jobgate::policy::Policy;
use jobgate::request::HeaderMap;
use jobgate::shared_data::NoSharedData;
use jobgate::time::UnixTime;
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://ci.example";
pub(crate) const AUDIENCE: &str = "https://deploy.acme.example";
pub(crate) const NOW: u64 = 1_800_000_000;

/// A policy that lets all jobs of one organization in, with these members over its own.
pub(crate) fn policy(over: Value) -> Policy {
    let mut document = json!({
        "issuers": [{
            "preset": "buildkite", "issuer": ISSUER, "audience": AUDIENCE,
            "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"],
            "jwks": { "cluster": "issuer", "uri": "https://ci.example/jwks" },
        }],
        "rules": [{ "id": "any-job", "claims": { "organization_slug": "acme" } }],
        "audit": { "detail": "claims" },
    });
    for (name, value) in over.as_object().expect("it is an object") {
        document[name] = value.clone();
    }
    Policy::from_json(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The state of its gate, which has fetched these keys for each issuer.
pub(crate) fn ready(policy: &Policy, jwks: &Value) -> State {
    let state = State::alone(policy);
    let now = UnixTime::from_secs(NOW);
    for store in state.keys.stores() {
        let mut store = store.borrow_mut();
        let body = jwks.to_string().into_bytes();
        let fetch = store
            .poll(now, &NoSharedData)
            .expect("a fetch is wanted at once");
        let answer = Answer::Document { etag: None, body };
        store.finish(fetch.flight, Ok(answer), now, &NoSharedData);
    }
    state
}

pub(crate) fn ask<'p>(
    policy: &'p Policy,
    state: &mut State,
    (method, target): (&str, &str),
    headers: &[(&str, &str)],
) -> Decision<'p> {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
        .collect();
    let request = Request::new(&headers, method.as_bytes(), target.as_bytes());
    let now = UnixTime::from_secs(NOW);
    let id = DecisionId::new(now, 1, 1);
    judge(policy, state, &NoSharedData, request, id, now)
}

/// What becomes of a plain request with this token: `allow`, or the code of the refusal.
pub(crate) fn told(policy: &Policy, state: &mut State, token: &str) -> &'static str {
    let bearer = format!("Bearer {token}");
    outcome(&ask(
        policy,
        state,
        ("GET", "/"),
        &[("authorization", &bearer)],
    ))
}

/// `allow`, or the code of the refusal.
pub(crate) fn outcome(decision: &Decision<'_>) -> &'static str {
    match &decision.outcome {
        Ok(_) => "allow",
        Err(refused) => refused.refusal.reason.code(),
    }
}
