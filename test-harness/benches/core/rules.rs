//! What a decision costs among ten rules and among ten thousand, and reading the policy.

use criterion::{BenchmarkId, Criterion};
use jobgate::policy::{Facts, Policy, Verdict};
use jobgate::request::NormalPath;
use jobgate::time::UnixTime;
use jobgate::token::Claims;
use serde_json::{Value, json};
use std::hint::black_box;

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// A way in which rules differ: its name, the nth rule, and the nth role if there are roles.
type Kind = (
    &'static str,
    fn(usize) -> Value,
    Option<fn(usize) -> (String, Value)>,
);

const KINDS: [Kind; 7] = [
    ("paths", |nth| json!({ "paths": [path(nth)] }), None),
    (
        "methods and paths",
        |nth| {
            let method = ["GET", "POST"][nth % 2];
            json!({ "methods": [method], "paths": [path(nth / 2)] })
        },
        None,
    ),
    ("a pinned claim", |nth| json!({ "claims": pins(nth) }), None),
    (
        "two pinned claims",
        |nth| json!({ "claims": { "pipeline_slug": slug(nth / 100), "step_key": slug(nth % 100) } }),
        None,
    ),
    (
        "roles",
        |nth| json!({ "roles": [slug(nth)] }),
        Some(|nth| (slug(nth), json!({ "claims": pins(nth) }))),
    ),
    ("hosts", |nth| json!({ "hosts": [host(nth)] }), None),
    ("routes", |nth| json!({ "routes": [slug(nth)] }), None),
];

fn slug(nth: usize) -> String {
    format!("app-{nth}")
}

fn path(nth: usize) -> String {
    format!("/deploy/{}/**", slug(nth))
}

fn host(nth: usize) -> String {
    format!("{}.acme.example", slug(nth))
}

fn pins(nth: usize) -> Value {
    json!({ "organization_slug": "acme", "pipeline_slug": slug(nth), "build_branch": "main" })
}

fn document((_, rule, role): &Kind, size: usize) -> String {
    let rules = (0..size).map(|nth| {
        let mut rule = rule(nth);
        rule["id"] = json!(format!("rule-{nth}"));
        rule
    });
    let roles = (0..size).filter_map(|nth| Some(role.as_ref()?(nth)));
    json!({
        "issuers": [{ "issuer": "https://ci.acme.example", "audience": "a", "algorithms": ["RS256"] }],
        "roles": roles.collect::<serde_json::Map<_, _>>(),
        "rules": rules.collect::<Vec<_>>(),
    })
    .to_string()
}

pub(crate) fn bench(criterion: &mut Criterion) {
    configure(criterion);
    for kind in &KINDS {
        decide(criterion, kind);
    }
}

fn configure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("configure");
    for size in SIZES {
        let document = document(&KINDS[2], size);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| Policy::from_json(black_box(document.as_bytes())).is_ok());
        });
    }
}

/// A request that one of the rules allows, and one that none does.
fn decide(criterion: &mut Criterion, kind: &Kind) {
    let mut group = criterion.benchmark_group(format!("decide/{}", kind.0));
    for size in SIZES {
        let mut policy = None;
        // What allows app-3 is there in all sizes, and what allows app-other in none.
        for name in ["app-3", "app-other"] {
            let is_allowed = name == "app-3";
            let outcome = if is_allowed { "allow" } else { "refuse" };
            group.bench_function(BenchmarkId::new(outcome, size), |bencher| {
                let policy = policy.get_or_insert_with(|| {
                    Policy::from_json(document(kind, size).as_bytes()).expect("it is a policy")
                });
                let pipeline = if kind.0 == "two pinned claims" {
                    "app-0"
                } else {
                    name
                };
                let claims = json!({
                    "iss": "https://ci.acme.example",
                    "organization_slug": "acme",
                    "pipeline_slug": pipeline,
                    "step_key": name,
                    "build_branch": "main",
                    "build_number": 42,
                });
                let claims = Claims::new(claims.as_object().expect("it is one").clone());
                let target = format!("/deploy/{name}/now");
                let path = NormalPath::parse(target.as_bytes()).expect("it is normal");
                let host = format!("{name}.acme.example");
                let facts = Facts {
                    host: Some(&host),
                    route: Some(name),
                    ..Facts::new("GET", &path, UnixTime::from_secs(1_800_000_000))
                };
                bencher.iter(|| {
                    let verdict = policy.weigh(0, black_box(&claims), &facts);
                    assert_eq!(matches!(verdict, Verdict::Allow { .. }), is_allowed);
                });
            });
        }
    }
}
