//! Rules that let a token through once, with the hosts' shared data.

use std::time::Duration;

use jobgate_harness::mint::TokenSpec;
use jobgate_wasm_host::{
    Fault, Gateway, HostCall, Options, Outcome, Profile, Request, RouteConfig,
};
use serde_json::{Value, json};

use crate::common::{
    BOTH, TICK, assert_passed, assert_refused, gateway, give_keys, minter, module, options, policy,
    unix, with_token,
};

fn once(profile: Profile) -> Value {
    let mut policy = policy(profile);
    policy["rules"][0]["replay"] = json!("once");
    if profile == Profile::Kong {
        policy["shared_data"] = json!(true);
    }
    policy
}

/// A gateway of three workers whose record of used tokens has begun.
fn begun(profile: Profile, policy: &Value) -> Gateway {
    let options = Options {
        workers: 3,
        shared_data_zone: true,
        ..options()
    };
    let mut gateway = Gateway::new(profile, module(), options);
    gateway
        .start(&[RouteConfig::new("deploy", policy.to_string())])
        .expect("the gateway starts");
    give_keys(&mut gateway, &minter().jwks());
    gateway.advance(Duration::from_secs(60));
    gateway
}

fn fresh(gateway: &Gateway, job: &str) -> String {
    with_claims(gateway, &json!({ "job_id": job }))
}

fn with_claims(gateway: &Gateway, claims: &Value) -> String {
    let spec = TokenSpec {
        claims: claims.as_object().unwrap().clone(),
        ..TokenSpec::default()
    };
    minter().mint(&spec, unix(gateway))
}

#[test]
fn a_token_passes_once_whichever_worker_it_comes_to() {
    for profile in BOTH {
        let mut gateway = begun(profile, &once(profile));
        for job in ["one", "two", "three"] {
            let token = fresh(&gateway, job);
            let outcomes: Vec<_> = (0..9)
                .map(|nth| gateway.request_on(nth % 3, 0, with_token(&token)))
                .collect();
            assert_passed(&outcomes[0]);
            for outcome in &outcomes[1..] {
                assert_refused(outcome, "replayed");
            }
        }
    }
}

#[test]
fn a_used_token_stays_used_when_vms_die_and_configurations_change() {
    for profile in BOTH {
        let mut gateway = begun(profile, &once(profile));
        let token = fresh(&gateway, "job");
        assert_passed(&gateway.request(0, with_token(&token)));
        let mut changed = once(profile);
        changed["audit"] = json!({ "detail": "claims" });
        let changed = [RouteConfig::new("deploy", changed.to_string())];
        gateway.reconfigure(&changed).expect("it takes it");
        assert_refused(&gateway.request(0, with_token(&token)), "replayed");
        gateway.reload(&changed).expect("it takes it");
        gateway.advance(TICK);
        assert_refused(&gateway.request_on(1, 0, with_token(&token)), "replayed");
    }
}

#[test]
fn a_token_that_may_have_been_used_before_the_record_began_is_refused() {
    for profile in BOTH {
        let mut gateway = begun(profile, &once(profile));
        let old = TokenSpec {
            age: 120,
            ..TokenSpec::default()
        };
        let old = minter().mint(&old, unix(&gateway));
        assert_refused(&gateway.request(0, with_token(&old)), "replay_unavailable");
    }
}

#[test]
fn where_there_is_no_shared_data_such_a_rule_lets_nothing_through() {
    let mut policy = once(Profile::Kong);
    policy.as_object_mut().unwrap().remove("shared_data");
    let mut gateway = gateway(Profile::Kong, &policy);
    give_keys(&mut gateway, &minter().jwks());
    gateway.advance(Duration::from_secs(60));
    let token = fresh(&gateway, "job");
    assert_refused(
        &gateway.request(0, with_token(&token)),
        "replay_unavailable",
    );
}

/// A zone that is too small drops what was used least recently: the record must notice.
#[test]
fn a_zone_that_forgets_lets_no_token_through_twice() {
    let options = Options {
        shared_data_zone: true,
        shared_data_bytes: 96 * 1024,
        ..options()
    };
    let mut gateway = Gateway::new(Profile::Kong, module(), options);
    let routes = [RouteConfig::new("deploy", once(Profile::Kong).to_string())];
    gateway.start(&routes).expect("the gateway starts");
    give_keys(&mut gateway, &minter().jwks());
    gateway.advance(Duration::from_secs(60));
    // A `jti` settles on which page a token goes; its signature would be another in every run.
    let tokens: Vec<_> = (0..400)
        .map(|job| with_claims(&gateway, &json!({ "jti": format!("job-{job}") })))
        .collect();
    let mut passed = vec![0; tokens.len()];
    for _ in 0..3 {
        for (nth, token) in tokens.iter().enumerate() {
            let exchange = gateway.request(0, with_token(token));
            if matches!(exchange.outcome, Outcome::Upstream(_)) {
                passed[nth] += 1;
            }
        }
        gateway.advance(Duration::from_secs(40));
    }
    assert!(passed.iter().all(|times| *times <= 1), "{passed:?}");
    assert!(passed.contains(&1), "the zone holds some pages");
    assert!(passed.contains(&0), "and not all of them");
    assert_refused(&gateway.request(0, Request::get("/")), "token_missing");
}

/// Two routes of the same policy are one gate, and a VM that dies takes its cache and not the record.
#[test]
fn neither_another_route_nor_a_dead_vm_makes_a_used_token_new() {
    for profile in BOTH {
        let options = Options {
            shared_data_zone: true,
            ..options()
        };
        let mut gateway = Gateway::new(profile, module(), options);
        let policy = once(profile).to_string();
        let routes = ["a", "b"].map(|name| RouteConfig::new(name, policy.clone()));
        gateway.start(&routes).expect("the gateway starts");
        give_keys(&mut gateway, &minter().jwks());
        gateway.advance(Duration::from_secs(60));
        let token = fresh(&gateway, "job");
        assert_passed(&gateway.request(0, with_token(&token)));
        assert_refused(&gateway.request(1, with_token(&token)), "replayed");
        gateway.set_fault(HostCall::GetHeaderMapPairs, 1, Fault::Trap);
        gateway.request(0, with_token(&token));
        gateway.advance(TICK);
        for route in [0, 1, 0] {
            assert_refused(&gateway.request(route, with_token(&token)), "replayed");
        }
        assert_eq!(gateway.vm_recycled(), 1);
    }
}
