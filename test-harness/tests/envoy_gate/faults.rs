//! What can be wrong with an issuer: each cause reads differently in the log, and none lets a request pass.

use jobgate_harness::envoy::{EnvoyConfig, Listener};
use jobgate_harness::exchange::Exchange;
use jobgate_harness::issuer::{Endpoint, Fault, FaultOrder, Issuer};
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::Upstream;
use serde_json::json;

use super::world::{bearing, issuer, policy, start, wait_for_log};

/// What is wrong, how, and what the log says of it.
const FAULTS: [(&str, Fault, &str); 7] = [
    (
        "error",
        Fault::Status(500),
        "the server answered with status 500",
    ),
    // Not Envoy's own: the server was there to say it.
    (
        "overload",
        Fault::Status(503),
        "the server answered with status 503",
    ),
    (
        "redirect",
        Fault::Status(302),
        "the server answered with status 302",
    ),
    (
        "delay",
        Fault::DelayMs(60_000),
        "no answer came: time ran out",
    ),
    ("garbage", Fault::Garbage, "the document is not JSON"),
    (
        "huge",
        Fault::BodyBytes(300_000),
        "the document has 300000 bytes; at most 262144 are read",
    ),
    (
        "disconnect",
        Fault::Disconnect,
        "no answer came: the server cannot be reached",
    ),
];

#[test]
fn each_fault_of_an_issuer_has_its_own_words_in_the_log_and_lets_nothing_pass() {
    let upstream = Upstream::start().unwrap();
    let mut config = EnvoyConfig::new(upstream.addr(), upstream.addr());
    let issuers: Vec<Issuer> = FAULTS
        .iter()
        .map(|(name, fault, _)| {
            let issuer = issuer();
            issuer.order(&FaultOrder {
                endpoint: Endpoint::Jwks,
                fault: Some(*fault),
                times: None,
            });
            let mut policy = policy(&issuer);
            policy["issuers"][0]["jwks"]["cluster"] = json!(name);
            policy["issuers"][0]["jwks"]["timeout"] = json!("300ms");
            policy["issuers"][0]["jwks"]["wait"] = json!("0s");
            config.listeners.push(Listener::new(*name).jobgate(policy));
            config
                .clusters
                .insert((*name).to_owned(), issuer.addr().into());
            issuer
        })
        .collect();
    let envoy = start(&config);
    for ((name, _, words), issuer) in FAULTS.iter().zip(&issuers) {
        let keys = issuer.base_url();
        wait_for_log(
            &envoy,
            &format!("the keys of {keys} could not be fetched: {words} ("),
        );
        let token = issuer.mint(&TokenSpec::default());
        let exchange = Exchange::run(&envoy, name, &upstream, &bearing(&token)).unwrap();
        assert_eq!(
            exchange.code().as_deref(),
            Some("keys_unavailable"),
            "{name}"
        );
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_cluster_that_envoy_does_not_know_is_named() {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let mut policy = policy(&issuer);
    policy["issuers"][0]["jwks"]["cluster"] = json!("misspelt");
    let config = EnvoyConfig::new(upstream.addr(), issuer.addr())
        .listener(Listener::new("gate").jobgate(policy));
    wait_for_log(
        &start(&config),
        r#"the gateway did not send the request: BadArgument for the cluster "misspelt""#,
    );
}

#[test]
fn a_body_that_is_far_too_large_is_refused_like_one_that_is_just_too_large() {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    issuer.order(&FaultOrder {
        endpoint: Endpoint::Jwks,
        fault: Some(Fault::BodyBytes(20_000_000)),
        times: None,
    });
    let config = EnvoyConfig::new(upstream.addr(), issuer.addr())
        .listener(Listener::new("gate").jobgate(policy(&issuer)));
    let envoy = start(&config);
    wait_for_log(&envoy, "the document has 20000000 bytes");
    let token = issuer.mint(&TokenSpec::default());
    let exchange = Exchange::run(&envoy, "gate", &upstream, &bearing(&token)).unwrap();
    assert_eq!(exchange.code().as_deref(), Some("keys_unavailable"));
    assert_eq!(upstream.count(), 0);
}
