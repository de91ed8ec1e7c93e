//! Tokens that fail: forged ones that come again, and sources of too many.

use std::cell::Cell;

use jobgate::audit::{answer, record};
use jobgate::gate::{Decision, DecisionId, Pool, Request, State, judge};
use jobgate::limit::Source;
use jobgate::policy::Policy;
use jobgate::request::HeaderMap;
use jobgate::shared_data::NoSharedData;
use jobgate::time::UnixTime;
use jobgate::token::Budget;
use jobgate_harness::mint::TokenSpec;
use serde_json::{Value, json};

use crate::world::{NOW, ask, documents, fetch, minters, outcome, policy, ready, token};

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(NOW + secs)
}

/// A token that names the first key and is signed with the second.
fn forged(claims: Value) -> String {
    let kid = minters()[0].jwks()["keys"][0]["kid"].clone();
    let spec: TokenSpec =
        serde_json::from_value(json!({ "claims": claims, "header": { "kid": kid } }))
            .expect("it is a spec");
    minters()[1].mint(&spec, NOW)
}

/// The document in which the second key goes by the first one's name.
fn renamed() -> Vec<u8> {
    let mut key = minters()[1].jwks()["keys"][0].clone();
    key["kid"] = minters()[0].jwks()["keys"][0]["kid"].clone();
    json!({ "keys": [key] }).to_string().into_bytes()
}

#[test]
fn a_forged_token_is_refused_unparsed_until_its_time_or_the_keys_say_otherwise() {
    let policy = policy(json!({}));
    let mut state = ready(&policy);
    let told = |state: &mut State, token: &str, secs| {
        let decision = ask(&policy, state, None, "/", token, at(secs));
        (decision.cached, outcome(&decision))
    };
    let forged = forged(json!({}));
    assert_eq!(told(&mut state, &forged, 0), (false, "signature_invalid"));
    assert_eq!(told(&mut state, &forged, 1), (true, "signature_invalid"));
    // What proves nothing about the signature is not remembered.
    for wrong in [
        token(json!({ "age": 3_000 })),
        token(json!({ "header": { "kid": "unknown" } })),
        token(json!({ "claims": { "aud": "another" } })),
    ] {
        assert!(!told(&mut state, &wrong, 1).0);
        assert!(!told(&mut state, &wrong, 1).0);
    }
    // The issuer's new key verifies it: it is as good as any.
    fetch(&mut state, &renamed(), at(60));
    assert_eq!(told(&mut state, &forged, 61), (false, "allow"));
    fetch(&mut state, &documents()[1], at(120));
    assert_eq!(told(&mut state, &forged, 121), (false, "signature_invalid"));
    assert_eq!(told(&mut state, &forged, 329), (true, "signature_invalid"));
    assert_eq!(told(&mut state, &forged, 330), (true, "token_expired"));
}

#[test]
fn what_one_gate_found_forged_another_looks_at_itself() {
    let (mut pool, budget) = (Pool::new(0), Budget::new(1 << 20));
    let forged = forged(json!({}));
    let keys = |document: &[u8]| -> Value { serde_json::from_slice(document).unwrap() };
    let gate = |document: &[u8]| {
        policy(json!({ "issuers": [{
            "preset": "buildkite", "issuer": crate::world::ISSUER,
            "audience": crate::world::AUDIENCE, "keys": keys(document),
        }]}))
    };
    let (here, there) = (gate(&documents()[1]), gate(&renamed()));
    let mut states = [
        State::new(&here, &mut pool, &budget),
        State::new(&there, &mut pool, &budget),
    ];
    for secs in 0..3 {
        let [ours, others] = &mut states;
        let refused = ask(&here, ours, None, "/", &forged, at(secs));
        assert_eq!(outcome(&refused), "signature_invalid");
        assert_eq!(
            outcome(&ask(&there, others, None, "/", &forged, at(secs))),
            "allow"
        );
    }
    // A gate that takes the first one's place, as after a reload, begins anew.
    states[0] = State::new(&here, &mut pool, &budget);
    let again = ask(&here, &mut states[0], None, "/", &forged, at(3));
    assert!(!again.cached);
}

/// A client's address, and how often it was asked for.
#[derive(Debug)]
struct Client(Option<&'static str>, Cell<u32>);

impl Client {
    const fn at(address: &'static str) -> Self {
        Self(Some(address), Cell::new(0))
    }
}

impl Source for Client {
    fn address(&self) -> Option<String> {
        self.1.set(self.1.get() + 1);
        self.0.map(str::to_owned)
    }
}

fn ask_from<'p>(
    client: &Client,
    policy: &'p Policy,
    state: &mut State,
    token: &str,
    secs: u64,
) -> Decision<'p> {
    let bearer = format!("Bearer {token}").into_bytes();
    let headers: HeaderMap = [("authorization".to_owned(), bearer)].into_iter().collect();
    let request = Request {
        source: client,
        ..Request::new(&headers, b"GET", b"/")
    };
    let (id, now) = (DecisionId::new(at(secs), 1, 1), at(secs));
    judge(policy, state, &NoSharedData, request, id, now)
}

fn limited(over: Value) -> Policy {
    let mut members = json!({ "failed_verifications": { "rate": "6/m", "burst": 3 } });
    for (name, value) in over.as_object().unwrap() {
        members[name] = value.clone();
    }
    policy(members)
}

#[test]
fn a_source_of_too_many_forged_tokens_waits_and_nobody_else_does() {
    let policy = limited(json!({}));
    let mut state = ready(&policy);
    let (bad, good) = (Client::at("192.0.2.1:1"), Client::at("192.0.2.2"));
    let proven = token(json!({ "claims": { "build_number": 1 } }));
    let mut told = |client: &Client, token: &str, secs| {
        outcome(&ask_from(client, &policy, &mut state, token, secs))
    };
    assert_eq!(told(&bad, &proven, 0), "allow");
    // Whatever else is wrong with tokens costs no cryptography, and does not count.
    for _ in 0..10 {
        assert_eq!(told(&bad, "a.b", 0), "token_malformed");
        assert_eq!(
            told(&bad, &token(json!({ "age": 3_000 })), 0),
            "token_expired"
        );
    }
    assert_eq!(bad.1.get(), 0, "it was asked for in vain");
    // One that comes again counts as a new one does.
    let again = forged(json!({}));
    for token in [&again, &again, &forged(json!({ "build_number": 2 }))] {
        assert_eq!(told(&bad, token, 0), "signature_invalid");
    }
    assert_eq!(bad.1.get(), 3);
    let fresh = token(json!({ "claims": { "build_number": 3 } }));
    for token in [again.as_str(), "a.b", &fresh] {
        assert_eq!(told(&bad, token, 0), "rate_limited");
    }
    assert_eq!(told(&bad, &"x".repeat(20_000), 0), "token_too_large");
    // What was proven before passes without a question, and others' tokens are verified.
    let asked = bad.1.get();
    assert_eq!(told(&bad, &proven, 0), "allow");
    assert_eq!(bad.1.get(), asked);
    assert_eq!(told(&good, &fresh, 0), "allow");
    assert_eq!(
        told(&Client(None, Cell::new(0)), &again, 0),
        "signature_invalid"
    );
    // What waits takes nothing, so the wait ends: one every ten seconds.
    let fresh = token(json!({ "claims": { "build_number": 4 } }));
    assert_eq!(told(&bad, &fresh, 9), "rate_limited");
    assert_eq!(told(&bad, &again, 10), "signature_invalid");
    assert_eq!(told(&bad, &fresh, 19), "rate_limited");
    assert_eq!(told(&bad, &fresh, 20), "allow");
}

#[test]
fn who_waits_is_told_how_long_and_the_record_says_what_for() {
    for mode in ["enforce", "shadow"] {
        let policy = limited(json!({ "mode": mode }));
        let mut state = ready(&policy);
        let client = Client::at("[2001:db8::1]:443");
        for nth in 0..3 {
            let forged = forged(json!({ "build_number": nth }));
            ask_from(&client, &policy, &mut state, &forged, 0);
        }
        // The same network.
        let client = Client::at("[2001:db8::ffff:2]:443");
        let fresh = token(json!({}));
        let decision = ask_from(&client, &policy, &mut state, &fresh, 0);
        let line: Value = serde_json::from_str(&record(&decision, None)).unwrap();
        assert_eq!(line["reason"], "rate_limited");
        assert_eq!(
            line["detail"],
            "too many tokens from the client's address failed verification, of which 6/m and 3 at once may; the next that is new is verified in 10000 ms"
        );
        if mode == "enforce" {
            let answer = answer(&decision).expect("it is refused");
            assert_eq!(answer.status, 429);
            let told = |name| answer.headers.iter().find(|(known, _)| *known == name);
            assert_eq!(
                told("retry-after").map(|(_, value)| value.as_str()),
                Some("10")
            );
            assert_eq!((told("ratelimit"), told("ratelimit-policy")), (None, None));
            continue;
        }
        // It goes on, and a token of the gate's own issuer is taken out, as ever.
        assert_eq!(line["decision"], "shadow-deny");
        assert!(!decision.blocks() && decision.strip_token);
        let foreign = ask_from(&client, &policy, &mut state, "not-ours", 0);
        assert_eq!(outcome(&foreign), "rate_limited");
        assert!(!foreign.strip_token);
    }
}

#[test]
fn routes_share_a_source_s_failures_if_they_have_the_same_rate() {
    let (mut pool, budget) = (Pool::new(0), Budget::new(1 << 20));
    let same = limited(json!({ "audit": { "detail": "code" } }));
    let (one, none) = (limited(json!({})), policy(json!({})));
    let other = limited(json!({ "failed_verifications": { "rate": "7/m", "burst": 3 } }));
    let client = Client::at("192.0.2.1");
    let mut state = State::new(&one, &mut pool, &budget);
    fetch(&mut state, &documents()[1], at(0));
    for nth in 0..4 {
        let forged = forged(json!({ "build_number": nth }));
        ask_from(&client, &one, &mut state, &forged, 0);
    }
    for (policy, expected) in [(&same, "rate_limited"), (&other, "allow"), (&none, "allow")] {
        let mut state = State::new(policy, &mut pool, &budget);
        let told = ask_from(&client, policy, &mut state, &token(json!({})), 0);
        assert_eq!(outcome(&told), expected);
    }
}
