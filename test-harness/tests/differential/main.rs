//! The gate against an independent verifier: on tokens good, changed and bent they must agree, but for the classes of
//! tokens that docs/differential.md explains.
//!
//! `CASES` says how many tokens (3,000 if not given) and `SEED` which; a case depends on the seed and its number only.

mod bend;
mod claims;
mod draft;
mod header;
mod json_text;
mod mutate;
mod other;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::{Instant, SystemTime};
use std::{fs, thread};

use jobgate::gate::Pool;
use jobgate::policy::Policy;
use jobgate::shared_data::NoSharedData;
use jobgate::time::UnixTime;
use jobgate::token::{self, Jws};
use jobgate_harness::number::number;
use jobgate_harness::repository;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;

use draft::{Draft, Token};
use other::{classes, opinions};
use world::{NOW, World};

/// The tokens that one run of the other verifier looks at: enough that its start does not count.
const BATCH: u64 = 5_000;

/// What came of some cases.
#[derive(Default)]
struct Tally {
    /// By the gate's reason; `accepted` where there is none.
    verdicts: BTreeMap<String, u64>,
    /// Differences that a class explains.
    explained: BTreeMap<String, u64>,
    /// Those that none does.
    unexplained: Vec<String>,
}

impl Tally {
    fn add(&mut self, other: Self) {
        for (reason, count) in other.verdicts {
            *self.verdicts.entry(reason).or_default() += count;
        }
        for (class, count) in other.explained {
            *self.explained.entry(class).or_default() += count;
        }
        self.unexplained.extend(other.unexplained);
    }
}

/// What all cases share.
struct Check {
    world: World,
    policy: Policy,
    /// Good tokens of the keys that take long to sign with, made once.
    pool: Vec<Token>,
    seed: u64,
}

impl Check {
    fn new(seed: u64) -> Self {
        let world = World::new();
        let policy = world.policy();
        let mut rng = StdRng::seed_from_u64(seed);
        let mut pool = Vec::new();
        for issuer in 0..world.issuers.len() {
            for key in &world.issuers[issuer].keys {
                for _ in 0..4 {
                    let draft = Draft::good(&world, issuer, key, &mut rng);
                    pool.push(draft.sign());
                }
            }
        }
        Self {
            world,
            policy,
            pool,
            seed,
        }
    }

    fn token(&self, number: u64) -> String {
        let mut rng = StdRng::seed_from_u64(
            self.seed
                .wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        );
        let rng = &mut rng;
        let other = self.pool.choose(rng).expect("the pool is not empty");
        if rng.gen_bool(0.12) {
            let token = self.pool.choose(rng).expect("the pool is not empty");
            return match rng.gen_bool(0.8) {
                true => bend::bend(token, other, rng),
                false => token.parts().join("."),
            };
        }
        // The rest is signed here and now, with the keys for which that is cheap.
        let issuer = rng.gen_range(0..self.world.issuers.len());
        let keys = &self.world.issuers[issuer].keys;
        let key = match (issuer, rng.gen_range(0..20)) {
            (0, 0) => &keys[8],
            (0, nth) => &keys[nth % 2],
            _ => &keys[0],
        };
        let mut draft = Draft::good(&self.world, issuer, key, rng);
        for _ in 0..[0, 1, 1, 1, 1, 2, 2, 3][rng.gen_range(0..8)] {
            mutate::mutate(&mut draft, &self.world, rng);
        }
        let token = draft.sign();
        match rng.gen_bool(0.15) {
            true => bend::bend(&token, other, rng),
            false => token.parts().join("."),
        }
    }

    /// Nothing if the gate accepts it, else its reason.
    fn gate(&self, token: &str) -> Option<&'static str> {
        let keys = Pool::new(0).keys(&self.policy.issuers);
        let now = UnixTime::from_secs(NOW);
        let verdict = Jws::parse(token)
            .and_then(|jws| token::verify(jws, &self.policy, &keys, &NoSharedData, now));
        verdict.err().map(|refusal| refusal.reason.code())
    }

    fn run(&self, numbers: std::ops::Range<u64>) -> Tally {
        let mut file = tempfile::NamedTempFile::new().expect("a file can be made");
        let mut text = self.world.description().to_string();
        let mut cases = Vec::new();
        for number in numbers {
            let token = self.token(number);
            let reason = self.gate(&token);
            text.push('\n');
            text += &json!({ "token": token, "gate_accepts": reason.is_none() }).to_string();
            cases.push((number, token, reason));
        }
        text.push('\n');
        file.write_all(text.as_bytes()).expect("it can be written");

        let mut tally = Tally::default();
        let opinions = opinions(&file);
        assert_eq!(opinions.len(), cases.len(), "the other verifier lost some");
        for ((number, token, reason), opinion) in cases.into_iter().zip(opinions) {
            let verdict = reason.unwrap_or("accepted");
            *tally.verdicts.entry(verdict.to_owned()).or_default() += 1;
            if opinion.accepts == reason.is_none() {
                continue;
            }
            // What the gate alone refuses, it refuses for the token's form.
            let fits = matches!(verdict, "accepted" | "token_malformed" | "token_too_large");
            match opinion.classes.first().filter(|_| fits) {
                Some(class) => *tally.explained.entry(class.clone()).or_default() += 1,
                None => tally.unexplained.push(format!(
                    "SEED={} case {number}: the gate: {verdict}; the other: {}\n{token}",
                    self.seed,
                    opinion.why.as_deref().unwrap_or("accepted"),
                )),
            }
        }
        tally
    }
}

#[test]
fn every_class_of_differences_is_explained_in_the_docs() {
    let page =
        fs::read_to_string(repository().join("docs/differential.md")).expect("the page is there");
    let classes = classes();
    assert!(classes.len() >= 10, "{classes:?}");
    for class in &classes {
        assert!(
            page.contains(&format!("| `{class}` |")),
            "docs/differential.md lacks {class}"
        );
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(
        rows,
        classes.len(),
        "docs/differential.md has a row too many"
    );
}

#[test]
fn the_gate_and_an_independent_verifier_agree() {
    let cases = number("CASES").unwrap_or(3_000);
    let clock = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |now| now.as_secs())
    };
    // Few cases are always the same ones: what runs on every change must not fail for another reason.
    let seed = number("SEED").unwrap_or_else(|| if cases <= 3_000 { 1 } else { clock() });
    println!("SEED={seed} CASES={cases}");
    let start = Instant::now();
    let check = Check::new(seed);
    let workers = thread::available_parallelism().map_or(1, usize::from) as u64;
    let batch = BATCH.min(cases.div_ceil(workers)).max(1);
    let batches: Vec<_> = (0..cases.div_ceil(batch)).collect();
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let check = &check;
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let mine: Vec<_> = batches
                    .iter()
                    .copied()
                    .filter(|nth| nth % workers == worker)
                    .collect();
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    for nth in mine {
                        tally.add(check.run(nth * batch..cases.min((nth + 1) * batch)));
                    }
                    tally
                })
            })
            .collect();
        for thread in threads {
            tally.add(thread.join().expect("a worker came to its end"));
        }
    });

    println!("the gate: {:#?}", tally.verdicts);
    println!("differences that are explained: {:#?}", tally.explained);
    println!("{cases} cases in {:.1} s", start.elapsed().as_secs_f32());
    let shown: Vec<_> = tally
        .unexplained
        .iter()
        .take(10)
        .map(String::as_str)
        .collect();
    let count = tally.unexplained.len();
    assert!(
        count == 0,
        "{count} differences are not explained, SEED={seed}:\n{}",
        shown.join("\n")
    );

    // The cases say something: enough are good, and every check is met.
    assert_eq!(tally.verdicts.values().sum::<u64>(), cases);
    assert!(tally.verdicts["accepted"] > cases / 6);
    if cases >= 3_000 {
        for reason in [
            "token_malformed",
            "issuer_unknown",
            "algorithm_not_allowed",
            "key_unknown",
            "signature_invalid",
            "token_expired",
            "token_not_yet_valid",
            "lifetime_too_long",
            "audience_mismatch",
            "claim_missing",
        ] {
            assert!(
                tally.verdicts.contains_key(reason),
                "no token was refused with {reason}"
            );
        }
    }
    if cases >= 50_000 {
        for class in classes() {
            assert!(
                tally.explained.contains_key(&class),
                "no difference was of the class {class}"
            );
        }
    }
}
