//! What a decision costs among ten rules and among ten thousand, side by side in one run.
//!
//! `cargo run --release -p jobgate-harness --example rules` prints for each way in which rules can differ how long it takes to read
//! the policy, and to decide a request that one of its rules allows and one that none does, also as multiples of
//! what the same request takes among ten rules.

use jobgate::policy::{Facts, Policy, Verdict};
use jobgate::request::NormalPath;
use jobgate::time::UnixTime;
use jobgate::token::Claims;
use serde_json::{Value, json};
use std::hint::black_box;
use std::time::{Duration, Instant};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// All sizes take turns, so that what else the machine does falls on all of them.
const ROUNDS: usize = 41;
const DECISIONS: u32 = 500;

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

/// A policy and two requests.
struct Case {
    policy: Policy,
    configure: Duration,
    /// Of a request that is allowed and of one that is not, in each round.
    decide: [Vec<Duration>; 2],
}

impl Case {
    fn new(kind: &Kind, size: usize) -> Self {
        let document = document(kind, size);
        let read = || {
            let start = Instant::now();
            let policy = Policy::from_json(document.as_bytes()).expect("it is a policy");
            (start.elapsed(), policy)
        };
        let (configure, policy) = (0..5)
            .map(|_| read())
            .min_by_key(|read| read.0)
            .expect("five");
        Self {
            policy,
            configure,
            decide: [Vec::new(), Vec::new()],
        }
    }

    fn round(&mut self) {
        // What allows app-3 is there in all sizes, and what allows app-other in none.
        for (name, times) in ["app-3", "app-other"].iter().zip(&mut self.decide) {
            let claims = json!({
                "iss": "https://ci.acme.example",
                "organization_slug": "acme",
                "pipeline_slug": if self.policy.rules.iter().any(|rule| rule.claims.0.len() == 2) { "app-0" } else { name },
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
            let start = Instant::now();
            for _ in 0..DECISIONS {
                let verdict = self.policy.weigh(0, black_box(&claims), &facts);
                let is_allowed = matches!(black_box(verdict), Verdict::Allow { .. });
                assert_eq!(is_allowed, *name == "app-3");
            }
            times.push(start.elapsed() / DECISIONS);
        }
    }

    /// The first quartile: what is slower was slowed down.
    fn nanos(&mut self, which: usize) -> f64 {
        let times = &mut self.decide[which];
        times.sort_unstable();
        times[times.len() / 4].as_nanos() as f64
    }
}

fn main() {
    println!(
        "{:<18}{:>8}{:>15}{:>11}{:>7}{:>12}{:>7}",
        "rules differ by", "rules", "configure, ms", "allow, ns", "times", "refuse, ns", "times"
    );
    for kind in &KINDS {
        let mut cases = SIZES.map(|size| Case::new(kind, size));
        for _ in 0..ROUNDS {
            for case in &mut cases {
                case.round();
            }
        }
        let mut first = None;
        for (size, mut case) in SIZES.iter().zip(cases) {
            let [allow, refuse] = [case.nanos(0), case.nanos(1)];
            let (first_allow, first_refuse) = *first.get_or_insert((allow, refuse));
            println!(
                "{:<18}{size:>8}{:>15.1}{allow:>11.0}{:>7.2}{refuse:>12.0}{:>7.2}",
                kind.0,
                case.configure.as_secs_f64() * 1e3,
                allow / first_allow,
                refuse / first_refuse,
            );
        }
    }
}
