//! What the targets share. This file is the only one that calls the core: when its API changes, change it
//! here.

pub mod gateway;
pub mod issuer;
pub mod json;

use std::cell::RefCell;
use std::time::Duration;

use jobgate::audit::{answer, record, upstream_headers};
use jobgate::gate::{Decision, DecisionId, Request, State, judge};
use jobgate::keys::KeySet;
use jobgate::policy::Policy;
use jobgate::request::NormalPath;
use jobgate::shared_data::NoSharedData;
use jobgate::time::UnixTime;
use jobgate::token::Algorithm;

/// The time of all targets but `filter`, in seconds since the epoch.
pub const NOW: u64 = 1_800_000_000;

/// A policy and what it remembers: keys, proven tokens.
pub struct Gate {
    policy: Policy,
    state: RefCell<State>,
}

/// A decision, as far as anybody gets to see it.
#[derive(Debug, PartialEq)]
pub struct Verdict {
    /// Permitted by a rule.
    pub allowed: bool,
    /// Kept from the upstream.
    pub blocked: bool,
    /// The reason's code, if it is not permitted.
    pub reason: Option<&'static str>,
    /// The line for the log.
    pub record: String,
    /// The headers for the upstream.
    pub headers: Vec<(String, String)>,
    /// The answer's headers and body.
    pub answer: Option<(Vec<(String, String)>, String)>,
}

impl Gate {
    /// A gate with this configuration, if it is one.
    #[must_use]
    pub fn new(configuration: &[u8]) -> Option<Self> {
        let policy = Policy::from_json(configuration).ok()?;
        let state = RefCell::new(State::alone(&policy));
        Some(Self { policy, state })
    }

    /// The policy's digest.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.policy.digest
    }

    /// Decides a request.
    #[must_use]
    pub fn judge(&self, headers: &[(String, Vec<u8>)], method: &[u8], target: &[u8]) -> Verdict {
        let headers = headers.iter().cloned().collect();
        let request = Request::new(&headers, method, target);
        let now = UnixTime::new(Duration::from_secs(NOW));
        let id = DecisionId::new(now, 1, 1);
        verdict(&judge(
            &self.policy,
            &mut self.state.borrow_mut(),
            &NoSharedData,
            request,
            id,
            now,
        ))
    }

    /// Decides a request with this token and nothing else of note, twice: the second verdict, for which
    /// the token may be remembered, is the first.
    ///
    /// # Panics
    /// It is not.
    #[must_use]
    pub fn judge_token(&self, token: &[u8]) -> Verdict {
        let value = [b"Bearer ", token].concat();
        let headers = [("authorization".to_owned(), value)];
        let verdict = self.judge(&headers, b"POST", b"/deploy");
        assert_eq!(verdict, self.judge(&headers, b"POST", b"/deploy"));
        verdict
    }
}

fn verdict(decision: &Decision<'_>) -> Verdict {
    fn text(pairs: Vec<(&str, impl Into<String>)>) -> Vec<(String, String)> {
        let owned = |(name, value): (&str, _)| (name.to_owned(), Into::into(value));
        pairs.into_iter().map(owned).collect()
    }
    Verdict {
        allowed: decision.outcome.is_ok(),
        blocked: decision.blocks(),
        reason: decision
            .outcome
            .as_ref()
            .err()
            .map(|refused| refused.refusal.reason.code()),
        record: record(decision, Some("route")),
        headers: text(upstream_headers(decision)),
        answer: answer(decision).map(|answer| (text(answer.headers), answer.body)),
    }
}

/// The normal form of a path, if it has one.
#[must_use]
pub fn normal_path(target: &[u8]) -> Option<String> {
    Some(NormalPath::parse(target).ok()?.as_str().to_owned())
}

/// How many keys of a JWKS document are used, and how many are found under these ids.
///
/// # Errors
/// It is no JWKS document.
pub fn key_set(document: &[u8], kids: &[&str]) -> Result<(usize, usize), String> {
    let set = KeySet::parse(document).map_err(|error| error.to_string())?;
    let found = kids
        .iter()
        .map(|kid| Some(*kid))
        .chain([None])
        .flat_map(|kid| {
            Algorithm::ALL
                .iter()
                .map(move |algorithm| (kid, *algorithm))
        })
        .filter(|(kid, algorithm)| set.find(*kid, *algorithm).is_some())
        .count();
    Ok((set.len(), found))
}
