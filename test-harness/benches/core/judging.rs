//! Whole decisions, and what is made of them.

use criterion::{BenchmarkId, Criterion};
use jobgate::audit::{answer, record, upstream_headers};
use jobgate::gate::{Decision, DecisionId, Request, State, judge};
use jobgate::policy::Policy;
use jobgate::request::HeaderMap;
use jobgate::shared_data::NoSharedData;
use jobgate::time::UnixTime;
use jobgate_harness::keys::{Algorithm, SigningKey};
use jobgate_harness::mint::{Minter, TokenSpec};
use serde_json::{Map, json};
use std::hint::black_box;

const NOW: u64 = 1_800_000_000;
const TOKENS: [usize; 4] = [1, 100, 10_000, 100_000];
const COLD: [Algorithm; 4] = [
    Algorithm::Rs256,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
];

/// A gate whose cache holds `entries` tokens, and who mints for it.
struct World {
    policy: Policy,
    state: State,
    minter: Minter,
}

impl World {
    fn new(algorithm: Algorithm, entries: usize) -> Self {
        let key = SigningKey::fixed(algorithm);
        let minter = Minter::with_key(
            "https://ci.acme.example",
            "https://deploy.acme.example",
            key,
        );
        let policy = json!({
            "issuers": [{
                "issuer": minter.issuer(),
                "audience": minter.audience(),
                "algorithms": minter.algorithms(),
                "keys": minter.jwks(),
            }],
            "rules": [{
                "id": "deploy",
                "claims": { "organization_slug": "acme" },
                "paths": ["/deploy/**"],
            }],
            "cache": { "entries": entries, "bytes": "512MiB" },
        });
        let policy = Policy::from_json(policy.to_string().as_bytes()).expect("it is a policy");
        let state = State::alone(&policy);
        Self {
            policy,
            state,
            minter,
        }
    }

    /// The headers of requests, each with a token of its own.
    fn requests(&self, count: usize) -> Vec<HeaderMap> {
        let one = |nth: usize| {
            let claims = Map::from_iter([("build_number".to_owned(), json!(nth))]);
            let spec = TokenSpec {
                claims,
                ..TokenSpec::default()
            };
            headers(&self.minter.mint(&spec, NOW))
        };
        (0..count).map(one).collect()
    }

    fn judge(&mut self, headers: &HeaderMap) -> Decision<'_> {
        let now = UnixTime::from_secs(NOW);
        let request = Request {
            host: Some(b"deploy.acme.example"),
            route: Some("deploy"),
            ..Request::new(headers, b"POST", b"/deploy/app?version=12")
        };
        let id = DecisionId::new(now, 1, 1);
        judge(
            &self.policy,
            &mut self.state,
            &NoSharedData,
            request,
            id,
            now,
        )
    }
}

fn headers(token: &str) -> HeaderMap {
    let authorization = format!("Bearer {token}");
    [
        (":method", "POST"),
        (":authority", "deploy.acme.example"),
        (":path", "/deploy/app?version=12"),
        ("user-agent", "curl/8.5.0"),
        ("accept", "*/*"),
        ("content-type", "application/json"),
        ("x-request-id", "6f1b1ad6-1a8e-4f0e-9f3e-0d6d1c5b2a10"),
        ("x-forwarded-for", "10.1.2.3"),
        ("authorization", &authorization),
    ]
    .into_iter()
    .collect()
}

pub(crate) fn bench(criterion: &mut Criterion) {
    warm(criterion);
    cold(criterion);
    words(criterion);
}

/// Requests whose tokens were proven before, among as many.
fn warm(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("judge/warm");
    for count in TOKENS {
        let mut prepared = None;
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            // Only for those that run: so many tokens take a while.
            let (world, requests) = prepared.get_or_insert_with(|| {
                let mut world = World::new(Algorithm::EdDsa, count);
                let requests = world.requests(count);
                for headers in &requests {
                    assert!(world.judge(headers).outcome.is_ok());
                }
                (world, requests)
            });
            // Far apart, so that none is found in the processor's cache because its neighbour was there.
            let mut at = 0;
            bencher.iter(|| {
                at = (at + 7_919) % requests.len();
                let decision = world.judge(black_box(&requests[at]));
                assert!(decision.cached);
                black_box(decision.outcome.is_ok())
            });
        });
    }
}

/// Requests whose tokens are new: good ones, and ones whose signature is another's.
fn cold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("judge/cold");
    for algorithm in COLD {
        let mut world = World::new(algorithm, 0);
        let good = world.requests(1).remove(0);
        let spec = TokenSpec::default();
        let mut token = world.minter.mint(&spec, NOW);
        let last = if token.pop() == Some('A') { 'Q' } else { 'A' };
        token.push(last);
        let bad = headers(&token);
        for (name, headers, is_allowed) in [("allowed", good, true), ("refused", bad, false)] {
            group.bench_function(
                BenchmarkId::new(name, format!("{algorithm:?}")),
                |bencher| {
                    bencher.iter(|| {
                        let decision = world.judge(black_box(&headers));
                        assert_eq!(decision.outcome.is_ok(), is_allowed);
                    });
                },
            );
        }
    }
}

/// What the upstream, the auditor and the client are told.
fn words(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("words");
    let mut world = World::new(Algorithm::EdDsa, 10);
    let good = world.requests(1).remove(0);
    // Twice, so that it is a decision on a token that is known.
    assert!(world.judge(&good).outcome.is_ok());
    let allowed = world.judge(&good);
    group.bench_function("headers", |bencher| {
        bencher.iter(|| black_box(upstream_headers(black_box(&allowed)).len()));
    });
    group.bench_function("record", |bencher| {
        bencher.iter(|| black_box(record(black_box(&allowed), Some("deploy")).len()));
    });
    drop(allowed);
    let without: HeaderMap = [("user-agent", "curl/8.5.0")].into_iter().collect();
    let refused = world.judge(&without);
    group.bench_function("answer", |bencher| {
        bencher.iter(|| black_box(answer(black_box(&refused)).is_some()));
    });
}
