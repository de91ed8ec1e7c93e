//! Claims one at a time, page by page. What happens when several workers are at it is in `race`.

mod race;
mod store;

use super::*;
use crate::policy::Policy;
use crate::token::Claims;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use store::{Manners, Store};

const LEEWAY: u64 = 30;

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn claim_of(key: u8, start: u64, lifetime: u64) -> Claim {
    Claim {
        page: 0,
        key: [key; 16],
        expires: at(start + lifetime).plus(MAX_LEEWAY),
        start: at(start),
        leeway: Duration::from_secs(LEEWAY),
    }
}

fn page(begins: u64) -> Vec<u8> {
    Page::beginning(at(begins)).encode()
}

/// The reason, if a claim is refused, and the page otherwise.
fn attempt(page: &[u8], claim: &Claim, now: u64) -> Result<Vec<u8>, (Reason, String)> {
    try_claim(page, claim, at(now)).map_err(|refusal| (refusal.reason, refusal.detail.into_owned()))
}

#[test]
fn a_token_is_claimed_once() {
    let first = attempt(&page(0), &claim_of(1, 1_000, 300), 1_000).unwrap();
    let (reason, _) = attempt(&first, &claim_of(1, 1_000, 300), 1_000).unwrap_err();
    assert_eq!(reason, Reason::Replayed);
    // To the end of the longest leeway; then no policy accepts the token any more.
    for now in [1_300, 1_329, 1_899] {
        let (reason, _) = attempt(&first, &claim_of(1, 1_000, 300), now).unwrap_err();
        assert_eq!(reason, Reason::Replayed, "{now}");
    }
    assert!(attempt(&first, &claim_of(2, 1_000, 300), 1_000).is_ok());
}

#[test]
fn a_token_that_may_have_been_used_before_the_page_began_is_refused() {
    // With a leeway of 30 s a token of 1000 can have been used at 970, by a clock that is 30 s late.
    for (begins, passes) in [
        (0, true),
        (969, true),
        (970, true),
        (971, false),
        (1_000, false),
        (1_031, false),
        (u64::MAX, false),
    ] {
        let outcome = attempt(&page(begins), &claim_of(1, 1_000, 300), 1_100);
        assert_eq!(outcome.is_ok(), passes, "{begins}");
        if let Err((reason, detail)) = outcome {
            assert_eq!(reason, Reason::ReplayUnavailable);
            assert!(detail.contains("before the record"), "{detail}");
        }
    }
    // A part of a second counts, too.
    let begins = at(970).plus(Duration::from_millis(1));
    let page = Page::beginning(begins).encode();
    assert!(attempt(&page, &claim_of(1, 1_000, 300), 1_000).is_err());
    let mut claim = claim_of(1, 1_000, 300);
    claim.start = at(1_000).plus(Duration::from_millis(999));
    assert!(attempt(&page, &claim, 1_000).is_err());
    claim.start = at(1_001);
    assert!(attempt(&page, &claim, 1_001).is_ok());
}

#[test]
fn a_full_page_refuses_until_something_on_it_expires() {
    let mut bytes = page(0);
    for nth in 0..MAX_ENTRIES_U32 {
        let mut claim = claim_of(0, 1_000, if nth == 7 { 100 } else { 300 });
        claim.key[..4].copy_from_slice(&nth.to_be_bytes());
        bytes = attempt(&bytes, &claim, 1_000).unwrap();
    }
    assert_eq!(bytes.len(), page::BYTES);
    let newcomer = claim_of(0xff, 1_000, 300);
    let (reason, detail) = attempt(&bytes, &newcomer, 1_699).unwrap_err();
    assert_eq!(reason, Reason::ReplayUnavailable);
    assert!(detail.contains("full"), "{detail}");
    assert!(attempt(&bytes, &newcomer, 1_700).is_ok());
}
const MAX_ENTRIES_U32: u32 = page::MAX_ENTRIES as u32;

#[test]
fn a_clock_that_went_ahead_and_came_back_makes_no_used_token_new() {
    let used = attempt(&page(0), &claim_of(1, 1_000, 300), 1_000).unwrap();
    // An hour ahead, another token is claimed: the first one's entry is forgotten.
    let later = attempt(&used, &claim_of(2, 4_600, 300), 4_600).unwrap();
    assert_eq!(later.len(), used.len());
    let (reason, detail) = attempt(&later, &claim_of(1, 1_000, 300), 1_010).unwrap_err();
    assert_eq!(reason, Reason::ReplayUnavailable);
    assert!(detail.contains("clock went back"), "{detail}");
    // A token that expires later than the forgotten one was not forgotten.
    assert!(attempt(&later, &claim_of(3, 1_001, 300), 1_010).is_ok());
}

#[test]
fn bytes_that_are_no_page_refuse() {
    let good = attempt(&page(0), &claim_of(1, 1_000, 300), 1_000).unwrap();
    assert!(Page::decode(&good).is_some());
    let mut others = vec![
        Vec::new(),
        b"jobgate1".to_vec(),
        vec![0; 24],
        vec![0xff; 48],
    ];
    for cut in 1..good.len() {
        // A whole entry less is a page.
        if cut != 24 {
            others.push(good[..cut].to_vec());
        }
    }
    others.push([&good[..], b"x"].concat());
    others.push([b"jobgate2", &good[8..]].concat());
    others.push([&good[..24], &good[24..].repeat(page::MAX_ENTRIES + 1)].concat());
    for bytes in others {
        let (reason, detail) = attempt(&bytes, &claim_of(2, 1_000, 300), 1_000).unwrap_err();
        assert_eq!(reason, Reason::ReplayUnavailable, "{bytes:?}");
        assert!(detail.contains("can't be read"), "{detail}");
    }
}

fn policy() -> Policy {
    let document = json!({
        "issuers": [
            { "issuer": "https://ci.example", "audience": "a", "algorithms": ["RS256"], "jwks": { "uri": "https://ci.example/jwks" } },
            { "issuer": "https://other.example", "audience": "a", "algorithms": ["RS256"], "jwks": { "uri": "https://ci.example/jwks" } },
        ],
        "rules": [],
    });
    Policy::from_json(document.to_string().as_bytes()).unwrap()
}

#[test]
fn a_use_is_told_by_rule_issuer_and_token_id_and_without_an_id_by_what_was_signed() {
    let policy = policy();
    let token = |claims: serde_json::Value, digest: u8| {
        let claims = Claims::new(claims.as_object().unwrap().clone());
        VerifiedToken::unproven_with(claims, None, [digest; 32])
    };
    let key = |rule: &str, token: &VerifiedToken, issuer: usize| {
        let claim = Claim::new(rule, token, &policy.issuers[issuer]);
        assert!(claim.page < PAGES);
        (claim.page, claim.key)
    };
    let id = json!({"jti": "7"});
    let used = key("a", &token(id.clone(), 1), 0);
    // The same id on another token is the same use.
    assert_eq!(used, key("a", &token(id.clone(), 2), 0));
    let mut others = vec![used];
    for other in [
        key("b", &token(id.clone(), 1), 0),
        key("a", &token(id.clone(), 1), 1),
        key("a", &token(json!({"jti": "8"}), 1), 0),
        // No text, no id.
        key("a", &token(json!({"jti": 7}), 1), 0),
        key("a", &token(json!({"jti": 7}), 2), 0),
        key("a", &token(json!({"jti": ""}), 3), 0),
        key("a", &token(json!({}), 4), 0),
        // Where one part ends and the next begins is part of the key.
        key("ahttps://ci.example", &token(json!({}), 4), 0),
    ] {
        assert!(!others.contains(&other), "{other:?}");
        others.push(other);
    }
    assert_eq!(
        key("a", &token(json!({}), 4), 0),
        key("a", &token(json!({"jti": null}), 4), 0)
    );
}

#[test]
fn the_longest_leeway_is_the_one_that_policies_can_have() {
    let with = |leeway: Duration| {
        let document = json!({
            "issuers": [{ "preset": "buildkite", "audience": "a", "leeway": format!("{}s", leeway.as_secs()) }],
            "rules": [],
        });
        Policy::from_json(document.to_string().as_bytes()).is_ok()
    };
    assert!(with(MAX_LEEWAY) && !with(MAX_LEEWAY + Duration::from_secs(1)));
}

#[test]
fn a_leeway_that_is_raised_makes_no_used_token_new() {
    let token = |jti: &str, exp: u64| {
        let claims = json!({ "jti": jti, "iat": 1_000, "exp": exp });
        VerifiedToken::unproven(Claims::new(claims.as_object().unwrap().clone()))
    };
    let mut policy = policy();
    policy.issuers[0].leeway = Duration::ZERO;
    let issuer = &policy.issuers[0];
    // On one page, so that the second claim forgets what has expired.
    let of = |issuer: &Issuer, jti: &str, exp: u64| Claim {
        page: 0,
        ..Claim::new("a", &token(jti, exp), issuer)
    };
    let used = attempt(&page(0), &of(issuer, "1", 1_100), 1_000).unwrap();
    let later = attempt(&used, &of(issuer, "2", 5_000), 1_101).unwrap();
    policy.issuers[0].leeway = MAX_LEEWAY;
    for now in [1_101, 1_699] {
        let again = of(&policy.issuers[0], "1", 1_100);
        let (reason, _) = attempt(&later, &again, now).unwrap_err();
        assert_eq!(reason, Reason::Replayed);
    }
}

#[test]
fn without_a_record_nothing_is_claimed() {
    let token = claim_of(1, 1_000, 300);
    let refused = |data: &dyn SharedData| {
        let refusal = claim(data, &token, at(1_000)).unwrap_err();
        assert_eq!(refusal.reason, Reason::ReplayUnavailable);
        refusal.detail.into_owned()
    };
    assert!(refused(&crate::shared_data::NoSharedData).contains("it has none"));
    for manners in Manners::ALL {
        let store = Store::new(manners);
        // The first request makes the page, and later tokens have a record.
        assert!(refused(&store).contains("begins only now"));
        assert!(refused(&store).contains("before the record"));
        let later = claim_of(1, 1_000 + LEEWAY + SLACK.as_secs(), 300);
        assert_eq!(claim(&store, &later, at(1_040)), Ok(()));

        store.put(&page_key(0), b"garbage");
        assert!(refused(&store).contains("can't be read"));
        ensure_pages(&store, at(2_000)).unwrap();
        assert!(refused(&store).contains("before the record"));
        store.fail_sets(true);
        let later = claim_of(1, 2_000 + LEEWAY + SLACK.as_secs(), 300);
        assert_eq!(
            claim(&store, &later, at(2_040)).unwrap_err().reason,
            Reason::ReplayUnavailable
        );
        store.fail_gets(true);
        assert!(refused(&store).contains("shared data failed"));
        assert!(ensure_pages(&store, at(1_000)).is_err());
    }
}

#[test]
fn pages_are_made_once_and_left_alone() {
    for manners in Manners::ALL {
        let store = Store::new(manners);
        ensure_pages(&store, at(0)).unwrap();
        assert_eq!(store.len(), usize::from(PAGES));
        let token = claim_of(1, 1_000, 300);
        assert_eq!(claim(&store, &token, at(1_000)), Ok(()));
        ensure_pages(&store, at(2_000)).unwrap();
        assert_eq!(
            claim(&store, &token, at(1_001)).unwrap_err().reason,
            Reason::Replayed
        );
    }
}

#[test]
fn a_worker_that_is_never_first_gives_up() {
    let store = Store::new(Manners::Envoy);
    ensure_pages(&store, at(0)).unwrap();
    store.conflict_always(true);
    let refusal = claim(&store, &claim_of(1, 1_000, 300), at(1_000)).unwrap_err();
    assert_eq!(refusal.reason, Reason::ReplayUnavailable);
    assert!(refusal.detail.contains("other workers"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// One page against a model that remembers every use for ever: no use is let through twice, however the
    /// clock goes; and while it only goes forward, no fresh token is refused but for want of room.
    #[test]
    fn the_record_is_a_set_that_never_lets_a_token_through_twice(
        steps in proptest::collection::vec((0..40_u8, 0..600_u64, -20..60_i64), 1..200),
        clock_jumps in any::<bool>(),
    ) {
        let mut bytes = page(0);
        let mut used: BTreeMap<(u8, u64, u64), ()> = BTreeMap::new();
        let mut now = 10_000_u64;
        for (key, lifetime, step) in steps {
            let step = if clock_jumps { step * 40 } else { step.abs() };
            now = now.saturating_add_signed(step).max(1_000);
            // A token is its key; the same key comes back with the same times, as it is the same token.
            let start = 1_000 + u64::from(key) * 100;
            let lifetime = if clock_jumps { 20_000 } else { lifetime + 20_000 };
            let lifetime = used
                .keys()
                .find(|(known, ..)| *known == key)
                .map_or(lifetime, |(_, _, lifetime)| *lifetime);
            let token = claim_of(key, start, lifetime);
            if start + lifetime + LEEWAY <= now || now + LEEWAY < start {
                continue;
            }
            let was_used = used.contains_key(&(key, start, lifetime));
            match attempt(&bytes, &token, now) {
                Ok(next) => {
                    prop_assert!(!was_used, "{key} was let through twice");
                    used.insert((key, start, lifetime), ());
                    bytes = next;
                }
                Err((reason, detail)) => {
                    prop_assert!(was_used || clock_jumps, "{key}: {detail}");
                    prop_assert!(clock_jumps || reason == Reason::Replayed);
                }
            }
        }
    }
}
