//! A gate with its state, an issuer with two keys, and shared data in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use jobgate::fetch::{Answer, Remote};
use jobgate::gate::{Decision, DecisionId, Request, State, judge};
use jobgate::policy::Policy;
use jobgate::request::HeaderMap;
use jobgate::shared_data::{Failed, NoSharedData, SetError, SharedData};
use jobgate::time::UnixTime;
use jobgate_harness::keys::SigningKey;
use jobgate_harness::mint::{Minter, TokenSpec};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://ci.example";
pub(crate) const AUDIENCE: &str = "https://deploy.acme.example";
pub(crate) const NOW: u64 = 1_800_000_000;

/// Minters with one key each; making an RSA key takes a while.
pub(crate) fn minters() -> &'static [Minter; 2] {
    static MINTERS: OnceLock<[Minter; 2]> = OnceLock::new();
    MINTERS.get_or_init(|| {
        [(); 2].map(|()| Minter::with_key(ISSUER, AUDIENCE, SigningKey::generate()))
    })
}

/// A token of the first key.
pub(crate) fn token(spec: Value) -> String {
    let spec: TokenSpec = serde_json::from_value(spec).expect("it is a spec");
    minters()[0].mint(&spec, NOW)
}

/// The issuer's documents: nothing, the one key, the other, both.
pub(crate) fn documents() -> [Vec<u8>; 4] {
    let keys = minters()
        .each_ref()
        .map(|minter| minter.jwks()["keys"][0].clone());
    [
        json!([]),
        json!([keys[0]]),
        json!([keys[1]]),
        json!([keys[0], keys[1]]),
    ]
    .map(|keys| json!({ "keys": keys }).to_string().into_bytes())
}

/// A policy that lets all jobs of one organization in, with these members over its own.
pub(crate) fn policy(over: Value) -> Policy {
    let mut document = json!({
        "issuers": [{
            "preset": "buildkite", "issuer": ISSUER, "audience": AUDIENCE,
            "jwks": {
                "uri": "https://ci.example/jwks", "refresh": "60s", "max_stale": "10m"
            },
        }],
        "rules": [{ "id": "any-job", "claims": { "organization_slug": "acme" } }],
        "audit": { "detail": "claims" },
    });
    for (name, value) in over.as_object().expect("it is an object") {
        document[name] = value.clone();
    }
    Policy::from_json(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The state of its gate, which has fetched the issuer's first key.
pub(crate) fn ready(policy: &Policy) -> State {
    let mut state = State::alone(policy);
    fetch(&mut state, &documents()[1], UnixTime::from_secs(NOW));
    state
}

/// Answers the fetch that the key store wants, if it wants one.
pub(crate) fn fetch(state: &mut State, document: &[u8], now: UnixTime) {
    for store in state.keys.stores() {
        give(&mut *store.borrow_mut(), document, now);
    }
}

/// Answers the fetch of a document, if it is wanted.
pub(crate) fn give(remote: &mut dyn Remote, document: &[u8], now: UnixTime) {
    if let Some(fetch) = remote.poll(now, &NoSharedData) {
        let body = document.to_vec();
        remote.finish(
            fetch.flight,
            Ok(Answer::Document { etag: None, body }),
            now,
            &NoSharedData,
        );
    }
}

pub(crate) fn ask<'p>(
    policy: &'p Policy,
    state: &mut State,
    shared: Option<&dyn SharedData>,
    target: &str,
    token: &str,
    now: UnixTime,
) -> Decision<'p> {
    let bearer = format!("Bearer {token}").into_bytes();
    let headers: HeaderMap = [("authorization".to_owned(), bearer)].into_iter().collect();
    let request = Request::new(&headers, b"GET", target.as_bytes());
    judge(
        policy,
        state,
        shared.unwrap_or(&NoSharedData),
        request,
        DecisionId::new(now, 1, 1),
        now,
    )
}

/// `allow`, or the code of the refusal.
pub(crate) fn outcome(decision: &Decision<'_>) -> &'static str {
    match &decision.outcome {
        Ok(_) => "allow",
        Err(refused) => refused.refusal.reason.code(),
    }
}

/// Shared data in memory, of a host with Kong's manners: writing without a number only creates.
#[derive(Default)]
pub(crate) struct Shared(RefCell<BTreeMap<String, (Vec<u8>, u32)>>);

impl SharedData for Shared {
    fn get(&self, key: &str) -> Result<(Option<Vec<u8>>, Option<u32>), Failed> {
        Ok(self.0.borrow().get(key).cloned().unzip())
    }

    fn set(&self, key: &str, value: &[u8], cas: Option<u32>) -> Result<(), SetError> {
        let mut values = self.0.borrow_mut();
        let current = values.get(key).map(|(_, cas)| *cas);
        if current != cas {
            return Err(SetError::Conflict);
        }
        values.insert(
            key.to_owned(),
            (value.to_vec(), cas.unwrap_or_default() + 1),
        );
        Ok(())
    }
}
