//! What rules ask of the host beside the token: it is asked once, as the request arrives, and only believed if it
//! says so.

use jobgate_harness::mint::TokenSpec;
use jobgate_wasm_host::{
    CallResponse, Certificate, Client, Exchange, Fault, Gateway, HostCall, Outcome, Profile,
    Request, Status,
};
use serde_json::{Value, json};

use crate::common::{
    BOTH, NOW, TICK, answer, assert_passed, assert_refused, gateway, good_token, minter, policy,
    ready, with_token,
};

/// Every job of acme by the route `deploy` and with a certificate of this subject.
fn by_certificate(profile: Profile) -> Value {
    let mut policy = policy(profile);
    policy["rules"][0]["routes"] = json!(["deploy"]);
    policy["rules"][0]["client_certificate"] = json!({ "subject": "CN=ci" });
    policy
}

fn certificate(verified: bool) -> Client {
    Client::Certified(Certificate {
        verified,
        subject: "CN=ci".into(),
        ..Certificate::default()
    })
}

fn asked(gateway: &Gateway) -> u64 {
    let asked = gateway.host_calls().get(&HostCall::GetProperty);
    asked.copied().unwrap_or_default()
}

#[test]
fn a_certificate_that_cannot_be_read_is_no_certificate() {
    let faults = [
        Status::NotFound,
        Status::InternalFailure,
        Status::SerializationFailure,
    ];
    for profile in BOTH {
        let mut gateway = ready(profile, &by_certificate(profile));
        let good = with_token(&good_token(&gateway));
        let send = |client: &Client, gateway: &mut Gateway| {
            gateway.request(0, good.clone().client(client.clone()))
        };
        assert_passed(&send(&certificate(true), &mut gateway));
        for client in [Client::Plain, Client::Anonymous, certificate(false)] {
            let refused = send(&client, &mut gateway);
            assert_refused(&refused, "client_certificate_required");
        }
        for (nth, fault) in (1..10).flat_map(|nth| faults.map(|fault| (nth, fault))) {
            for client in [Client::Plain, Client::Anonymous, certificate(false)] {
                gateway.set_fault(HostCall::GetProperty, nth, Fault::Status(fault));
                let exchange = send(&client, &mut gateway);
                gateway.clear_faults();
                assert!(
                    exchange.upstream().is_none(),
                    "{profile:?} {client:?} {nth} {fault:?}"
                );
            }
        }
    }
}

#[test]
fn only_the_hosts_own_word_says_that_a_certificate_was_verified() {
    let valid = ["connection", "peer_certificate_valid"];
    let words = [b"".as_slice(), b"1", b"true", b"\x02", b"\x01\x00", b"\x00"];
    let verify = ["ngx", "ssl_client_verify"];
    let of_nginx = [
        b"".as_slice(),
        b"success",
        b"SUCCESS ",
        b"FAILED:SUCCESS",
        b"NONE",
        b"\xff",
    ];
    for (profile, property, words) in [
        (Profile::Envoy, valid, words),
        (Profile::Envoy, ["connection", "mtls"], words),
        (Profile::Kong, verify, of_nginx),
    ] {
        let mut gateway = ready(profile, &by_certificate(profile));
        for word in words {
            let request = with_token(&good_token(&gateway)).client(certificate(true));
            let exchange = gateway.request(0, request.property(&property, word));
            assert_refused(&exchange, "client_certificate_required");
        }
    }
}

#[test]
fn what_no_rule_asks_for_the_host_is_not_asked_for() {
    for profile in BOTH {
        let counted = |policy: Value| {
            let mut gateway = ready(profile, &policy);
            let request = with_token(&good_token(&gateway)).client(certificate(true));
            let before = asked(&gateway);
            assert_passed(&gateway.request(0, request));
            asked(&gateway) - before
        };
        let plain = counted(policy(profile));
        let mut routes = policy(profile);
        routes["rules"][0]["routes"] = json!(["deploy"]);
        assert_eq!(counted(routes), plain + 1, "{profile:?}: the service");
        assert!(counted(by_certificate(profile)) > plain + 2);
    }
}

/// Pitfall 25: what the gate takes out of a request changes the route that Envoy shows later.
#[test]
fn pitfall_25_a_request_that_waits_is_judged_by_what_it_came_with() {
    let mut policy = by_certificate(Profile::Envoy);
    policy["issuers"][0]["jwks"]["wait"] = json!("2s");
    let mut gateway = gateway(Profile::Envoy, &policy);
    let request = |client| {
        with_token(&minter().mint(&TokenSpec::default(), NOW))
            .header("x-jobgate-rule", "forged")
            .client(client)
    };
    let right = gateway.request(0, request(certificate(true)));
    let wrong = gateway.request(0, request(certificate(false)));
    assert_eq!(right.outcome, Outcome::Paused);
    assert_eq!(wrong.outcome, Outcome::Paused);
    // From now on nothing is known of either.
    for nth in 1..50 {
        gateway.set_fault(HostCall::GetProperty, nth, Fault::Status(Status::NotFound));
    }
    gateway.advance(TICK);
    for call in gateway.pending_calls() {
        let keys = minter().jwks().to_string();
        answer(&mut gateway, &call, CallResponse::new(200, keys));
    }
    let now = |exchange: &Exchange| gateway.exchange(exchange.id).expect("it was sent").clone();
    assert_passed(&now(&right));
    assert_refused(&now(&wrong), "client_certificate_required");
}

#[test]
fn what_rules_on_trial_would_change_is_counted() {
    for (profile, prefix) in [(Profile::Envoy, "jobgate_"), (Profile::Kong, "")] {
        let mut policy = policy(profile);
        policy["rules"] = json!([
            { "id": "main", "claims": { "organization_slug": "acme" }, "paths": ["/a", "/b"] },
            { "id": "freeze", "shadow": true, "effect": "deny", "paths": ["/b"] },
            { "id": "open", "shadow": true, "claims": { "organization_slug": "acme" }, "paths": ["/c"] },
        ]);
        let mut gateway = ready(profile, &policy);
        for (path, status) in [("/a", None), ("/b", None), ("/b", None), ("/c", Some(403))] {
            let token = format!("Bearer {}", good_token(&gateway));
            let request = Request::get(path).header("authorization", token);
            assert_eq!(gateway.request(0, request).refused_with(), status);
        }
        let value = |name: &str| {
            gateway
                .metrics()
                .get(&format!("{prefix}{name}"))
                .map(|m| m.value)
        };
        assert_eq!(value("trial_deny"), Some(2));
        assert_eq!(value("trial_allow"), Some(1));
        assert_eq!(value("decision_allow"), Some(3));
    }
}
