//! Many requests of one job at once.

use std::thread;
use std::time::Duration;

use jobgate_harness::counterpart::Mood;
use jobgate_harness::envoy::EnvoyConfig;

use serde_json::json;

use super::token_endpoint::{endpoint, target};
use super::world::{Stage, World, bearing};

/// As many as the gate lets wait at a time, and fewer than Envoy lets wait for a cluster by default (1,024).
const REQUESTS: u64 = 1_000;

fn world(configure: impl FnOnce(&mut EnvoyConfig)) -> World {
    let stage = Stage::new();
    let counterpart = endpoint(&stage, None).start().unwrap();
    let mut target = target();
    target["token_exchange"]["timeout"] = json!("30s");
    let gates = vec![(target, counterpart)];
    let world = stage.world_with(gates, "authorization", |_| {}, configure);
    world.wait_for_keys();
    world
}

#[test]
fn a_thousand_requests_of_a_job_wait_for_one_exchange() {
    // Each needs a connection to Envoy, and another one from there, of which both ends are files too.
    let files = rustix::process::Resource::Nofile;
    let mut limit = rustix::process::getrlimit(files);
    limit.current = limit.maximum;
    rustix::process::setrlimit(files, limit).unwrap();
    let world = world(|_| {});
    world.counterpart().be(Mood::Hangs);
    let token = world.token();
    let request = bearing(&token).timeout(Duration::from_secs(60));
    let addr = world.addr();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..REQUESTS)
            .map(|_| {
                let client = thread::Builder::new().stack_size(256 * 1024);
                client
                    .spawn_scoped(scope, || request.send(addr).unwrap())
                    .unwrap()
            })
            .collect();
        world.wait_for_active_requests(REQUESTS);
        world.counterpart().be(Mood::Good);
        for client in clients {
            let response = client.join().unwrap();
            assert_eq!(
                response.status,
                200,
                "{}\n{}",
                response.text(),
                world.log_tail()
            );
            world.keep(&response);
        }
    });
    assert_eq!(
        (world.counterpart().asked(), world.counterpart().granted()),
        (1, 1)
    );
    let seen = world.upstream.seen();
    assert_eq!(seen.len() as u64, REQUESTS);
    let credential = seen[0].header("authorization");
    assert!(
        seen.iter()
            .all(|it| it.taken && it.header("authorization") == credential)
    );
    // And those that come after have it too.
    world.passes(&request);
    assert_eq!(world.counterpart().granted(), 1);
    world.kept_its_secrets(&[]);
}

/// Workers have no memory in common that a secret could be in: each exchanges for itself, once.
#[test]
fn each_worker_exchanges_a_token_once() {
    const WORKERS: u32 = 2;
    let world = world(|config| config.concurrency = WORKERS);
    let token = world.token();
    let request = bearing(&token);
    let addr = world.addr();
    for _ in 0..2 {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..60)
                .map(|_| scope.spawn(|| request.send(addr).unwrap()))
                .collect();
            for client in clients {
                let response = client.join().unwrap();
                assert_eq!(response.status, 200, "{}", response.text());
                world.keep(&response);
            }
        });
        let granted = world.counterpart().granted();
        assert!((1..=u64::from(WORKERS)).contains(&granted), "{granted}");
    }
    assert!(world.upstream.seen().iter().all(|seen| seen.taken));
    world.kept_its_secrets(&[]);
}
