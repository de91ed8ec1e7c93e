//! New configurations, new VMs and VMs that die: the keys that were fetched outlive all of these.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use jobgate_harness::client::{Body, Request};
use jobgate_harness::envoy::{Envoy, EnvoyConfig, Listener, trapping};
use jobgate_harness::exchange::eventually;
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::{Echo, Upstream};
use serde_json::{Value, json};

use super::world::{SOON, bearing, issuer, log_tail, policy, start};

struct Reloading {
    envoy: Envoy,
    config: EnvoyConfig,
    policy: Value,
    _upstream: Upstream,
}

impl Reloading {
    fn start(issuer: &Issuer, workers: u32) -> Self {
        let upstream = Upstream::start().unwrap();
        let policy = policy(issuer);
        let mut config = EnvoyConfig::new(upstream.addr(), issuer.addr())
            .listener(Listener::new("gate").jobgate(policy.clone()));
        config.dynamic_listeners = true;
        config.concurrency = workers;
        Self {
            envoy: start(&config),
            config,
            policy,
            _upstream: upstream,
        }
    }

    /// Puts a policy in force whose rule has this id, with waiting switched off: keys are there at once or not at all.
    fn update(&mut self, rule: &str) {
        self.policy["rules"][0]["id"] = json!(rule);
        self.policy["issuers"][0]["jwks"]["wait"] = json!("0s");
        self.config.listeners[0].jobgate = Some(self.policy.clone().into());
        self.envoy
            .update(&self.config)
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// The rule that lets a request through, which must pass.
    fn rule(&self, request: &Request) -> String {
        let response = request.send(self.envoy.addr("gate")).unwrap();
        assert_eq!(
            response.status,
            200,
            "{}\n{}",
            response.text(),
            log_tail(&self.envoy)
        );
        let echo: Echo = response.json().unwrap();
        echo.header("x-jobgate-rule")[0].to_owned()
    }
}

#[test]
fn updates_under_load_refuse_nobody_though_the_issuer_is_down() {
    let issuer = issuer();
    let mut world = Reloading::start(&issuer, 2);
    let request = bearing(&issuer.mint(&TokenSpec::default()));
    assert_eq!(world.rule(&request), "any-job");
    drop(issuer);

    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let addr = world.envoy.addr("gate");
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let response = request.send(addr).unwrap();
                    if response.status != 200 {
                        over.store(true, Ordering::SeqCst);
                        panic!("{}", response.text());
                    }
                    sent.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for generation in 1..=4 {
            let rule = format!("generation-{generation}");
            // Every second time only the contexts are new, and every other the VMs too.
            world.config.vm_generation = generation / 2;
            world.update(&rule);
            eventually(SOON, || {
                (world.rule(&request) == rule || over.load(Ordering::SeqCst)).then_some(())
            })
            .unwrap_or_else(|| panic!("{rule} is not in force\n{}", log_tail(&world.envoy)));
        }
        over.store(true, Ordering::SeqCst);
    });
    assert!(sent.load(Ordering::SeqCst) > 0);
}

#[test]
fn a_vm_that_died_is_replaced_by_one_that_has_the_keys_though_the_issuer_is_down() {
    let issuer = issuer();
    let mut world = Reloading::start(&issuer, 1);
    let directory = tempfile::tempdir().unwrap();
    let mortal = directory.path().join("mortal.wasm");
    let module = fs::read(&world.config.wasm).unwrap();
    fs::write(&mortal, trapping(&module, "proxy_on_request_trailers")).unwrap();
    world.config.wasm = mortal;
    let request = bearing(&issuer.mint(&TokenSpec::default()));
    // The first one waits for the keys.
    world.rule(&request);
    world.update("mortal");
    eventually(SOON, || (world.rule(&request) == "mortal").then_some(())).unwrap();
    drop(issuer);

    let deadly = Request {
        method: b"POST".into(),
        ..request.clone()
    };
    let deadly = deadly.body(Body::Chunked {
        chunks: vec![b"body".into()],
        trailers: vec![(b"x-late".into(), b"deadly".into())],
    });
    // Envoy makes the new VM a second later, and answers 503 by itself until then.
    let response = deadly.send(world.envoy.addr("gate")).unwrap();
    assert_eq!(response.status, 503, "{}", log_tail(&world.envoy));
    let passes = || request.send(world.envoy.addr("gate")).unwrap().status == 200;
    eventually(SOON, || passes().then_some(()))
        .unwrap_or_else(|| panic!("{}", log_tail(&world.envoy)));
    let reloads = world
        .envoy
        .stats()
        .unwrap()
        .get("wasm.gate.vm_reload_success");
    assert_eq!(reloads, 1);
}
