//! Requests that come before the keys do: they wait for them, for a while.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use jobgate_harness::client::{Body, Request, Response};
use jobgate_harness::exchange::eventually;
use jobgate_harness::issuer::{Endpoint, Fault, FaultOrder};
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::Echo;
use serde_json::json;

use super::world::{SOON, World, bearing, issuer, log_tail, policy};

/// A gate whose issuer does not answer yet, and how long requests may wait for it.
fn without_keys(wait: &str) -> World {
    let issuer = issuer();
    issuer.order(&FaultOrder {
        endpoint: Endpoint::Jwks,
        fault: Some(Fault::Hang),
        times: None,
    });
    let mut policy = policy(&issuer);
    policy["issuers"][0]["jwks"]["wait"] = json!(wait);
    policy["issuers"][0]["jwks"]["timeout"] = json!("1m");
    World::start(issuer, policy)
}

impl World {
    fn active_requests(&self) -> u64 {
        let stats = self.envoy.stats().unwrap();
        stats.get("http.gate.downstream_rq_active")
    }

    fn wait_for_active_requests(&self, count: u64) {
        eventually(SOON, || (self.active_requests() == count).then_some(())).unwrap_or_else(|| {
            panic!(
                "{} requests\n{}",
                self.active_requests(),
                log_tail(&self.envoy)
            )
        });
    }
}

fn code(response: &Response) -> String {
    let problem: serde_json::Value = response.json().unwrap();
    problem["code"].as_str().unwrap().to_owned()
}

#[test]
fn fifty_requests_wait_for_the_first_keys_and_each_gets_what_it_should() {
    let world = without_keys("10s");
    let good = world.token();
    let of_another = TokenSpec {
        claims: [("organization_slug".to_owned(), json!("evil"))]
            .into_iter()
            .collect(),
        ..TokenSpec::default()
    };
    let others = world.issuer.mint(&of_another);
    let post = |body| Request {
        method: b"POST".into(),
        body,
        ..bearing(&good)
    };
    let large = 5_000_000;
    let kinds = [
        bearing(&good),
        post(Body::Sized(vec![b'x'; 1000])),
        post(Body::Sized(vec![b'x'; large])),
        post(Body::Chunked {
            chunks: vec![vec![b'x'; 10_000]; 30],
            trailers: vec![(b"x-late".into(), b"kept".into())],
        }),
        bearing(&others),
    ];
    let addr = world.envoy.addr("gate");
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..50)
            .map(|nth| {
                let request = kinds[nth % kinds.len()].clone();
                scope.spawn(move || request.send(addr).unwrap())
            })
            .collect();
        world.wait_for_active_requests(50);
        // A client that has gone while it waited is nobody's concern.
        let mut gone = TcpStream::connect(addr).unwrap();
        gone.write_all(&bearing(&good).encode()).unwrap();
        world.wait_for_active_requests(51);
        drop(gone);
        world.wait_for_active_requests(50);
        assert_eq!(
            world.upstream.count(),
            0,
            "nothing goes on before it was decided"
        );
        world.issuer.heal();

        for (nth, answer) in waiting.into_iter().enumerate() {
            let response = answer.join().unwrap();
            if nth % kinds.len() == 4 {
                assert_eq!(
                    (response.status, code(&response).as_str()),
                    (403, "no_rule_matched")
                );
                continue;
            }
            assert_eq!(response.status, 200, "{}", response.text());
            let echo: Echo = response.json().unwrap();
            let length = [0, 1000, large as u64, 300_000][nth % kinds.len()];
            assert_eq!(echo.body_bytes, length);
            assert!(echo.header("authorization").is_empty());
            assert_eq!(echo.header("x-jobgate-decision"), ["allow"]);
            assert_eq!(echo.header("x-jobgate-organization"), ["acme"]);
            assert_eq!(echo.header("x-jobgate-branch"), ["main"]);
        }
    });
    assert_eq!(world.upstream.count(), 40);
    assert_eq!(world.issuer.stats().jwks_requests, 1);
}

#[test]
fn the_first_request_after_a_start_waits_for_a_slow_issuer() {
    let issuer = issuer();
    issuer.order(&FaultOrder {
        endpoint: Endpoint::Jwks,
        fault: Some(Fault::DelayMs(700)),
        times: None,
    });
    let policy = policy(&issuer);
    let world = World::start(issuer, policy);
    assert_eq!(world.refusal(&world.token()), None);
}

#[test]
fn an_issuer_that_never_answers_costs_a_request_its_wait_and_no_more() {
    let world = without_keys("2s");
    let start = Instant::now();
    let exchange = world.send(&bearing(&world.token()));
    let took = start.elapsed();
    assert_eq!(exchange.code().as_deref(), Some("keys_unavailable"));
    assert_eq!(exchange.response.status, 503);
    assert_eq!(exchange.response.header("retry-after"), ["1"]);
    assert!(
        took > Duration::from_secs(1) && took < Duration::from_secs(4),
        "{took:?}"
    );
    assert_eq!(world.upstream.count(), 0);
}

#[test]
fn a_request_that_may_not_wait_is_refused_at_once() {
    let world = without_keys("0s");
    let start = Instant::now();
    assert_eq!(
        world.refusal(&world.token()).as_deref(),
        Some("keys_unavailable")
    );
    let took = start.elapsed();
    assert!(took < Duration::from_millis(1500), "{took:?}");
}

#[test]
fn a_token_of_a_key_that_is_new_waits_for_the_keys_to_be_fetched_again() {
    let world = World::with_keys(|_| {});
    let of_the_old_key = world.token();
    world.issuer.rotate_keys(true);
    assert_eq!(world.refusal(&world.token()), None);
    assert_eq!(world.refusal(&of_the_old_key), None);
    assert_eq!(world.issuer.stats().jwks_requests, 2);
}
