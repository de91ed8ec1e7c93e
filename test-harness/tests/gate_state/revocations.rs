//! Revocations reach tokens that were proven before.

use std::fmt::Write;
use std::time::Duration;

use jobgate::gate::State;
use jobgate::time::UnixTime;
use serde_json::{Value, json};

use crate::world::{NOW, ask, give, outcome, policy, ready, token};

fn sha256(text: &str) -> String {
    hmac_sha256::Hash::hash(text.as_bytes())
        .iter()
        .fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a String takes it");
            hex
        })
}

fn give_list(state: &State, document: &Value, now: UnixTime) {
    let store = state.revocations.as_ref().expect("the policy names a list");
    give(
        &mut *store.borrow_mut(),
        document.to_string().as_bytes(),
        now,
    );
}

#[test]
fn a_token_is_revoked_by_each_of_its_names_at_once_and_while_it_is_cached() {
    let policy = policy(json!({
        "revocations": { "uri": "https://security.example/list", "interval": "30s" },
    }));
    let now = UnixTime::from_secs(NOW);
    let mut state = ready(&policy);
    let token = token(json!({ "header": { "kid": null }, "without_header": ["kid"] }));
    let mut now = now;
    let mut told = |entry: Option<serde_json::Value>| {
        let document = json!({ "revocations": Vec::from_iter(entry) });
        now = now.plus(Duration::from_secs(30));
        give_list(&state, &document, now);
        let decision = ask(&policy, &mut state, None, "/", &token, now);
        (decision.cached, outcome(&decision))
    };
    let signed = token.rsplit_once('.').unwrap().0;
    assert_eq!(told(None), (false, "allow"));
    for entry in [
        json!({ "token_sha256": sha256(&token) }),
        json!({ "token_sha256": sha256(signed) }),
        json!({ "claims": { "organization_slug": "acme", "build_number": 42 } }),
    ] {
        assert_eq!(told(Some(entry)), (true, "revoked"));
        assert_eq!(told(None), (true, "allow"));
    }
    assert_eq!(told(Some(json!({ "kid": "another" }))), (true, "allow"));
}

#[test]
fn until_the_list_is_known_the_policy_says_what_becomes_of_requests() {
    let now = UnixTime::from_secs(NOW);
    let token = token(json!({}));
    for (unavailable, before, later) in [
        (
            json!({}),
            "revocations_unavailable",
            "revocations_unavailable",
        ),
        (json!({ "unavailable": "allow" }), "allow", "allow"),
    ] {
        let mut revocations = json!({ "uri": "https://security.example/list", "max_stale": "1m" });
        for (name, value) in unavailable.as_object().unwrap() {
            revocations[name] = value.clone();
        }
        let policy = policy(json!({ "revocations": revocations }));
        let mut state = ready(&policy);
        let told = |state: &mut _, secs| {
            let now = UnixTime::from_secs(NOW + secs);
            outcome(&ask(&policy, state, None, "/", &token, now))
        };
        assert_eq!(told(&mut state, 0), before);
        give_list(&state, &json!({ "revocations": [] }), now);
        assert_eq!(told(&mut state, 60), "allow");
        assert_eq!(told(&mut state, 61), later);
    }
}
