//! Days and weeks in the life of an issuer's keys: workers that share data or have none, an issuer that
//! rotates, goes down, is slow or answers with garbage, and clients with good, withdrawn and made-up keys.

use super::tests::{at, document, down, find, found, source, store};
use super::{KeyMiss, KeyStore};
use crate::fetch::Remote;
use crate::gate::Pool;
use crate::policy::Policy;
use crate::shared_data::memory::Memory;
use crate::shared_data::{NoSharedData, SharedData};
use std::collections::{BTreeMap, BTreeSet};

const MAX_STALE: u64 = 86_400;
const REFRESH: u64 = 600;
/// A refetch is asked for at most every 30 s, takes up to 3 s here, and ticks are a step apart.
const SOON: u64 = 45;
const MAX_BACKOFF: u64 = 60;

/// A small generator (xorshift), so that a run can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Fine,
    Down,
    Garbage,
    Silent,
}

/// The issuer: which keys it published when.
struct Issuer {
    mood: Mood,
    /// Since when it has been fine.
    fine_since: u64,
    keys: Vec<u64>,
    /// When each key was published, and withdrawn if it was.
    published: BTreeMap<u64, (u64, Option<u64>)>,
    fetches: u64,
}

impl Issuer {
    fn new() -> Self {
        Self {
            mood: Mood::Fine,
            fine_since: 0,
            keys: vec![0, 1],
            published: BTreeMap::from([(0, (0, None)), (1, (0, None))]),
            fetches: 0,
        }
    }

    fn live(&mut self, now: u64, random: &mut Random) {
        if random.below(900) == 0 {
            let next = self.published.len() as u64;
            self.keys.push(next);
            self.published.insert(next, (now, None));
        }
        if self.keys.len() > 2 && random.below(600) == 0 {
            let gone = self.keys.remove(0);
            self.published.get_mut(&gone).unwrap().1 = Some(now);
        }
        if random.below(1_200) == 0 {
            let was = self.mood;
            self.mood = match random.below(5) {
                0 => Mood::Down,
                1 => Mood::Garbage,
                2 => Mood::Silent,
                _ => Mood::Fine,
            };
            if was != Mood::Fine && self.mood == Mood::Fine {
                self.fine_since = now;
            }
        }
    }

    fn document(&self) -> Vec<u8> {
        let kids: Vec<_> = self.keys.iter().map(|key| format!("k{key}")).collect();
        document(&kids.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// A proxy's worker and the answer that it waits for.
struct Worker {
    store: KeyStore,
    /// When the answer comes and what it is; the moment of the last good one's request.
    answer: Option<(u64, Mood, Vec<u8>, u64)>,
    good_since: Option<u64>,
    born: u64,
}

/// Plays `steps` steps of `step` seconds and holds each answer against what the issuer published.
fn play(seed: u64, workers: u64, share: bool, step: u64, steps: u64) -> (Issuer, u64) {
    let mut random = Random(seed);
    let memory = Memory::that_overwrites(seed.is_multiple_of(2));
    let mut issuer = Issuer::new();
    let mut workers: Vec<Worker> = (0..workers)
        .map(|owner| Worker {
            store: store(owner + 1),
            answer: None,
            good_since: None,
            born: 0,
        })
        .collect();
    let mut served = 0;
    for now in (0..steps).map(|nth| nth * step) {
        for _ in 0..step {
            issuer.live(now, &mut random);
        }
        for worker in &mut workers {
            let shared: &dyn SharedData = if share { &memory } else { &NoSharedData };
            if let Some((_, mood, body, asked)) = worker.answer.take_if(|(comes, ..)| *comes <= now)
            {
                let answer = match mood {
                    Mood::Fine => found(body),
                    Mood::Garbage => found(b"{\"keys\":[{}]}".to_vec()),
                    Mood::Down | Mood::Silent => down(),
                };
                worker.store.answer(answer, at(now), shared);
                if mood == Mood::Fine {
                    worker.good_since = worker.good_since.max(Some(asked));
                }
            }
            if worker.store.poll(at(now), shared).is_some() {
                issuer.fetches += 1;
                let comes = now + random.below(4);
                worker.answer = (issuer.mood != Mood::Silent)
                    .then(|| (comes, issuer.mood, issuer.document(), now));
            }
            served += ask(worker, &issuer, now, shared, &mut random);
            // Kong loses a worker's state now and then.
            if random.below(40_000) == 0 {
                worker.store = store(random.below(u64::MAX));
                worker.store.look(at(now), shared);
                (worker.answer, worker.good_since, worker.born) = (None, None, now);
            }
        }
    }
    (issuer, served)
}

/// One request with a key that is published, one with any that ever was, one with a made-up one.
fn ask(
    worker: &mut Worker,
    issuer: &Issuer,
    now: u64,
    shared: &dyn SharedData,
    random: &mut Random,
) -> u64 {
    let mut find = |kid: &str| find(&mut worker.store, kid, at(now), shared);
    let key = issuer.keys[usize::try_from(random.below(issuer.keys.len() as u64)).unwrap()];
    let (published, _) = issuer.published[&key];
    let outcome = find(&format!("k{key}"));
    let good = worker.good_since.filter(|good| now - good <= MAX_STALE);
    let known = good.is_some_and(|good| published < good);
    let since = published.max(issuer.fine_since).max(worker.born);
    let had_time = issuer.mood == Mood::Fine && now - since > SOON + MAX_BACKOFF;
    if known || had_time {
        assert_eq!(
            outcome,
            Ok(()),
            "k{key} of {published} at {now}, good since {good:?}"
        );
    }
    assert_ne!(
        outcome,
        Err(KeyMiss::Unknown),
        "k{key} is published at {now}"
    );

    let ever = random.below(issuer.published.len() as u64);
    if find(&format!("k{ever}")).is_ok() {
        let (_, withdrawn) = issuer.published[&ever];
        let oldest = if issuer.mood == Mood::Fine && now - issuer.fine_since > REFRESH + 100 {
            REFRESH + 30
        } else {
            MAX_STALE
        };
        assert!(
            withdrawn.is_none_or(|gone| now - gone <= oldest),
            "k{ever}, withdrawn at {withdrawn:?}, is taken at {now}"
        );
    }
    if random.below(50) == 0 {
        assert!(find(&format!("made-up-{}", random.below(1_000))).is_err());
    }
    1
}

#[test]
fn a_day_of_rotation_outage_and_garbage_refuses_no_good_token_and_takes_no_other() {
    for seed in 1..=4 {
        let (issuer, served) = play(seed, 2, seed > 2, 1, 86_400);
        assert!(issuer.published.len() > 40 && served > 100_000);
    }
}

#[test]
fn weeks_of_the_same_with_workers_that_share() {
    let (issuer, _) = play(7, 4, true, 10, 15 * 86_400 / 10);
    assert!(issuer.published.len() > 1_000, "{}", issuer.published.len());
}

/// 200 routes and 4 workers: one fetch for each refresh, not 800.
#[test]
fn routes_and_workers_share_one_fetch() {
    let policy = serde_json::json!({
        "issuers": [{ "preset": "buildkite", "audience": "a" }],
        "rules": [{ "id": "r", "claims": { "organization_slug": "acme" } }],
    });
    let policy = Policy::from_json(policy.to_string().as_bytes()).unwrap();
    let memory = Memory::that_overwrites(true);
    let mut rings = Vec::new();
    for worker in 0..4 {
        let mut pool = Pool::new(worker + 1);
        let routes: Vec<_> = (0..200).map(|_| pool.keys(&policy.issuers)).collect();
        for store in routes.iter().flat_map(super::KeyRing::stores) {
            store.borrow_mut().look(at(0), &memory);
        }
        rings.push(routes);
    }
    let mut fetches = 0;
    for second in 0..6 * 3_600 {
        let mut waiting = Vec::new();
        for store in rings.iter().flatten().flat_map(super::KeyRing::stores) {
            let mut store_now = store.borrow_mut();
            if store_now.poll(at(second), &memory).is_some() {
                fetches += 1;
                waiting.push(store);
            }
        }
        for store in waiting {
            let answer = found(document(&["a"]));
            store.borrow_mut().answer(answer, at(second), &memory);
        }
        let unserved = rings.iter().flatten().flat_map(super::KeyRing::stores);
        if second > 1 {
            assert!(
                unserved
                    .into_iter()
                    .all(|store| store.borrow().serves(at(second)))
            );
        }
    }
    assert!(
        (36..=40).contains(&fetches),
        "{fetches} fetches in six hours"
    );
    let stores: BTreeSet<_> = rings
        .iter()
        .flatten()
        .flat_map(super::KeyRing::stores)
        .map(std::rc::Rc::as_ptr)
        .collect();
    assert_eq!(stores.len(), 4);
}

/// While the issuer fails, the workers' tries together are no more than one worker's.
#[test]
fn workers_back_off_together() {
    let memory = Memory::default();
    let mut stores: Vec<_> = (1..=4).map(store).collect();
    let mut tries = 0;
    for second in 0..3_600 {
        for store in &mut stores {
            if store.poll(at(second), &memory).is_some() {
                tries += 1;
                store.answer(down(), at(second), &memory);
            }
        }
    }
    assert!((60..=75).contains(&tries), "{tries} tries in an hour");
}

/// Pitfall 4: one broken issuer does not stop the others.
#[test]
fn pitfall_04_each_issuer_has_a_state_of_its_own() {
    let (mut broken, mut sound) = (
        store(1),
        KeyStore::new("https://b", source(super::tests::address()), 1),
    );
    for second in 0..2_000 {
        if broken.poll(at(second), &NoSharedData).is_some() {
            broken.answer(down(), at(second), &NoSharedData);
        }
        if sound.poll(at(second), &NoSharedData).is_some() {
            sound.answer(found(document(&["a"])), at(second), &NoSharedData);
        }
        assert_eq!(find(&mut sound, "a", at(second), &NoSharedData), Ok(()));
        let missing = find(&mut broken, "a", at(second), &NoSharedData);
        assert!(matches!(missing, Err(KeyMiss::Unavailable(_))));
    }
}
