//! Where a scenario is played: what it needs to ask, to wait and to check.

use std::sync::Arc;
use std::time::Duration;

use super::super::player::Player;
use super::super::{Gateway, Topology, player, remote};
use super::Error;
use super::answer::Answer;
use super::driver::{Ask, Counts, Driver};
use super::gates::STEADY;
use crate::client::Request;
use crate::exchange::eventually;
use crate::mint::TokenSpec;

/// How long something may take that comes about by itself: after failures keys are asked for once a minute.
const SOON: Duration = Duration::from_secs(150);

/// How often in a row a gate must answer the same, so that it is no single worker's answer.
const IN_A_ROW: u32 = 16;

pub(super) struct Stage<'a> {
    /// Shared with what goes on beside the scenario.
    pub(super) player: Arc<Player>,
    driver: Driver<'a>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(
        gateway: Gateway,
        topology: &Topology,
        driver: Driver<'a>,
    ) -> Result<Self, Error> {
        let player = Arc::new(Player::new(gateway, topology)?);
        Ok(Self { player, driver })
    }

    pub(super) fn end(self) -> Result<Counts, Error> {
        Ok(self.driver.end()?)
    }

    pub(super) fn step(&mut self, text: &str) -> Result<(), Error> {
        Ok(self.driver.step(text)?)
    }

    pub(super) fn ask(&mut self, what: Ask) -> Result<(), Error> {
        self.driver.ask(what)
    }

    pub(super) fn check(&mut self, check: &str, holds: Result<(), String>) -> Result<(), Error> {
        Ok(self.driver.check(check, holds)?)
    }

    /// Waits until the gate that must go on has its keys, and checks that it decides.
    pub(super) fn begin(&mut self) -> Result<String, Error> {
        self.player.wait_until_it_serves()?;
        let gates = self.player.plan.gates.iter();
        for gate in gates.filter(|gate| gate.name == STEADY) {
            self.player.wait_for_keys(gate)?;
        }
        let token = self.token()?;
        self.always(
            "before it, a good token passes",
            STEADY,
            &token,
            &Answer::Passed,
        )?;
        Ok(token)
    }

    /// A good token, which holds for an hour.
    pub(super) fn token(&self) -> Result<String, Error> {
        let spec = TokenSpec {
            lifetime: 3600,
            ..TokenSpec::default()
        };
        Ok(self.player.issuer.mint(&spec)?)
    }

    /// A token that ended some minutes ago.
    pub(super) fn expired(&self) -> Result<String, Error> {
        let spec = TokenSpec {
            age: 600,
            exp_in: Some(-300),
            ..TokenSpec::default()
        };
        Ok(self.player.issuer.mint(&spec)?)
    }

    /// What the gate at this place makes of a token.
    pub(super) fn answer(&self, key: &str, token: &str) -> Result<Answer, Error> {
        let request =
            Request::new("GET", "/deploy").header("authorization", format!("Bearer {token}"));
        let (request, id) = self.player.address(request, key);
        let to = remote::resolve(self.player.topology.of(self.player.gateway).http)?;
        Ok(Answer::of(&id, &request.send(to)))
    }

    /// Checks that the gate makes the same of a token, many times over.
    pub(super) fn always(
        &mut self,
        check: &str,
        key: &str,
        token: &str,
        due: &Answer,
    ) -> Result<(), Error> {
        let mut holds = Ok(());
        for _ in 0..IN_A_ROW {
            let answer = self.answer(key, token)?;
            if answer != *due {
                holds = Err(format!("due {due}, {answer}"));
                break;
            }
        }
        self.check(check, holds)
    }

    /// Whether the gate makes this of a token in the end, and then always. Meanwhile it may be `meanwhile`, and
    /// nothing else.
    pub(super) fn settles(
        &self,
        key: &str,
        token: &str,
        due: &Answer,
        meanwhile: &[Answer],
    ) -> Result<Result<(), String>, Error> {
        self.settles_where(key, token, due, |answer| meanwhile.contains(answer))
    }

    /// As [`Self::settles`], where anything undecided may come before: one worker after the other learns of the place.
    pub(super) fn settles_from_undecided(
        &self,
        key: &str,
        token: &str,
        due: &Answer,
    ) -> Result<Result<(), String>, Error> {
        let undecided = |answer: &Answer| matches!(answer, Answer::Undecided(_));
        self.settles_where(key, token, due, undecided)
    }

    fn settles_where(
        &self,
        key: &str,
        token: &str,
        due: &Answer,
        may_come: impl Fn(&Answer) -> bool,
    ) -> Result<Result<(), String>, Error> {
        let (mut in_a_row, mut last) = (0, String::new());
        let settled = eventually(SOON, || {
            while in_a_row < IN_A_ROW {
                match self.answer(key, token) {
                    Err(error) => return Some(Err(error)),
                    Ok(answer) if answer == *due => in_a_row += 1,
                    Ok(answer) if may_come(&answer) => {
                        in_a_row = 0;
                        last = answer.to_string();
                        return None;
                    }
                    Ok(answer) => return Some(Ok(Err(format!("due {due}, {answer}")))),
                }
            }
            Some(Ok(Ok(())))
        });
        settled.unwrap_or_else(|| Ok(Err(format!("due {due} in the end, still {last}"))))
    }

    /// Waits until the log tells of one more document that could not be fetched because of this.
    pub(super) fn wait_for_failure(
        &self,
        causes: &[&str],
        but: usize,
    ) -> Result<Result<(), String>, Error> {
        let found = eventually(SOON, || match self.failures(causes) {
            Ok(found) => (found > but).then_some(Ok(())),
            Err(error) => Some(Err(error)),
        });
        match found {
            Some(Err(error)) => Err(error),
            Some(Ok(())) => Ok(Ok(())),
            None => Ok(Err(format!(
                "the log has no further line of a document that could not be fetched ({})",
                causes.join(", ")
            ))),
        }
    }

    /// How many documents could not be fetched so far because of one of these, as the log has it.
    pub(super) fn failures(&self, causes: &[&str]) -> Result<usize, Error> {
        let lines = self.player.log.fetch_failures().map_err(|source| {
            let path = self.player.topology.of(self.player.gateway).log.clone();
            Error::Player(player::Error::Log { path, source })
        })?;
        // Other gates never have keys, and are not asked here.
        let of_cause = |line: &&String| {
            let mut causes = causes.iter();
            causes.any(|cause| line.contains(&format!("({cause})")))
        };
        Ok(lines.iter().filter(of_cause).count())
    }
}
