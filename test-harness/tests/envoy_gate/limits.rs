//! Rate limits over several workers, and handed on to Envoy's own limiters.

use std::collections::BTreeMap;
use std::thread;

use jobgate_harness::client::{Request, Response};
use jobgate_harness::envoy::{Envoy, EnvoyConfig, Listener};
use jobgate_harness::exchange::eventually;
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::Upstream;
use serde_json::{Value, json};

use super::example::{LISTENER, MANAGER, example, lead};
use super::rate_limit_service::RateLimitService;
use super::world::{SOON, bearing, issuer, log_tail, policy, start};

fn token(issuer: &Issuer, pipeline: &str) -> String {
    let spec = json!({ "claims": { "pipeline_slug": pipeline } });
    let spec: TokenSpec = serde_json::from_value(spec).unwrap();
    issuer.mint(&spec)
}

/// What becomes of so many requests with this token at the same time.
fn burst(envoy: &Envoy, listener: &str, path: &str, token: &str, requests: usize) -> Vec<Response> {
    let request = Request::new("GET", path).header("authorization", format!("Bearer {token}"));
    thread::scope(|scope| {
        let clients: Vec<_> = (0..requests)
            .map(|_| scope.spawn(|| request.send(envoy.addr(listener)).unwrap()))
            .collect();
        let answers = clients.into_iter().map(|client| client.join().unwrap());
        answers.collect()
    })
}

fn passed(answers: &[Response]) -> usize {
    let passed = answers.iter().filter(|answer| answer.status == 200);
    passed.count()
}

#[test]
fn of_forty_requests_at_once_on_four_workers_exactly_a_burst_passes() {
    const BURST: usize = 7;
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let mut policy = policy(&issuer);
    // Slow enough that nothing comes back while the test runs.
    let limit =
        json!({ "id": "per-pipeline", "key": ["pipeline_slug"], "rate": "2/h", "burst": BURST });
    policy["limits"] = json!([limit]);
    let mut config = EnvoyConfig::new(upstream.addr(), issuer.addr());
    config.concurrency = 4;
    for listener in ["one", "two"] {
        let listener = Listener::new(listener).jobgate(policy.clone());
        config.listeners.push(listener);
    }
    let envoy = start(&config);
    // Once for each listener: its worker must have the keys.
    for listener in ["one", "two"] {
        eventually(SOON, || {
            let warm = bearing(&token(&issuer, "warm"));
            let status = warm.send(envoy.addr(listener)).unwrap().status;
            (status == 200 || status == 429).then_some(())
        })
        .unwrap_or_else(|| panic!("{}", log_tail(&envoy)));
    }
    for pipeline in ["deploy-a", "deploy-b", "deploy-c"] {
        let token = token(&issuer, pipeline);
        let before = upstream.count();
        // Routes with the same limit draw from the same bucket.
        let (one, two) = thread::scope(|scope| {
            let two = scope.spawn(|| burst(&envoy, "two", "/", &token, 20));
            (burst(&envoy, "one", "/", &token, 20), two.join().unwrap())
        });
        assert_eq!(passed(&one) + passed(&two), BURST);
        assert_eq!(upstream.count() - before, BURST as u64);
        for refused in one.iter().chain(&two).filter(|answer| answer.status != 200) {
            let problem: Value = refused.json().unwrap();
            assert_eq!(
                (refused.status, &problem["code"]),
                (429, &json!("rate_limited"))
            );
            let wait: u64 = refused.header("retry-after")[0].parse().unwrap();
            // Or a moment: a worker's clock may be milliseconds behind that of the one that took the last token before.
            assert!(wait == 1 || (1_700..=1_800).contains(&wait), "{wait}");
            assert_eq!(
                refused.header("ratelimit"),
                [format!("\"per-pipeline\";r=0;t={wait}")]
            );
            assert_eq!(
                refused.header("ratelimit-policy"),
                ["\"per-pipeline\";q=7;w=12600"]
            );
        }
    }
}

/// The example for fleets, with this in place of its HTTP filter that limits if there is something.
fn fleet(
    issuer: &Issuer,
    upstream: &Upstream,
    service: &RateLimitService,
    limiter: Option<Value>,
) -> Envoy {
    let mut bootstrap = example("envoy/rate-limit.yaml", issuer, upstream.addr());
    lead(&mut bootstrap, "ratelimit", service.addr());
    let filters = bootstrap.pointer_mut(MANAGER).unwrap()["http_filters"].as_array_mut();
    let filter = filters
        .unwrap()
        .iter_mut()
        .find(|filter| filter["name"] == "envoy.filters.http.ratelimit")
        .expect("it has that filter");
    match limiter {
        Some(limiter) => *filter = limiter,
        // The machine may be busy with other tests.
        None => {
            let service = &mut filter["typed_config"]["rate_limit_service"];
            service["grpc_service"]["timeout"] = json!("20s");
        }
    }
    let mut config =
        EnvoyConfig::new(upstream.addr(), issuer.addr()).listener(Listener::new(LISTENER));
    config.concurrency = 2;
    config.bootstrap = Some(bootstrap);
    let envoy = start(&config);
    eventually(SOON, || {
        let warm = burst(&envoy, LISTENER, "/deploy/x", &token(issuer, "warm"), 1);
        matches!(warm[0].status, 200 | 429).then_some(())
    })
    .unwrap_or_else(|| panic!("{}", log_tail(&envoy)));
    envoy
}

#[test]
fn a_rate_limit_service_counts_each_pipeline_by_the_name_that_the_gate_gives_it() {
    const LIMIT: u32 = 5;
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let service = RateLimitService::start("jobgate", "pipeline", LIMIT);
    // Two Envoys with the same policy are one fleet.
    let fleet = [(); 2].map(|()| fleet(&issuer, &upstream, &service, None));
    let before = service.counts();
    for pipeline in ["deploy-a", "deploy-b"] {
        let token = token(&issuer, pipeline);
        let answers: Vec<_> = fleet
            .iter()
            .flat_map(|envoy| burst(envoy, LISTENER, "/deploy/x", &token, 6))
            .collect();
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(passed(&answers), 5, "{statuses:?}");
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!(refused.status, 429);
        }
    }
    // What the gate refuses is not counted, and a name that a client gives itself counts for nothing.
    let forged = Request::new("GET", "/deploy/x").header("x-jobgate-limit-per-pipeline", "forged");
    assert_eq!(forged.send(fleet[0].addr(LISTENER)).unwrap().status, 401);
    let token = token(&issuer, "deploy-a");
    let forged = forged.header("authorization", format!("Bearer {token}"));
    assert_eq!(forged.send(fleet[0].addr(LISTENER)).unwrap().status, 429);
    let counted: BTreeMap<_, _> = service
        .counts()
        .into_iter()
        .filter(|(name, _)| !before.contains_key(name))
        .collect();
    let mut counts: Vec<_> = counted.values().copied().collect();
    counts.sort_unstable();
    assert_eq!(counts, [12, 13]);
    for name in counted.keys() {
        assert_eq!(name.len(), 32, "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    }
}

#[test]
fn envoys_local_limiter_counts_by_it_too() {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let service = RateLimitService::start("jobgate", "pipeline", 0);
    let bucket = |tokens| json!({ "max_tokens": tokens, "tokens_per_fill": tokens, "fill_interval": "3600s" });
    let whole = json!({ "default_value": { "numerator": 100, "denominator": "HUNDRED" } });
    let limiter = json!({
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "per_pipeline",
            "filter_enabled": whole,
            "filter_enforced": whole,
            // For what has no descriptor.
            "token_bucket": bucket(1_000),
            // Without a value: each value has a bucket of its own.
            "descriptors": [{ "entries": [{ "key": "pipeline" }], "token_bucket": bucket(3) }],
        },
    });
    let envoy = fleet(&issuer, &upstream, &service, Some(limiter));
    for pipeline in ["deploy-a", "deploy-b"] {
        let answers = burst(&envoy, LISTENER, "/deploy/x", &token(&issuer, pipeline), 8);
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(passed(&answers), 3, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 429)));
    }
}
