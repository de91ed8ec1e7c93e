//! What a worker's VM holds when its caches are full.

use jobgate_harness::keys::Algorithm;
use jobgate_wasm_host::Profile;
use serde_json::{Value, json};

use crate::world::{BOTH, outcome, policy, policy_of_route, ready, request, started, token};

const MIB: usize = 1024 * 1024;

/// The most that a worker's VM may hold.
const MOST: usize = 16 * MIB;

const JOB: usize = 7;

/// How much longer than a job's token a token may be.
const LONGEST: u64 = 8_000;

/// Sends ever new tokens of all lengths to all routes in turn, until the first is forgotten. The VM must stay small.
fn fill(name: &str, profile: Profile, policies: &[Value], requests: u64) {
    let mut gateway = ready(profile, policies);
    let configured = gateway.memory_bytes();
    let mut send = |nth: u64| {
        let new = token(JOB, nth, |spec| {
            spec.algorithm = Some(Algorithm::EdDsa);
            let length = nth.wrapping_mul(2_654_435_761) % LONGEST;
            spec.pad = usize::try_from(length).ok();
        });
        let route = usize::try_from(nth).expect("it fits") % policies.len();
        let (exchange, cost) = gateway.cost_of(|it| it.request(route, request(JOB, Some(&new))));
        assert_eq!(outcome(&exchange), "allow");
        let memory = gateway.memory_bytes();
        assert!(
            memory <= MOST,
            "{name}: {memory} bytes after {nth} tokens, {configured} before"
        );
        gateway.forget_exchanges();
        gateway.take_logs();
        cost.fuel
    };
    // A key's first signature is dearer than those after it.
    send(requests);
    let (cold, warm) = (send(0), send(0));
    assert!(warm * 2 < cold, "{warm} against {cold}");
    for nth in 1..requests {
        send(nth);
    }
    let again = send(0);
    assert!(
        again * 2 > cold,
        "{name}: {requests} tokens do not fill the caches"
    );
    println!(
        "{profile:?}, {name}: {:.2} MiB with the policies, {:.2} with full caches",
        configured as f64 / MIB as f64,
        gateway.memory_bytes() as f64 / MIB as f64
    );
}

#[test]
fn a_vm_with_full_caches_stays_within_16_mib() {
    for profile in BOTH {
        let mut many_entries = policy(profile, 10);
        many_entries["cache"] = json!({ "entries": 1_000_000 });
        fill("one route", profile, &[policy(profile, 10)], 800);
        fill("most entries", profile, &[many_entries], 800);
    }
}

#[test]
fn a_vm_with_full_caches_of_200_routes_stays_within_16_mib() {
    let policy = |nth| policy_of_route(Profile::Kong, nth);
    let policies: Vec<_> = (0..200).map(policy).collect();
    fill("200 routes", Profile::Kong, &policies, 3_000);
}

/// A VM never gives memory back, so what loading takes stays.
#[test]
fn a_vm_that_loads_10_000_rules_stays_within_18_mib() {
    for profile in BOTH {
        let (mut gateway, _) = started(profile, &[policy(profile, 10_000)]);
        let memory = gateway.memory_bytes();
        println!(
            "{profile:?}, 10,000 rules: {:.2} MiB",
            memory as f64 / MIB as f64
        );
        assert!(memory <= 18 * MIB, "{profile:?}: {memory} bytes");
    }
}
