//! What went wrong elsewhere between filter and host: rows 2, 6, 7 and 16 of the threat model.

use std::time::Duration;

use jobgate_harness::mint::TokenSpec;
use jobgate_wasm_host::{
    CallFailure, CallResponse, Fault, Gateway, HostCall, Level, Outcome, Profile, Request,
    RouteConfig, Status,
};
use serde_json::json;

use crate::common::{
    BOTH, TICK, answer, assert_passed, code, gateway, give_keys, good_token, lines, minter, module,
    options, policy, ready, send_good, unix, with_token,
};

/// How often this was counted. On Kong the host puts its own prefix before the name.
fn counted(gateway: &Gateway, name: &str) -> u64 {
    let prefix = match gateway.profile() {
        Profile::Envoy => "jobgate_",
        Profile::Kong => "",
    };
    let metric = gateway.metrics().get(&format!("{prefix}{name}"));
    metric.map_or(0, |metric| metric.value)
}

#[test]
fn pitfall_02_each_cause_of_a_failed_fetch_is_logged_and_counted() {
    enum Answer {
        Fails(CallFailure),
        Is(CallResponse),
    }
    use Answer::{Fails, Is};
    let huge = " ".repeat(300 * 1024);
    let of_the_server = || {
        [
            (
                "status",
                Is(CallResponse::new(404, "").header("date", "now")),
            ),
            (
                "size",
                Is(CallResponse::new(200, huge.clone()).header("date", "now")),
            ),
            (
                "parse",
                Is(CallResponse::new(200, "<html>").header("date", "now")),
            ),
        ]
    };
    for profile in BOTH {
        let of_the_host = match profile {
            Profile::Envoy => vec![
                ("timeout", Fails(CallFailure::Timeout)),
                // Envoy has one answer for both.
                ("connect_or_tls", Fails(CallFailure::Connect)),
            ],
            Profile::Kong => vec![
                ("timeout", Fails(CallFailure::Timeout)),
                ("connect", Fails(CallFailure::Connect)),
                ("dns", Fails(CallFailure::Resolve)),
                ("tls", Fails(CallFailure::Tls)),
            ],
        };
        for (cause, fault) in of_the_host.into_iter().chain(of_the_server()) {
            let mut gateway = gateway(profile, &policy(profile));
            gateway.advance(TICK);
            let call = gateway.pending_calls().remove(0);
            match fault {
                Fails(failure) => gateway.fail(call.id, failure).expect("the call is pending"),
                Is(response) => answer(&mut gateway, &call, response),
            }
            let name = format!("fetch_{cause}");
            // Kong says in a request only whether it has counters.
            gateway.request(0, Request::get("/"));
            assert_eq!(
                counted(&gateway, &name),
                1,
                "{profile:?}: {:?}",
                gateway.metrics()
            );
            assert_eq!(counted(&gateway, "fetch_ok"), 0);
            let said = lines(&gateway, "could not be fetched");
            assert!(
                said.len() == 1 && said[0].0 == Level::Error,
                "{profile:?} {cause}: {said:?}"
            );
            gateway.advance(Duration::from_secs(2));
            give_keys(&mut gateway, &minter().jwks());
            assert_eq!(
                (counted(&gateway, &name), counted(&gateway, "fetch_ok")),
                (1, 1)
            );
        }
    }
}

/// What the gate sets, as docs/policy.md lists it.
const NAMES: [&str; 16] = [
    "decision",
    "decision-id",
    "policy",
    "rule",
    "roles",
    "reason",
    "issuer",
    "subject",
    "organization",
    "pipeline",
    "build",
    "branch",
    "commit",
    "job",
    "step",
    "agent",
];

/// A forged copy of every header that the gate sets.
fn forge_all(mut request: Request, spell: impl Fn(&str) -> String) -> Request {
    for name in NAMES {
        request = request.header(spell(&format!("x-jobgate-{name}")), "forged");
    }
    request
}

#[test]
fn pitfall_06_no_identity_header_of_the_clients_arrives_without_a_token_either() {
    for profile in BOTH {
        for mode in ["enforce", "shadow"] {
            let mut configuration = policy(profile);
            configuration["mode"] = json!(mode);
            let mut gateway = ready(profile, &configuration);
            let requests = [
                Request::get("/"),
                Request::get("/").header("authorization", "Bearer garbage"),
                with_token(&good_token(&gateway)),
            ];
            for (nth, request) in requests.into_iter().enumerate() {
                let exchange = gateway.request(0, forge_all(request, str::to_owned));
                assert!(exchange.traps.is_empty(), "{:?}", exchange.traps);
                let passes = mode == "shadow" || nth == 2;
                assert_eq!(
                    exchange.upstream().is_some(),
                    passes,
                    "{profile:?} {mode} {nth}"
                );
                if let Some(upstream) = exchange.upstream() {
                    let values: Vec<_> = upstream.headers.iter().map(|(_, value)| value).collect();
                    assert!(!values.iter().any(|value| value.as_slice() == b"forged"));
                    let label = if nth == 2 { "allow" } else { "shadow-deny" };
                    assert_eq!(upstream.all("x-jobgate-decision"), [label]);
                }
            }
        }
    }
}

#[test]
fn pitfall_07_no_other_spelling_of_an_identity_header_arrives() {
    let spellings: [fn(&str) -> String; 5] = [
        |name| name.replace('-', "_"),
        |name| name.replacen('-', "_", 1),
        |name| name.replace("gate-", "gate_"),
        |name| name.to_uppercase().replace('-', "_"),
        |name| name.replace("-jobgate", "_JobGate"),
    ];
    for profile in BOTH {
        let mut gateway = ready(profile, &policy(profile));
        for spell in spellings {
            let request = with_token(&good_token(&gateway));
            let exchange = gateway.request(0, forge_all(request, spell));
            let spelled = spell("x-jobgate-rule");
            match profile {
                Profile::Envoy => {
                    assert_passed(&exchange);
                    let upstream = exchange.upstream().expect("it passed");
                    for (name, value) in &upstream.headers {
                        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
                        assert!(value != b"forged", "{spelled}: {name} arrived");
                        assert!(
                            !name.replace('_', "-").starts_with("x-jobgate") || !name.contains('_')
                        );
                    }
                }
                // What cannot be removed is refused.
                Profile::Kong => {
                    assert_eq!(
                        code(&exchange).as_deref(),
                        Some("header_reserved"),
                        "{spelled}"
                    );
                }
            }
        }
        assert_passed(&send_good(&mut gateway));
    }
}

#[test]
fn pitfall_16_what_shadow_mode_would_refuse_is_a_warning_and_a_metric() {
    for profile in BOTH {
        let mut configuration = policy(profile);
        configuration["mode"] = json!("shadow");
        let mut gateway = ready(profile, &configuration);
        gateway.take_logs();
        for _ in 0..3 {
            let exchange = gateway.request(0, Request::get("/"));
            assert!(exchange.upstream().is_some(), "shadow mode blocks nothing");
        }
        assert_passed(&send_good(&mut gateway));
        assert_eq!(counted(&gateway, "decision_shadow_deny_token_missing"), 3);
        assert_eq!(counted(&gateway, "decision_allow"), 1);
        let records = lines(&gateway, "jobgate.decision");
        let (denied, allowed): (Vec<_>, Vec<_>) = records
            .iter()
            .partition(|(_, record)| record.contains(r#""decision":"shadow-deny""#));
        assert_eq!((denied.len(), allowed.len()), (3, 1));
        assert!(
            denied.iter().all(|(level, _)| *level == Level::Warn),
            "{denied:?}"
        );
        assert!(
            allowed.iter().all(|(level, _)| *level == Level::Info),
            "{allowed:?}"
        );
        // Enforced, the same is another metric.
        let mut gateway = ready(profile, &policy(profile));
        gateway.request(0, Request::get("/"));
        assert_eq!(counted(&gateway, "decision_deny_token_missing"), 1);
        assert_eq!(counted(&gateway, "decision_shadow_deny_token_missing"), 0);
    }
}

/// Kong lets a waiting request through when a callback traps, does nothing, or a neighbour dies.
#[test]
fn on_kong_no_request_calls_out_or_waits() {
    let mut configuration = policy(Profile::Kong);
    configuration["issuers"][0]["jwks"]["wait"] = json!("10s");
    let made_up = TokenSpec {
        header: json!({ "kid": "made-up" })
            .as_object()
            .cloned()
            .unwrap_or_default(),
        ..TokenSpec::default()
    };
    let mut gateway = gateway(Profile::Kong, &configuration);
    for keys in ["none yet", "being fetched", "there", "being fetched early"] {
        match keys {
            "being fetched" => gateway.advance(TICK),
            "there" => {
                for call in gateway.pending_calls() {
                    let response = CallResponse::new(200, minter().jwks().to_string());
                    answer(&mut gateway, &call, response);
                }
                gateway.advance(Duration::from_secs(40));
            }
            "being fetched early" => {
                gateway.advance(TICK);
                assert_eq!(gateway.pending_calls().len(), 1, "for the made-up kid");
            }
            _ => {}
        }
        for token in [
            good_token(&gateway),
            minter().mint(&made_up, unix(&gateway)),
        ] {
            gateway.reset_host_calls();
            let exchange = gateway.request(0, with_token(&token));
            assert_ne!(exchange.outcome, Outcome::Paused, "{keys}");
            assert!(
                exchange.upstream().is_none() || exchange.decided(),
                "{keys}"
            );
            assert_eq!(
                gateway.host_calls().get(&HostCall::HttpCall),
                None,
                "{keys}"
            );
        }
    }
    assert_passed(&send_good(&mut gateway));
}

/// A false or a trap there opens every route of a Kong node. These are the statuses that hosts were seen to give; at
/// those that the SDK does not know it panics by itself.
#[test]
fn a_host_call_that_fails_in_on_configure_opens_no_route() {
    for profile in BOTH {
        for (call, status) in [
            (HostCall::GetBuffer, Status::NotFound),
            (HostCall::GetProperty, Status::NotFound),
            (HostCall::GetProperty, Status::InternalFailure),
            (HostCall::GetSharedData, Status::NotFound),
            (HostCall::SetSharedData, Status::CasMismatch),
        ] {
            for nth in 1..=4 {
                let mut gateway = Gateway::new(profile, module(), options());
                gateway.set_fault(call, nth, Fault::Status(status));
                let route = RouteConfig::new("deploy", policy(profile).to_string());
                let what = format!("{profile:?}: {call:?} number {nth} answers {status:?}");
                let started = gateway.start(&[route]);
                assert!(
                    started.is_ok() && !gateway.chains_off(),
                    "{what}: {started:?}"
                );
                let exchange = gateway.request(0, Request::get("/"));
                assert!(
                    exchange.refused_with().is_some(),
                    "{what}: {:?}",
                    exchange.outcome
                );
            }
        }
    }
}
