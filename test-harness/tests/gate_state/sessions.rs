//! What was made for a job's token is gone when its session ends, and nothing of it is handed out again.

use std::rc::Rc;

use jobgate::audit::record;
use jobgate::exchange::{Reply, Turn};
use jobgate::gate::{Decision, DecisionId, Ending, Request, State, end_by_token};
use jobgate::policy::Policy;
use jobgate::request::HeaderMap;
use jobgate::shared_data::SharedData;
use jobgate::time::UnixTime;
use serde_json::json;

use crate::assertions::assertion;
use crate::world::{NOW, Shared, ask, outcome, policy, ready, token};

fn end<'p>(
    policy: &'p Policy,
    state: &mut State,
    shared: &dyn SharedData,
    token: &str,
) -> Decision<'p> {
    let now = UnixTime::from_secs(NOW);
    let bearer = format!("Bearer {token}").into_bytes();
    let headers: HeaderMap = [("authorization".to_owned(), bearer)].into_iter().collect();
    let request = Request::new(&headers, b"POST", b"/.well-known/jobgate/sessions/end");
    end_by_token(
        policy,
        state,
        shared,
        request,
        DecisionId::new(now, 1, 2),
        now,
    )
}

#[test]
fn an_assertion_that_was_kept_goes_with_the_session_and_its_memory_is_given_back() {
    let policy = policy(json!({ "assertion": assertion(), "sessions": { "end": {} } }));
    let now = UnixTime::from_secs(NOW);
    let shared = Shared::default();
    let (mut told, mut other) = (ready(&policy), ready(&policy));
    let [own, second] = [1, 2].map(|nth| token(json!({ "claims": { "job_id": "7", "nth": nth } })));
    for state in [&mut told, &mut other] {
        for token in [&own, &second] {
            let decision = ask(&policy, state, Some(&shared), "/", token, now);
            assert_eq!(outcome(&decision), "allow");
            assert!(decision.assertion.is_some());
        }
    }
    let full = told.cache.bytes();
    let decision = end(&policy, &mut told, &shared, &own);
    assert!(decision.blocks());
    let call = decision.call.as_ref().expect("it is a call");
    assert!(matches!(&call.ending, Ending::Ended(over) if !over.has_dropped));
    assert!(record(&decision, None).contains(r#""decision":"end""#));
    assert!(told.cache.bytes() < full);
    for state in [&mut told, &mut other] {
        for token in [&own, &second] {
            let decision = ask(&policy, state, Some(&shared), "/", token, now);
            assert_eq!(outcome(&decision), "session_ended");
            assert!(decision.assertion.is_none() && decision.cached);
        }
        assert_eq!(state.cache.len(), 2);
        assert!(state.cache.bytes() < full);
    }
}

#[test]
fn what_a_token_was_exchanged_for_goes_with_the_session() {
    let policy = policy(json!({
        "exchange": { "cloud": { "vault_login": {
            "uri": "https://vault.example", "cluster": "vault", "role": "deploy",
        } } },
        "rules": [{
            "id": "any-job", "claims": { "organization_slug": "acme" }, "exchange": "cloud",
        }],
        "sessions": { "end": {} },
    }));
    let now = UnixTime::from_secs(NOW);
    let shared = Shared::default();
    let (mut told, mut other) = (ready(&policy), ready(&policy));
    let token = token(json!({}));
    let keys = [&mut told, &mut other].map(|state| {
        let mut decision = ask(&policy, state, Some(&shared), "/", &token, now);
        let (mut errand, _) = decision.take_errand().expect("nothing is kept yet");
        let reply = Reply {
            status: 200,
            body: br#"{"auth":{"client_token":"hvs.credential","lease_duration":600}}"#,
        };
        let Ok(Turn::Done(credential)) = errand.take(&policy.exchange[0], &reply, now) else {
            panic!("it is what Vault answers");
        };
        let key = *errand.key();
        state.credentials.keep(key, &Rc::new(credential), now);
        let decision = ask(&policy, state, Some(&shared), "/", &token, now);
        assert!(decision.credential().is_some());
        key
    });
    assert!(end(&policy, &mut told, &shared, &token).blocks());
    assert!(told.credentials.find(&keys[0], now).is_none());
    // Another worker drops its own as soon as it learns of the end.
    assert!(other.credentials.find(&keys[1], now).is_some());
    let decision = ask(&policy, &mut other, Some(&shared), "/", &token, now);
    assert_eq!(outcome(&decision), "session_ended");
    assert!(decision.credential().is_none());
    assert!(other.credentials.find(&keys[1], now).is_none());
}

#[test]
fn a_token_that_is_not_proven_ends_nothing_and_says_why() {
    let policy = policy(json!({ "sessions": { "end": {} } }));
    let shared = Shared::default();
    let mut state = ready(&policy);
    for (spec, reason) in [
        (json!({ "tamper": "signature" }), "signature_invalid"),
        (json!({ "age": 9_000 }), "token_expired"),
    ] {
        let decision = end(&policy, &mut state, &shared, &token(spec));
        assert_eq!(outcome(&decision), reason);
        assert!(decision.blocks() && decision.call.as_ref().is_some_and(|call| !call.is_taken()));
    }
}
