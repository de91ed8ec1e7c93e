//! The gate's own verification of RSA signatures against the rsa crate's and OpenSSL's: all three must agree on each
//! signature, good, wrongly encoded, or bent, but for what docs/differential.md explains.
//!
//! `CASES` says how many (3,000 if not given) and `SEED` which.

mod case;
mod keys;
mod openssl;

use case::{Case, case, pool};
use keys::Key;
use openssl::OpenSsl;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rsa::BigUint;
use rsa::traits::PublicKeyParts;
use std::collections::BTreeMap;
use std::time::{Instant, SystemTime};
use std::{env, thread};

/// The cases that OpenSSL is told of at once.
const BATCH: u64 = 4_000;

/// How many verdicts were for a signature and how many against it, by what was done to it.
type Tally = BTreeMap<String, [u64; 2]>;

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}: {text} is no number")),
    )
}

#[test]
fn three_implementations_agree() {
    let cases = number("CASES").unwrap_or(3_000);
    let is_long = cases > 10_000;
    let clock = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |now| now.as_secs())
    };
    let seed = number("SEED").unwrap_or_else(|| if is_long { clock() } else { 1 });
    println!("SEED={seed} CASES={cases}");
    let start = Instant::now();
    let mut rng = StdRng::seed_from_u64(seed);
    let keys = keys::keys(is_long, &mut rng);
    let pool = pool(&keys, if is_long { 6 } else { 1 }, &mut rng);
    println!(
        "{} signatures by {} keys in {:.1} s",
        pool.len(),
        keys.len(),
        start.elapsed().as_secs_f32()
    );

    let workers = thread::available_parallelism().map_or(1, usize::from) as u64;
    let batches = cases.div_ceil(BATCH);
    let mut tally = Tally::new();
    thread::scope(|scope| {
        let (keys, pool) = (&keys, &pool);
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let mut openssl = OpenSsl::start(keys);
                    let mut tally = Tally::new();
                    for nth in (worker..batches).step_by(workers as usize) {
                        let mut rng = StdRng::seed_from_u64(seed.wrapping_add(1 + nth));
                        let size = BATCH.min(cases - nth * BATCH);
                        let batch: Vec<_> = (0..size).map(|_| case(keys, pool, &mut rng)).collect();
                        compare(keys, &batch, &openssl.opinions(&batch), &mut tally);
                    }
                    tally
                })
            })
            .collect();
        for thread in threads {
            for (kind, [good, bad]) in thread.join().expect("all agree") {
                let sum = tally.entry(kind).or_default();
                sum[0] += good;
                sum[1] += bad;
            }
        }
    });

    for (kind, [good, bad]) in &tally {
        println!("{good:>9} verify, {bad:>9} do not: {kind}");
    }
    println!("{cases} cases in {:.1} s", start.elapsed().as_secs_f32());
    let verified: u64 = tally.values().map(|[good, _]| good).sum();
    assert_eq!(tally.values().flatten().sum::<u64>(), cases);
    assert!(verified > cases / 100, "too few signatures were good");
    assert!(tally.len() > 50, "not every kind of signature was met");
}

fn compare(keys: &[Key], batch: &[Case], openssl: &[bool], tally: &mut Tally) {
    for (case, &openssl) in batch.iter().zip(openssl) {
        let key = &keys[case.key];
        let algorithm = case.scheme.0;
        let verify = |signature: &[u8]| {
            let found = key.ours.find(None, algorithm);
            let found = found.expect("it serves all of them");
            found.verify(algorithm, &case.message, signature).is_ok()
        };
        let ours = verify(&case.signature);
        let theirs = case.scheme.theirs(key, &case.message, &case.signature);
        let difference = (ours != theirs || ours != openssl).then(|| {
            explained(key, case, verify, [ours, theirs, openssl]).unwrap_or_else(|| {
                panic!(
                    "the gate says {ours}, the rsa crate {theirs}, OpenSSL {openssl}: {}, {:?}\n\
                     n {:02x?}\ne {:02x?}\nmessage {:02x?}\nsignature {:02x?}",
                    algorithm.name(),
                    case.kind,
                    key.modulus(),
                    key.exponent(),
                    case.message,
                    case.signature
                )
            })
        });
        let (encoded, bent) = case.kind;
        let scheme = if case.scheme.is_pss() {
            "PSS"
        } else {
            "PKCS #1 v1.5"
        };
        let kind = match (difference, encoded, bent) {
            (Some(difference), _, _) => difference.to_owned(),
            (None, "good", bent) => format!("{scheme}, good, {bent}"),
            (None, encoded, "as it is") => format!("{scheme}, {encoded}"),
            (None, _, bent) => format!("{scheme}, wrong, {bent}"),
        };
        tally.entry(kind).or_default()[usize::from(!ours)] += 1;
    }
}

/// Which difference of docs/differential.md this is.
fn explained(
    key: &Key,
    case: &Case,
    ours: impl Fn(&[u8]) -> bool,
    verdicts: [bool; 3],
) -> Option<&'static str> {
    if !case.scheme.is_pss() {
        return None;
    }
    let number = BigUint::from_bytes_be(&case.signature);
    let modulus = BigUint::from_bytes_be(&key.modulus());
    let has_size = case.signature.len() == key.size();
    // Two of them are a second form of a signature whose first all accept.
    let first_form = || ours(&key.padded(&(&number % &modulus)));
    let encoded = || number.modpow(key.theirs.e(), &modulus);
    match verdicts {
        [false, false, true] if case.signature.len() < key.size() && first_form() => {
            Some("OpenSSL alone: without its leading zeros")
        }
        [false, true, false] if has_size && number >= modulus && first_form() => {
            Some("the rsa crate alone: not below the modulus")
        }
        [false, true, false]
            if has_size && modulus.bits() % 8 == 1 && encoded().bits() == modulus.bits() =>
        {
            Some("the rsa crate alone: an encoding of a byte too many")
        }
        _ => None,
    }
}
