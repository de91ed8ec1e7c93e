//! Many gates on several workers ask the issuer as if they were one.

use std::thread;

use jobgate_harness::envoy::{EnvoyConfig, Listener};
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::Upstream;
use serde_json::json;

use super::world::{bearing, issuer, log_tail, policy, start};

#[test]
fn twenty_gates_on_four_workers_fetch_keys_once_and_once_more_after_a_rotation() {
    const GATES: usize = 20;
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let mut config = EnvoyConfig::new(upstream.addr(), issuer.addr());
    config.concurrency = 4;
    for nth in 0..GATES {
        let mut policy = policy(&issuer);
        policy["rules"][0]["id"] = json!(format!("rule-{nth}"));
        let listener = Listener::new(format!("gate-{nth}"));
        config.listeners.push(listener.jobgate(policy));
    }
    let envoy = start(&config);
    let all_pass = |token: &str| {
        let request = bearing(token);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..GATES)
                .map(|nth| {
                    let (addr, request) = (envoy.addr(&format!("gate-{nth}")), &request);
                    // Several connections for each gate, so that each has some on several workers.
                    scope
                        .spawn(move || (0..6).map(|_| request.send(addr).unwrap().status).collect())
                })
                .collect();
            for client in clients {
                let statuses: Vec<u16> = client.join().unwrap();
                assert_eq!(statuses, [200; 6], "{}", log_tail(&envoy));
            }
        });
    };
    all_pass(&issuer.mint(&TokenSpec::default()));
    assert_eq!(issuer.stats().jwks_requests, 1);
    issuer.rotate_keys(true);
    all_pass(&issuer.mint(&TokenSpec::default()));
    assert_eq!(issuer.stats().jwks_requests, 2);
}
