//! What was made for a job's token is gone when its session ends, and nothing of it is handed out again.

use jobgate::audit::record;
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
