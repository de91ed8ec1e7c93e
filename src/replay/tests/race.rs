//! Several workers at once: every read and write of each is a step of its own, and the steps of all of them
//! are put in any order.

use super::store::{Manners, Store};
use super::{LEEWAY, claim_of};
use crate::reason::Reason;
use crate::replay::{SLACK, claim, ensure_page, page_key};
use crate::shared_data::{Failed, SetError, SharedData};
use crate::time::UnixTime;
use proptest::prelude::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

type Read = Result<(Option<Vec<u8>>, Option<u32>), Failed>;

enum Ask {
    Get(String),
    Set(String, Vec<u8>, Option<u32>),
    Done(bool),
}

enum Answer {
    Get(Read),
    Set(Result<(), SetError>),
}

/// The store as a worker sees it: each call waits until it is its turn.
struct Remote {
    ask: Sender<Ask>,
    answer: Receiver<Answer>,
}

impl SharedData for Remote {
    fn get(&self, key: &str) -> Read {
        self.ask.send(Ask::Get(key.to_owned())).unwrap();
        match self.answer.recv().unwrap() {
            Answer::Get(read) => read,
            Answer::Set(_) => panic!("a read was answered as a write"),
        }
    }

    fn set(&self, key: &str, value: &[u8], cas: Option<u32>) -> Result<(), SetError> {
        let ask = Ask::Set(key.to_owned(), value.to_vec(), cas);
        self.ask.send(ask).unwrap();
        match self.answer.recv().unwrap() {
            Answer::Set(written) => written,
            Answer::Get(_) => panic!("a write was answered as a read"),
        }
    }
}

/// A worker within one callback, which began at `since`.
struct Worker {
    pending: Ask,
    asks: Receiver<Ask>,
    answers: Sender<Answer>,
    since: u64,
    claims: bool,
    thread: JoinHandle<()>,
}

impl Worker {
    fn start(
        since: u64,
        claims: bool,
        work: impl FnOnce(&Remote) -> bool + Send + 'static,
    ) -> Self {
        let (ask, asks) = channel();
        let (answers, answer) = channel();
        let thread = thread::spawn(move || {
            let remote = Remote { ask, answer };
            let won = work(&remote);
            remote.ask.send(Ask::Done(won)).unwrap();
        });
        Self {
            pending: asks.recv().unwrap(),
            asks,
            answers,
            since,
            claims,
            thread,
        }
    }

    /// Does the worker's next step. Whether it won, when it has ended.
    fn step(mut self, store: &Store) -> Result<Self, bool> {
        let answer = match &self.pending {
            Ask::Get(key) => Answer::Get(store.get(key)),
            Ask::Set(key, value, cas) => Answer::Set(store.set(key, value, *cas)),
            Ask::Done(won) => {
                self.thread.join().unwrap();
                return Err(*won && self.claims);
            }
        };
        self.answers.send(answer).unwrap();
        self.pending = self.asks.recv().unwrap();
        Ok(self)
    }
}

#[derive(Debug, Clone)]
enum Event {
    /// A request with the token comes to a worker.
    Claim,
    /// A worker looks whether the page is there.
    Tend,
    /// One of the workers that are at it does a step.
    Step(usize),
    /// Time passes, in milliseconds.
    Wait(u64),
    /// The store is full and drops the page: Kong's.
    Evict,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Claim),
        2 => Just(Event::Tend),
        10 => any::<usize>().prop_map(Event::Step),
        2 => (0..20_000_u64).prop_map(Event::Wait),
        1 => Just(Event::Evict),
    ]
}

/// How often one token is let through. Its `iat` by the issuer's clock, which is ahead by `skew`, is `start`.
fn uses_of_one_token(manners: Manners, events: &[Event], start: u64, skew: i64) -> (usize, bool) {
    let store = Store::new(manners);
    let mut workers: Vec<Worker> = Vec::new();
    let mut uses = 0;
    let mut claims = 0;
    let mut now = 1_000_000_u64;
    let slack = u64::try_from(SLACK.as_millis()).unwrap();
    let token = claim_of(1, start, 100_000);
    let finish = |worker: Worker, uses: &mut usize| match worker.step(&store) {
        Ok(worker) => Some(worker),
        Err(won) => {
            *uses += usize::from(won);
            None
        }
    };
    for event in events {
        let moment = UnixTime::new(Duration::from_millis(now));
        match event {
            Event::Claim => {
                // The token exists once the issuer's clock shows its iat; a gate whose clock is later by
                // more than the leeway does not take it yet.
                let issued = start.saturating_mul(1_000) <= now.saturating_add_signed(skew * 1_000);
                let accepted = start <= now / 1_000 + LEEWAY;
                if issued && accepted {
                    claims += 1;
                    let work = move |data: &Remote| claim(data, &token, moment).is_ok();
                    workers.push(Worker::start(now, true, work));
                }
            }
            Event::Tend => {
                let work = move |data: &Remote| ensure_page(data, 0, moment).is_ok();
                workers.push(Worker::start(now, false, work));
            }
            Event::Step(any) if !workers.is_empty() => {
                let worker = workers.swap_remove(any % workers.len());
                workers.extend(finish(worker, &mut uses));
            }
            Event::Step(_) => {}
            Event::Wait(millis) => {
                now += millis;
                // No callback takes as long as the slack.
                let (late, rest): (Vec<_>, Vec<_>) = workers
                    .into_iter()
                    .partition(|worker| now - worker.since >= slack);
                workers = rest;
                for worker in late {
                    let mut worker = Some(worker);
                    while let Some(current) = worker {
                        worker = finish(current, &mut uses);
                    }
                }
            }
            // Envoy drops nothing.
            Event::Evict if manners == Manners::Kong => store.evict(&page_key(0)),
            Event::Evict => {}
        }
    }
    for worker in workers {
        let mut worker = Some(worker);
        while let Some(current) = worker {
            worker = finish(current, &mut uses);
        }
    }
    (uses, claims > 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn of_all_claims_of_one_token_one_wins_at_most(
        manners in proptest::sample::select(&Manners::ALL[..]),
        events in proptest::collection::vec(event(), 1..80),
        start in 990..1_100_u64,
        skew in -30..=30_i64,
    ) {
        let (uses, _) = uses_of_one_token(manners, &events, start, skew);
        prop_assert!(uses <= 1, "{uses} uses");
    }

    /// Nothing but the race itself: the page is there, the token fresh, and all claim at the same moment.
    #[test]
    fn of_claims_at_the_same_moment_exactly_one_wins(
        manners in proptest::sample::select(&Manners::ALL[..]),
        workers in 1..6_usize,
        order in proptest::collection::vec(any::<usize>(), 0..60),
    ) {
        let mut events = vec![Event::Tend, Event::Step(0), Event::Step(0), Event::Step(0)];
        events.extend([20_000, 20_000].map(Event::Wait));
        events.extend(vec![Event::Claim; workers]);
        events.extend(order.into_iter().map(Event::Step));
        let (uses, claimed) = uses_of_one_token(manners, &events, 1_036, 0);
        prop_assert!(claimed);
        prop_assert_eq!(uses, 1);
    }
}

#[test]
fn a_page_that_is_made_twice_takes_no_claim_along() {
    // Two workers find no page at the same moment; the second writes its own later, but before a callback's
    // time is over. The token's issuer is ahead by the whole leeway, so the token is as new as can be.
    for (delay, issued) in (0..5).flat_map(|delay| (0..=delay).map(move |issued| (delay, issued))) {
        let store = Store::new(Manners::Envoy);
        let moment = |secs| UnixTime::from_secs(1_000 + secs);
        let made = move |data: &Remote| ensure_page(data, 0, moment(0)).is_ok();
        let mut late = Worker::start(0, false, made)
            .step(&store)
            .unwrap_or_else(|_| panic!("it ended"));
        ensure_page(&store, 0, moment(0)).unwrap();
        let token = claim_of(1, 1_000 + issued + LEEWAY, 300);
        let first = claim(&store, &token, moment(delay)).is_ok();
        late = late.step(&store).unwrap_or_else(|_| panic!("it ended"));
        assert!(late.step(&store).is_err());
        let second = claim(&store, &token, moment(delay + 1)).is_ok();
        assert!(!(first && second), "issued at {issued}, used at {delay}");
    }
}

#[test]
fn the_losers_are_told_that_the_token_was_used() {
    for manners in Manners::ALL {
        let store = Store::new(manners);
        let moment = UnixTime::from_secs(1_000);
        ensure_page(&store, 0, UnixTime::from_secs(900)).unwrap();
        let token = claim_of(1, 1_000, 300);
        let mut first = Worker::start(0, true, move |data| {
            let reason = claim(data, &token, moment).map_err(|refusal| refusal.reason);
            assert_eq!(reason, Err(Reason::Replayed));
            false
        });
        // It has read the page, and has not written it.
        first = first.step(&store).unwrap_or_else(|_| panic!("it ended"));
        assert_eq!(claim(&store, &token, moment), Ok(()));
        let mut worker = Some(first);
        while let Some(current) = worker {
            worker = current.step(&store).ok();
        }
    }
}
