//! Playing the shared cases.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::player::{Error, Player};
use super::report::{Played, Report, Verdict};
use super::{Gateway, Topology, checks, kong};
use crate::case::{Case, CaseFile, ClientCertificate, Outcome};
use crate::client::Request;
use crate::tls::ClientIdentity;

/// How many cases are played at the same time.
const THREADS: usize = 4;

/// Plays all cases and checks whose names contain `only`, against a gateway that was just started: what it has learnt
/// of tokens whose keys nobody publishes makes it answer them otherwise the second time.
///
/// # Errors
///
/// If they can't be played. A case that comes out otherwise is no error.
pub fn play(gateway: Gateway, topology: &Topology, only: Option<&str>) -> Result<Report, Error> {
    let player = Player::new(gateway, topology)?;
    let chosen = |name: &str| only.is_none_or(|text| name.contains(text));
    let cases: Vec<_> = player
        .files
        .iter()
        .flat_map(|file| file.cases.iter().map(move |case| (file, case)))
        .filter(|(_, case)| chosen(&case.name))
        .collect();
    let checks: Vec<_> = checks::ALL
        .iter()
        .filter(|check| chosen(check.name))
        .collect();
    if cases.is_empty() && checks.is_empty() {
        return Err(Error::NoCase(only.unwrap_or_default().to_owned()));
    }
    player.wait_until_it_serves()?;
    let is_used = |name: &str| {
        let mut used = cases
            .iter()
            .filter_map(|(file, case)| player.plan.find(file, case));
        used.any(|(gate, _)| gate.name == name)
            || !checks.is_empty() && checks::GATES.contains(&name)
    };
    let gates: Vec<_> = player
        .plan
        .gates
        .iter()
        .filter(|gate| is_used(&gate.name))
        .collect();
    for waited in in_parallel(&gates, |gate| player.wait_for_keys(gate)) {
        waited?;
    }

    let before = player.upstream.count()?;
    let results = in_parallel(&cases, |(file, case)| player.case(file, case));
    let (mut played, mut reached) = (Vec::new(), 0);
    for ((file, case), result) in cases.iter().zip(results) {
        let (verdict, forwarded) = result?;
        reached += forwarded as u64;
        played.push(Played::new(&file.name, &case.name, verdict));
    }
    let total = player.upstream.count()? - before;
    if !cases.is_empty() {
        let verdict = Verdict::of(if total == reached {
            Vec::new()
        } else {
            vec![format!(
                "{total} requests reached the upstream, expected {reached}"
            )]
        });
        played.push(Played::new(
            checks::FILE,
            "nothing else reached the upstream",
            verdict,
        ));
    }
    for check in checks {
        let verdict = Verdict::of((check.run)(&player)?);
        played.push(Played::new(checks::FILE, check.name, verdict));
    }
    Ok(Report { gateway, played })
}

/// What comes of `run` for each item, in their order.
fn in_parallel<T: Sync, R: Send>(items: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(nth) else { break };
                    let result = run(item);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    results.push((nth, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(nth, _)| *nth);
    results.into_iter().map(|(_, result)| result).collect()
}

impl Player {
    /// Plays a case; what came of it, and how often its request reached the upstream.
    fn case(&self, file: &CaseFile, case: &Case) -> Result<(Verdict, usize), Error> {
        let host = self.gateway.host();
        let expect = match case.expected_on(host) {
            Outcome::Skip(why) => return Ok((Verdict::Skipped { why: why.clone() }, 0)),
            Outcome::Expect(expect) => expect,
        };
        let Some((gate, place)) = self.plan.find(file, case) else {
            let why = "the plan has no place for it".to_owned();
            return Ok((Verdict::of(vec![why]), 0));
        };
        if let (Gateway::Kong, Some(why)) = (self.gateway, kong::unplayable(gate, place)) {
            return Ok((Verdict::Skipped { why }, 0));
        }
        let with = self.topology.placeholders();
        let token = match case.token(&with) {
            Some(spec) => Some(self.issuer.mint(&spec)?),
            None => None,
        };
        let asked = &case.request;
        let mut request = Request::new(asked.method.as_bytes(), asked.path.as_bytes());
        if let Some(named) = &asked.host {
            request.headers[0].1.clone_from(&named.0);
        }
        request.headers.extend(asked.headers_with(token.as_deref()));
        let client = self.client(&asked.client_certificate);
        let seen = match self.exchange(request, &place.key, client.as_ref())? {
            Ok(seen) => seen,
            Err(error) => return Ok((Verdict::of(vec![error.to_string()]), 0)),
        };
        let mut differences = expect.differences(&seen.observed(), token.as_deref(), &with, host);
        let (due, times) = (usize::from(expect.status < 400), seen.forwarded.len());
        if times != due {
            differences.push(format!(
                "it reached the upstream {times} times, expected {due}"
            ));
        }
        Ok((Verdict::of(differences), times))
    }

    /// The client of a request that speaks TLS.
    fn client(&self, shown: &ClientCertificate) -> Option<ClientIdentity> {
        let signed = |signer| Some(self.authority.client(signer));
        match shown {
            ClientCertificate::NoTls => None,
            ClientCertificate::None => signed(None),
            ClientCertificate::Verified(names) => signed(Some((&self.authority, names))),
            ClientCertificate::Unverified(names) => signed(Some((&self.stranger, names))),
        }
    }
}
