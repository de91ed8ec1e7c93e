//! Rate limits, with the hosts' shared data and the hosts' ways with headers.

use std::time::Duration;

use jobgate_harness::mint::TokenSpec;
use jobgate_wasm_host::{Fault, Gateway, HostCall, Options, Profile, RouteConfig, Status};
use serde_json::{Value, json};

use crate::common::{
    BOTH, TICK, assert_passed, assert_refused, code, give_keys, minter, module, options, policy,
    ready, unix, with_token,
};

fn limited(profile: Profile, limit: Value) -> Value {
    let mut policy = policy(profile);
    policy["limits"] = json!([limit]);
    if profile == Profile::Kong {
        policy["shared_data"] = json!(true);
    }
    policy
}

fn per_pipeline() -> Value {
    json!({ "id": "per-pipeline", "key": ["organization_slug", "pipeline_slug"], "rate": "6/m" })
}

fn handing_on(profile: Profile) -> Value {
    let mut policy = policy(profile);
    policy["limits"] =
        json!([{ "id": "fleet", "key": ["pipeline_slug"], "enforce_by": "gateway" }]);
    policy
}

fn started(profile: Profile, policies: &[&Value], options: Options) -> Gateway {
    let mut gateway = Gateway::new(profile, module(), options);
    let routes: Vec<_> = (0..)
        .zip(policies)
        .map(|(nth, policy)| RouteConfig::new(format!("route-{nth}"), policy.to_string()))
        .collect();
    gateway.start(&routes).expect("the gateway starts");
    give_keys(&mut gateway, &minter().jwks());
    gateway
}

fn three_workers() -> Options {
    Options {
        workers: 3,
        shared_data_zone: true,
        ..options()
    }
}

fn token(gateway: &Gateway, pipeline: &str) -> String {
    let claims = json!({ "pipeline_slug": pipeline });
    let spec = TokenSpec {
        claims: claims.as_object().unwrap().clone(),
        ..TokenSpec::default()
    };
    minter().mint(&spec, unix(gateway))
}

#[test]
fn all_workers_and_routes_draw_from_one_bucket() {
    for profile in BOTH {
        let policy = limited(profile, per_pipeline());
        let mut gateway = started(profile, &[&policy, &policy], three_workers());
        for pipeline in ["one", "two"] {
            let token = token(&gateway, pipeline);
            let outcomes: Vec<_> = (0..12)
                .map(|nth| gateway.request_on(nth % 3, nth % 2, with_token(&token)))
                .collect();
            outcomes[..6].iter().for_each(assert_passed);
            for outcome in &outcomes[6..] {
                assert_refused(outcome, "rate_limited");
                let answer = outcome.local().unwrap();
                assert_eq!(answer.status, 429);
                let header = |name| answer.only(name).unwrap_or_else(|| panic!("no {name}"));
                assert_eq!(header("retry-after"), "10");
                assert_eq!(header("ratelimit"), "\"per-pipeline\";r=0;t=10");
                assert_eq!(header("ratelimit-policy"), "\"per-pipeline\";q=6;w=60");
            }
        }
        // What it was told holds, to the second.
        gateway.advance(Duration::from_secs(10));
        let token = token(&gateway, "one");
        assert_passed(&gateway.request_on(0, 0, with_token(&token)));
        assert_refused(
            &gateway.request_on(1, 0, with_token(&token)),
            "rate_limited",
        );
    }
}

#[test]
fn neither_a_reload_nor_a_dead_vm_fills_a_bucket() {
    for profile in BOTH {
        let policy = limited(profile, per_pipeline());
        let mut gateway = started(profile, &[&policy], three_workers());
        let token = token(&gateway, "one");
        for _ in 0..6 {
            assert_passed(&gateway.request(0, with_token(&token)));
        }
        let mut changed = policy.clone();
        changed["audit"] = json!({ "detail": "claims" });
        let changed = [RouteConfig::new("route-0", changed.to_string())];
        gateway.reconfigure(&changed).expect("it takes it");
        assert_refused(&gateway.request(0, with_token(&token)), "rate_limited");
        gateway.set_fault(HostCall::GetHeaderMapPairs, 1, Fault::Trap);
        gateway.request(0, with_token(&token));
        gateway.advance(TICK);
        assert_refused(&gateway.request(0, with_token(&token)), "rate_limited");
    }
}

#[test]
fn without_shared_data_or_when_others_are_always_faster_the_limit_says_what_becomes_of_requests() {
    for (unavailable, refused) in [("deny", true), ("allow", false)] {
        let mut limit = per_pipeline();
        limit["unavailable"] = json!(unavailable);
        let mut without = limited(Profile::Kong, limit.clone());
        without.as_object_mut().unwrap().remove("shared_data");
        let mut gateways = vec![ready(Profile::Kong, &without)];
        for profile in BOTH {
            let policy = limited(profile, limit.clone());
            gateways.push(started(profile, &[&policy], three_workers()));
        }
        for gateway in &mut gateways {
            let token = token(gateway, "one");
            for _ in 0..8 {
                // Somebody else is faster, each time.
                gateway.clear_faults();
                for nth in 1..=200 {
                    let conflict = Fault::Status(Status::CasMismatch);
                    gateway.set_fault(HostCall::SetSharedData, nth, conflict);
                }
                let exchange = gateway.request(0, with_token(&token));
                if refused {
                    assert_refused(&exchange, "limits_unavailable");
                } else {
                    assert_passed(&exchange);
                }
            }
        }
    }
}

/// A zone that is too small drops what was used least recently. That forgives, and neither refuses nor traps.
#[test]
fn a_zone_that_forgets_refuses_nobody_for_it() {
    let options = Options {
        shared_data_zone: true,
        shared_data_bytes: 96 * 1024,
        ..options()
    };
    let policy = limited(Profile::Kong, per_pipeline());
    let mut gateway = started(Profile::Kong, &[&policy], options);
    for nth in 0..300 {
        let token = token(&gateway, &format!("pipeline-{nth}"));
        assert_passed(&gateway.request(0, with_token(&token)));
    }
    let token = token(&gateway, "one");
    let codes: Vec<_> = (0..8)
        .map(|_| code(&gateway.request(0, with_token(&token))))
        .collect();
    assert_eq!(
        codes.iter().flatten().collect::<Vec<_>>(),
        ["rate_limited"; 2]
    );
}

#[test]
fn a_bucket_is_handed_on_under_a_name_that_no_client_can_give_itself() {
    const HEADER: &str = "x-jobgate-limit-fleet";
    for profile in BOTH {
        // Nothing is counted here, so no shared data is needed.
        let mut gateway = ready(profile, &handing_on(profile));
        let mut name = |request: jobgate_wasm_host::Request| {
            let exchange = gateway.request(0, request);
            assert_passed(&exchange);
            let mut names = exchange.upstream().unwrap().all(HEADER);
            assert_eq!(names.len(), 1, "{names:?}");
            names.remove(0)
        };
        let at = crate::common::NOW;
        let claims = |pipeline: &str| TokenSpec {
            claims: json!({ "pipeline_slug": pipeline })
                .as_object()
                .unwrap()
                .clone(),
            ..TokenSpec::default()
        };
        let one = minter().mint(&claims("one"), at);
        let two = minter().mint(&claims("two"), at);
        let of_one = name(with_token(&one));
        assert_eq!(of_one.len(), 32);
        assert_ne!(name(with_token(&two)), of_one);
        // The client's own is overwritten in place, in any letter case.
        for spelling in [HEADER, "X-Jobgate-Limit-Fleet"] {
            let forged = with_token(&one).header(spelling, "forged");
            assert_eq!(name(forged), of_one);
        }
        let twice = with_token(&one).header(HEADER, "a").header(HEADER, "b");
        let exchange = gateway.request(0, twice);
        match profile {
            Profile::Kong => assert_refused(&exchange, "header_reserved"),
            Profile::Envoy => assert_eq!(exchange.upstream().unwrap().all(HEADER), [of_one]),
        }
    }
    // On Kong one that is refused in shadow mode arrives empty.
    let mut shadow = handing_on(Profile::Kong);
    shadow["mode"] = json!("shadow");
    let mut gateway = ready(Profile::Kong, &shadow);
    let forged = jobgate_wasm_host::Request::get("/").header(HEADER, "forged");
    let exchange = gateway.request(0, forged);
    assert_eq!(exchange.upstream().unwrap().all(HEADER), [""]);
}

#[test]
fn a_shadowed_limit_is_recorded_and_blocks_nothing() {
    for profile in BOTH {
        let mut policy = limited(profile, per_pipeline());
        policy["mode"] = json!("shadow");
        let mut gateway = started(profile, &[&policy], three_workers());
        let token = token(&gateway, "one");
        let decisions: Vec<_> = (0..8)
            .map(|_| {
                let exchange = gateway.request(0, with_token(&token));
                exchange
                    .upstream()
                    .unwrap()
                    .all("x-jobgate-decision")
                    .remove(0)
            })
            .collect();
        assert_eq!(decisions[..6], ["allow"; 6]);
        assert_eq!(decisions[6..], ["shadow-deny"; 2]);
    }
}
