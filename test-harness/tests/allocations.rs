//! How often the core asks the allocator for memory where a request comes with a token that is known: what the filter
//! does on every request, but for its calls to the host.

// The allocator is what knows.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use jobgate::audit::{record, upstream_headers};
use jobgate::gate::{DecisionId, Request, State, judge};
use jobgate::policy::Policy;
use jobgate::request::HeaderMap;
use jobgate::shared_data::NoSharedData;
use jobgate::time::UnixTime;
use jobgate_harness::keys::{Algorithm, SigningKey};
use jobgate_harness::mint::{Minter, TokenSpec};
use serde_json::json;

/// How often a warm request asks, at each step. What asks less often than that is written here, so that it stays.
const BUDGET: [(&str, usize); 3] = [
    ("deciding", 5),
    ("the headers for the upstream", 1),
    ("the record", 1),
];

const ISSUER: &str = "https://ci.example";
const AUDIENCE: &str = "https://deploy.acme.example";
const NOW: u64 = 1_800_000_000;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts how often each thread asks it for memory. To let a block grow is to ask.
struct Counting;

fn count() {
    // A thread that ends has no counter any more.
    _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
}

// SAFETY: every call is the system allocator's, with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What this made, and how often it asked for memory.
fn counted<R>(run: impl FnOnce() -> R) -> (R, usize) {
    let before = ASKED.get();
    let result = run();
    (result, ASKED.get() - before)
}

fn policy(keys: &serde_json::Value) -> Policy {
    let rule = |nth: usize| {
        json!({
            "id": format!("rule-{nth}"), "methods": ["POST"], "paths": [format!("/deploy/app-{nth}/**")],
            "claims": {
                "organization_slug": "acme", "pipeline_slug": format!("app-{nth}"), "build_branch": "main",
            },
        })
    };
    let document = json!({
        "issuers": [{
            "preset": "buildkite", "issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["EdDSA"], "keys": keys,
        }],
        "rules": (0..10).map(rule).collect::<Vec<_>>(),
    });
    Policy::from_json(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_warm_request_asks_for_memory_as_often_as_is_recorded() {
    let key = SigningKey::fixed(Algorithm::EdDsa);
    let minter = Minter::with_key(ISSUER, AUDIENCE, key);
    let policy = policy(&minter.jwks());
    let mut state = State::alone(&policy);
    let mut spec = TokenSpec::default();
    spec.claims.insert("pipeline_slug".into(), json!("app-7"));
    let bearer = format!("Bearer {}", minter.mint(&spec, NOW));
    let headers: HeaderMap = [
        ("host", "gateway.example"),
        ("user-agent", "deploy-cli/4.2.1 (linux; amd64)"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate"),
        ("content-type", "application/json"),
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "7b0a3c1e-4f1d-4a57-9d6e-0c2f8a5b6d11"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        ("authorization", &bearer),
    ]
    .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
    .into_iter()
    .collect();
    let now = UnixTime::from_secs(NOW);
    for nth in 0..4 {
        let request = Request {
            host: Some(b"gateway.example"),
            route: Some("deploy"),
            ..Request::new(&headers, b"POST", b"/deploy/app-7/releases?dry_run=false")
        };
        let id = DecisionId::new(now, 1, nth);
        let (decision, deciding) =
            counted(|| judge(&policy, &mut state, &NoSharedData, request, id, now));
        assert!(decision.outcome.is_ok(), "{:?}", decision.outcome);
        let (_, naming) = counted(|| upstream_headers(&decision));
        let (_, recording) = counted(|| record(&decision, Some("deploy")));
        if nth > 0 {
            assert!(decision.cached);
            let asked = [deciding, naming, recording];
            let asked: Vec<_> = BUDGET.iter().map(|(step, _)| *step).zip(asked).collect();
            assert_eq!(asked, BUDGET);
        }
    }
}
