//! Requests that wait for keys: on Envoy, which holds back what is paused, and never on Kong.

use std::time::Duration;

use jobgate_harness::keys::SigningKey;
use jobgate_harness::mint::TokenSpec;
use jobgate_wasm_host::{
    CallFailure, CallResponse, Exchange, Fault, Gateway, HostCall, Outcome, Profile, Request,
};
use serde_json::{Value, json};

use crate::common::{
    BOTH, TICK, answer, assert_passed, assert_refused, gateway, good_token, minter, policy, ready,
    send_good, unix, with_token,
};

/// A policy that lets requests wait as long as they may by default.
fn waiting(profile: Profile) -> Value {
    let mut policy = policy(profile);
    policy["issuers"][0]["jwks"]
        .as_object_mut()
        .expect("jwks is an object")
        .remove("wait");
    policy
}

fn waits(exchange: &Exchange) -> bool {
    exchange.outcome == Outcome::Paused
}

fn now(gateway: &Gateway, exchange: &Exchange) -> Exchange {
    gateway.exchange(exchange.id).expect("it was sent").clone()
}

fn answer_all(gateway: &mut Gateway, jwks: &Value) {
    for call in gateway.pending_calls() {
        answer(gateway, &call, CallResponse::new(200, jwks.to_string()));
    }
}

fn of_another_organization(gateway: &Gateway) -> String {
    let spec = TokenSpec {
        claims: json!({"organization_slug": "other"})
            .as_object()
            .unwrap()
            .clone(),
        ..TokenSpec::default()
    };
    minter().mint(&spec, unix(gateway))
}

#[test]
fn the_first_requests_wait_for_the_first_keys_and_then_go_on() {
    let mut gateway = gateway(Profile::Envoy, &waiting(Profile::Envoy));
    let token = good_token(&gateway);
    let good = gateway.request(0, with_token(&token).header("x-jobgate-rule", "forged"));
    let with_body = Request::new("POST", "/deploy").body("a body");
    let with_body = gateway.request(
        0,
        with_body.header("authorization", format!("Bearer {token}")),
    );
    let denied = of_another_organization(&gateway);
    let denied = gateway.request(0, with_token(&denied));
    // What can be refused without keys is.
    assert_refused(&gateway.request(0, Request::get("/")), "token_missing");
    assert_refused(&gateway.request(0, with_token("x.y.z")), "token_malformed");
    assert!(waits(&good) && waits(&with_body) && waits(&denied));
    gateway.advance(TICK);
    answer_all(&mut gateway, &minter().jwks());
    let good = now(&gateway, &good);
    assert_passed(&good);
    let upstream = good.upstream().unwrap();
    assert_eq!(upstream.only("x-jobgate-rule").as_deref(), Some("any-job"));
    assert!(upstream.all("authorization").is_empty());
    let with_body = now(&gateway, &with_body);
    assert_passed(&with_body);
    assert_eq!(with_body.upstream().unwrap().body, b"a body");
    assert_refused(&now(&gateway, &denied), "no_rule_matched");
    let records = crate::common::lines(&gateway, "jobgate.decision");
    assert_eq!(records.len(), 5, "one for each request: {records:?}");
}

#[test]
fn a_wait_is_bounded() {
    let mut gateway = gateway(Profile::Envoy, &waiting(Profile::Envoy));
    let waiting = send_good(&mut gateway);
    assert!(waits(&waiting));
    gateway.advance(Duration::from_millis(1_000));
    assert!(waits(&now(&gateway, &waiting)));
    gateway.advance(Duration::from_millis(1_000));
    let refused = now(&gateway, &waiting);
    assert_refused(&refused, "keys_unavailable");
    let retry = refused.local().unwrap().only("retry-after");
    assert_eq!(retry.as_deref(), Some("1"));
}

#[test]
fn nobody_waits_for_what_will_not_come() {
    let mut gateway = gateway(Profile::Envoy, &waiting(Profile::Envoy));
    let first = send_good(&mut gateway);
    // Three failures: the next try is further away than a request may wait.
    for _ in 0..3 {
        gateway.advance(Duration::from_secs(3));
        for call in gateway.pending_calls() {
            gateway
                .fail(call.id, CallFailure::Connect)
                .expect("it is pending");
        }
    }
    assert_refused(&now(&gateway, &first), "keys_unavailable");
    assert_refused(&send_good(&mut gateway), "keys_unavailable");
}

#[test]
fn a_token_of_a_new_key_waits_for_the_early_fetch_and_a_made_up_one_is_told_so() {
    let mut rotated = minter().clone();
    rotated.rotate(SigningKey::generate(), true);
    let mut gateway = ready(Profile::Envoy, &waiting(Profile::Envoy));
    let new = rotated.mint(&TokenSpec::default(), unix(&gateway));
    let new = gateway.request(0, with_token(&new));
    let made_up = TokenSpec {
        header: json!({"kid": "made-up"}).as_object().unwrap().clone(),
        ..TokenSpec::default()
    };
    let made_up = rotated.mint(&made_up, unix(&gateway));
    let unknown = gateway.request(0, with_token(&made_up));
    assert!(waits(&new) && waits(&unknown));
    gateway.advance(TICK);
    answer_all(&mut gateway, &rotated.jwks());
    assert_passed(&now(&gateway, &new));
    assert_refused(&now(&gateway, &unknown), "key_unknown");
    // Others that come before the next early fetch don't wait for it.
    let another = TokenSpec {
        header: json!({"kid": "another"}).as_object().unwrap().clone(),
        ..TokenSpec::default()
    };
    let another = rotated.mint(&another, unix(&gateway));
    assert_refused(
        &gateway.request(0, with_token(&another)),
        "keys_unavailable",
    );
}

#[test]
fn kong_never_pauses_a_request_before_its_verdict() {
    let mut gateway = gateway(Profile::Kong, &waiting(Profile::Kong));
    assert_refused(&send_good(&mut gateway), "keys_unavailable");
    gateway.advance(TICK);
    assert_refused(&send_good(&mut gateway), "keys_unavailable");
}

#[test]
fn a_client_that_went_away_while_it_waited_is_forgotten() {
    let mut gateway = gateway(Profile::Envoy, &waiting(Profile::Envoy));
    let (gone, stays) = (send_good(&mut gateway), send_good(&mut gateway));
    assert!(gateway.disconnect(gone.id));
    gateway.advance(TICK);
    answer_all(&mut gateway, &minter().jwks());
    assert_eq!(now(&gateway, &gone).outcome, Outcome::Cut);
    assert_passed(&now(&gateway, &stays));
    assert_eq!(gateway.vm_recycled(), 0);
}

#[test]
fn the_number_of_requests_that_wait_is_bounded() {
    let mut gateway = gateway(Profile::Envoy, &waiting(Profile::Envoy));
    let token = good_token(&gateway);
    let all: Vec<_> = (0..1_100)
        .map(|_| gateway.request(0, with_token(&token)))
        .collect();
    assert_eq!(all.iter().filter(|exchange| waits(exchange)).count(), 1_000);
    gateway.advance(TICK);
    answer_all(&mut gateway, &minter().jwks());
    let passed = all
        .iter()
        .filter(|exchange| now(&gateway, exchange).upstream().is_some());
    assert_eq!(passed.count(), 1_000);
}

/// Whatever goes wrong while a request waits or when it is decided at last, it does not go on undecided.
#[test]
fn whatever_traps_meanwhile_a_waiting_request_is_held_back() {
    let calls = [
        HostCall::GetHeaderMapPairs,
        HostCall::GetBuffer,
        HostCall::GetCurrentTime,
        HostCall::SetEffectiveContext,
        HostCall::SendLocalResponse,
        HostCall::RemoveHeaderMapValue,
    ];
    for call in calls {
        for nth in 1..4 {
            let mut gateway = gateway(Profile::Envoy, &waiting(Profile::Envoy));
            let forged = with_token("e30.e30.").header("x-jobgate-rule", "forged");
            let denied = of_another_organization(&gateway);
            let denied = gateway.request(0, with_token(&denied));
            assert!(waits(&denied));
            gateway.set_fault(call, nth, Fault::Trap);
            gateway.request(0, forged);
            gateway.advance(TICK);
            answer_all(&mut gateway, &minter().jwks());
            gateway.advance(Duration::from_secs(5));
            let outcome = now(&gateway, &denied);
            assert!(
                outcome.upstream().is_none(),
                "{call:?} {nth}: {:?}",
                outcome.outcome
            );
        }
    }
}

/// Pitfall 15: nothing is dispatched at the start of the VM, where hosts refuse it.
#[test]
fn pitfall_15_the_first_fetch_is_sent_by_the_first_tick() {
    for profile in BOTH {
        let mut gateway = gateway(profile, &waiting(profile));
        send_good(&mut gateway);
        assert!(gateway.pending_calls().is_empty());
        gateway.advance(TICK);
        assert_eq!(gateway.pending_calls().len(), 1);
    }
}
