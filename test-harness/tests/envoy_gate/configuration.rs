//! How the gate takes its configuration from Envoy.

use std::process::Command;

use jobgate_harness::configurations;
use jobgate_harness::envoy::{EnvoyBinary, EnvoyConfig, GateConfig, Listener};
use jobgate_harness::exchange::Exchange;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::repository;
use jobgate_harness::upstream::Upstream;

use super::world::{World, bearing, issuer, policy, start};

#[test]
fn every_wrong_configuration_refuses_everything_and_the_log_names_each_error() {
    let all = configurations::load().expect("configurations.yaml is sound");
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let mut config = EnvoyConfig::new(upstream.addr(), issuer.addr());
    for (nth, wrong) in all.iter().enumerate() {
        let listener = Listener::new(format!("wrong-{nth}"));
        config
            .listeners
            .push(listener.jobgate(GateConfig::Raw(wrong.document.clone())));
    }
    // It starts: a configuration that Envoy refused would take all other routes with it.
    let envoy = start(&config);
    let log = envoy.log_text();
    let token = issuer.mint(&TokenSpec::default());
    let mut failures = Vec::new();
    for (nth, wrong) in all.iter().enumerate() {
        let listener = format!("wrong-{nth}");
        let exchange = Exchange::run(&envoy, &listener, &upstream, &bearing(&token)).unwrap();
        let (status, code) = (exchange.response.status, exchange.code());
        if (status, code.as_deref()) != (503, Some("config_invalid")) {
            failures.push(format!("{}: answered {status} {code:?}", wrong.name));
        }
        for error in &wrong.errors {
            let said = log.lines().any(|line| {
                line.ends_with(&format!("jobgate: configuration of {listener:?}: {error}"))
            });
            if !said {
                failures.push(format!("{}: the log lacks {error}", wrong.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(upstream.count(), 0);
    assert_eq!(issuer.stats().jwks_requests, 0);
}

/// Envoy 1.40 hands a `Struct` over as protobuf, not as JSON. What counts is that nothing passes then.
#[test]
fn a_policy_that_is_a_struct_in_place_of_text_refuses_everything() {
    let issuer = issuer();
    let policy = GateConfig::Struct(policy(&issuer));
    let world = World::start(issuer, policy);
    assert_eq!(
        world.refusal(&world.token()).as_deref(),
        Some("config_invalid")
    );
    world.wait_for_log("the configuration is not JSON that can be read in one way only");
}

#[test]
fn the_example_configurations_are_ones_that_envoy_accepts() {
    for file in ["envoy/jobgate.yaml", "envoy/rate-limit.yaml"] {
        let output = Command::new(EnvoyBinary::locate().unwrap().path())
            .args(["--mode", "validate", "--config-path", file])
            .current_dir(repository())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{file}: {said}");
        assert!(!said.contains("config_invalid"), "{file}: {said}");
    }
}
