//! Many routes and workers, and what reloads leave behind: one fetch for all.

use std::time::Duration;

use jobgate_wasm_host::{
    CallResponse, Fault, Gateway, HostCall, Options, Outcome, Profile, RouteConfig,
};
use serde_json::{Value, json};

use crate::common::{
    BOTH, TICK, answer, assert_passed, assert_refused, gateway_with, give_keys, good_token, minter,
    module, options, policy, send_good, with_token,
};

const WORKERS: usize = 4;

/// A policy for a host on which shared data was set up, where that must be said.
fn sharing(profile: Profile) -> Value {
    let mut policy = policy(profile);
    if profile == Profile::Kong {
        policy["shared_data"] = json!(true);
    }
    policy
}

fn shared(profile: Profile) -> Options {
    Options {
        workers: WORKERS,
        main_thread: profile == Profile::Envoy,
        shared_data_zone: true,
        ..options()
    }
}

/// Routes whose policies differ, so that each has a gate of its own.
fn routes(count: usize, policy: &Value) -> Vec<RouteConfig> {
    (0..count)
        .map(|nth| {
            let mut policy = policy.clone();
            policy["rules"][0]["id"] = json!(format!("any-job-{nth}"));
            RouteConfig::new(format!("route-{nth}"), policy.to_string())
        })
        .collect()
}

fn started(profile: Profile, options: Options, routes: &[RouteConfig]) -> Gateway {
    let mut gateway = Gateway::new(profile, module(), options);
    gateway.start(routes).expect("the gateway starts");
    gateway
}

#[track_caller]
fn all_pass(gateway: &mut Gateway, routes: usize) {
    let token = good_token(gateway);
    for worker in 0..WORKERS {
        for route in 0..routes {
            assert_passed(&gateway.request_on(worker, route, with_token(&token)));
        }
    }
}

#[test]
fn routes_and_workers_that_share_data_make_one_fetch() {
    const ROUTES: usize = 20;
    for profile in BOTH {
        let routes = routes(ROUTES, &sharing(profile));
        let mut gateway = started(profile, shared(profile), &routes);
        gateway.advance(TICK);
        assert_eq!(gateway.pending_calls().len(), 1, "{profile:?}");
        give_keys(&mut gateway, &minter().jwks());
        gateway.advance(TICK);
        all_pass(&mut gateway, ROUTES);
        // Nor do they at the next refresh.
        while gateway.pending_calls().is_empty() {
            gateway.advance(TICK);
        }
        gateway.advance(TICK * 4);
        assert_eq!(gateway.pending_calls().len(), 1, "{profile:?}");
    }
}

#[test]
fn without_shared_data_each_worker_fetches_once_for_all_of_its_routes() {
    let routes = routes(20, &policy(Profile::Kong));
    let options = Options {
        workers: WORKERS,
        ..options()
    };
    let mut gateway = started(Profile::Kong, options, &routes);
    gateway.advance(TICK);
    assert_eq!(gateway.pending_calls().len(), WORKERS);
    give_keys(&mut gateway, &minter().jwks());
    all_pass(&mut gateway, 20);
}

#[test]
fn a_reload_leaves_no_gap_though_the_issuer_is_down() {
    for profile in BOTH {
        let mut gateway = started(profile, shared(profile), &routes(2, &sharing(profile)));
        give_keys(&mut gateway, &minter().jwks());
        gateway.advance(TICK);
        all_pass(&mut gateway, 2);
        // New policies in the same VMs, and then new VMs; nobody answers a fetch any more.
        let mut changed = sharing(profile);
        changed["rules"][0]["methods"] = json!(["GET"]);
        gateway
            .reconfigure(&routes(2, &changed))
            .expect("it takes them");
        all_pass(&mut gateway, 2);
        gateway
            .reload(&routes(2, &sharing(profile)))
            .expect("it takes them");
        all_pass(&mut gateway, 2);
    }
}

#[test]
fn what_kongs_reloads_leave_behind_fetches_nothing_and_holds_next_to_nothing() {
    let mut gateway = started(Profile::Kong, options(), &routes(5, &policy(Profile::Kong)));
    give_keys(&mut gateway, &minter().jwks());
    let mut after_warm_up = 0;
    for nth in 0..60 {
        gateway
            .reconfigure(&routes(5, &policy(Profile::Kong)))
            .expect("Kong takes it");
        assert_passed(&send_good(&mut gateway));
        if nth == 20 {
            after_warm_up = gateway.memory_bytes();
        }
    }
    assert!(gateway.timers() > 300, "Kong's old ticks go on");
    // Kong keeps the contexts themselves; their policies, keys and caches are there once.
    let each = (gateway.memory_bytes() - after_warm_up) / (39 * 5);
    assert!(each < 512, "{each} bytes for each context left behind");
    while gateway.pending_calls().is_empty() {
        gateway.advance(TICK);
    }
    gateway.advance(TICK * 4);
    assert_eq!(gateway.pending_calls().len(), 1);
}

#[test]
fn a_key_that_one_worker_found_early_is_known_to_all_at_once() {
    let mut rotated = minter().clone();
    rotated.rotate(jobgate_harness::keys::SigningKey::generate(), true);
    for profile in BOTH {
        let mut gateway = started(profile, shared(profile), &routes(1, &sharing(profile)));
        give_keys(&mut gateway, &minter().jwks());
        gateway.advance(TICK);
        let new = rotated.mint(&Default::default(), crate::common::unix(&gateway));
        let refused = gateway.request_on(0, 0, with_token(&new));
        assert_refused(&refused, "keys_unavailable");
        give_keys(&mut gateway, &rotated.jwks());
        for worker in 0..WORKERS {
            assert_passed(&gateway.request_on(worker, 0, with_token(&new)));
        }
    }
}

#[test]
fn a_worker_that_died_while_it_fetched_keeps_nobody_from_fetching() {
    for profile in BOTH {
        let mut gateway = started(profile, shared(profile), &routes(1, &sharing(profile)));
        gateway.advance(TICK);
        assert_eq!(gateway.pending_calls().len(), 1);
        for worker in 0..WORKERS {
            gateway.set_fault(HostCall::GetHeaderMapPairs, 1, Fault::Trap);
            gateway.request_on(worker, 0, with_token("x"));
        }
        let lost = gateway.pending_calls().len();
        gateway.advance(Duration::from_secs(15));
        let calls = gateway.pending_calls();
        assert!(calls.len() > lost || lost == 1, "{profile:?}");
        for call in calls {
            let response = CallResponse::new(200, minter().jwks().to_string());
            answer(&mut gateway, &call, response);
        }
        gateway.advance(TICK);
        all_pass(&mut gateway, 1);
    }
}

/// A policy that says there is shared data where there is none: each use of it traps.
#[test]
fn a_promise_of_shared_data_that_is_not_kept_opens_nothing() {
    let configuration = sharing(Profile::Kong).to_string();
    let mut gateway = gateway_with(Profile::Kong, options(), &configuration);
    assert!(!gateway.chains_off(), "nothing trapped in on_configure");
    for _ in 0..5 {
        let exchange = send_good(&mut gateway);
        assert!(
            !matches!(exchange.outcome, Outcome::Upstream(_)),
            "{:?}",
            exchange.outcome
        );
        gateway.advance(TICK);
    }
    // Nor does a configuration that comes later, in a VM that never saw it work.
    let again = RouteConfig::new("deploy", configuration.clone());
    _ = gateway.reconfigure(&[again]);
    assert!(!matches!(
        send_good(&mut gateway).outcome,
        Outcome::Upstream(_)
    ));
}

/// A list that would not fit the zone, or push the record of used tokens out of it.
#[test]
fn a_large_document_is_not_put_into_kongs_zone() {
    let mut policy = sharing(Profile::Kong);
    policy["revocations"] = json!({
        "uri": "https://security.example/revoked.json", "cluster": "ci.example:443",
    });
    let mut gateway = started(Profile::Kong, shared(Profile::Kong), &routes(1, &policy));
    let entries: Vec<_> = (0..9_000)
        .map(|nth| json!({ "claims": { "job_id": format!("{nth:060}") } }))
        .collect();
    let list = json!({ "revocations": entries }).to_string();
    assert!((700_000..1 << 20).contains(&list.len()), "{}", list.len());
    // Each worker fetches the list for itself, one after the other.
    for _ in 0..60 {
        gateway.advance(Duration::from_secs(1));
        for call in gateway.pending_calls() {
            let body = match call.header(":path") {
                Some("/revoked.json") => list.clone(),
                _ => minter().jwks().to_string(),
            };
            answer(&mut gateway, &call, CallResponse::new(200, body));
        }
    }
    assert_eq!(gateway.vm_recycled(), 0);
    all_pass(&mut gateway, 1);
}

/// What one route has proven says nothing to another that asks for more, though both live in one VM.
#[test]
fn a_token_that_one_route_knows_is_proven_anew_for_another() {
    for profile in BOTH {
        let first = sharing(profile);
        let (mut audience, mut lifetime, mut issuer) =
            (first.clone(), first.clone(), first.clone());
        audience["issuers"][0]["audience"] = json!("https://other.acme.example");
        lifetime["issuers"][0]["max_lifetime"] = json!("1m");
        issuer["issuers"][0]["issuer"] = json!("https://ci.example/");
        let routes: Vec<_> = [&first, &audience, &lifetime, &issuer]
            .map(|policy| RouteConfig::new("route", policy.to_string()))
            .into();
        let mut gateway = started(profile, shared(profile), &routes);
        give_keys(&mut gateway, &minter().jwks());
        gateway.advance(TICK);
        let token = good_token(&gateway);
        for _ in 0..3 {
            assert_passed(&gateway.request(0, with_token(&token)));
            for (route, code) in [
                (1, "audience_mismatch"),
                (2, "lifetime_too_long"),
                (3, "issuer_unknown"),
            ] {
                assert_refused(&gateway.request(route, with_token(&token)), code);
            }
        }
    }
}
