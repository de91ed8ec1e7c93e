//! What is Kong's alone: what its versions tell of a request and can be told, less on the older ones and never less safe.

use std::time::Duration;

use jobgate_harness::mint::TokenSpec;
use jobgate_wasm_host::{
    CallResponse, Exchange, Gateway, KongVersion, Options, Profile, Request, RouteConfig,
};
use serde_json::{Value, json};

use crate::common::{
    AUDIENCE, ISSUER, TICK, answer, assert_passed, assert_refused, give_keys, good_token, lines,
    minter, module, options, policy, ready, unix, with_token,
};

const KONG: Profile = Profile::Kong;
const VERSIONS: [KongVersion; 4] = [
    KongVersion::V3_5,
    KongVersion::V3_7,
    KongVersion::V3_8,
    KongVersion::V3_9,
];

/// A gateway that has keys, with one route of this name that leads to the service `upstream`.
fn gateway(kong: KongVersion, route: &str, rules: &Value) -> Gateway {
    let options = Options { kong, ..options() };
    let mut gateway = Gateway::new(KONG, module(), options);
    let mut policy = policy(KONG);
    policy["rules"] = rules.clone();
    let route = RouteConfig::new(route, policy.to_string());
    gateway.start(&[route]).expect("the gateway starts");
    give_keys(&mut gateway, &minter().jwks());
    gateway
}

/// A policy with a second issuer, whose keys are at this address.
fn two_issuers(uri: &str) -> Value {
    let mut configuration = policy(KONG);
    let other = json!({
        "issuer": "https://other.example", "audience": AUDIENCE, "algorithms": ["RS256"],
        "jwks": { "uri": uri },
    });
    let issuers = configuration["issuers"].as_array_mut().unwrap();
    issuers.push(other);
    configuration
}

/// The servers that are being asked, the first first.
fn asked(gateway: &Gateway) -> Vec<String> {
    let calls = gateway.pending_calls();
    calls.into_iter().map(|call| call.upstream).collect()
}

fn send(gateway: &mut Gateway) -> Exchange {
    let token = good_token(gateway);
    gateway.request(0, with_token(&token))
}

#[test]
fn other_plugins_of_kong_find_the_record_of_every_decision() {
    let any_job = json!([{ "id": "any-job", "claims": { "organization_slug": "acme" } }]);
    for version in VERSIONS {
        let mut gateway = gateway(version, "deploy", &any_job);
        let mut stranger = TokenSpec::default();
        stranger
            .claims
            .insert("organization_slug".to_owned(), "other".into());
        let stranger = minter().mint(&stranger, unix(&gateway));
        assert_passed(&send(&mut gateway));
        assert_refused(
            &gateway.request(0, with_token(&stranger)),
            "no_rule_matched",
        );
        assert_refused(&gateway.request(0, Request::get("/")), "token_missing");
        let records: Vec<_> = lines(&gateway, "jobgate.decision")
            .into_iter()
            .map(|(_, record)| record.into_bytes())
            .collect();
        assert_eq!(records.len(), 3, "{version:?}");
        let left: Vec<_> = gateway
            .property_writes()
            .iter()
            .map(|write| {
                assert_eq!(write.path, "kong.ctx.shared.jobgate_decision");
                write.value.clone()
            })
            .collect();
        match version {
            // There is no such table, and to write to it would end the VM.
            KongVersion::V3_5 => assert!(left.is_empty()),
            _ => assert_eq!(left, records, "{version:?}"),
        }
    }
}

#[test]
fn rules_find_routes_and_services_by_name_on_each_version_that_tells_them() {
    for name in ["deploy", "upstream"] {
        let rules = json!([{ "id": "by-name", "routes": [name], "claims": { "organization_slug": "acme" } }]);
        for version in [KongVersion::V3_7, KongVersion::V3_8, KongVersion::V3_9] {
            assert_passed(&send(&mut gateway(version, "deploy", &rules)));
        }
        // It tells no names, so nothing is allowed by one.
        let mut old = gateway(KongVersion::V3_5, "deploy", &rules);
        assert_refused(&send(&mut old), "no_rule_matched");
    }
}

#[test]
fn a_deny_rule_by_name_holds_where_no_name_is_told() {
    let rules = json!([
        { "id": "any-job", "claims": { "organization_slug": "acme" } },
        { "id": "frozen", "effect": "deny", "routes": ["frozen"] },
    ]);
    for version in VERSIONS {
        assert_refused(
            &send(&mut gateway(version, "frozen", &rules)),
            "denied_by_rule",
        );
        let elsewhere = send(&mut gateway(version, "deploy", &rules));
        match version {
            KongVersion::V3_5 => assert_refused(&elsewhere, "denied_by_rule"),
            _ => assert_passed(&elsewhere),
        }
        // The service has a name, and it is not that one.
        let unnamed = send(&mut gateway(version, "", &rules));
        match version {
            KongVersion::V3_5 => assert_refused(&unnamed, "denied_by_rule"),
            _ => assert_passed(&unnamed),
        }
    }
}

#[test]
fn kongs_own_logs_of_a_refused_request_have_no_token() {
    let mut configuration = policy(KONG);
    configuration["token"] = json!({ "header": "x-ci-token" });
    configuration["rules"][0]["claims"]["pipeline_slug"] = "other".into();
    let mut gateway = ready(KONG, &configuration);
    let token = good_token(&gateway);
    let request = Request::get("/").header("X-CI-Token", format!("Bearer {token}"));
    let exchange = gateway.request(0, request);
    assert_refused(&exchange, "no_rule_matched");
    let logged: Vec<_> = exchange
        .logged
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(b"x-ci-token"))
        .map(|(_, value)| value.as_slice())
        .collect();
    assert_eq!(logged, [b""]);
    // However it is spelled, on requests of any size.
    for headers in [0, 200] {
        let mut request = Request::get("/").header("X_Ci-Token", format!("Bearer {token}"));
        if headers > 0 {
            request = Request::get("/").header("X-CI-Token", format!("Bearer {token}"));
        }
        for nth in 0..headers {
            request = request.header(format!("x-{nth}"), "a");
        }
        let exchange = gateway.request(0, request);
        assert!(exchange.upstream().is_none());
        let has_token = |(_, value): &(Vec<u8>, Vec<u8>)| value.starts_with(b"Bearer ey");
        assert!(!exchange.logged.iter().any(has_token), "{headers}");
    }
    // What was not sent is not made up.
    let without = gateway.request(0, Request::get("/"));
    assert_refused(&without, "token_missing");
    assert!(without.logged.iter().all(|(name, _)| name != b"x-ci-token"));
}

#[test]
fn a_route_that_cuts_a_path_within_a_segment_hands_on_nothing() {
    let rules = json!([
        { "id": "any-job", "claims": { "organization_slug": "acme" } },
        { "id": "freeze", "effect": "deny", "paths": ["/deploy/production/**"] },
    ]);
    let mut gateway = gateway(KongVersion::V3_9, "deploy", &rules);
    let token = good_token(&gateway);
    let mut send = |path: &str, prefix: &str| {
        let cut = ["ngx", "upstream_x_forwarded_prefix"];
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        gateway.request(0, request.property(&cut, prefix))
    };
    // The upstream gets `/production/eu` of both.
    assert_refused(&send("/deploy/production/eu", "/deploy"), "denied_by_rule");
    assert_refused(&send("/deployproduction/eu", "/deploy"), "path_ambiguous");
    for (path, prefix) in [
        ("/deploy/staging", "/deploy"),
        ("/deploy/staging", "/deploy/"),
        ("/deploy?a=b", "/deploy"),
        ("/deploy", "/deploy"),
        ("/deploystaging", ""),
        ("/deploystaging", "/what/a/proxy/says"),
    ] {
        assert_passed(&send(path, prefix));
    }
}

#[test]
fn counters_are_touched_only_where_kong_has_them() {
    let any_job = json!([{ "id": "any-job", "claims": { "organization_slug": "acme" } }]);
    for version in VERSIONS {
        let mut gateway = gateway(version, "deploy", &any_job);
        assert_passed(&send(&mut gateway));
        assert_passed(&send(&mut gateway));
        let counted = |name: &str| gateway.metrics().get(name).map(|metric| metric.value);
        // To define one on an older Kong ends the VM. What was fetched before Kong could be asked counts too.
        let expected = (version >= KongVersion::V3_8).then_some((2, 1));
        let counted = counted("decision_allow").zip(counted("fetch_ok"));
        assert_eq!(counted, expected, "{version:?}");
    }
}

#[test]
fn the_second_step_of_discovery_waits_for_a_tick() {
    let mut configuration = policy(KONG);
    configuration["issuers"][0]["jwks"] = json!({ "cluster": "ci.example:443", "discovery": true });
    let mut gateway = crate::common::gateway(KONG, &configuration);
    gateway.advance(TICK);
    let metadata = json!({ "issuer": ISSUER, "jwks_uri": format!("{ISSUER}/keys") });
    let document = |gateway: &mut Gateway, path: &str, document: &Value| {
        let calls = gateway.pending_calls();
        let [call] = calls.as_slice() else {
            panic!("{calls:?}")
        };
        let asked = call.headers.iter().find(|(name, _)| name == b":path");
        assert_eq!(asked.unwrap().1, path.as_bytes());
        answer(gateway, call, CallResponse::new(200, document.to_string()));
    };
    document(&mut gateway, "/.well-known/openid-configuration", &metadata);
    // In the answer itself a call would end Kong's worker.
    assert!(gateway.pending_calls().is_empty());
    assert_refused(&send(&mut gateway), "keys_unavailable");
    gateway.advance(TICK);
    document(&mut gateway, "/keys", &minter().jwks());
    assert_passed(&send(&mut gateway));
}

#[test]
fn a_server_that_is_being_asked_is_not_asked_for_something_else() {
    let mut configuration = policy(KONG);
    configuration["revocations"] = json!({ "uri": format!("{ISSUER}:8443/revoked") });
    let mut gateway = crate::common::gateway(KONG, &configuration);
    // Both are due. A second call that waits for the name that the first one looks up ends Kong's worker.
    gateway.advance(TICK);
    let first = asked(&gateway);
    assert_eq!(first.len(), 1, "{first:?}");
    gateway.advance(TICK);
    assert_eq!(asked(&gateway), first);
    let call = gateway.pending_calls().remove(0);
    answer(
        &mut gateway,
        &call,
        CallResponse::new(200, minter().jwks().to_string()),
    );
    gateway.advance(TICK);
    let second = asked(&gateway);
    assert_eq!(second.len(), 1, "{second:?}");
    assert_ne!(second, first);
}

#[test]
fn an_answer_that_comes_after_its_time_lets_nobody_ask_beside_another() {
    // Names are looked up in any case.
    let mut configuration = two_issuers("https://CI.example:8444/keys");
    configuration["revocations"] = json!({ "uri": format!("{ISSUER}:8443/revoked") });
    let mut gateway = crate::common::gateway(KONG, &configuration);
    gateway.advance(TICK);
    let first = gateway.pending_calls().remove(0);
    assert_eq!(asked(&gateway).len(), 1);
    // Past its timeout the name may still be looked up. Past all patience the next one is sent.
    gateway.advance(Duration::from_millis(u64::from(first.timeout_ms) + 5000));
    assert_eq!(asked(&gateway).len(), 1);
    gateway.advance(Duration::from_secs(120));
    let [_, second] = gateway.pending_calls().try_into().unwrap();
    answer(
        &mut gateway,
        &first,
        CallResponse::new(200, minter().jwks().to_string()),
    );
    gateway.advance(TICK);
    assert_eq!(asked(&gateway), std::slice::from_ref(&second.upstream));
    answer(&mut gateway, &second, CallResponse::new(500, ""));
    gateway.advance(TICK);
    let third = asked(&gateway);
    assert_eq!(third.len(), 1, "{third:?}");
}

#[test]
fn servers_of_other_names_are_asked_meanwhile() {
    let configuration = two_issuers("https://other.example/keys");
    let mut gateway = crate::common::gateway(KONG, &configuration);
    gateway.advance(TICK);
    assert_eq!(asked(&gateway).len(), 2);
}
