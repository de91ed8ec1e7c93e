//! Servers that hang, are slow, err or are not there.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use jobgate_harness::counterpart::Mood;
use jobgate_harness::envoy::EnvoyConfig;
use jobgate_harness::exchange::eventually;
use serde_json::{Value, json};

use super::token_endpoint::{endpoint, target};
use super::world::{SOON, Stage, World, bearing};

/// A gate that waits so long for an answer.
fn world(timeout: &str, change: impl Fn(&mut Value)) -> World {
    let stage = Stage::new();
    let counterpart = endpoint(&stage, None).start().unwrap();
    let mut target = target();
    target["token_exchange"]["timeout"] = json!(timeout);
    let gates = vec![(target, counterpart)];
    let world = stage.world_with(gates, "authorization", change, |_| {});
    world.wait_for_keys();
    world
}

#[test]
fn a_server_that_hangs_costs_its_timeout_and_no_more() {
    let world = world("1s", |_| {});
    world.counterpart().be(Mood::Hangs);
    let token = world.token();
    for nth in 1..=2 {
        let start = Instant::now();
        let cause = world.fails(&bearing(&token));
        let took = start.elapsed();
        assert!(
            took > Duration::from_millis(900) && took < Duration::from_secs(6),
            "{took:?}"
        );
        assert!(cause.contains("time"), "{cause}");
        // What failed is not kept.
        assert_eq!(world.counterpart().asked(), nth);
    }
    world.counterpart().be(Mood::Good);
    world.passes(&bearing(&token));
    world.kept_its_secrets(&[]);
}

#[test]
fn a_server_that_is_slow_is_waited_for() {
    let world = world("10s", |_| {});
    world
        .counterpart()
        .be(Mood::Slow(Duration::from_millis(1_500)));
    let token = world.token();
    let start = Instant::now();
    world.passes(&bearing(&token));
    assert!(start.elapsed() > Duration::from_millis(1_400));
    world.passes(&bearing(&token));
    assert_eq!(world.counterpart().granted(), 1);
    world.kept_its_secrets(&[]);
}

#[test]
fn a_server_that_errs_makes_no_request_pass() {
    let world = world("2s", |_| {});
    for (mood, why) in [
        (Mood::Errs(500), "status 500"),
        (Mood::Errs(503), "status 503"),
        (Mood::Errs(429), "status 429"),
        (Mood::Errs(302), "status 302"),
        (Mood::Errs(200), "no bearer token"),
        (Mood::HangsUp, ""),
    ] {
        world.counterpart().be(mood);
        let cause = world.fails(&bearing(&world.token()));
        assert!(cause.contains(why), "{mood:?}: {cause}");
    }
    world.counterpart().be(Mood::Good);
    world.passes(&bearing(&world.token()));
    world.kept_its_secrets(&[]);
}

#[test]
fn a_server_that_is_not_there_makes_no_request_pass() {
    let stage = Stage::new();
    let gone = endpoint(&stage, None).start().unwrap();
    let nowhere = gone.addr();
    drop(gone);
    let gates = ["counterpart-0", "nobody"].map(|cluster| {
        let mut target = target();
        target["token_exchange"]["cluster"] = json!(cluster);
        (target, endpoint(&stage, None).start().unwrap())
    });
    let configure = |config: &mut EnvoyConfig| {
        let cluster = nowhere.into();
        config.clusters.insert("counterpart-0".to_owned(), cluster);
    };
    let mut world = stage.world_with(gates.into(), "authorization", |_| {}, configure);
    for (gate, why) in ["cannot be reached", "\"nobody\""].into_iter().enumerate() {
        world.turn_to(gate);
        let cause = world.fails(&bearing(&world.token()));
        assert!(cause.contains(why), "{cause}");
    }
    world.kept_its_secrets(&[]);
}

#[test]
fn a_rule_may_let_requests_go_on_without() {
    let world = world("1s", |policy| {
        policy["rules"][0]["on_exchange_failure"] = json!("pass")
    });
    let token = world.token();
    for mood in [Mood::Hangs, Mood::Errs(500)] {
        world.counterpart().be(mood);
        let before = world.upstream.seen().len();
        let response = world.send(&bearing(&token));
        // It is the upstream that says so: it got no credential.
        assert_eq!(response.status, 401, "{}", response.text());
        let seen = world.upstream.seen();
        assert_eq!(seen.len(), before + 1);
        let seen = &seen[before];
        assert_eq!(seen.header("authorization").concat(), "");
        assert_eq!(seen.header("x-jobgate-decision"), ["allow"]);
        let record = world.record(seen.header("x-jobgate-decision-id")[0]);
        assert_eq!(record["exchange"]["target"], "cloud");
        assert!(record["exchange"]["failed"].is_string(), "{record}");
    }
    world.counterpart().be(Mood::Good);
    world.passes(&bearing(&token));
    world.kept_its_secrets(&[]);
}

#[test]
fn a_client_that_goes_away_takes_no_others_credential_with_it() {
    let world = world("20s", |_| {});
    world.counterpart().be(Mood::Hangs);
    let token = world.token();
    let request = bearing(&token);
    let addr = world.addr();
    thread::scope(|scope| {
        // The call is made in the first one's name.
        let mut first = TcpStream::connect(addr).unwrap();
        first.write_all(&request.encode()).unwrap();
        eventually(SOON, || (world.counterpart().asked() == 1).then_some(())).expect("it asks");
        let others: Vec<_> = (0..5)
            .map(|_| scope.spawn(|| request.send(addr).unwrap()))
            .collect();
        world.wait_for_active_requests(6);
        drop(first);
        world.wait_for_active_requests(5);
        eventually(SOON, || (world.counterpart().asked() == 2).then_some(()))
            .expect("it asks again");
        world.counterpart().be(Mood::Good);
        for other in others {
            let response = other.join().unwrap();
            assert_eq!(response.status, 200, "{}", response.text());
            world.keep(&response);
        }
    });
    assert_eq!(world.upstream.seen().len(), 5);
    // All of them go away, and Envoy serves on.
    world.counterpart().be(Mood::Hangs);
    let asked = world.counterpart().asked();
    let alone = bearing(&world.token());
    let mut gone = TcpStream::connect(addr).unwrap();
    gone.write_all(&alone.encode()).unwrap();
    eventually(SOON, || (world.counterpart().asked() > asked).then_some(())).expect("it asks");
    drop(gone);
    world.wait_for_active_requests(0);
    world.counterpart().be(Mood::Good);
    world.passes(&alone);
    world.kept_its_secrets(&[]);
}
