//! Load: so many requests a second, whatever becomes of them, good and bad ones by turns.
//!
//! It is an open loop: a request is sent when it is due, not when an earlier one was answered. Each has a connection
//! of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::player::{Error, Player};
use super::super::remote;
use super::answer::Answer;
use super::gates::STEADY;
use crate::client::Request;
use crate::mint::{SignWith, TokenSpec};

/// From one request to the next: 200 a second.
const INTERVAL: Duration = Duration::from_millis(5);

/// How many requests are sent before and after what happens under load.
const AROUND: u32 = 400;

/// How many requests are sent at most: two minutes of them.
const MOST: u32 = 24_000;

/// How many wrong answers are shown.
const SHOWN: usize = 5;

/// A kind of request.
#[derive(Clone, Debug)]
pub struct Kind {
    token: Option<String>,
    /// The code of its refusal; without, it must pass.
    refused: Option<&'static str>,
}

impl Kind {
    /// A request with a good token.
    pub fn good(token: String) -> Self {
        Self {
            token: Some(token),
            refused: None,
        }
    }

    fn is_right(&self, answer: &Answer) -> bool {
        match self.refused {
            None => *answer == Answer::Passed,
            Some(code) => answer.is_refused(code),
        }
    }
}

/// Good and bad requests by turns. Their tokens hold for an hour.
///
/// # Errors
///
/// If the issuer doesn't answer.
pub(super) fn mixed(player: &Player) -> Result<Vec<Kind>, Error> {
    let long = TokenSpec {
        lifetime: 3600,
        ..TokenSpec::default()
    };
    let claim = |name: &str, value: &str| {
        let mut spec = long.clone();
        spec.claims.insert(name.to_owned(), value.into());
        spec
    };
    let expired = TokenSpec {
        age: 600,
        exp_in: Some(-300),
        ..TokenSpec::default()
    };
    let forged = TokenSpec {
        sign_with: SignWith::Unpublished,
        ..long.clone()
    };
    let bad = [
        (expired, "token_expired"),
        (claim("build_branch", "other"), "no_rule_matched"),
        (forged, "signature_invalid"),
        (claim("organization_slug", "mallory"), "no_rule_matched"),
    ];
    let mut kinds = Vec::new();
    for (spec, code) in bad {
        // Another job's each time.
        let job = format!("job-{}", kinds.len());
        let mut good = long.clone();
        good.claims.insert("job_id".to_owned(), job.into());
        kinds.push(Kind::good(player.issuer.mint(&good)?));
        kinds.push(Kind {
            token: Some(player.issuer.mint(&spec)?),
            refused: Some(code),
        });
    }
    kinds.push(Kind::good(player.issuer.mint(&long)?));
    kinds.push(Kind {
        token: None,
        refused: Some("token_missing"),
    });
    Ok(kinds)
}

/// What became of all requests.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many were to pass.
    pub good: u32,
    /// How many were to be refused.
    pub bad: u32,
    /// How many good ones did not pass.
    pub lost: u32,
    /// How many bad ones passed, or were refused for another reason.
    pub wrong: u32,
    /// How many, good or bad, were refused because the gate had no keys.
    pub without_keys: u32,
    /// How many, good or bad, were not decided.
    pub undecided: u32,
    /// Whether the load ended before what happened under it.
    pub ended_early: bool,
    /// Wrong answers, with how often they came; not all of them.
    pub shown: BTreeMap<String, u32>,
}

impl Tally {
    fn count(&mut self, kind: &Kind, answer: &Answer) {
        match kind.refused {
            None => self.good += 1,
            Some(_) => self.bad += 1,
        }
        if kind.is_right(answer) {
            return;
        }
        match (answer, kind.refused) {
            (Answer::Undecided(_), _) => self.undecided += 1,
            (answer, _) if answer.is_refused("keys_unavailable") => self.without_keys += 1,
            (_, None) => self.lost += 1,
            (_, Some(_)) => self.wrong += 1,
        }
        let due = kind.refused.unwrap_or("to pass");
        let shown = format!("due {due}, {answer}");
        if self.shown.len() < SHOWN || self.shown.contains_key(&shown) {
            *self.shown.entry(shown).or_default() += 1;
        }
    }

    /// Whether all was as it must be; else what was not.
    ///
    /// # Errors
    ///
    /// The counts, and some of the answers.
    pub fn verdict(&self) -> Result<(), String> {
        self.verdict_but_for_keys()?;
        if self.without_keys == 0 {
            Ok(())
        } else {
            Err(self.to_string())
        }
    }

    /// As [`Self::verdict`], where the gate may have had no keys for a while.
    ///
    /// # Errors
    ///
    /// The counts, and some of the answers.
    pub fn verdict_but_for_keys(&self) -> Result<(), String> {
        let clean = self.lost == 0 && self.wrong == 0 && self.undecided == 0 && !self.ended_early;
        if clean && self.good > 0 && self.bad > 0 {
            Ok(())
        } else {
            Err(self.to_string())
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            good,
            bad,
            lost,
            wrong,
            without_keys,
            undecided,
            ..
        } = self;
        write!(
            f,
            "{good} good and {bad} bad requests: {lost} good ones refused, \
             {wrong} bad ones not refused as they should be, {without_keys} refused for want of keys, \
             {undecided} undecided"
        )?;
        if self.ended_early {
            write!(f, "; the load ended before what happened under it")?;
        }
        for (answer, times) in &self.shown {
            write!(f, "; {times} times {answer}")?;
        }
        Ok(())
    }
}

/// Sends requests of these kinds by turns until `during` is over and some more, and gives what became of them.
///
/// # Errors
///
/// If the gateway has no address.
pub(super) fn under<T>(
    player: &Player,
    kinds: &[Kind],
    during: impl FnOnce() -> T,
) -> Result<(Tally, T), Error> {
    let tally = Mutex::new(Tally::default());
    let (before, over) = (AtomicBool::new(true), AtomicBool::new(false));
    let to = remote::resolve(player.topology.of(player.gateway).http)?;
    let value = thread::scope(|scope| {
        scope.spawn(|| {
            let start = Instant::now();
            let (mut sent, mut last) = (0, MOST);
            while sent < last {
                // What is late is sent at once: the load does not wait for answers.
                let due = start + INTERVAL * sent;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let kind = &kinds[sent as usize % kinds.len()];
                let tally = &tally;
                scope.spawn(move || {
                    let answer = ask(player, to, kind);
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.count(kind, &answer);
                });
                sent += 1;
                if sent == AROUND {
                    before.store(false, Ordering::SeqCst);
                }
                if last == MOST && over.load(Ordering::SeqCst) {
                    last = MOST.min(sent + AROUND);
                }
            }
            if !over.load(Ordering::SeqCst) {
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                tally.ended_early = true;
            }
        });
        while before.load(Ordering::SeqCst) {
            thread::sleep(INTERVAL);
        }
        let value = during();
        over.store(true, Ordering::SeqCst);
        value
    });
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((tally, value))
}

fn ask(player: &Player, to: std::net::SocketAddr, kind: &Kind) -> Answer {
    let mut request = Request::new("GET", "/deploy");
    if let Some(token) = &kind.token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let (request, id) = player.address(request, STEADY);
    Answer::of(&id, &request.send(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_that_is_not_due_spoils_the_verdict() {
        let good = Kind::good("t".to_owned());
        let bad = Kind {
            token: None,
            refused: Some("token_missing"),
        };
        let refused = |code: &str| Answer::Refused(code.to_owned());
        let clean = {
            let mut tally = Tally::default();
            tally.count(&good, &Answer::Passed);
            tally.count(&bad, &refused("token_missing"));
            tally
        };
        assert_eq!(clean.verdict(), Ok(()));
        let undecided = Answer::Undecided("404".to_owned());
        for (kind, answer, seen) in [
            (&good, refused("token_missing"), (1, 0, 0)),
            (&good, refused("keys_unavailable"), (0, 0, 0)),
            (&bad, refused("keys_unavailable"), (0, 0, 0)),
            (&good, undecided.clone(), (0, 0, 1)),
            (&bad, Answer::Passed, (0, 1, 0)),
            (&bad, refused("token_expired"), (0, 1, 0)),
            (&bad, undecided, (0, 0, 1)),
        ] {
            let mut tally = clean.clone();
            tally.count(kind, &answer);
            assert_eq!((tally.lost, tally.wrong, tally.undecided), seen, "{answer}");
            assert!(tally.verdict().unwrap_err().contains(&answer.to_string()));
            let for_keys = answer.is_refused("keys_unavailable");
            assert_eq!(tally.verdict_but_for_keys().is_ok(), for_keys);
        }
        let early = Tally {
            ended_early: true,
            ..clean
        };
        assert!(early.verdict().is_err());
        // A load of nothing has shown nothing.
        assert!(Tally::default().verdict().is_err());
    }
}
