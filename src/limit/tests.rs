//! One bucket at a time, to the nanosecond; then whole requests. What happens when several workers are at it is in
//! `race`.

mod race;

use super::*;
use crate::hex::hex;
use crate::policy::{Facts, Policy, Ruling};
use crate::request::NormalPath;
use crate::shared_data::NoSharedData;
use crate::shared_data::memory::Memory;
use crate::token::VerifiedToken;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_800_000_000 * SECOND;

fn at(nanos: u64) -> UnixTime {
    UnixTime::new(Duration::from_nanos(START + nanos))
}

fn rate(text: &str, burst: u64) -> Rate {
    let (count, per) = Rate::parse(text).unwrap();
    Rate::new(count, per, burst).unwrap()
}

/// A bucket that is nowhere but here.
struct Alone {
    rate: Rate,
    stands: Option<u64>,
}

impl Alone {
    fn new(rate: Rate) -> Self {
        Self { rate, stands: None }
    }

    /// How long a request has to wait; nothing if it passes.
    fn ask(&mut self, now: UnixTime) -> Duration {
        match self.rate.attempt(self.stands, now) {
            Attempt::Passes(stands) => {
                self.stands = Some(stands);
                Duration::ZERO
            }
            Attempt::Waits(level, mended) => {
                self.stands = mended.or(self.stands);
                assert_eq!(level, self.rate.level(self.stands, now));
                level.retry
            }
        }
    }

    fn passes(&mut self, now: UnixTime) -> bool {
        self.ask(now).is_zero()
    }
}

#[test]
fn a_bucket_lets_a_burst_through_and_then_one_at_each_interval() {
    let mut bucket = Alone::new(rate("30/m", 3));
    for remaining in (0..3).rev() {
        assert!(bucket.passes(at(0)));
        assert_eq!(bucket.rate.level(bucket.stands, at(0)).remaining, remaining);
    }
    assert_eq!(bucket.ask(at(0)), Duration::from_secs(2));
    assert_eq!(bucket.ask(at(1)), Duration::from_nanos(2 * SECOND - 1));
    assert_eq!(bucket.ask(at(2 * SECOND - 1)), Duration::from_nanos(1));
    assert!(bucket.passes(at(2 * SECOND)));
    assert!(!bucket.passes(at(2 * SECOND)));
    // A refused request costs nothing, and after a pause the burst is there again and no more than it.
    let later = at(100 * SECOND);
    assert_eq!(bucket.rate.level(bucket.stands, later).remaining, 3);
    assert_eq!((0..9).filter(|_| bucket.passes(later)).count(), 3);
}

#[test]
fn a_clock_that_went_back_locks_nobody_out_and_forgives_nothing() {
    for (back, wait) in [
        // As far as workers' clocks can be apart: the bucket is what it was.
        (10 * SECOND, 12 * SECOND),
        // Further: it is empty.
        (10 * SECOND + 1, 2 * SECOND),
        (1_000_000 * SECOND, 2 * SECOND),
    ] {
        let mut bucket = Alone::new(rate("30/m", 3));
        assert_eq!((0..9).filter(|_| bucket.passes(at(0))).count(), 3);
        let now = START - back;
        let at = |nanos| UnixTime::new(Duration::from_nanos(now + nanos));
        assert_eq!(bucket.ask(at(0)), Duration::from_nanos(wait), "{back}");
        // It was written down: a look later does not begin the wait again.
        assert_eq!(bucket.ask(at(wait - 1)), Duration::from_nanos(1), "{back}");
        assert!(bucket.passes(at(wait)), "{back}");
        assert!(!bucket.passes(at(wait)), "{back}");
    }
    // Whatever stands there, at whatever time.
    for stands in [0, 1, START, u64::MAX] {
        for now in [0, 1, START, u64::MAX] {
            let mut bucket = Alone::new(rate("1/d", 30));
            bucket.stands = Some(stands);
            let now = UnixTime::new(Duration::from_nanos(now));
            let passed = (0..40).filter(|_| bucket.passes(now)).count();
            assert!(passed <= 30 || now.as_secs() > 18_000_000_000);
        }
    }
}

fn rates() -> impl Strategy<Value = Rate> {
    let unit = proptest::sample::select(vec![1_u64, 60, 3_600, 86_400]);
    (1..=10_000_u64, unit, 1..=50_u64)
        .prop_filter_map("too fast or too slow", |(count, per, burst)| {
            Rate::new(count, Duration::from_secs(per), burst).ok()
        })
}

/// Gaps between requests: none, some intervals or parts of one, or long.
fn gaps() -> impl Strategy<Value = Vec<(u8, u64)>> {
    proptest::collection::vec((0..4_u8, any::<u64>()), 1..200)
}

fn moments(rate: &Rate, gaps: &[(u8, u64)]) -> Vec<u64> {
    let interval = interval(rate);
    let mut now = 0;
    let moment = |(kind, any): &(u8, u64)| {
        now += match kind {
            0 => 0,
            1 => any % (interval + 1),
            2 => any % 4 * interval,
            _ => any % (60 * interval),
        };
        now
    };
    gaps.iter().map(moment).collect()
}

fn interval(rate: &Rate) -> u64 {
    let empty = Rate::new(1, Duration::from_secs(1), 1).unwrap();
    assert_eq!(empty.level(None, at(0)).remaining, 1);
    // What one request moves a bucket by.
    match rate.attempt(None, at(0)) {
        Attempt::Passes(stands) => stands - START,
        Attempt::Waits(..) => panic!("an untouched bucket is full"),
    }
}

proptest! {
    /// The naive one counts: so much fills in with time, up to the brim, and each request takes one interval's worth.
    #[test]
    fn it_is_a_token_bucket(rate in rates(), gaps in gaps()) {
        let interval = interval(&rate);
        let brim = interval * rate.burst();
        let (mut fill, mut before) = (brim, 0);
        let mut bucket = Alone::new(rate);
        for moment in moments(&rate, &gaps) {
            fill = brim.min(fill + (moment - before));
            before = moment;
            let expected = fill >= interval;
            if expected {
                fill -= interval;
            }
            let wait = bucket.ask(at(moment));
            prop_assert_eq!(wait.is_zero(), expected);
            if !expected {
                prop_assert_eq!(wait, Duration::from_nanos(interval - fill));
            }
            let level = bucket.rate.level(bucket.stands, at(moment));
            prop_assert_eq!(level.remaining, fill / interval);
        }
    }

    #[test]
    fn no_window_lets_more_through_than_the_burst_and_what_the_rate_gives(rate in rates(), gaps in gaps()) {
        let interval = interval(&rate);
        let mut bucket = Alone::new(rate);
        let passed: Vec<u64> = moments(&rate, &gaps)
            .into_iter()
            .filter(|moment| bucket.passes(at(*moment)))
            .collect();
        for (nth, first) in passed.iter().enumerate() {
            for (count, last) in (1..).zip(&passed[nth..]) {
                prop_assert!(count <= rate.burst() + (last - first) / interval);
            }
        }
    }

    /// Taken and given back, with others in between, is as if it had not been taken, or costs a token; it never
    /// gives one.
    #[test]
    fn what_is_given_back_is_never_more_than_was_taken(rate in rates(), before in gaps(), between in gaps()) {
        let (mut with, mut without) = (Alone::new(rate), Alone::new(rate));
        let mut now = 0;
        for moment in moments(&rate, &before) {
            now = moment;
            prop_assert_eq!(with.passes(at(moment)), without.passes(at(moment)));
        }
        let Attempt::Passes(taken) = rate.attempt(with.stands, at(now)) else {
            return Ok(());
        };
        with.stands = Some(taken);
        for moment in moments(&rate, &between) {
            let moment = at(now + moment);
            // Only what passes with the token taken passes at all.
            if with.passes(moment) {
                prop_assert!(without.passes(moment));
            }
        }
        let given = rate.given_back(with.stands.unwrap(), taken);
        prop_assert!(given.unwrap_or(with.stands.unwrap()) >= without.stands.unwrap_or_default().min(taken));
        let later = at(now + 1_000_000 * interval(&rate));
        let left = |stands| rate.level(stands, later).remaining;
        prop_assert!(left(given) <= left(None));
    }

    #[test]
    fn a_page_reads_back_as_it_was_written(entries in proptest::collection::btree_map(any::<[u8; 16]>(), 1..u64::MAX, 0..=page::MAX_ENTRIES)) {
        let mut page = Page::default();
        for (key, stands) in &entries {
            page.put(*key, *stands, UnixTime::from_secs(0)).unwrap();
        }
        let bytes = page.encode();
        prop_assert_eq!(bytes.len(), page::BYTES);
        let read = Page::decode(&bytes).unwrap();
        for (key, stands) in &entries {
            prop_assert_eq!(read.get(key), Some(*stands));
        }
        prop_assert_eq!(read, page);
    }

    #[test]
    fn any_bytes_are_a_page_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..64), fill in any::<bool>()) {
        let mut bytes = bytes;
        if fill {
            bytes.splice(0..0, *b"joblimit");
            bytes.resize(page::BYTES, 0);
        }
        if let Some(page) = Page::decode(&bytes) {
            prop_assert_eq!(page.encode(), bytes);
        }
    }
}

#[test]
fn a_page_makes_room_only_of_buckets_that_are_full_by_every_clock() {
    let now = at(0);
    let mut page = Page::default();
    let key = |nth: u64| {
        let mut key = page::Key::default();
        key[..8].copy_from_slice(&nth.to_be_bytes());
        key
    };
    for nth in 0..page::MAX_ENTRIES as u64 {
        page.put(key(nth), START + nth * SECOND, now).unwrap();
    }
    assert_eq!(page.put(key(999), START, now), Err(page::Full));
    // One that is there can always be changed.
    assert_eq!(page.put(key(0), START + 1, now), Ok(()));
    assert_eq!(page.put(key(999), START, at(10 * SECOND)), Err(page::Full));
    assert_eq!(page.put(key(999), START, at(10 * SECOND + 1)), Ok(()));
    assert_eq!(page.get(&key(0)), None);
    assert_eq!(page.get(&key(1)), Some(START + SECOND));
}

/// Kong tells keys apart by their CRC-32 alone.
#[test]
fn no_two_fixed_keys_in_shared_data_are_one_on_kong() {
    let crc32 = |text: &str| {
        text.bytes().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
            })
        })
    };
    assert_eq!(!crc32("123456789"), 0xcbf4_3926);
    let limits = (0..PAGES).map(page_key);
    let replay = (0..crate::replay::PAGES).map(|page| format!("jobgate/1/replay/{page}"));
    let all: Vec<u32> = limits.chain(replay).map(|key| crc32(&key)).collect();
    let different: BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

// Whole requests.

fn policy(limits: Value) -> Policy {
    let document = json!({
        "issuers": [
            { "issuer": "https://a.example", "audience": "a", "algorithms": ["RS256"], "jwks": { "cluster": "c" } },
            { "issuer": "https://b.example", "audience": "a", "algorithms": ["RS256"], "jwks": { "cluster": "c" } },
        ],
        "roles": { "release": { "claims": { "kind": "release" } } },
        "rules": [
            { "id": "deploy", "paths": ["/deploy"] },
            { "id": "read", "paths": ["/read"] },
        ],
        "limits": limits,
    });
    Policy::from_json(document.to_string().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn token(issuer: usize, claims: &Value) -> VerifiedToken {
    VerifiedToken::unproven_of(issuer, Claims::new(claims.as_object().unwrap().clone()))
}

/// What the limits say of a request, and how it stands with each.
fn ask_all(
    policy: &Policy,
    data: &dyn SharedData,
    path: &str,
    token: &VerifiedToken,
    now: UnixTime,
) -> (Result<Taken, Refusal>, Vec<Standing>) {
    let path = NormalPath::parse(path.as_bytes()).unwrap();
    let Ruling::Allow(permit) = policy.decide(token, &Facts::new("GET", &path, now)) else {
        panic!("no rule lets it through");
    };
    let issuer = &policy.issuers[token.issuer()];
    let mut standings = Vec::new();
    let taken = take(
        data,
        &policy.limits,
        &permit,
        issuer,
        token.claims(),
        now,
        &mut standings,
    );
    (taken, standings)
}

fn told(
    policy: &Policy,
    data: &dyn SharedData,
    path: &str,
    claims: &Value,
    now: u64,
) -> &'static str {
    match ask_all(policy, data, path, &token(0, claims), at(now)).0 {
        Ok(_) => "ok",
        Err(refusal) => refusal.reason.code(),
    }
}

#[test]
fn jobs_share_a_bucket_if_they_are_of_one_issuer_and_agree_in_the_claims_of_the_key() {
    let policy = policy(json!([{ "id": "l", "key": ["org", "/n/x"], "rate": "1/h", "burst": 1 }]));
    let data = Memory::default();
    let passes = |issuer, claims: Value| {
        let (taken, _) = ask_all(&policy, &data, "/deploy", &token(issuer, &claims), at(0));
        taken.map(|_| ()).map_err(|refusal| refusal.reason.code())
    };
    let limited = Err("rate_limited");
    for (issuer, claims, expected) in [
        (
            0,
            json!({ "org": "acme", "n": { "x": "1" }, "job": 1 }),
            Ok(()),
        ),
        (
            0,
            json!({ "org": "acme", "n": { "x": "1" }, "job": 2 }),
            limited,
        ),
        // Scalars are what their text is, as everywhere.
        (0, json!({ "org": "acme", "n": { "x": 1 } }), limited),
        (1, json!({ "org": "acme", "n": { "x": 1 } }), Ok(())),
        (0, json!({ "org": "acme", "n": { "x": 2 } }), Ok(())),
        // No two lists of values read the same.
        (0, json!({ "org": "acm", "n": { "x": "e1" } }), Ok(())),
        (0, json!({ "org": "acme1", "n": { "x": "" } }), Ok(())),
        (0, json!({ "org": "1", "n": { "x": "acme" } }), Ok(())),
    ] {
        assert_eq!(
            passes(issuer, claims.clone()),
            expected,
            "{issuer} {claims}"
        );
    }
    // Those that can't be counted don't pass.
    for claims in [
        json!({ "org": "acme" }),
        json!({ "org": null, "n": { "x": 1 } }),
        json!({ "org": ["acme"], "n": { "x": 1 } }),
        json!({ "org": 1e300, "n": { "x": 1 } }),
    ] {
        assert_eq!(passes(0, claims.clone()), Err("claim_missing"), "{claims}");
    }
}

#[test]
fn a_tier_gives_some_jobs_another_rate_and_buckets_of_their_own() {
    let policy = policy(json!([{
        "id": "l", "key": ["org"], "rate": "1/h",
        "tiers": [
            { "roles": ["release"], "rate": "3/h" },
            { "claims": { "source": { "in": ["schedule", "release"] } }, "rate": "1/h", "burst": 2 },
            { "claims": { "source": "schedule" }, "rate": "9/h" },
        ],
    }]));
    let data = Memory::default();
    for (claims, passes) in [
        (json!({ "org": "a" }), 1),
        (json!({ "org": "a", "source": "ui" }), 0),
        (json!({ "org": "a", "source": "schedule" }), 2),
        // The first that fits counts.
        (
            json!({ "org": "a", "source": "schedule", "kind": "release" }),
            3,
        ),
        (json!({ "org": "b", "kind": "release" }), 3),
    ] {
        let passed = (0..5)
            .filter(|_| told(&policy, &data, "/deploy", &claims, 0) == "ok")
            .count();
        assert_eq!(passed, passes, "{claims}");
    }
}

#[test]
fn a_request_passes_all_limits_that_are_for_it_or_takes_from_none() {
    let policy = policy(json!([
        { "id": "a", "key": ["org"], "rate": "5/h" },
        { "id": "b", "key": ["job"], "rate": "2/h" },
        { "id": "c", "key": ["org"], "rate": "1/h", "rules": ["read"] },
    ]));
    let data = Memory::default();
    let job = |job: u32| json!({ "org": "acme", "job": job });
    for (path, job, expected) in [
        ("/deploy", job(1), "ok"),
        ("/deploy", job(1), "ok"),
        // b refuses; a loses nothing by it, however often.
        ("/deploy", job(1), "rate_limited"),
        ("/deploy", job(1), "rate_limited"),
        ("/deploy", job(2), "ok"),
        ("/read", job(3), "ok"),
        // c is for what `read` lets through, and refuses; b of job 4 keeps its two.
        ("/read", job(4), "rate_limited"),
        ("/deploy", job(4), "ok"),
        ("/deploy", job(4), "rate_limited"),
    ] {
        assert_eq!(
            told(&policy, &data, path, &job, 0),
            expected,
            "{path} {job}"
        );
    }
    // What is told of a request: each limit in the order of ids, and of those that refuse the longest wait.
    let (refused, standings) = ask_all(&policy, &data, "/read", &token(0, &job(4)), at(0));
    let refusal = refused.unwrap_err();
    assert!(
        refusal
            .detail
            .starts_with("the limit \"c\" is 1/h and 1 at once;"),
        "{}",
        refusal.detail
    );
    let levels: Vec<_> = standings
        .iter()
        .map(|standing| match standing.state {
            State::Counted(level, _) => (level.remaining, level.retry.as_secs()),
            _ => panic!("it is counted"),
        })
        .collect();
    assert_eq!(levels, [(0, 720), (1, 0), (0, 3_600)]);
}

#[test]
fn what_is_given_back_can_be_taken_again() {
    let policy = policy(json!([
        { "id": "a", "key": ["org"], "rate": "1/h" },
        { "id": "b", "key": ["job"], "rate": "1/h" },
    ]));
    let data = Memory::default();
    let claims = json!({ "org": "acme", "job": 1 });
    for _ in 0..3 {
        let (taken, _) = ask_all(&policy, &data, "/deploy", &token(0, &claims), at(0));
        assert_eq!(told(&policy, &data, "/deploy", &claims, 0), "rate_limited");
        taken.unwrap().give_back(&data, at(0));
    }
    assert_eq!(told(&policy, &data, "/deploy", &claims, 0), "ok");
}

#[test]
fn what_cannot_be_told_is_refused_unless_the_limit_says_otherwise() {
    let limits = |unavailable: &str| {
        policy(json!([
            { "id": "a", "key": ["org"], "rate": "1/h", "unavailable": unavailable },
            { "id": "b", "key": ["job"], "rate": "1/h", "unavailable": "allow" },
        ]))
    };
    let claims = json!({ "org": "acme", "job": 1 });
    let (denies, allows) = (limits("deny"), limits("allow"));
    assert_eq!(
        told(&denies, &NoSharedData, "/deploy", &claims, 0),
        "limits_unavailable"
    );
    assert_eq!(told(&allows, &NoSharedData, "/deploy", &claims, 0), "ok");
    let (_, standings) = ask_all(&allows, &NoSharedData, "/deploy", &token(0, &claims), at(0));
    assert!(
        standings
            .iter()
            .all(|standing| standing.state == State::Unavailable)
    );
    // A page whose buckets all owe something.
    let data = Memory::default();
    let mut page = Page::default();
    for nth in 0..page::MAX_ENTRIES {
        let mut key = page::Key::default();
        key[..8].copy_from_slice(&(nth as u64).to_be_bytes());
        page.put(key, START + 60 * SECOND, at(0)).unwrap();
    }
    for nth in 0..PAGES {
        data.set(&page_key(nth), &page.encode(), None).unwrap();
    }
    assert_eq!(
        told(&denies, &data, "/deploy", &claims, 0),
        "limits_unavailable"
    );
    assert_eq!(told(&allows, &data, "/deploy", &claims, 0), "ok");
    assert_eq!(
        told(&denies, &data, "/deploy", &claims, 70 * SECOND - 1),
        "limits_unavailable"
    );
    assert_eq!(told(&denies, &data, "/deploy", &claims, 70 * SECOND), "ok");
    assert_eq!(
        told(&denies, &data, "/deploy", &claims, 70 * SECOND),
        "rate_limited"
    );
}

#[test]
fn a_page_that_was_dropped_or_is_none_begins_anew() {
    let policy = policy(json!([{ "id": "a", "key": ["org"], "rate": "1/h" }]));
    let claims = json!({ "org": "acme" });
    let data = Memory::default();
    for replacement in [None, Some(&b"something else"[..]), Some(&[0; page::BYTES])] {
        assert_eq!(told(&policy, &data, "/deploy", &claims, 0), "ok");
        assert_eq!(told(&policy, &data, "/deploy", &claims, 0), "rate_limited");
        let mut values = data.values.borrow_mut();
        assert_eq!(values.len(), 1, "pages are made when they are needed");
        match replacement {
            None => values.clear(),
            Some(bytes) => values
                .values_mut()
                .for_each(|(value, _)| *value = bytes.to_vec()),
        }
    }
}

#[test]
fn a_limit_that_the_gateway_counts_is_told_a_name_of_the_bucket_and_nothing_is_counted_here() {
    let policy = policy(json!([
        { "id": "fleet", "key": ["org"], "enforce_by": "gateway" },
        { "id": "fleet-2", "key": ["org"], "enforce_by": "gateway" },
    ]));
    let names = |claims: &Value| {
        let (taken, standings) =
            ask_all(&policy, &NoSharedData, "/deploy", &token(0, claims), at(0));
        taken.unwrap();
        let names = standings.into_iter().map(|standing| match standing.state {
            State::HandedOn(name) => name,
            other => panic!("{other:?}"),
        });
        names.collect::<Vec<_>>()
    };
    let one = names(&json!({ "org": "acme", "job": 1 }));
    assert_eq!(one, names(&json!({ "org": "acme", "job": 2 })));
    let other = names(&json!({ "org": "other" }));
    let all: BTreeSet<_> = one.iter().chain(&other).collect();
    assert_eq!(all.len(), 4);
    // 128 bits in hex: the form is an interface, as counters in other stores are found by it.
    for name in all {
        assert!(
            name.len() == 32
                && name
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        );
    }
    assert_ne!(hex(b"acme"), one[0]);
    assert_eq!(
        told(&policy, &NoSharedData, "/deploy", &json!({}), 0),
        "claim_missing"
    );
}

#[test]
fn a_rate_is_told_as_a_quota_in_whole_seconds() {
    for (text, burst, quota) in [
        ("30/m", 30, (30, 60)),
        ("30/m", 10, (10, 20)),
        ("7/m", 7, (7, 60)),
        ("24/m", 1, (1, 3)),
        ("1000/s", 10, (1_000, 1)),
        ("7/s", 10, (14, 2)),
        ("1/d", 30, (30, 2_592_000)),
    ] {
        assert_eq!(rate(text, burst).quota(), quota, "{text} {burst}");
    }
}
