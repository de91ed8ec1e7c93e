//! The life of one fetched document: when to ask for it, whose turn that is, and how old what serves is.

use super::Polling;
use super::turn::{Document, Place, ReadTurn, Turn};
use crate::shared_data::SharedData;
use crate::time::UnixTime;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// The least time between two early fetches: tokens with made-up `kid`s cost the issuer no more than this.
const EARLY_EVERY: Duration = Duration::from_secs(30);

/// The longest pause after failed fetches; they double from one second.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// How long past its timeout a fetch whose answer never came is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// The least time between two looks at shared data that requests cause.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A document that no request asked for in this long is not fetched any more, until one does: Kong keeps
/// what a reload replaced, and with it the documents that only the old configuration names. Longer than a
/// week, so that a weekly job finds fresh keys.
const RETIRE_AFTER: Duration = Duration::from_secs(8 * 86_400);

/// What a [`Cycle`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Nothing now.
    Nothing,
    /// Another worker has fetched this one: take it with [`Cycle::adopted`] if it is good.
    Adopt(Document),
    /// Send a fetch, and call [`Cycle::fetched`], [`Cycle::unchanged`] or [`Cycle::failed`] with its answer.
    Fetch,
}

#[derive(Debug, Clone, Copy)]
struct InFlight {
    number: u64,
    /// When its first request was sent: what the server learned later may be missing from the answer.
    since: UnixTime,
    /// When it is given up.
    until: UnixTime,
}

/// One document's state in one VM.
#[derive(Debug)]
pub struct Cycle {
    place: Place,
    polling: Polling,
    /// Who this is among the workers, and where its jitter comes from.
    owner: u64,
    asked_at: Option<UnixTime>,
    /// The newest document seen in shared data that was no good.
    rejected: Option<UnixTime>,
    etag: Option<String>,
    in_flight: Option<InFlight>,
    flights: u64,
    next: Option<UnixTime>,
    failures: u32,
    wanted_early: bool,
    last_early: Option<UnixTime>,
    looked_at: Option<UnixTime>,
    used_at: Option<UnixTime>,
}

impl Cycle {
    /// A cycle that has nothing yet and wants to fetch.
    ///
    /// `what` is everything that decides what is fetched, so that only those who would fetch the same share it;
    /// `kind` goes before its digest. `owner` is random for each store.
    #[must_use]
    pub fn new(kind: &str, what: &str, polling: Polling, owner: u64) -> Self {
        Self {
            place: Place::new(kind, what),
            polling,
            owner,
            asked_at: None,
            rejected: None,
            etag: None,
            in_flight: None,
            flights: 0,
            next: None,
            failures: 0,
            wanted_early: false,
            last_early: None,
            looked_at: None,
            used_at: None,
        }
    }

    /// The entity tag of the document held, if it has one.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// When the document held was asked for, if there is one that is not too old to serve.
    #[must_use]
    pub fn serving_since(&self, now: UnixTime) -> Option<UnixTime> {
        let max_stale = self.polling.max_stale;
        // What was asked for far ahead of now is of an unknown age: the host's clock went back.
        self.asked_at.filter(|asked_at| {
            now.since(*asked_at) <= max_stale && asked_at.since(now) <= max_stale
        })
    }

    /// Notes that a request needs the document. What was not fetched any more for want of use counts no more.
    pub fn used(&mut self, now: UnixTime) {
        if self.is_retired(now) {
            self.asked_at = None;
            self.next = None;
            // Nor does what shared data still has of that time.
            self.rejected = Some(now.minus(self.polling.refresh));
        }
        self.used_at = Some(now);
    }

    /// Asks for a fetch before the next is due, at most every [`EARLY_EVERY`].
    pub const fn want_early(&mut self) {
        self.wanted_early = true;
    }

    /// Whether another document may be here within `wait`: not while fetching fails or early fetches rest.
    #[must_use]
    pub fn may_come(&self, now: UnixTime, wait: Duration) -> bool {
        let horizon = now.plus(wait);
        let rests = |until: Option<UnixTime>| until.is_some_and(|until| until > horizon);
        if self.is_waited_for(now) {
            return true;
        }
        if self.failures > 0 {
            return !rests(self.next);
        }
        let due = self.next.is_none_or(|next| next <= horizon);
        let early = self.wanted_early && !rests(self.last_early.map(|last| last.plus(EARLY_EVERY)));
        due || early
    }

    /// What is to be done now. After [`Wish::Fetch`] it counts as under way until it is answered or its time
    /// is over.
    pub fn poll(&mut self, now: UnixTime, shared: &dyn SharedData) -> Wish {
        if self.is_waited_for(now) {
            return Wish::Nothing;
        }
        self.in_flight = None;
        let due = self.is_due(now);
        let early = self.is_early(now);
        if (!due && !early) || self.is_retired(now) {
            return Wish::Nothing;
        }
        if let Some(read) = self.place.read(shared) {
            if let Some(document) = self.newer(read.turn, shared) {
                return Wish::Adopt(document);
            }
            if !self.take_turn(read, due, now, shared) {
                return Wish::Nothing;
            }
        }
        if !due {
            self.last_early = Some(now);
        }
        self.wanted_early = false;
        self.flights = self.flights.wrapping_add(1);
        self.in_flight = Some(InFlight {
            number: self.flights,
            since: now,
            until: now.plus(self.give_up()),
        });
        Wish::Fetch
    }

    /// A newer document that another worker fetched, for a request that lacks something. Looks at most every
    /// [`LOOK_EVERY`].
    pub fn look(&mut self, now: UnixTime, shared: &dyn SharedData) -> Option<Document> {
        if self
            .looked_at
            .is_some_and(|last| now >= last && now.since(last) < LOOK_EVERY)
        {
            return None;
        }
        let turn = self.place.read(shared)?.turn;
        self.looked_at = Some(now);
        self.newer(turn, shared)
    }

    /// Takes another worker's document for one's own.
    pub fn adopted(&mut self, asked_at: UnixTime, etag: Option<String>) {
        self.asked_at = Some(asked_at);
        self.etag = etag;
        self.failures = 0;
        self.wanted_early = false;
        self.next = Some(self.refresh_at(asked_at));
    }

    /// Turns a document of shared data down; the next poll does not offer it again.
    pub const fn rejected(&mut self, asked_at: UnixTime) {
        self.rejected = Some(asked_at);
    }

    /// Takes the document of the fetch under way, and puts it where the other workers find it. Nothing is done if
    /// none is under way.
    pub fn fetched(
        &mut self,
        etag: Option<String>,
        body: &[u8],
        now: UnixTime,
        shared: &dyn SharedData,
    ) {
        let Some(flight) = self.in_flight.take() else {
            return;
        };
        self.adopted(flight.since, etag);
        let put = self
            .place
            .put(shared, self.owner, self.etag.as_deref(), body);
        // Where it could not be put there is none to take: the others fetch for themselves.
        let asked_ms = put.map_or(0, |()| flight.since.as_millis());
        self.pass_turn(now, 0, shared, |_| asked_ms);
    }

    /// The fetch under way found the document as it was (304). As [`Self::fetched`].
    pub fn unchanged(&mut self, now: UnixTime, shared: &dyn SharedData) {
        let Some(flight) = self.in_flight.take() else {
            return;
        };
        let etag = self.etag.take();
        let was = self.asked_at.map(UnixTime::as_millis);
        self.adopted(flight.since, etag);
        // It may be another document that is there to take.
        self.pass_turn(now, 0, shared, |there| {
            if Some(there) == was {
                flight.since.as_millis()
            } else {
                there
            }
        });
    }

    /// The fetch under way failed. Tells after how long it is tried again; nothing if none was under way.
    pub fn failed(&mut self, now: UnixTime, shared: &dyn SharedData) -> Option<Duration> {
        self.in_flight.take()?;
        let pause = backoff(self.failures).min(self.polling.refresh);
        let pause = self.jittered(pause, now);
        self.failures = self.failures.saturating_add(1);
        let next = now.plus(pause);
        self.next = Some(next);
        self.pass_turn(next, self.failures, shared, |there| there);
        Some(pause)
    }

    /// The number of the fetch under way here; none if there is none. An answer counts only for its own.
    #[must_use]
    pub fn flight(&self) -> Option<u64> {
        self.in_flight.map(|flight| flight.number)
    }

    /// Gives up the fetch of this number: nobody will bring its answer.
    pub fn abandon(&mut self, flight: u64) {
        if self.flight() == Some(flight) {
            self.in_flight = None;
            self.next = None;
        }
    }

    /// Gives a fetch that has two steps (discovery) its time anew for the second.
    pub fn goes_on(&mut self, now: UnixTime, shared: &dyn SharedData) {
        let until = now.plus(self.give_up());
        if let Some(flight) = &mut self.in_flight {
            flight.until = until;
        }
        self.pass_turn(until, self.failures, shared, |there| there);
    }

    fn give_up(&self) -> Duration {
        self.polling.timeout.saturating_add(GRACE)
    }

    fn is_waited_for(&self, now: UnixTime) -> bool {
        self.in_flight
            .is_some_and(|flight| now >= flight.since && now < flight.until)
    }

    fn is_due(&self, now: UnixTime) -> bool {
        // What lies further ahead than it was ever put: the host's clock went back.
        let furthest = now.plus(self.polling.refresh.max(MAX_BACKOFF));
        self.next.is_none_or(|next| now >= next || next > furthest)
    }

    fn is_early(&self, now: UnixTime) -> bool {
        let rested = self
            .last_early
            .is_none_or(|last| now < last || now.since(last) >= EARLY_EVERY);
        // While fetching fails, the backoff rules: unknown `kid`s don't shorten it.
        self.wanted_early && self.failures == 0 && rested
    }

    fn is_retired(&mut self, now: UnixTime) -> bool {
        let since = *self.used_at.get_or_insert(now);
        now.since(since) > RETIRE_AFTER
    }

    /// Takes the turn, if it is free. `due` is false for an early fetch.
    fn take_turn(
        &mut self,
        read: ReadTurn,
        due: bool,
        now: UnixTime,
        shared: &dyn SharedData,
    ) -> bool {
        let turn = read.turn;
        let (now_ms, furthest) = (now.as_millis(), now.plus(self.give_up().max(MAX_BACKOFF)));
        // One's own turn can be taken again: the fetch for which it was taken was abandoned.
        let is_held = turn.until_ms > now_ms && turn.owner != self.owner;
        if is_held && turn.until_ms <= furthest.as_millis() {
            if turn.failures > 0 {
                // All workers rest together, and their requests don't wait meanwhile.
                self.failures = turn.failures;
                self.next = Some(UnixTime::new(Duration::from_millis(turn.until_ms)));
            }
            return false;
        }
        let early_at = turn.early_ms.saturating_add(millis(EARLY_EVERY));
        if !due && turn.early_ms <= now_ms && early_at > now_ms {
            self.last_early = Some(UnixTime::new(Duration::from_millis(turn.early_ms)));
            return false;
        }
        self.failures = turn.failures;
        let taken = Turn {
            until_ms: now.plus(self.give_up()).as_millis(),
            owner: self.owner,
            failures: turn.failures,
            early_ms: if due { turn.early_ms } else { now_ms },
            asked_ms: turn.asked_ms,
        };
        self.place.write(shared, read, taken).is_ok()
    }

    /// Lets others have the turn from `until` on, if it still is this one's. `asked_ms` makes of when the
    /// document there was asked for what it is from now on.
    fn pass_turn(
        &self,
        until: UnixTime,
        failures: u32,
        shared: &dyn SharedData,
        asked_ms: impl FnOnce(u64) -> u64,
    ) {
        let Some(read) = self.place.read(shared) else {
            return;
        };
        if read.turn.owner != self.owner {
            return;
        }
        let turn = Turn {
            until_ms: until.as_millis(),
            failures,
            asked_ms: asked_ms(read.turn.asked_ms),
            ..read.turn
        };
        // Should it fail, the turn ends by itself when its time is over; at worst another worker fetches too.
        _ = self.place.write(shared, read, turn);
    }

    fn newer(&self, turn: Turn, shared: &dyn SharedData) -> Option<Document> {
        let asked_at = UnixTime::new(Duration::from_millis(turn.asked_ms));
        let is_newer = turn.asked_ms > 0
            && self.asked_at.is_none_or(|mine| asked_at > mine)
            && self.rejected.is_none_or(|bad| asked_at > bad);
        if is_newer {
            self.place.document(shared, asked_at)
        } else {
            None
        }
    }

    /// Up to a tenth before the document's time is over, so that workers and gateways don't ask in step.
    fn refresh_at(&self, asked_at: UnixTime) -> UnixTime {
        let refresh = self.polling.refresh;
        asked_at.plus(self.jittered(refresh, asked_at))
    }

    /// Nine tenths of a span and a part of the last one.
    fn jittered(&self, span: Duration, now: UnixTime) -> Duration {
        let mut hasher = DefaultHasher::new();
        (self.owner, now.as_millis()).hash(&mut hasher);
        let part = u32::try_from(hasher.finish() & 0xff).unwrap_or_default();
        let tenth = span.checked_div(10).unwrap_or_default();
        let rest = tenth
            .saturating_mul(part)
            .checked_div(0x100)
            .unwrap_or_default();
        span.saturating_sub(tenth).saturating_add(rest)
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// 1, 2, 4 ... seconds, up to [`MAX_BACKOFF`].
fn backoff(failures: u32) -> Duration {
    let seconds = 1_u64.checked_shl(failures).unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(MAX_BACKOFF)
}
