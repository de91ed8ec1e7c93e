//! A document of revocations that is polled.

use std::time::Duration;

use jobgate_wasm_host::{CallFailure, CallResponse, Gateway, HttpCall, Profile};
use serde_json::{Value, json};

use crate::common::{
    BOTH, TICK, answer, assert_passed, assert_refused, cluster_of, gateway, good_token, lines,
    minter, policy, with_token,
};

const INTERVAL: Duration = Duration::from_secs(30);

fn polled(profile: Profile, unavailable: &str) -> Value {
    let mut policy = policy(profile);
    policy["issuers"][0]["jwks"]["refresh"] = json!("1d");
    // Even a client that is told the conditions is not told why something was revoked.
    policy["audit"] = json!({ "client": "conditions" });
    policy["revocations"] = json!({
        "uri": "https://security.example/revoked.json", "cluster": cluster_of(profile, "security.example"),
        "interval": "30s", "max_stale": "5m", "unavailable": unavailable,
    });
    policy
}

fn is_list(call: &HttpCall) -> bool {
    call.header(":path") == Some("/revoked.json")
}

/// Answers the keys' fetch, and the list's with this.
fn serve(gateway: &mut Gateway, list: impl Fn(&HttpCall) -> CallResponse) -> usize {
    let mut asked = 0;
    for call in gateway.pending_calls() {
        let response = if is_list(&call) {
            asked += 1;
            list(&call)
        } else {
            CallResponse::new(200, minter().jwks().to_string())
        };
        answer(gateway, &call, response);
    }
    asked
}

/// Lets one interval pass, and answers whatever is asked meanwhile. How often the list was asked for.
fn pass(gateway: &mut Gateway, list: impl Fn(&HttpCall) -> CallResponse) -> usize {
    let mut asked = 0;
    for _ in 0..INTERVAL.as_secs() {
        gateway.advance(Duration::from_secs(1));
        asked += serve(gateway, &list);
    }
    asked
}

fn document(entries: &Value) -> CallResponse {
    CallResponse::new(200, json!({ "revocations": entries }).to_string()).header("date", "now")
}

#[test]
fn a_revocation_is_in_force_within_one_interval_for_cached_tokens_too() {
    for profile in BOTH {
        let mut gateway = gateway(profile, &polled(profile, "deny"));
        gateway.advance(TICK);
        serve(&mut gateway, |_| document(&json!([])));
        let token = good_token(&gateway);
        for _ in 0..3 {
            assert_passed(&gateway.request(0, with_token(&token)));
        }
        let entries = json!([{ "claims": { "pipeline_slug": "deploy-web" }, "note": "stolen" }]);
        assert!(pass(&mut gateway, |_| document(&entries)) >= 1);
        let refused = gateway.request(0, with_token(&token));
        assert_refused(&refused, "revoked");
        assert!(!refused.local().unwrap().text().contains("stolen"));
        assert_eq!(lines(&gateway, "stolen").len(), 1, "the auditor is told");
        // And over again when it is taken back.
        pass(&mut gateway, |_| document(&json!([])));
        assert_passed(&gateway.request(0, with_token(&token)));
    }
}

#[test]
fn an_unchanged_document_is_not_sent_again() {
    for profile in BOTH {
        let mut gateway = gateway(profile, &polled(profile, "deny"));
        gateway.advance(TICK);
        let entries = json!([{ "kid": "another" }]);
        serve(&mut gateway, |_| {
            document(&entries).header("etag", "\"v1\"")
        });
        for _ in 0..20 {
            let asked = pass(&mut gateway, |call| {
                assert_eq!(call.header("if-none-match"), Some("\"v1\""));
                CallResponse::new(304, "")
            });
            assert!((1..=2).contains(&asked), "{asked}");
            let token = good_token(&gateway);
            assert_passed(&gateway.request(0, with_token(&token)));
        }
    }
}

#[test]
fn without_a_document_the_policy_says_what_becomes_of_requests() {
    for profile in BOTH {
        for (unavailable, code) in [("deny", Some("revocations_unavailable")), ("allow", None)] {
            let mut gateway = gateway(profile, &polled(profile, unavailable));
            for _ in 0..3 {
                gateway.advance(Duration::from_secs(5));
                for call in gateway.pending_calls() {
                    if is_list(&call) {
                        gateway
                            .fail(call.id, CallFailure::Connect)
                            .expect("it is pending");
                    }
                }
                serve(&mut gateway, |_| unreachable!("it failed"));
            }
            // On Envoy a request may wait a while for what may come.
            let token = good_token(&gateway);
            let sent = gateway.request(0, with_token(&token));
            gateway.advance(Duration::from_secs(3));
            let exchange = gateway.exchange(sent.id).expect("it was sent").clone();
            match code {
                Some(code) => assert_refused(&exchange, code),
                None => assert_passed(&exchange),
            }
        }
    }
}

#[test]
fn a_document_that_is_none_leaves_the_last_one_in_force_until_it_is_too_old() {
    for profile in BOTH {
        let mut gateway = gateway(profile, &polled(profile, "deny"));
        gateway.advance(TICK);
        let entries = json!([{ "claims": { "pipeline_slug": "deploy-web" } }]);
        serve(&mut gateway, |_| document(&entries));
        let token = good_token(&gateway);
        let mut bad = ["<html>", "{}", r#"{"revocations":[{"clams":{}}]}"#, ""]
            .iter()
            .cycle();
        for _ in 0..9 {
            assert_refused(&gateway.request(0, with_token(&token)), "revoked");
            let body = *bad.next().unwrap();
            pass(&mut gateway, |_| CallResponse::new(200, body));
        }
        assert!(!lines(&gateway, "the revocations could not be fetched").is_empty());
        // What was revoked stays so; what was not is not known any more.
        gateway.advance(Duration::from_secs(60));
        let late = good_token(&gateway);
        assert_refused(&gateway.request(0, with_token(&late)), "revoked");
    }
}
