//! The keys' life: fetched from the first tick, refreshed, rotated, and missing.

use std::time::Duration;

use jobgate_harness::keys::SigningKey;
use jobgate_harness::mint::{Minter, TokenSpec};
use jobgate_wasm_host::{CallFailure, CallResponse, Profile};
use serde_json::json;

use crate::common::{
    AUDIENCE, BOTH, ISSUER, TICK, answer, assert_passed, assert_refused, cluster, cluster_of,
    gateway, give_keys, good_token, lines, minter, options, policy, ready, send_good, unix,
    with_token,
};

#[test]
fn pitfall_15_nothing_is_fetched_in_on_configure_and_the_first_tick_fetches() {
    for profile in BOTH {
        let mut gateway = gateway(profile, &policy(profile));
        assert!(
            gateway.pending_calls().is_empty(),
            "a dispatch in on_configure traps on Kong"
        );
        gateway.advance(TICK);
        let calls = gateway.pending_calls();
        assert_eq!(calls.len(), 1);
        let header = |name| calls[0].header(name).unwrap_or_default().to_owned();
        assert_eq!(calls[0].upstream, cluster(profile));
        assert_eq!(header(":method"), "GET");
        assert_eq!(header(":authority"), "ci.example");
        assert_eq!(header(":path"), "/.well-known/jwks");
        assert_eq!(header(":scheme"), "https");
        assert_eq!(calls[0].timeout_ms, 5_000);
        gateway.advance(Duration::from_secs(4));
        assert_eq!(
            gateway.pending_calls().len(),
            1,
            "one fetch is under way at a time"
        );
    }
}

#[test]
fn before_the_first_keys_every_request_is_unavailable_and_none_goes_upstream() {
    for profile in BOTH {
        let mut gateway = gateway(profile, &policy(profile));
        let refused = send_good(&mut gateway);
        assert_refused(&refused, "keys_unavailable");
        assert_eq!(
            refused.local().unwrap().only("retry-after").as_deref(),
            Some("1")
        );
        gateway.advance(TICK);
        assert_refused(&send_good(&mut gateway), "keys_unavailable");
        for call in gateway.pending_calls() {
            answer(
                &mut gateway,
                &call,
                CallResponse::new(200, minter().jwks().to_string()),
            );
        }
        assert_passed(&send_good(&mut gateway));
    }
}

#[test]
fn each_failure_of_a_fetch_is_told_apart_and_tried_again() {
    let huge = " ".repeat(300 * 1024);
    let answers = [
        (
            CallResponse::new(503, "down").header("date", "now"),
            "the server answered with status 503",
        ),
        (
            CallResponse::new(404, ""),
            "the server answered with status 404",
        ),
        (
            CallResponse::new(302, "").header("location", "https://evil.example"),
            "status 302",
        ),
        (CallResponse::new(200, "<html>"), "the document is not JSON"),
        (CallResponse::new(200, "{}"), "no array `keys`"),
        (
            CallResponse::new(200, r#"{"keys":[{"kty":"EC"}]}"#),
            "its crv is not P-256 or P-384",
        ),
        (CallResponse::new(200, huge), "at most 262144 are read"),
        (CallResponse::new(200, ""), "the document is not JSON"),
    ];
    for profile in BOTH {
        for (response, said) in &answers {
            let mut gateway = gateway(profile, &policy(profile));
            gateway.advance(TICK);
            let call = gateway.pending_calls().remove(0);
            answer(&mut gateway, &call, response.clone());
            assert_eq!(
                lines(&gateway, said).len(),
                1,
                "{said}: {:?}",
                gateway.logs()
            );
            assert_refused(&send_good(&mut gateway), "keys_unavailable");
            gateway.advance(Duration::from_secs(2));
            give_keys(&mut gateway, &minter().jwks());
            assert_passed(&send_good(&mut gateway));
        }
    }
}

#[test]
fn a_host_that_cannot_reach_the_server_says_why() {
    for (profile, failure, said) in [
        (Profile::Envoy, CallFailure::Timeout, "time ran out"),
        (Profile::Envoy, CallFailure::Connect, "cannot be reached"),
        (Profile::Envoy, CallFailure::Reset, "cannot be reached"),
        (Profile::Envoy, CallFailure::Protocol, "another protocol"),
        (Profile::Envoy, CallFailure::Truncated, "does not say why"),
        (Profile::Kong, CallFailure::Truncated, "no answer came: ok"),
        (Profile::Kong, CallFailure::Timeout, "timeout"),
        (Profile::Kong, CallFailure::Connect, "broken connection"),
        (Profile::Kong, CallFailure::Resolve, "resolver failure"),
        (Profile::Kong, CallFailure::Tls, "tls handshake failure"),
    ] {
        let mut gateway = gateway(profile, &policy(profile));
        gateway.advance(TICK);
        let call = gateway.pending_calls().remove(0);
        gateway.fail(call.id, failure).expect("the call is pending");
        let said_lines = lines(&gateway, "could not be fetched");
        assert!(
            said_lines.len() == 1 && said_lines[0].1.contains(said),
            "{said}: {said_lines:?}"
        );
        assert_refused(&send_good(&mut gateway), "keys_unavailable");
        assert_eq!(gateway.vm_recycled(), 0, "{failure:?}");
    }
}

#[test]
fn an_unknown_cluster_is_said_and_nothing_traps() {
    let options = jobgate_wasm_host::Options {
        clusters: Default::default(),
        ..options()
    };
    let configuration = policy(Profile::Envoy).to_string();
    let mut gateway = crate::common::gateway_with(Profile::Envoy, options, &configuration);
    gateway.advance(TICK);
    assert_eq!(lines(&gateway, "did not send the request").len(), 1);
    assert_eq!(gateway.vm_recycled(), 0);
    assert_refused(&send_good(&mut gateway), "keys_unavailable");
}

#[test]
fn keys_are_refreshed_and_the_last_good_set_serves_while_that_fails_until_it_is_too_old() {
    for profile in BOTH {
        let mut gateway = ready(profile, &policy(profile));
        gateway.advance(Duration::from_secs(601));
        let call = gateway.pending_calls().remove(0);
        answer(
            &mut gateway,
            &call,
            CallResponse::new(500, "").header("date", "now"),
        );
        assert_passed(&send_good(&mut gateway));
        // All further fetches go unanswered; the set was asked for a little after the start.
        gateway.advance(Duration::from_secs(86_400 - 700));
        assert_passed(&send_good(&mut gateway));
        gateway.advance(Duration::from_secs(200));
        assert_refused(&send_good(&mut gateway), "keys_unavailable");
    }
}

#[test]
fn a_rotated_key_is_found_by_one_early_fetch_and_a_made_up_one_is_unknown_after_it() {
    let mut rotated = minter().clone();
    rotated.rotate(SigningKey::generate(), true);
    for profile in BOTH {
        let mut gateway = ready(profile, &policy(profile));
        let new = rotated.mint(&TokenSpec::default(), unix(&gateway));
        assert_refused(&gateway.request(0, with_token(&new)), "keys_unavailable");
        give_keys(&mut gateway, &rotated.jwks());
        assert_passed(&gateway.request(0, with_token(&new)));
        assert_passed(&send_good(&mut gateway));

        let made_up = TokenSpec {
            header: json!({"kid": "made-up"}).as_object().unwrap().clone(),
            ..TokenSpec::default()
        };
        let made_up = rotated.mint(&made_up, unix(&gateway));
        assert_refused(
            &gateway.request(0, with_token(&made_up)),
            "keys_unavailable",
        );
        gateway.advance(Duration::from_secs(10));
        assert!(
            gateway.pending_calls().is_empty(),
            "an early fetch at most every 30 s"
        );
        gateway.advance(Duration::from_secs(21));
        give_keys(&mut gateway, &rotated.jwks());
        assert_refused(&gateway.request(0, with_token(&made_up)), "key_unknown");
    }
}

#[test]
fn a_key_that_left_the_set_signs_nothing_any_more() {
    let mut rotated = minter().clone();
    rotated.rotate(SigningKey::generate(), false);
    for profile in BOTH {
        let mut gateway = ready(profile, &policy(profile));
        assert_passed(&send_good(&mut gateway));
        gateway.advance(Duration::from_secs(601));
        give_keys(&mut gateway, &rotated.jwks());
        let old = good_token(&gateway);
        assert!(
            gateway
                .request(0, with_token(&old))
                .refused_with()
                .is_some()
        );
    }
}

#[test]
fn inline_keys_need_no_fetch() {
    for profile in BOTH {
        let mut configuration = policy(profile);
        configuration["issuers"][0]
            .as_object_mut()
            .unwrap()
            .remove("jwks");
        configuration["issuers"][0]["keys"] = minter().jwks();
        let mut gateway = gateway(profile, &configuration);
        assert_passed(&send_good(&mut gateway));
        gateway.advance(Duration::from_secs(3_600));
        assert!(gateway.pending_calls().is_empty());
    }
}

#[test]
fn one_broken_issuer_does_not_stop_the_other() {
    let other = Minter::new("https://other.example", AUDIENCE);
    for profile in BOTH {
        let mut configuration = policy(profile);
        configuration["issuers"]
            .as_array_mut()
            .unwrap()
            .push(json!({
                "preset": "buildkite", "issuer": "https://other.example", "audience": AUDIENCE,
                "jwks": { "cluster": cluster_of(profile, "other.example"), "uri": "https://other.example/jwks", "wait": "0s" },
            }));
        let mut gateway = gateway(profile, &configuration);
        gateway.advance(TICK);
        for call in gateway.pending_calls() {
            if call.header(":authority") == Some("other.example") {
                answer(
                    &mut gateway,
                    &call,
                    CallResponse::new(200, other.jwks().to_string()),
                );
            } else {
                gateway
                    .fail(call.id, CallFailure::Connect)
                    .expect("the call is pending");
            }
        }
        let theirs = other.mint(&TokenSpec::default(), unix(&gateway));
        assert_passed(&gateway.request(0, with_token(&theirs)));
        assert_refused(&send_good(&mut gateway), "keys_unavailable");
        // Nor does one issuer's key prove another's token.
        let forged = TokenSpec {
            claims: json!({"iss": ISSUER}).as_object().unwrap().clone(),
            ..TokenSpec::default()
        };
        let forged = other.mint(&forged, unix(&gateway));
        assert!(
            gateway
                .request(0, with_token(&forged))
                .refused_with()
                .is_some()
        );
        gateway.advance(Duration::from_secs(2));
        for call in gateway.pending_calls() {
            answer(
                &mut gateway,
                &call,
                CallResponse::new(200, minter().jwks().to_string()),
            );
        }
        assert_passed(&send_good(&mut gateway));
        assert!(
            gateway
                .request(0, with_token(&forged))
                .refused_with()
                .is_some()
        );
    }
}
