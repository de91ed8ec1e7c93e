//! The life of one issuer's keys, step by step.

use super::*;
use crate::fetch::{Answer, Cause, FetchError, HttpUri, Polling, Remote, Report, Step};
use crate::shared_data::memory::Memory;
use crate::shared_data::{NoSharedData, SharedData};
use crate::time::UnixTime;
use crate::token::Algorithm;
use std::time::Duration;

const REFRESH: Duration = Duration::from_secs(600);
const MAX_STALE: Duration = Duration::from_secs(86_400);

pub(super) fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(1_800_000_000).plus(Duration::from_secs(secs))
}

pub(super) fn source(location: JwksLocation) -> JwksSource {
    JwksSource {
        location,
        polling: Polling {
            cluster: None,
            refresh: REFRESH,
            timeout: Duration::from_secs(5),
            max_stale: MAX_STALE,
        },
        wait: Duration::from_secs(2),
    }
}

pub(super) fn address() -> JwksLocation {
    JwksLocation::Address(HttpUri::parse("https://issuer.example/jwks").unwrap())
}

pub(super) fn store(owner: u64) -> KeyStore {
    KeyStore::new("https://issuer.example", source(address()), owner)
}

pub(super) fn document(kids: &[&str]) -> Vec<u8> {
    // RFC 8037, appendix A.2.
    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let key = |kid| serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": X});
    let keys: Vec<_> = kids.iter().map(key).collect();
    serde_json::json!({ "keys": keys }).to_string().into_bytes()
}

pub(super) fn found(body: Vec<u8>) -> Result<Answer, FetchError> {
    Ok(Answer::Document { etag: None, body })
}

pub(super) fn down() -> Result<Answer, FetchError> {
    Err(FetchError::new(Cause::Status, "503"))
}

pub(super) fn find(
    store: &mut KeyStore,
    kid: &str,
    now: UnixTime,
    shared: &dyn SharedData,
) -> Result<(), KeyMiss> {
    store
        .find(Some(kid), Algorithm::EdDsa, now, shared)
        .map(drop)
}

fn alone(store: &mut KeyStore, kid: &str, now: UnixTime) -> Result<(), KeyMiss> {
    find(store, kid, now, &NoSharedData)
}

fn fetch(store: &mut KeyStore, kids: &[&str], now: UnixTime) {
    store.poll(now, &NoSharedData).expect("a fetch is wanted");
    let step = store.answer(found(document(kids)), now, &NoSharedData);
    assert!(
        matches!(step, Step::Done(Report::Fetched { .. })),
        "{step:?}"
    );
}

fn fail(store: &mut KeyStore, now: UnixTime) -> Duration {
    store.poll(now, &NoSharedData).expect("a fetch is wanted");
    match store.answer(down(), now, &NoSharedData) {
        Step::Done(Report::Failed { retry_in, .. }) => retry_in,
        other => panic!("{other:?}"),
    }
}

fn rests(store: &mut KeyStore, now: UnixTime) -> bool {
    store.poll(now, &NoSharedData).is_none()
}

/// Pitfall 3: an issuer that is down at the start is no reason to say 401.
#[test]
fn pitfall_03_before_the_first_keys_the_answer_is_unavailable_not_unknown() {
    let mut store = store(1);
    let missing = alone(&mut store, "a", at(0));
    assert!(matches!(missing, Err(KeyMiss::Unavailable(_))));
    fetch(&mut store, &["a"], at(0));
    assert_eq!(alone(&mut store, "a", at(0)), Ok(()));
}

#[test]
fn one_fetch_is_under_way_at_a_time_and_one_that_got_lost_is_given_up() {
    let mut store = store(1);
    assert!(!rests(&mut store, at(0)));
    assert!(rests(&mut store, at(1)) && rests(&mut store, at(9)));
    assert!(!rests(&mut store, at(10)));
    // The lost answer comes after all, and after the one that replaced it.
    fetch_over(&mut store);
    let late = store.answer(found(document(&["late"])), at(11), &NoSharedData);
    assert_eq!(late, Step::Ignored);
    assert_eq!(alone(&mut store, "a", at(11)), Ok(()));
}

fn fetch_over(store: &mut KeyStore) {
    let step = store.answer(found(document(&["a"])), at(10), &NoSharedData);
    assert!(matches!(step, Step::Done(Report::Fetched { .. })));
}

#[test]
fn a_set_is_refreshed_before_its_time_is_over_and_the_new_one_replaces_the_old() {
    let mut moments = std::collections::HashSet::new();
    for owner in 0..50 {
        let mut store = store(owner);
        fetch(&mut store, &["a", "b"], at(0));
        assert!(rests(&mut store, at(539)));
        let mut due = 540;
        while rests(&mut store, at(due)) {
            due += 1;
        }
        assert!(due <= 600, "{due}");
        moments.insert(due);
        store.answer(found(document(&["b"])), at(due), &NoSharedData);
        assert!(alone(&mut store, "a", at(due)).is_err());
        assert_eq!(alone(&mut store, "b", at(due)), Ok(()));
    }
    assert!(moments.len() > 10, "workers ask in step: {moments:?}");
}

#[test]
fn failures_back_off_and_the_last_good_set_serves_until_it_is_too_old() {
    let mut store = store(1);
    fetch(&mut store, &["a"], at(0));
    let mut now = at(600);
    let mut pauses = Vec::new();
    while now < at(86_340) {
        let pause = fail(&mut store, now);
        pauses.push(pause.as_secs_f64());
        assert_eq!(alone(&mut store, "a", now), Ok(()));
        assert!(rests(&mut store, now));
        now = now.plus(pause);
    }
    for (pause, full) in pauses
        .iter()
        .zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0])
    {
        assert!((0.9 * full..=full).contains(pause), "{pauses:?}");
    }
    let stale = alone(&mut store, "a", at(86_401));
    assert!(matches!(stale, Err(KeyMiss::Unavailable(_))));
    fetch(&mut store, &["a"], at(90_000));
    assert_eq!(alone(&mut store, "a", at(90_000)), Ok(()));
}

/// Pitfall 1: a key that the issuer has just begun to use is no stranger.
#[test]
fn pitfall_01_an_unknown_kid_is_unavailable_until_a_later_set_lacks_it_too() {
    let mut store = store(1);
    fetch(&mut store, &["a"], at(0));
    let new = alone(&mut store, "new", at(1));
    assert!(matches!(new, Err(KeyMiss::Unavailable(_))));
    fetch(&mut store, &["a"], at(2));
    assert_eq!(alone(&mut store, "new", at(2)), Err(KeyMiss::Unknown));
    // The issuer publishes it later: one more early fetch finds it, no sooner than 30 s after.
    assert!(rests(&mut store, at(31)));
    fetch(&mut store, &["a", "new"], at(32));
    assert_eq!(alone(&mut store, "new", at(32)), Ok(()));
}

#[test]
fn made_up_kids_cost_one_fetch_in_thirty_seconds_and_no_growing_memory() {
    let mut store = store(1);
    fetch(&mut store, &["a"], at(0));
    let mut fetches = 0;
    for second in 0..300 {
        for nth in 0..100 {
            assert!(alone(&mut store, &format!("{second}-{nth}"), at(second)).is_err());
        }
        if !rests(&mut store, at(second)) {
            fetches += 1;
            store.answer(found(document(&["a"])), at(second), &NoSharedData);
        }
    }
    assert_eq!(fetches, 10);
    assert_eq!(store.remembered(), 64);
}

#[test]
fn while_fetching_fails_unknown_kids_do_not_shorten_the_backoff_and_nobody_waits() {
    let mut store = store(1);
    assert_eq!(store.wait(at(0)), Some(Duration::from_secs(2)));
    fetch(&mut store, &["a"], at(0));
    assert!(alone(&mut store, "new", at(100)).is_err());
    assert!(store.wait(at(100)).is_some());
    fail(&mut store, at(100));
    fail(&mut store, at(101));
    fail(&mut store, at(103));
    assert!(alone(&mut store, "new", at(104)).is_err());
    assert!(rests(&mut store, at(104)));
    assert_eq!(store.wait(at(104)), None);
}

#[test]
fn a_clock_that_goes_back_does_not_stop_fetching() {
    for shared in [&NoSharedData as &dyn SharedData, &Memory::default()] {
        let mut store = store(1);
        for (now, kid) in [
            (500_000, "a"),
            (0, "b"),
            (600_000, "c"),
            (700, "d"),
            (1_400, "e"),
        ] {
            store.poll(at(now), shared).expect("a fetch is wanted");
            store.answer(found(document(&[kid])), at(now), shared);
            assert_eq!(find(&mut store, kid, at(now), shared), Ok(()));
            assert!(store.poll(at(now + 1), shared).is_none());
        }
    }
}

/// Pitfall 5: a bad key set is told apart, and what served goes on serving.
#[test]
fn pitfall_05_a_bad_document_changes_nothing() {
    let mut store = store(1);
    fetch(&mut store, &["a"], at(0));
    let mut now = at(600);
    for (body, cause) in [
        (vec![b' '; MAX_DOCUMENT_BYTES + 1], Cause::Size),
        (b"<html>".to_vec(), Cause::Parse),
        (b"{\"keys\":[]}".to_vec(), Cause::Parse),
        (b"{\"keys\":[{\"kty\":\"RSA\"}]}".to_vec(), Cause::Parse),
        (vec![0xff; 100], Cause::Parse),
        (vec![b'['; 100_000], Cause::Parse),
    ] {
        store.poll(now, &NoSharedData).expect("a fetch is wanted");
        let step = store.answer(found(body), now, &NoSharedData);
        let Step::Done(Report::Failed { error, retry_in }) = step else {
            panic!("{step:?}");
        };
        assert_eq!(error.cause, cause);
        assert_eq!(alone(&mut store, "a", now), Ok(()));
        now = now.plus(retry_in);
    }
}

#[test]
fn the_entity_tag_is_sent_back_and_an_unchanged_set_is_young_again() {
    let mut store = store(1);
    store.poll(at(0), &NoSharedData).unwrap();
    let tagged = Answer::Document {
        etag: Some("\"v1\"".into()),
        body: document(&["a"]),
    };
    store.answer(Ok(tagged), at(0), &NoSharedData);
    let generation = store.generation();
    let mut now = 600;
    while now < 200_000 {
        let fetch = store
            .poll(at(now), &NoSharedData)
            .expect("a refresh is due");
        assert_eq!(fetch.etag.as_deref(), Some("\"v1\""));
        let step = store.answer(Ok(Answer::Unchanged), at(now), &NoSharedData);
        assert_eq!(step, Step::Done(Report::Unchanged));
        assert_eq!(alone(&mut store, "a", at(now)), Ok(()));
        now += 600;
    }
    assert_eq!(store.generation(), generation);
}

/// An answer that breaks the order: its fetch was given up, and another one is under way.
#[test]
fn an_answer_counts_for_its_own_fetch_only() {
    let mut store = store(1);
    let slow = store.poll(at(0), &NoSharedData).unwrap().flight;
    let quick = store.poll(at(20), &NoSharedData).unwrap().flight;
    let late = store.finish(slow, found(document(&["old"])), at(21), &NoSharedData);
    assert_eq!(late, Step::Ignored);
    store.finish(quick, found(document(&["new"])), at(21), &NoSharedData);
    assert_eq!(alone(&mut store, "new", at(21)), Ok(()));
    // One that nobody will answer any more can be given up at once.
    let lost = store.poll(at(700), &NoSharedData).unwrap().flight;
    assert!(rests(&mut store, at(701)));
    store.abandon(lost);
    assert!(!rests(&mut store, at(702)));
}

/// What was asked for far ahead of now is of an unknown age.
#[test]
fn keys_that_a_wrong_clock_fetched_do_not_serve_for_ever() {
    let mut store = store(1);
    fetch(&mut store, &["a"], at(30 * 86_400));
    assert_eq!(alone(&mut store, "a", at(30 * 86_400)), Ok(()));
    assert!(alone(&mut store, "a", at(0)).is_err());
}

#[test]
fn while_another_worker_rests_nobody_waits() {
    let shared = &Memory::default();
    let (mut first, mut second) = (store(1), store(2));
    for now in [0, 1, 3, 7] {
        first.poll(at(now), shared).expect("a try");
        first.answer(down(), at(now), shared);
    }
    assert!(second.poll(at(8), shared).is_none());
    assert_eq!(second.wait(at(8)), None);
    assert!(second.wait(at(14)).is_some());
}

/// A value that does not fit a zone of Kong's ends the VM: large documents are not shared.
#[test]
fn a_large_document_is_not_shared_and_each_worker_fetches_it() {
    let shared = &Memory::default();
    let mut large = document(&["a"]);
    large.resize(200 * 1024, b' ');
    for owner in 1..4 {
        let mut store = store(owner);
        store.poll(at(owner), shared).expect("nobody has it");
        store.answer(found(large.clone()), at(owner), shared);
        assert_eq!(find(&mut store, "a", at(owner), shared), Ok(()));
    }
    let largest = shared
        .values
        .borrow()
        .values()
        .map(|(value, _)| value.len())
        .max();
    assert!(largest.is_some_and(|bytes| bytes <= 128 * 1024));
}

/// What is confirmed is the document that one holds, not the one that happens to be there.
#[test]
fn an_unchanged_document_makes_no_other_one_young() {
    let shared = &Memory::default();
    let mut first = store(1);
    first.poll(at(0), shared).unwrap();
    first.answer(found(document(&["old"])), at(0), shared);
    let mut large = document(&["new"]);
    large.resize(200 * 1024, b' ');
    let tagged = Answer::Document {
        etag: Some("\"v2\"".into()),
        body: large,
    };
    first.poll(at(600), shared).unwrap();
    first.answer(Ok(tagged), at(600), shared);
    first.poll(at(1_200), shared).unwrap();
    first.answer(Ok(Answer::Unchanged), at(1_200), shared);
    let mut second = store(2);
    second.look(at(1_201), shared);
    assert!(find(&mut second, "old", at(1_201), shared).is_err());
    assert!(second.poll(at(1_201), shared).is_some());
}

#[test]
fn what_was_not_fetched_for_want_of_use_is_not_taken_from_shared_data_either() {
    let shared = &Memory::default();
    let (mut idle, mut other) = (store(1), store(2));
    for store in [&mut idle, &mut other] {
        assert!(find(store, "a", at(0), shared).is_err());
    }
    let days = |days: u64| days * 86_400;
    for now in (0..days(8)).step_by(600) {
        if idle.poll(at(now), shared).is_some() {
            idle.answer(found(document(&["a"])), at(now), shared);
        }
        other.poll(at(now), shared);
    }
    // Ten hours later, and the issuer has taken the key back.
    for store in [&mut idle, &mut other] {
        assert!(find(store, "a", at(days(8) + 36_000), shared).is_err());
    }
}

#[test]
fn discovery_asks_the_issuer_and_then_the_address_it_names() {
    let location = JwksLocation::Discovery {
        issuer: "https://ci.example".into(),
        configuration: HttpUri::parse("https://ci.example/.well-known/openid-configuration")
            .unwrap(),
    };
    let mut store = KeyStore::new("https://ci.example", source(location), 1);
    let first = store.poll(at(0), &NoSharedData).unwrap();
    assert_eq!(first.cluster, "ci.example:443");
    let metadata = |address: &str| {
        let body = format!(r#"{{"issuer":"https://ci.example","jwks_uri":"{address}"}}"#);
        found(body.into_bytes())
    };
    let step = store.answer(metadata("https://keys.example/jwks"), at(4), &NoSharedData);
    let Step::Fetch(second) = step else {
        panic!("{step:?}");
    };
    assert_eq!(second.uri.to_string(), "https://keys.example/jwks");
    assert_eq!(second.cluster, "keys.example:443");
    // Its time runs anew.
    assert!(rests(&mut store, at(13)));
    store.answer(found(document(&["a"])), at(8), &NoSharedData);
    assert_eq!(alone(&mut store, "a", at(8)), Ok(()));
    // The keys are as old as the first request.
    assert!(alone(&mut store, "new", at(2)).is_err());

    // Metadata of another issuer gives no keys, and what served goes on serving.
    store.poll(at(600), &NoSharedData).unwrap();
    let evil = r#"{"issuer":"https://evil.example","jwks_uri":"https://evil.example/k"}"#;
    let step = store.answer(found(evil.into()), at(600), &NoSharedData);
    assert!(matches!(step, Step::Done(Report::Failed { .. })));
    assert_eq!(alone(&mut store, "a", at(600)), Ok(()));
}

#[test]
fn what_a_reload_left_behind_is_not_fetched_forever() {
    let mut store = store(1);
    let mut fetches = Vec::new();
    for minute in 0..60 * 24 * 30 {
        let now = at(minute * 60);
        if minute == 60 * 24 {
            assert_eq!(alone(&mut store, "a", now), Ok(()));
        }
        if store.poll(now, &NoSharedData).is_some() {
            store.answer(found(document(&["a"])), now, &NoSharedData);
            fetches.push(minute);
        }
    }
    assert_eq!(fetches.last().map(|minute| minute / 60 / 24), Some(8));
    // Until someone asks again: then it is fetched before it counts, however young it is.
    let now = at(60 * 60 * 24 * 9 + 60 * 60);
    let missing = alone(&mut store, "a", now);
    assert!(matches!(missing, Err(KeyMiss::Unavailable(_))));
    fetch(&mut store, &["a"], now);
    assert_eq!(alone(&mut store, "a", now), Ok(()));
}

#[test]
fn a_new_worker_takes_the_keys_that_others_have_and_asks_nobody() {
    let shared = &Memory::default();
    let mut old = store(1);
    old.look(at(0), shared);
    old.poll(at(0), shared).expect("the first fetch");
    old.answer(found(document(&["a"])), at(1), shared);
    let mut new = store(2);
    new.look(at(60), shared);
    assert_eq!(find(&mut new, "a", at(60), shared), Ok(()));
    assert!(new.poll(at(60), shared).is_none());
    // A key that another worker fetched early is found at once.
    assert!(find(&mut old, "b", at(100), shared).is_err());
    old.poll(at(100), shared).expect("an early fetch");
    old.answer(found(document(&["b"])), at(101), shared);
    assert_eq!(find(&mut new, "b", at(102), shared), Ok(()));
    assert!(find(&mut new, "a", at(102), shared).is_err());
}

/// Whoever gets another cluster, address or issuer into a policy must not choose the keys of others.
#[test]
fn keys_are_shared_only_by_those_who_would_fetch_the_same() {
    let shared = &Memory::default();
    let mut evil = store(1);
    evil.poll(at(0), shared).unwrap();
    evil.answer(found(document(&["evil"])), at(0), shared);
    assert_eq!(find(&mut store(2), "evil", at(1), shared), Ok(()));
    let mut other_cluster = source(address());
    other_cluster.polling.cluster = Some("other".into());
    let elsewhere = JwksLocation::Address(HttpUri::parse("http://issuer.example/jwks").unwrap());
    let discovered = JwksLocation::Discovery {
        issuer: "https://issuer.example".into(),
        configuration: HttpUri::parse("https://issuer.example/jwks").unwrap(),
    };
    for mut other in [
        KeyStore::new("https://issuer.example", other_cluster, 3),
        KeyStore::new("https://issuer.example", source(elsewhere), 3),
        KeyStore::new("https://issuer.example", source(discovered), 3),
        KeyStore::new("https://other.example", source(address()), 3),
    ] {
        assert!(find(&mut other, "evil", at(1), shared).is_err());
        assert!(other.poll(at(1), shared).is_some());
    }
}

/// Kong tells keys of shared data apart by their CRC-32, so two documents can come to stand in one place.
#[test]
fn a_document_that_stands_in_anothers_place_is_not_taken() {
    let shared = &Memory::default();
    let mut evil = KeyStore::new("https://evil.example", source(address()), 1);
    evil.poll(at(0), shared).unwrap();
    evil.answer(found(document(&["evil"])), at(0), shared);
    let mut victim = store(2);
    victim.poll(at(1), shared).expect("it takes its turn");
    let theirs: Vec<_> = shared.values.borrow().keys().cloned().collect();
    let mut values = shared.values.borrow_mut();
    let of = |kind: &str| -> Vec<String> {
        theirs
            .iter()
            .filter(|key| key.contains(kind))
            .cloned()
            .collect()
    };
    for kind in ["turn", "document"] {
        let value = values[&of(kind)[0]].clone();
        for key in of(kind) {
            values.insert(key, value.clone());
        }
    }
    // The victim's own document does not exist yet: put the other's where it would be.
    let turn = of("turn")
        .into_iter()
        .find(|key| !of("document").contains(&key.replace("turn", "document")));
    let value = values[&of("document")[0]].clone();
    values.insert(turn.unwrap().replace("turn", "document"), value);
    drop(values);
    assert!(find(&mut victim, "evil", at(2), shared).is_err());
    assert!(victim.poll(at(30), shared).is_some());
    assert!(find(&mut victim, "evil", at(31), shared).is_err());
}

#[test]
fn a_worker_whose_fetch_was_slow_does_not_overwrite_newer_keys() {
    let shared = &Memory::default();
    let (mut slow, mut quick) = (store(1), store(2));
    slow.poll(at(0), shared).expect("the first fetch");
    assert!(
        quick.poll(at(5), shared).is_none(),
        "it is the other's turn"
    );
    quick.poll(at(10), shared).expect("the other gave no sign");
    quick.answer(found(document(&["new"])), at(11), shared);
    slow.answer(found(document(&["old"])), at(12), shared);
    let mut third = store(3);
    third.look(at(13), shared);
    assert_eq!(find(&mut third, "new", at(13), shared), Ok(()));
    assert!(find(&mut third, "old", at(13), shared).is_err());
}

#[test]
fn shared_data_that_makes_no_sense_is_done_without() {
    for garbage in [
        &b""[..],
        b"{}",
        b"null\n",
        b"null\n<html>",
        b"\xff\xff",
        b"[1,2]",
    ] {
        let shared = &Memory::default();
        let mut first = store(1);
        first.poll(at(0), shared).unwrap();
        first.answer(found(document(&["a"])), at(0), shared);
        for (value, _) in shared.values.borrow_mut().values_mut() {
            *value = garbage.to_vec();
        }
        let mut store = store(2);
        store.look(at(1), shared);
        store.poll(at(1), shared).expect("it fetches for itself");
        store.answer(found(document(&["a"])), at(1), shared);
        assert_eq!(find(&mut store, "a", at(1), shared), Ok(()));
    }
    // A document that is none, with a turn that praises it.
    let shared = &Memory::default();
    let mut first = store(1);
    first.poll(at(0), shared).unwrap();
    first.answer(found(document(&["a"])), at(0), shared);
    for (key, (value, _)) in &mut *shared.values.borrow_mut() {
        if key.contains("document") {
            let head = value.iter().position(|byte| *byte == b'\n').unwrap();
            value[head + 1..].fill(b'<');
        }
    }
    let mut store = store(2);
    assert!(store.poll(at(1), shared).is_none());
    store.poll(at(2), shared).expect("it fetches for itself");
}
