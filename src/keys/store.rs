//! The key life cycle of one issuer: when to fetch, what serves meanwhile, and what a missing key means.

use super::{JwksError, JwksSource, KeySet, PublicKey};
use crate::time::UnixTime;
use crate::token::Algorithm;
use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// The largest key document that is read, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// The least time between two fetches that unknown `kid`s cause: tokens with made-up ones cost the issuer
/// no more than this.
const EARLY_REFETCH_EVERY: Duration = Duration::from_secs(30);

/// The longest pause after failed fetches; they double from one second.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// How long past its timeout a fetch whose answer never came is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// Unknown `kid`s remembered; the oldest is forgotten, and then counts as new.
const MAX_UNKNOWN: usize = 64;

/// Why a fetch gave no keys. Each cause reads differently in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// The host refused to send the request (an unknown cluster, say).
    NotSent(String),
    /// No answer came: the host says why, if it does.
    NoAnswer(String),
    /// The server answered with another status than 200.
    Status(String),
    /// The document is larger than [`MAX_DOCUMENT_BYTES`].
    TooLarge(usize),
    /// The document holds no usable key.
    Document(JwksError),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) => write!(f, "the gateway did not send the request: {why}"),
            Self::NoAnswer(why) => write!(f, "no answer came: {why}"),
            Self::Status(status) => write!(f, "the server answered with status {status}"),
            Self::TooLarge(bytes) => {
                write!(
                    f,
                    "the document has {bytes} bytes; at most {MAX_DOCUMENT_BYTES} are read"
                )
            }
            Self::Document(error) => write!(f, "{error}"),
        }
    }
}

/// What came of a fetch, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchReport {
    /// A new set serves.
    Fetched {
        /// Usable keys.
        keys: usize,
        /// Keys that are not used.
        skipped: Vec<super::SkippedKey>,
    },
    /// The fetch failed; what served before goes on serving until it is too old.
    Failed {
        /// Why.
        error: FetchError,
        /// When it is tried again.
        retry_in: Duration,
    },
}

/// Why no key was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMiss {
    /// The keys are not known well enough to say; the reason why.
    Unavailable(&'static str),
    /// A set fetched after the `kid` was first seen lacks it.
    Unknown,
}

#[derive(Debug)]
struct Fetched {
    set: KeySet,
    /// When the request for it was sent: a key published later may be missing from it.
    asked_at: UnixTime,
}

/// The keys of one issuer over time.
#[derive(Debug)]
pub struct KeyStore {
    inline: Option<KeySet>,
    source: Option<JwksSource>,
    fetched: Option<Fetched>,
    in_flight_since: Option<UnixTime>,
    next_fetch: Option<UnixTime>,
    failures: u32,
    /// When an unknown `kid` may cause a fetch, if one wants to.
    early_at: Option<UnixTime>,
    last_early: Option<UnixTime>,
    unknown: VecDeque<(u64, UnixTime)>,
}

impl KeyStore {
    /// A store that has fetched nothing yet and wants to, if it has a source.
    #[must_use]
    pub const fn new(inline: Option<KeySet>, source: Option<JwksSource>) -> Self {
        Self {
            inline,
            source,
            fetched: None,
            in_flight_since: None,
            next_fetch: None,
            failures: 0,
            early_at: None,
            last_early: None,
            unknown: VecDeque::new(),
        }
    }

    /// Whether a fetch is due, and if so from where. It counts as under way until [`Self::finish`] is called
    /// or its time is over.
    pub fn poll(&mut self, now: UnixTime) -> Option<JwksSource> {
        let source = self.source.as_ref()?;
        let give_up = source.timeout.saturating_add(GRACE);
        let is_waited_for = |since: UnixTime| now >= since && now.since(since) < give_up;
        if self.in_flight_since.is_some_and(is_waited_for) {
            return None;
        }
        // What lies further ahead than it was ever put: the host's clock went back.
        let furthest = now.plus(source.refresh.max(MAX_BACKOFF));
        let due = self
            .next_fetch
            .is_none_or(|next| now >= next || next > furthest);
        // While fetching fails, the backoff rules: unknown `kid`s don't shorten it.
        let early = self.failures == 0 && self.early_at.is_some_and(|at| now >= at);
        if !due && !early {
            return None;
        }
        if !due {
            self.last_early = Some(now);
        }
        self.early_at = None;
        self.in_flight_since = Some(now);
        Some(source.clone())
    }

    /// Takes the answer of the fetch under way.
    pub fn finish(&mut self, answer: Result<&[u8], FetchError>, now: UnixTime) -> FetchReport {
        let asked_at = self.in_flight_since.take().unwrap_or(now);
        let set = answer.and_then(|body| {
            if body.len() > MAX_DOCUMENT_BYTES {
                return Err(FetchError::TooLarge(body.len()));
            }
            KeySet::parse(body).map_err(FetchError::Document)
        });
        match set {
            Ok(set) => {
                self.failures = 0;
                let refresh = self
                    .source
                    .as_ref()
                    .map_or(MAX_BACKOFF, |source| source.refresh);
                self.next_fetch = Some(now.plus(refresh));
                let report = FetchReport::Fetched {
                    keys: set.len(),
                    skipped: set.skipped.clone(),
                };
                self.fetched = Some(Fetched { set, asked_at });
                report
            }
            Err(error) => {
                let retry_in = backoff(self.failures);
                self.failures = self.failures.saturating_add(1);
                self.next_fetch = Some(now.plus(retry_in));
                FetchReport::Failed { error, retry_in }
            }
        }
    }

    /// The key for a token.
    ///
    /// # Errors
    /// [`KeyMiss::Unavailable`] while no set serves, or none that was asked for after this `kid` was first
    /// seen; [`KeyMiss::Unknown`] once such a set lacks it. Either makes the next [`Self::poll`] want a
    /// fetch, at most every [`EARLY_REFETCH_EVERY`].
    pub fn find(
        &mut self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: UnixTime,
    ) -> Result<&PublicKey, KeyMiss> {
        // Two look-ups rather than one: the borrow of a found key would last over the miss below.
        if self
            .serving(now)
            .is_some_and(|set| set.find(kid, algorithm).is_some())
        {
            return self
                .serving(now)
                .and_then(|set| set.find(kid, algorithm))
                .ok_or(KeyMiss::Unknown);
        }
        Err(self.miss(kid, now))
    }

    /// The set that serves now: the last fetched one while it is not too old, else the inline one.
    fn serving(&self, now: UnixTime) -> Option<&KeySet> {
        self.fresh(now)
            .map(|fetched| &fetched.set)
            .or(self.inline.as_ref())
    }

    fn fresh(&self, now: UnixTime) -> Option<&Fetched> {
        let max_stale = self.source.as_ref()?.max_stale;
        self.fetched
            .as_ref()
            .filter(|fetched| now.since(fetched.asked_at) <= max_stale)
    }

    fn miss(&mut self, kid: Option<&str>, now: UnixTime) -> KeyMiss {
        if self.source.is_none() {
            return KeyMiss::Unknown;
        }
        let Some(asked_at) = self.fresh(now).map(|fetched| fetched.asked_at) else {
            return KeyMiss::Unavailable("no key set has been fetched, or the last one is too old");
        };
        let first_seen = self.first_seen(kid, now);
        self.early_at = Some(
            self.last_early
                .map_or(now, |last| last.plus(EARLY_REFETCH_EVERY)),
        );
        if asked_at > first_seen {
            KeyMiss::Unknown
        } else {
            KeyMiss::Unavailable("the token's kid is new; the keys are being fetched again")
        }
    }

    fn first_seen(&mut self, kid: Option<&str>, now: UnixTime) -> UnixTime {
        let mut hasher = DefaultHasher::new();
        kid.hash(&mut hasher);
        let kid = hasher.finish();
        if let Some((_, seen)) = self.unknown.iter().find(|(known, _)| *known == kid) {
            return *seen;
        }
        if self.unknown.len() >= MAX_UNKNOWN {
            self.unknown.pop_front();
        }
        self.unknown.push_back((kid, now));
        now
    }
}

/// 1, 2, 4 ... seconds, up to [`MAX_BACKOFF`].
fn backoff(failures: u32) -> Duration {
    let seconds = 1_u64.checked_shl(failures).unwrap_or(u64::MAX);
    Duration::from_secs(seconds).min(MAX_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::JwksUri;

    const REFRESH: Duration = Duration::from_secs(600);
    const MAX_STALE: Duration = Duration::from_secs(86_400);

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(1_800_000_000).plus(Duration::from_secs(secs))
    }

    fn store(inline: Option<&str>) -> KeyStore {
        let inline = inline.map(|kid| KeySet::parse(&document(&[kid])).unwrap());
        let source = JwksSource {
            cluster: "issuer".into(),
            uri: JwksUri::parse("https://issuer.example/jwks").unwrap(),
            refresh: REFRESH,
            timeout: Duration::from_secs(5),
            max_stale: MAX_STALE,
        };
        KeyStore::new(inline, Some(source))
    }

    fn document(kids: &[&str]) -> Vec<u8> {
        const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
        let keys: Vec<_> = kids
            .iter()
            .map(|kid| serde_json::json!({"kty": "RSA", "kid": kid, "n": N, "e": "AQAB"}))
            .collect();
        serde_json::json!({ "keys": keys }).to_string().into_bytes()
    }

    fn find(store: &mut KeyStore, kid: &str, now: UnixTime) -> Result<(), KeyMiss> {
        store.find(Some(kid), Algorithm::Rs256, now).map(drop)
    }

    fn fetch(store: &mut KeyStore, kids: &[&str], now: UnixTime) {
        store.poll(now).expect("a fetch is wanted");
        assert!(matches!(
            store.finish(Ok(&document(kids)), now),
            FetchReport::Fetched { .. }
        ));
    }

    fn fail(store: &mut KeyStore, now: UnixTime) -> Duration {
        store.poll(now).expect("a fetch is wanted");
        match store.finish(Err(FetchError::Status("503".into())), now) {
            FetchReport::Failed { retry_in, .. } => retry_in,
            FetchReport::Fetched { .. } => panic!("it failed"),
        }
    }

    #[test]
    fn before_the_first_keys_the_answer_is_unavailable_not_unknown() {
        let mut store = store(None);
        assert!(matches!(
            find(&mut store, "a", at(0)),
            Err(KeyMiss::Unavailable(_))
        ));
        fetch(&mut store, &["a"], at(0));
        assert_eq!(find(&mut store, "a", at(0)), Ok(()));
    }

    #[test]
    fn one_fetch_is_under_way_at_a_time_and_one_that_got_lost_is_given_up() {
        let mut store = store(None);
        assert!(store.poll(at(0)).is_some());
        assert!(store.poll(at(1)).is_none() && store.poll(at(9)).is_none());
        assert!(store.poll(at(10)).is_some());
    }

    #[test]
    fn a_set_is_refreshed_and_the_new_one_replaces_the_old() {
        let mut store = store(None);
        fetch(&mut store, &["a", "b"], at(0));
        assert!(store.poll(at(599)).is_none());
        fetch(&mut store, &["b"], at(600));
        assert!(find(&mut store, "a", at(600)).is_err());
        assert_eq!(find(&mut store, "b", at(600)), Ok(()));
    }

    #[test]
    fn failures_back_off_and_the_last_good_set_serves_until_it_is_too_old() {
        let mut store = store(None);
        fetch(&mut store, &["a"], at(0));
        let mut now = at(600);
        let mut pauses = Vec::new();
        while now < at(86_400) {
            let pause = fail(&mut store, now);
            pauses.push(pause.as_secs());
            assert_eq!(find(&mut store, "a", now), Ok(()));
            assert!(store.poll(now).is_none());
            now = now.plus(pause);
        }
        assert_eq!(pauses[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(matches!(
            find(&mut store, "a", at(86_401)),
            Err(KeyMiss::Unavailable(_))
        ));
        fetch(&mut store, &["a"], at(90_000));
        assert_eq!(find(&mut store, "a", at(90_000)), Ok(()));
    }

    #[test]
    fn an_unknown_kid_is_unavailable_until_a_later_set_lacks_it_too() {
        let mut store = store(None);
        fetch(&mut store, &["a"], at(0));
        assert!(matches!(
            find(&mut store, "new", at(1)),
            Err(KeyMiss::Unavailable(_))
        ));
        fetch(&mut store, &["a"], at(2));
        assert_eq!(find(&mut store, "new", at(2)), Err(KeyMiss::Unknown));
        // The issuer publishes it later: one more early fetch finds it, no sooner than 30 s after.
        assert!(store.poll(at(31)).is_none());
        fetch(&mut store, &["a", "new"], at(32));
        assert_eq!(find(&mut store, "new", at(32)), Ok(()));
    }

    #[test]
    fn made_up_kids_cost_one_fetch_in_thirty_seconds_and_no_growing_memory() {
        let mut store = store(None);
        fetch(&mut store, &["a"], at(0));
        let mut fetches = 0;
        for second in 0..300 {
            for nth in 0..10 {
                assert!(find(&mut store, &format!("{second}-{nth}"), at(second)).is_err());
            }
            if store.poll(at(second)).is_some() {
                fetches += 1;
                store.finish(Ok(&document(&["a"])), at(second));
            }
        }
        assert_eq!(fetches, 10);
        assert_eq!(store.unknown.len(), MAX_UNKNOWN);
    }

    #[test]
    fn while_fetching_fails_unknown_kids_do_not_shorten_the_backoff() {
        let mut store = store(None);
        fetch(&mut store, &["a"], at(0));
        assert!(find(&mut store, "new", at(100)).is_err());
        assert_eq!(fail(&mut store, at(100)).as_secs(), 1);
        assert_eq!(fail(&mut store, at(101)).as_secs(), 2);
        assert!(find(&mut store, "new", at(102)).is_err());
        assert!(store.poll(at(102)).is_none());
    }

    #[test]
    fn a_clock_that_goes_back_does_not_stop_fetching() {
        let mut store = store(None);
        fetch(&mut store, &["a"], at(1_000_000));
        fetch(&mut store, &["b"], at(0));
        assert_eq!(find(&mut store, "b", at(0)), Ok(()));
        store.poll(at(2_000_000)).expect("a refresh is due");
        fetch(&mut store, &["c"], at(700));
        assert_eq!(find(&mut store, "c", at(700)), Ok(()));
        assert!(store.poll(at(701)).is_none());
    }

    #[test]
    fn inline_keys_serve_until_a_set_was_fetched_and_alone_they_are_all_there_is() {
        let mut both = store(Some("inline"));
        assert_eq!(find(&mut both, "inline", at(0)), Ok(()));
        assert!(matches!(
            find(&mut both, "other", at(0)),
            Err(KeyMiss::Unavailable(_))
        ));
        fetch(&mut both, &["a"], at(0));
        assert!(find(&mut both, "inline", at(0)).is_err());
        assert_eq!(find(&mut both, "inline", at(86_401)), Ok(()));

        let mut alone = KeyStore::new(Some(KeySet::parse(&document(&["a"])).unwrap()), None);
        assert!(alone.poll(at(0)).is_none());
        assert_eq!(find(&mut alone, "b", at(0)), Err(KeyMiss::Unknown));
    }

    #[test]
    fn a_huge_document_is_not_parsed() {
        let mut store = store(None);
        store.poll(at(0));
        let report = store.finish(Ok(&vec![b' '; MAX_DOCUMENT_BYTES + 1]), at(0));
        let FetchReport::Failed { error, .. } = report else {
            panic!("it was parsed")
        };
        assert_eq!(error, FetchError::TooLarge(MAX_DOCUMENT_BYTES + 1));
    }
}
