//! Single steps: signatures, headers, paths.

use criterion::{BenchmarkId, Criterion};
use jobgate::keys::KeySet;
use jobgate::policy::HeaderNames;
use jobgate::request::{HeaderMap, HeaderPower, NormalPath, neutralise};
use jobgate::token::Algorithm;
use jobgate_harness::keys::{self, SigningKey};
use serde_json::json;
use std::hint::black_box;

const ALGORITHMS: [(Algorithm, keys::Algorithm); 9] = [
    (Algorithm::Rs256, keys::Algorithm::Rs256),
    (Algorithm::Rs384, keys::Algorithm::Rs384),
    (Algorithm::Rs512, keys::Algorithm::Rs512),
    (Algorithm::Ps256, keys::Algorithm::Ps256),
    (Algorithm::Ps384, keys::Algorithm::Ps384),
    (Algorithm::Ps512, keys::Algorithm::Ps512),
    (Algorithm::Es256, keys::Algorithm::Es256),
    (Algorithm::Es384, keys::Algorithm::Es384),
    (Algorithm::EdDsa, keys::Algorithm::EdDsa),
];

pub(crate) fn bench(criterion: &mut Criterion) {
    signatures(criterion);
    headers(criterion);
    paths(criterion);
}

fn signatures(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verify");
    let message = vec![b'a'; 1_000];
    for (algorithm, of_key) in ALGORITHMS {
        let key = SigningKey::fixed(of_key);
        let set = KeySet::from_value(&json!({ "keys": [key.public_jwk()] })).expect("it is used");
        let public = set.find(None, algorithm).expect("it is there");
        let signature = key.sign(&message);
        group.bench_function(BenchmarkId::from_parameter(algorithm.name()), |bencher| {
            bencher.iter(|| {
                let verdict = public.verify(algorithm, black_box(&message), &signature);
                assert!(verdict.is_ok());
            });
        });
    }
}

fn headers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("neutralise");
    for (name, reserved) in [("none", 0), ("two", 2)] {
        let ordinary = (0..20).map(|nth| (format!("x-header-{nth}"), "value"));
        let forged = (0..reserved).map(|nth| (format!("X-Jobgate-Part-{nth}"), "value"));
        let headers: HeaderMap = ordinary.chain(forged).collect();
        let names = HeaderNames::new("x-jobgate-");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let plan = neutralise(
                    black_box(&headers),
                    &names,
                    "authorization",
                    HeaderPower::Remove,
                );
                assert_eq!(plan.map(|plan| plan.remove.len()), Ok(reserved));
            });
        });
    }
}

fn paths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("path");
    for (name, target, is_normal) in [
        ("plain", "/deploy/payments/production?version=12", true),
        ("encoded", "/deploy/caf%C3%A9%20bar/production", true),
        ("refused", "/deploy/../admin", false),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let path = NormalPath::parse(black_box(target.as_bytes()));
                assert_eq!(path.is_ok(), is_normal);
            });
        });
    }
}
