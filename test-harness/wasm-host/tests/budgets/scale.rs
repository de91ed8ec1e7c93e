//! What a request costs beside much that is not about it: ten thousand rules, two hundred routes, very many tokens.

use jobgate_harness::keys::{Algorithm, SigningKey};
use jobgate_wasm_host::{Gateway, Profile, Request};
use serde_json::{Value, json};

use crate::paths::cost;
use crate::world::{ISSUER, minter, policy, policy_of_route, ready, ready_with, request, token};

/// How many times more instructions than among the fewest a request may take among the most.
const FLAT: f64 = 1.25;

/// How many tokens are in the cache; `TOKENS=` says another number, of which each takes some milliseconds.
const TOKENS: usize = 2_000;

const JOB: usize = 7;

fn with_token() -> Request {
    request(JOB, Some(&token(JOB, 0, |_| ())))
}

fn of_a_stranger() -> Request {
    request(JOB + 1, Some(&token(JOB, 0, |_| ())))
}

fn of_an_unknown_key() -> Request {
    let token = token(JOB, 0, |spec| {
        spec.header.insert("kid".into(), json!("made-up"));
    });
    request(JOB, Some(&token))
}

fn of_an_unknown_issuer() -> Request {
    let token = token(JOB, 0, |spec| {
        spec.claims
            .insert("iss".into(), json!("https://made-up.example"));
    });
    request(JOB, Some(&token))
}

/// Sends these requests to gateways of growing size, and has each cost about the same on all of them.
fn assert_flat(
    of: &str,
    sizes: &[usize],
    requests: &[(&str, Request)],
    mut of_size: impl FnMut(usize) -> (Gateway, usize),
) {
    let mut fewest: Vec<u64> = Vec::new();
    for (nth, size) in sizes.iter().enumerate() {
        let (mut gateway, route) = of_size(*size);
        for (place, (outcome, request)) in requests.iter().enumerate() {
            let cost = cost(&mut gateway, route, outcome, |_| request.clone());
            println!("{size:>7} {of}: {outcome:<17}{:>10} fuel", cost.fuel);
            if nth == 0 {
                fewest.push(cost.fuel);
            }
            let times = cost.fuel as f64 / fewest[place] as f64;
            assert!(
                times <= FLAT,
                "{outcome} among {size} {of} takes {times:.2} times the instructions that it takes among {}",
                sizes[0]
            );
        }
    }
}

const HOST: Profile = Profile::Kong;

#[test]
fn nothing_on_a_requests_way_is_linear_in_rules() {
    let requests = [
        ("allow", with_token()),
        ("no_rule_matched", of_a_stranger()),
    ];
    assert_flat("rules", &[10, 100, 1_000, 10_000], &requests, |size| {
        (ready(HOST, &[policy(HOST, size)]), 0)
    });
}

#[test]
fn nothing_on_a_requests_way_is_linear_in_routes() {
    let requests = [
        ("allow", with_token()),
        ("no_rule_matched", of_a_stranger()),
    ];
    assert_flat("routes", &[1, 20, 200], &requests, |size| {
        let policies: Vec<_> = (0..size).map(|nth| policy_of_route(HOST, nth)).collect();
        let mut gateway = ready(HOST, &policies);
        for route in 0..size {
            gateway.request(route, with_token());
        }
        (gateway, size / 2)
    });
}

#[test]
fn nothing_on_a_requests_way_is_linear_in_tokens() {
    let most = match std::env::var("TOKENS") {
        Ok(number) => number.parse().expect("TOKENS is a number"),
        Err(_) => TOKENS,
    };
    let mut policy = policy(HOST, 10);
    policy["cache"] = json!({ "entries": 1_000_000, "bytes": "512MiB" });
    let requests = [("allow", with_token())];
    assert_flat("tokens", &[1, most / 20, most], &requests, |size| {
        let mut gateway = ready(HOST, std::slice::from_ref(&policy));
        for nth in 1..=size {
            let token = token(JOB, nth as u64, |spec| {
                spec.algorithm = Some(Algorithm::EdDsa)
            });
            gateway.request(0, request(JOB, Some(&token)));
            gateway.forget_exchanges();
        }
        (gateway, 0)
    });
}

#[test]
fn nothing_on_a_requests_way_is_linear_in_keys() {
    let requests = [
        ("allow", with_token()),
        ("keys_unavailable", of_an_unknown_key()),
    ];
    assert_flat("keys", &[1, 10, 100], &requests, |size| {
        let others = (1..size).map(|nth| SigningKey::ed25519(&format!("other-{nth}")).public_jwk());
        let keys: Vec<_> = others
            .chain([minter().current_key().public_jwk()])
            .collect();
        let policies = [policy(HOST, 10)];
        (ready_with(HOST, &policies, &json!({ "keys": keys })), 0)
    });
}

#[test]
fn nothing_on_a_requests_way_is_linear_in_issuers() {
    let requests = [
        ("allow", with_token()),
        ("issuer_unknown", of_an_unknown_issuer()),
    ];
    assert_flat("issuers", &[1, 10, 100, 1_000], &requests, |size| {
        let mut policy = policy(HOST, 10);
        let ours = policy["issuers"][0].clone();
        let other = |nth: usize| {
            let mut other = ours.clone();
            other["issuer"] = json!(format!("{ISSUER}/{nth}"));
            other["keys"] = minter().jwks();
            other["jwks"] = Value::Null;
            other
                .as_object_mut()
                .expect("it is an object")
                .remove("jwks");
            other
        };
        let issuers: Vec<_> = (1..size).map(other).chain([ours.clone()]).collect();
        policy["issuers"] = json!(issuers);
        (ready(HOST, &[policy]), 0)
    });
}

#[test]
fn nothing_on_a_requests_way_is_linear_in_revocations() {
    let requests = [("allow", with_token())];
    assert_flat("revocations", &[1, 100, 10_000], &requests, |size| {
        let entry = |nth| json!({ "claims": { "organization_slug": "acme", "build_number": nth } });
        let mut policy = policy(HOST, 10);
        policy["revocations"] = json!({ "entries": (0..size).map(entry).collect::<Vec<_>>() });
        (ready(HOST, &[policy]), 0)
    });
}
