//! The cache against a model that forgets nothing.

use super::*;
use crate::token::Claims;
use proptest::prelude::*;
use serde_json::json;
use std::collections::HashMap;

/// From this name on the ends of tokens are alike, as those of no two signed tokens are.
const ALIKE: u8 = 200;

fn compact(name: u8) -> String {
    format!("{name}.{:040}", name.min(ALIKE))
}

/// A token with a claim of this length.
fn token(name: u8, length: usize) -> VerifiedToken {
    let claims = json!({ "sub": "x".repeat(length) });
    let claims = Claims::new(claims.as_object().unwrap().clone());
    VerifiedToken::unproven_as(&compact(name), claims)
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn cache(entries: usize, bytes: usize, budget: usize) -> TokenCache {
    TokenCache::new(CacheLimits { entries, bytes }, &Budget::new(budget))
}

const PLENTY: usize = 1 << 30;

#[test]
fn a_hit_needs_the_same_token_the_same_keys_and_time_left() {
    let mut cache = cache(10, PLENTY, PLENTY);
    let mut hits = |name: u8, generation: Option<u64>, secs: u64| {
        // A miss for the keys or the time drops the entry, so each question is about a new one.
        cache.insert(token(1, 1), 7, at(330));
        cache
            .get(compact(name).as_bytes(), |_| generation, at(secs))
            .is_some()
    };
    assert!(hits(1, Some(7), 0));
    assert!(hits(1, Some(7), 329));
    assert!(!hits(1, Some(7), 330));
    assert!(!hits(2, Some(7), 0));
    assert!(!hits(1, Some(8), 0));
    assert!(!hits(1, Some(6), 0));
    assert!(!hits(1, None, 0));
}

#[test]
fn tokens_with_one_end_are_told_apart() {
    let mut cache = cache(10, PLENTY, PLENTY);
    cache.insert(token(ALIKE, 1), 1, at(100));
    assert!(
        cache
            .get(compact(ALIKE + 1).as_bytes(), |_| Some(1), at(0))
            .is_none()
    );
    assert!(
        cache
            .get(compact(ALIKE).as_bytes(), |_| Some(1), at(0))
            .is_some()
    );
    let longer = format!("x{}", compact(ALIKE));
    assert!(cache.get(longer.as_bytes(), |_| Some(1), at(0)).is_none());
}

#[test]
fn what_is_used_stays_and_the_rest_makes_way() {
    let mut cache = cache(8, PLENTY, PLENTY);
    cache.insert(token(0, 1), 1, at(100));
    for name in 1..200 {
        cache.insert(token(name, 1), 1, at(100));
        assert!(
            cache
                .get(compact(0).as_bytes(), |_| Some(1), at(0))
                .is_some(),
            "{name}"
        );
        assert!(
            cache
                .get(compact(name).as_bytes(), |_| Some(1), at(0))
                .is_some()
        );
        assert!(cache.len() <= 8);
    }
    assert!(
        cache
            .get(compact(1).as_bytes(), |_| Some(1), at(0))
            .is_none()
    );
}

#[test]
fn an_entry_too_large_and_a_cache_of_none_are_no_cache() {
    let mut none = cache(0, PLENTY, PLENTY);
    let mut small = cache(10, 4096, PLENTY);
    none.insert(token(1, 1), 1, at(100));
    small.insert(token(1, 5000), 1, at(100));
    assert!(none.is_empty() && small.is_empty() && small.bytes() == 0);
    small.insert(token(2, 100), 1, at(100));
    assert_eq!(small.len(), 1);
}

#[test]
fn a_route_that_nobody_asks_gives_its_part_of_the_budget_back_when_its_tokens_expire() {
    let budget = Budget::new(6_000);
    let limits = CacheLimits {
        entries: 100,
        bytes: PLENTY,
    };
    let mut idle = TokenCache::new(limits, &budget);
    let mut busy = TokenCache::new(limits, &budget);
    for name in 0..100 {
        idle.insert(token(name, 100), 1, at(50));
    }
    assert!(budget.used() > 0);
    busy.insert(token(1, 4_500), 1, at(100));
    assert!(busy.is_empty());
    idle.forget_expired(at(49));
    assert!(!idle.is_empty());
    idle.forget_expired(at(50));
    assert_eq!((idle.len(), budget.used()), (0, 0));
    busy.insert(token(1, 4_500), 1, at(100));
    assert_eq!(busy.len(), 1);
    drop((idle, busy));
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_cache_whose_own_tokens_fill_the_budget_takes_new_ones_still() {
    let mut cache = cache(100, PLENTY, 6_000);
    for name in 0..100 {
        cache.insert(token(name, 100), 1, at(50));
        cache.insert(token(name, 100), 1, at(50));
        let found = cache
            .get(compact(name).as_bytes(), |_| Some(1), at(0))
            .is_some();
        assert!(found || name % 8 != 0, "{name}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert {
        which: usize,
        name: u8,
        length: usize,
        until: u64,
    },
    Get {
        which: usize,
        name: u8,
    },
    Clock(u64),
    Keys(Option<u64>),
    Forget {
        which: usize,
    },
    Renew {
        which: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0..3_usize;
    let name = || prop_oneof![4 => 0..16_u8, 1 => ALIKE..ALIKE + 4];
    prop_oneof![
        6 => (which(), name(), prop_oneof![0..200_usize, 0..4_000_usize], 0..100_u64)
            .prop_map(|(which, name, length, until)| Step::Insert { which, name, length, until }),
        8 => (which(), name()).prop_map(|(which, name)| Step::Get { which, name }),
        1 => (0..100_u64).prop_map(Step::Clock),
        1 => proptest::option::of(0..3_u64).prop_map(Step::Keys),
        1 => which().prop_map(|which| Step::Forget { which }),
        1 => which().prop_map(|which| Step::Renew { which }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Three caches on one budget: whatever happens, they hold no more than they may, and hand out nothing
    /// that the model would not.
    #[test]
    fn the_bounds_hold_and_no_entry_outlives_its_time_or_its_keys(
        steps in proptest::collection::vec(step(), 0..120),
        entries in 0..12_usize,
        bytes in 0..12_000_usize,
        total in 0..20_000_usize,
    ) {
        let limits = CacheLimits { entries, bytes };
        let budget = Budget::new(total);
        let mut caches: Vec<_> = (0..3).map(|_| TokenCache::new(limits, &budget)).collect();
        let mut model: [HashMap<u8, (usize, u64, u64)>; 3] = Default::default();
        let (mut now, mut keys) = (0, Some(0));
        for step in steps {
            match step {
                Step::Insert { which, name, length, until } => {
                    // As the verifier does: only what was verified with a set that serves is inserted.
                    if let Some(keys) = keys {
                        caches[which].insert(token(name, length), keys, at(until));
                        model[which].insert(name, (length, keys, until));
                    }
                }
                Step::Get { which, name } => {
                    let found = caches[which].get(compact(name).as_bytes(), |_| keys, at(now));
                    if let Some(found) = found {
                        let (length, with, until) = model[which][&name];
                        prop_assert_eq!(found.claims().text("sub").unwrap().len(), length);
                        prop_assert_eq!(Some(with), keys);
                        prop_assert!(now < until);
                    }
                }
                Step::Clock(to) => now = to,
                Step::Keys(to) => keys = to,
                Step::Forget { which } => caches[which].forget_expired(at(now)),
                Step::Renew { which } => {
                    caches[which] = TokenCache::new(limits, &budget);
                    model[which].clear();
                }
            }
            for cache in &caches {
                prop_assert!(cache.len() <= entries && cache.bytes() <= bytes);
                let held: usize = cache.entries.iter().map(|(_, entry)| entry.bytes).sum();
                prop_assert_eq!(held, cache.bytes());
            }
            let used: usize = caches.iter().map(TokenCache::bytes).sum();
            prop_assert_eq!(used, budget.used());
            prop_assert!(used <= total);
        }
    }
}
