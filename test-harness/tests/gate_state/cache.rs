//! A gate that remembers tokens, proven ones and forged ones, and one that does not are told the same, at the same
//! times: they say the same, to the last byte of their records.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use jobgate::audit::record;
use jobgate::gate::{Pool, State};
use jobgate::time::UnixTime;
use jobgate::token::Budget;
use jobgate_harness::mint::TokenSpec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{NOW, ask, documents, fetch, minters, outcome, policy, ready, token};

/// Tokens of both keys, good and wrong in each way that a later request could take for good.
fn tokens() -> &'static [String] {
    static TOKENS: OnceLock<Vec<String>> = OnceLock::new();
    TOKENS.get_or_init(|| {
        let mut tokens = vec!["garbage".to_owned(), "x".repeat(20_000)];
        for minter in minters() {
            tokens.extend(
                [
                    json!({}),
                    json!({ "age": 200 }),
                    json!({ "age": -100 }),
                    json!({ "age": 100, "lifetime": 7_000 }),
                    json!({ "lifetime": 7_200 }),
                    json!({ "lifetime": 7_201 }),
                    json!({ "nbf_in": 120 }),
                    json!({ "exp_in": 60 }),
                    json!({ "claims": { "organization_slug": "other" } }),
                    json!({ "claims": { "job_id": "revoked" } }),
                    json!({ "claims": { "aud": "another" } }),
                    json!({ "tamper": "payload" }),
                    json!({ "tamper": "signature" }),
                    json!({ "sign_with": "unpublished" }),
                    json!({ "without_header": ["kid"] }),
                    json!({ "header": { "kid": "unknown" } }),
                ]
                .map(|spec: Value| {
                    let spec: TokenSpec = serde_json::from_value(spec).expect("it is a spec");
                    minter.mint(&spec, NOW)
                }),
            );
        }
        tokens
    })
}

#[derive(Debug, Clone)]
enum Step {
    /// A request with one of the tokens, on one of the paths.
    Ask(usize, &'static str),
    /// Time passes, or the clock goes back.
    Clock(i64),
    /// The issuer publishes one of its documents, and it is fetched if a fetch is due.
    Fetch(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let path = proptest::sample::select(&["/", "/", "/", "/closed", "/a/../b"][..]);
    prop_oneof![
        12 => (any::<prop::sample::Index>(), path)
            .prop_map(|(token, path)| Step::Ask(token.index(tokens().len()), path)),
        // The tokens that are good longest, again and again: these are what hits.
        8 => proptest::sample::select(&[2_usize, 5, 6, 18, 21, 22][..])
            .prop_map(|token| Step::Ask(token, "/")),
        // Forged ones likewise.
        6 => proptest::sample::select(&[13_usize, 14, 15, 29, 30, 31][..])
            .prop_map(|token| Step::Ask(token, "/")),
        3 => (-200..300_i64).prop_map(Step::Clock),
        1 => proptest::sample::select(&[-3_600_i64, 601, 3_600][..]).prop_map(Step::Clock),
        4 => (0..4_usize).prop_map(Step::Fetch),
    ]
}

static HITS: AtomicUsize = AtomicUsize::new(0);
static REJECTIONS: AtomicUsize = AtomicUsize::new(0);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn with_the_cache_and_without_every_record_is_the_same(
        steps in proptest::collection::vec(step(), 1..60),
        entries in proptest::sample::select(&[1, 3, 1_000][..]),
        mode in proptest::sample::select(&["enforce", "shadow"][..]),
        inline in any::<bool>(),
    ) {
        let mut over = json!({
            "mode": mode,
            "rules": [
                { "id": "any-job", "claims": { "organization_slug": "acme" } },
                { "id": "closed", "effect": "deny", "paths": ["/closed"] },
            ],
            "revocations": { "entries": [{ "claims": { "job_id": "revoked" } }] },
        });
        if inline {
            let keys: Value = serde_json::from_slice(&documents()[2]).unwrap();
            over["issuers"] = json!([{
                "preset": "buildkite", "issuer": crate::world::ISSUER, "audience": crate::world::AUDIENCE,
                "jwks": { "uri": "https://ci.example/jwks", "refresh": "60s", "max_stale": "10m" },
                "keys": keys,
            }]);
        }
        over["cache"] = json!({ "entries": entries });
        let with = policy(over.clone());
        over["cache"] = json!({ "entries": 0 });
        let mut without = policy(over);
        // The digest is that of the configuration, in which the cache stands.
        without.digest.clone_from(&with.digest);
        let budget = Budget::new(1 << 20);
        let (mut remembers, mut forgets) = (State::new(&with, &mut Pool::new(0), &budget), State::new(&without, &mut Pool::new(0), &budget));
        let mut now = UnixTime::from_secs(NOW);
        for step in steps {
            match step {
                Step::Ask(token, path) => {
                    let token = &tokens()[token];
                    let cached = ask(&with, &mut remembers, None, path, token, now);
                    forgets.failures = Pool::new(0).failures(None);
                    let anew = ask(&without, &mut forgets, None, path, token, now);
                    prop_assert!(!anew.cached);
                    prop_assert_eq!(cached.strip_token, anew.strip_token);
                    prop_assert_eq!(record(&cached, None), record(&anew, None));
                    let hits = match outcome(&cached) {
                        "signature_invalid" => &REJECTIONS,
                        _ => &HITS,
                    };
                    hits.fetch_add(usize::from(cached.cached), Ordering::Relaxed);
                }
                Step::Clock(by) => now = UnixTime::from_secs(now.as_secs().saturating_add_signed(by)),
                Step::Fetch(which) => {
                    for state in [&mut remembers, &mut forgets] {
                        fetch(state, &documents()[which], now);
                    }
                }
            }
        }
        prop_assert!(forgets.cache.is_empty() && remembers.cache.len() <= entries);
    }
}

#[test]
fn the_comparison_compares_something() {
    with_the_cache_and_without_every_record_is_the_same();
    // Some two hundred, mostly; chance decides.
    for hits in [&HITS, &REJECTIONS] {
        let hits = hits.load(Ordering::Relaxed);
        assert!(hits >= 10, "{hits} hits");
    }
}

#[test]
fn a_hit_lasts_as_long_as_its_key_its_time_and_its_rules_do() {
    let policy = policy(json!({}));
    let mut state = ready(&policy);
    let token = token(json!({}));
    let at = |secs| UnixTime::from_secs(NOW + secs);
    let told = |state: &mut State, token: &str, secs| {
        let decision = ask(&policy, state, None, "/", token, at(secs));
        (decision.cached, outcome(&decision))
    };
    assert_eq!(told(&mut state, &token, 0), (false, "allow"));
    assert_eq!(told(&mut state, &token, 1), (true, "allow"));
    // One byte less is another token.
    assert_eq!(
        told(&mut state, &token[..token.len() - 1], 1),
        (false, "token_malformed")
    );
    // The same set again changes nothing; one without the key does, at once.
    fetch(&mut state, &documents()[1], at(60));
    assert_eq!(told(&mut state, &token, 61), (true, "allow"));
    fetch(&mut state, &documents()[2], at(120));
    assert_eq!(told(&mut state, &token, 121), (false, "keys_unavailable"));
    fetch(&mut state, &documents()[3], at(180));
    assert_eq!(told(&mut state, &token, 181), (false, "allow"));
    assert_eq!(told(&mut state, &token, 329), (true, "allow"));
    assert_eq!(told(&mut state, &token, 330), (false, "token_expired"));
}
