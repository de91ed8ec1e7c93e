//! What the gate counts, as Envoy shows it.

use jobgate_harness::client::Request;
use jobgate_harness::envoy::{EnvoyConfig, Listener};
use jobgate_harness::exchange::eventually;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::Upstream;
use serde_json::json;

use super::world::{SOON, bearing, issuer, policy, start};

#[test]
fn decisions_and_fetches_are_counted_by_their_outcome() {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let enforcing = policy(&issuer);
    let mut shadow = policy(&issuer);
    shadow["mode"] = json!("shadow");
    let config = EnvoyConfig::new(upstream.addr(), issuer.addr())
        .listener(Listener::new("enforcing").jobgate(enforcing))
        .listener(Listener::new("shadow").jobgate(shadow));
    let envoy = start(&config);
    let good = bearing(&issuer.mint(&TokenSpec::default()));
    let bare = Request::new("GET", "/");
    let status = |listener, request: &Request| request.send(envoy.addr(listener)).unwrap().status;
    assert_eq!(status("enforcing", &good), 200);
    assert_eq!(status("enforcing", &good), 200);
    assert_eq!(status("enforcing", &bare), 401);
    assert_eq!(status("shadow", &bare), 200);

    let expected = [
        ("decision_allow", 2),
        ("decision_deny_token_missing", 1),
        ("decision_shadow_deny_token_missing", 1),
        ("fetch_ok", 1),
    ];
    let counted = || {
        let stats = envoy.stats().unwrap();
        expected.map(|(name, _)| (name, stats.get(&format!("wasmcustom.jobgate_{name}"))))
    };
    // Workers hand their counts over now and then.
    eventually(SOON, || (counted() == expected).then_some(()))
        .unwrap_or_else(|| panic!("{:?}", counted()));
    let all = envoy.stats().unwrap();
    let known = expected.map(|(name, _)| format!("wasmcustom.jobgate_{name}"));
    let others: Vec<_> = all
        .iter()
        .filter(|(name, _)| name.starts_with("wasmcustom.") && !known.iter().any(|one| one == name))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}
