//! Rules that let each token through once, on several workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use jobgate_harness::envoy::{EnvoyConfig, Listener};
use jobgate_harness::exchange::eventually;
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::Upstream;
use serde_json::{Value, json};

use super::world::{SOON, bearing, issuer, log_tail, policy, start};

/// A token that was not there before, issued so many seconds ago.
fn fresh_token(issuer: &Issuer, age: i64) -> String {
    static NTH: AtomicU64 = AtomicU64::new(0);
    let mut spec = TokenSpec {
        age,
        ..TokenSpec::default()
    };
    let jti = NTH.fetch_add(1, Ordering::SeqCst).to_string();
    spec.claims.insert("jti".to_owned(), json!(jti));
    issuer.mint(&spec)
}

#[test]
fn of_thirty_requests_with_one_token_one_passes() {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let mut policy = policy(&issuer);
    policy["issuers"][0]["leeway"] = json!("0s");
    policy["rules"][0]["replay"] = json!("once");
    let mut config = EnvoyConfig::new(upstream.addr(), issuer.addr())
        .listener(Listener::new("gate").jobgate(policy));
    config.concurrency = 4;
    let envoy = start(&config);
    let send = |token: &str| {
        let response = bearing(token).send(envoy.addr("gate")).unwrap();
        let problem: Value = response.json().unwrap_or_default();
        (
            response.status,
            problem["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    // Tokens that may have been used before the record began do not pass.
    assert_eq!(
        send(&fresh_token(&issuer, 60)),
        (503, "replay_unavailable".to_owned())
    );
    eventually(SOON, || {
        (send(&fresh_token(&issuer, 0)).0 == 200).then_some(())
    })
    .unwrap_or_else(|| panic!("{}", log_tail(&envoy)));

    for _ in 0..3 {
        let before = upstream.count();
        let token = fresh_token(&issuer, 0);
        let answers: Vec<_> = thread::scope(|scope| {
            let clients: Vec<_> = (0..30).map(|_| scope.spawn(|| send(&token))).collect();
            clients
                .into_iter()
                .map(|client| client.join().unwrap())
                .collect()
        });
        let count = |status, code: &str| {
            answers
                .iter()
                .filter(|(had, told)| (*had, told.as_str()) == (status, code))
                .count()
        };
        assert_eq!(
            (count(200, ""), count(403, "replayed")),
            (1, 29),
            "{answers:?}"
        );
        assert_eq!(upstream.count() - before, 1);
    }
}
