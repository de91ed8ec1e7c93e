//! The ways in which hosts fail open, and what the filter does so that none of them matters.

use jobgate_harness::mint::TokenSpec;
use jobgate_wasm_host::{
    CallResponse, Exchange, Fault, Gateway, HostCall, Options, Outcome, Profile, Request, Status,
};
use serde_json::json;

use crate::common::{
    BOTH, TICK, answer, assert_passed, assert_refused, gateway_with, give_keys, good_token, minter,
    options, policy, ready, send_good, unix, with_token,
};

/// A good request with forged headers of the kinds that each host could let through.
fn forged(gateway: &Gateway) -> Request {
    with_token(&good_token(gateway))
        .header("x-jobgate-branch", "forged")
        .header("x-jobgate-reason", "forged")
        .header("x-other", "untouched")
}

/// What must hold whatever went wrong: what reached the upstream was decided, and is clean.
#[track_caller]
fn assert_not_open(exchange: &Exchange, what: &str) {
    if let Some(upstream) = exchange.upstream() {
        assert!(
            exchange.decided(),
            "{what}: undecided, by {:?}",
            exchange.passage
        );
        let text = format!(
            "{:?}",
            upstream
                .headers
                .iter()
                .map(|(_, v)| String::from_utf8_lossy(v))
                .collect::<Vec<_>>()
        );
        assert!(
            !text.contains("forged"),
            "{what}: a forged header arrived: {text}"
        );
        assert!(
            !text.contains("Bearer"),
            "{what}: the token arrived: {text}"
        );
        assert_eq!(upstream.all("x-jobgate-decision"), ["allow"], "{what}");
    }
    assert_ne!(exchange.outcome, Outcome::Paused, "{what}: it waits");
}

/// Each host call, failing at each place where the request makes it.
fn sweep(profile: Profile, request: impl Fn(&Gateway) -> Request, look: impl Fn(&Exchange, &str)) {
    let faults = [
        Fault::Trap,
        Fault::Status(Status::InternalFailure),
        Fault::Status(Status::BadArgument),
    ];
    for (call, fault) in HostCall::ALL
        .iter()
        .flat_map(|call| faults.map(|fault| (call, fault)))
    {
        for nth in 1.. {
            let mut policy = policy(profile);
            policy["note_route"] = json!(true);
            let mut gateway = ready(profile, &policy);
            let request = request(&gateway);
            gateway.reset_host_calls();
            gateway.set_fault(*call, nth, fault);
            let exchange = gateway.request(0, request);
            let what = format!("{profile:?}: {call:?} number {nth} answers {fault:?}");
            look(&exchange, &what);
            let made = gateway.host_calls().get(call).copied().unwrap_or_default();
            // The next request is judged as ever, once the keys are there again.
            gateway.advance(std::time::Duration::from_secs(2));
            give_keys(&mut gateway, &minter().jwks());
            assert_not_open(&send_good(&mut gateway), &what);
            if made < nth {
                break;
            }
        }
    }
}

#[test]
fn whatever_host_call_fails_no_request_goes_on_undecided_or_unclean() {
    for profile in BOTH {
        sweep(
            profile,
            |gateway| {
                forged(gateway)
                    .body("x")
                    .trailer("x-jobgate-rule", "forged")
            },
            |exchange, what| {
                assert_not_open(exchange, what);
                if let Some(upstream) = exchange.upstream() {
                    assert!(
                        upstream.trailers.is_empty(),
                        "{what}: {:?}",
                        upstream.trailers
                    );
                }
            },
        );
    }
}

#[test]
fn whatever_host_call_fails_a_refused_request_stays_refused() {
    for profile in BOTH {
        sweep(
            profile,
            |_| Request::get("/").header("x-jobgate-rule", "forged"),
            |exchange, what| {
                assert!(
                    exchange.upstream().is_none(),
                    "{what}: {:?}",
                    exchange.outcome
                );
            },
        );
    }
}

#[test]
fn pitfall_14_a_vm_that_died_is_back_with_its_policy_and_the_keys_that_others_have() {
    for profile in BOTH {
        let mut gateway = ready(profile, &policy(profile));
        gateway.set_fault(HostCall::GetHeaderMapPairs, 1, Fault::Trap);
        let died = send_good(&mut gateway);
        assert!(
            matches!(died.outcome, Outcome::HostError(_)),
            "{:?}",
            died.outcome
        );
        let next = send_good(&mut gateway);
        assert_eq!(gateway.vm_recycled(), 1);
        match profile {
            Profile::Envoy => assert_passed(&next),
            // Without shared data they died with it.
            Profile::Kong => {
                assert_refused(&next, "keys_unavailable");
                give_keys(&mut gateway, &minter().jwks());
                assert_passed(&send_good(&mut gateway));
            }
        }
        assert_refused(&gateway.request(0, Request::get("/")), "token_missing");
    }
}

#[test]
fn ticks_that_doubled_after_a_trap_fetch_no_more_than_one() {
    let mut gateway = ready(Profile::Kong, &policy(Profile::Kong));
    gateway.set_fault(HostCall::GetHeaderMapPairs, 1, Fault::Trap);
    send_good(&mut gateway);
    send_good(&mut gateway);
    assert!(gateway.timers() > 1, "Kong's old tick goes on");
    gateway.advance(TICK);
    assert_eq!(gateway.pending_calls().len(), 1);
}

#[test]
fn a_trap_while_keys_are_fetched_lets_nothing_through() {
    for profile in BOTH {
        let mut gateway = crate::common::gateway(profile, &policy(profile));
        gateway.advance(TICK);
        let call = gateway.pending_calls().remove(0);
        gateway.set_fault(HostCall::GetBuffer, 1, Fault::Trap);
        answer(
            &mut gateway,
            &call,
            CallResponse::new(200, minter().jwks().to_string()),
        );
        let exchange = send_good(&mut gateway);
        assert!(exchange.refused_with().is_some(), "{:?}", exchange.outcome);
    }
}

#[test]
fn headers_past_the_hundred_that_kong_shows_are_not_overlooked() {
    let mut gateway = ready(Profile::Kong, &policy(Profile::Kong));
    let mut request = with_token(&good_token(&gateway));
    // With the host and the token.
    for nth in 2..90 {
        request = request.header(format!("x-filler-{nth}"), "1");
    }
    assert_passed(&gateway.request(0, request.clone()));
    for nth in 90..200 {
        request = request.header(format!("x-filler-{nth}"), "1");
    }
    for hidden in ["x-jobgate-pipeline", "x_jobgate_pipeline", "x-harmless"] {
        let exchange = gateway.request(0, request.clone().header(hidden, "forged"));
        assert_refused(&exchange, "header_reserved");
    }
}

#[test]
fn no_number_of_headers_makes_kong_write_past_the_filters_memory() {
    let mut gateway = ready(Profile::Kong, &policy(Profile::Kong));
    for target in ["/".to_owned(), format!("/{}", "a".repeat(2000))] {
        for number in 85..=120 {
            let mut request = Request::get(&target);
            for nth in 1..number {
                request = request.header(format!("x-{nth}"), "1");
            }
            let exchange = gateway.request(0, request);
            let expected = if number > 90 {
                "header_reserved"
            } else {
                "token_missing"
            };
            assert_refused(&exchange, expected);
        }
    }
    assert_passed(&send_good(&mut gateway));
}

#[test]
fn on_kong_headers_in_any_letter_case_are_overwritten_in_place() {
    let mut gateway = ready(Profile::Kong, &policy(Profile::Kong));
    let token = good_token(&gateway);
    let request = Request::get("/")
        .header("AUTHORIZATION", format!("Bearer {token}"))
        .header("X-JobGate-Branch", "forged")
        .header("x-jobgate-REASON", "forged");
    let exchange = gateway.request(0, request);
    assert_not_open(&exchange, "letter case");
    let upstream = exchange.upstream().expect("it passed");
    assert_eq!(upstream.all("x-jobgate-branch"), ["main"]);
    assert_eq!(upstream.all("x-jobgate-reason"), [""]);
    assert_eq!(upstream.all("authorization"), [""]);
}

#[test]
fn trailers_bring_no_reserved_header_and_no_token() {
    let mut gateway = ready(Profile::Envoy, &policy(Profile::Envoy));
    let token = good_token(&gateway);
    let request = Request::new("POST", "/")
        .header("authorization", format!("Bearer {token}"))
        .body("x")
        .trailer("x-jobgate-branch", "forged")
        .trailer("x_jobgate_rule", "forged")
        .trailer("authorization", "Bearer forged")
        .trailer("x-checksum", "kept");
    let exchange = gateway.request(0, request);
    assert_passed(&exchange);
    let trailers = &exchange.upstream().unwrap().trailers;
    assert_eq!(trailers, &[(b"x-checksum".to_vec(), b"kept".to_vec())]);
}

#[test]
fn a_trailer_whose_name_is_no_text_neither_traps_nor_passes_for_a_reserved_one() {
    let mut gateway = ready(Profile::Envoy, &policy(Profile::Envoy));
    let token = good_token(&gateway);
    let request = Request::new("POST", "/")
        .header("authorization", format!("Bearer {token}"))
        .body("x")
        .trailer(b"x-\xff", "kept")
        .trailer("x-jobgate-branch", "forged")
        .with_rewritten_trailers();
    let exchange = gateway.request(0, request.clone());
    assert_passed(&exchange);
    let trailers = &exchange.upstream().unwrap().trailers;
    assert_eq!(trailers, &[(b"x-\xff".to_vec(), b"kept".to_vec())]);

    // There is no way to have this one taken away.
    let reserved = request.trailer(b"x-jobgate-\xff", "forged");
    assert_held_back(&gateway.request(0, reserved));
}

#[test]
fn a_request_whose_trailers_can_not_be_read_goes_no_further() {
    let mut gateway = ready(Profile::Envoy, &policy(Profile::Envoy));
    let token = good_token(&gateway);
    let request = Request::new("POST", "/")
        .header("authorization", format!("Bearer {token}"))
        .body("x")
        .trailer("x-jobgate-branch", "forged");
    // The first is for the headers.
    gateway.set_fault(
        HostCall::GetHeaderMapPairs,
        2,
        Fault::Status(Status::BadArgument),
    );
    assert_held_back(&gateway.request(0, request.clone()));
    assert_passed(&gateway.request(0, request));
}

/// Answered by the filter, and nothing of it is left to go on.
fn assert_held_back(exchange: &Exchange) {
    assert!(exchange.traps.is_empty(), "{:?}", exchange.traps);
    assert_eq!(exchange.local().map(|answer| answer.status), Some(503));
    assert!(exchange.upstream().is_none(), "{:?}", exchange.outcome);
}

#[test]
fn a_request_costs_few_host_calls() {
    for profile in BOTH {
        let mut gateway = ready(profile, &policy(profile));
        // The first one asks Kong which it is.
        assert_passed(&send_good(&mut gateway));
        gateway.reset_host_calls();
        assert_passed(&send_good(&mut gateway));
        let calls = gateway.host_calls();
        assert!(gateway.host_calls_total() <= 26, "{calls:?}");
        gateway.reset_host_calls();
        assert_refused(&gateway.request(0, Request::get("/")), "token_missing");
        assert!(
            gateway.host_calls_total() <= 12,
            "{:?}",
            gateway.host_calls()
        );
    }
}

#[test]
fn pitfall_14_with_its_memory_at_the_cap_the_filter_lets_nothing_through_undecided() {
    for profile in BOTH {
        let start = gateway_with(profile, options(), &policy(profile).to_string()).memory_bytes();
        for spare in [0, 1, 2, 4] {
            let capped = Options {
                memory_limit: Some(start + spare * 64 * 1024),
                ..options()
            };
            let mut gateway = gateway_with(profile, capped, &policy(profile).to_string());
            give_keys(&mut gateway, &minter().jwks());
            let mut traps = 0;
            for size in [10, 1_000, 14_000, 60_000, 300_000, 2_000_000] {
                let filler = "x".repeat(size);
                let exchange =
                    gateway.request(0, forged(&gateway).header("x-filler", filler.clone()));
                assert_not_open(&exchange, "at the cap");
                traps += exchange.traps.len();
                let exchange = gateway.request(0, with_token(&filler));
                assert!(exchange.refused_with().is_some(), "{:?}", exchange.outcome);
                gateway.advance(std::time::Duration::from_secs(2));
                give_keys(&mut gateway, &minter().jwks());
            }
            assert!(traps > 0, "the cap was never met");
        }
    }
}

#[test]
fn time_passing_expires_a_token_and_one_from_ahead_waits() {
    for profile in BOTH {
        let mut gateway = ready(profile, &policy(profile));
        let token = good_token(&gateway);
        gateway.advance(std::time::Duration::from_secs(400));
        assert_refused(&gateway.request(0, with_token(&token)), "token_expired");
        let ahead = minter().mint(&TokenSpec::default(), unix(&gateway) + 3_600);
        assert_refused(
            &gateway.request(0, with_token(&ahead)),
            "token_not_yet_valid",
        );
    }
}

#[test]
fn shadow_mode_refuses_what_it_cannot_make_harmless() {
    let mut configuration = policy(Profile::Kong);
    configuration["mode"] = json!("shadow");
    let mut gateway = ready(Profile::Kong, &configuration);
    let request = Request::get("/").header("x_jobgate_branch", "forged");
    assert_refused(&gateway.request(0, request), "header_reserved");
    let exchange = gateway.request(0, Request::get("/").header("x-jobgate-branch", "forged"));
    assert_eq!(
        exchange
            .upstream()
            .expect("shadow mode blocks nothing")
            .all("x-jobgate-branch"),
        [""]
    );
}

#[test]
fn connection_cannot_make_the_upstreams_side_drop_what_the_gate_sets() {
    for profile in BOTH {
        let mut gateway = ready(profile, &policy(profile));
        for value in [
            "upgrade, x-jobgate-decision",
            "X_Jobgate_Rule",
            "close,Authorization",
        ] {
            let request = with_token(&good_token(&gateway))
                .header("connection", value)
                .header("upgrade", "websocket");
            assert_refused(&gateway.request(0, request), "header_reserved");
        }
        let upgrade = with_token(&good_token(&gateway)).header("connection", "upgrade");
        assert_passed(&gateway.request(0, upgrade));
    }
}

#[test]
fn word_of_the_judged_route_is_left_where_routes_are_told_apart() {
    let noted = |change: fn(&mut serde_json::Value)| {
        let mut configuration = policy(Profile::Envoy);
        // Or the record has the route asked for.
        configuration["audit"] = json!({ "allowed": { "sample": 0 } });
        change(&mut configuration);
        let mut gateway = ready(Profile::Envoy, &configuration);
        gateway.reset_host_calls();
        assert_passed(&send_good(&mut gateway));
        let asked = gateway.host_calls().get(&HostCall::GetProperty).copied();
        let written = gateway.property_writes().iter();
        let written: Vec<_> = written
            .map(|write| (write.path.clone(), write.value.clone()))
            .collect();
        (asked.unwrap_or_default(), written)
    };
    let deploy = vec![("jobgate.route".to_owned(), b"deploy".to_vec())];
    assert_eq!(noted(|_| ()), (0, Vec::new()));
    assert_eq!(
        noted(|it| it["note_route"] = json!(true)),
        (1, deploy.clone())
    );
    let (_, written) = noted(|it| it["rules"][0]["routes"] = json!(["deploy"]));
    assert_eq!(written, deploy);
    let (_, written) = noted(|it| it["rules"][0]["when"] = json!("request.route == 'deploy'"));
    assert_eq!(written, deploy);
}
