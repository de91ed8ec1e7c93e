//! What happens to the issuer, its keys, and the way to it.

use std::time::Duration;

use serde_json::json;

use super::Error;
use super::answer::Answer;
use super::driver::Ask;
use super::gates::{IMPOSTOR, STEADY};
use super::load;
use super::load::Kind;
use super::stage::Stage;
use crate::exchange::eventually;
use crate::mint::TokenSpec;

/// How long an issuer may take to be back.
const BACK: Duration = Duration::from_secs(60);

fn refused(code: &str) -> Answer {
    Answer::Refused(code.to_owned())
}

fn unavailable() -> Answer {
    refused("keys_unavailable")
}

impl Stage<'_> {
    /// What must hold while no keys can be had.
    fn goes_on(&mut self, when: &str, good: &str, expired: &str) -> Result<(), Error> {
        let passes = format!("{when}, a good token passes");
        self.always(&passes, STEADY, good, &Answer::Passed)?;
        let expires = format!("{when}, an expired one does not");
        self.always(&expires, STEADY, expired, &refused("token_expired"))
    }

    /// Checks that a token of a new key passes in the end, and waits for its key until then.
    fn is_found(&mut self, check: &str, token: &str) -> Result<(), Error> {
        let found = self.settles(STEADY, token, &Answer::Passed, &[unavailable()])?;
        self.check(check, found)
    }
}

pub(super) fn issuer_stopped(stage: &mut Stage<'_>) -> Result<(), Error> {
    let (good, expired) = (stage.begin()?, stage.expired()?);
    let mut spec = TokenSpec::default();
    spec.header.insert("kid".to_owned(), json!("made-up"));
    let unknown = stage.player.issuer.mint(&spec)?;
    let failures = stage.failures(UNREACHABLE)?;
    stage.ask(Ask::StopIssuer)?;
    stage.step("waiting until the gate has noticed")?;
    let noticed = stage.wait_for_failure(UNREACHABLE, failures)?;
    stage.check("the log says that the keys could not be fetched", noticed)?;
    stage.goes_on("without the issuer", &good, &expired)?;
    stage.always(
        "without the issuer, a token of a key that nobody knows waits",
        STEADY,
        &unknown,
        &unavailable(),
    )?;
    stage.ask(Ask::StartIssuer)?;
    stage.step("the issuer comes back with other keys")?;
    let new = eventually(BACK, || stage.token().ok());
    let new = new.map_or_else(|| stage.token(), Ok)?;
    stage.is_found("after it, a token of the new key passes", &new)?;
    let withdrawn = stage.settles(
        STEADY,
        &good,
        &refused("key_unknown"),
        &[Answer::Passed, unavailable()],
    )?;
    stage.check("after it, a token of the old key does not", withdrawn)?;
    stage.always(
        "after it, an expired one does not",
        STEADY,
        &stage.expired()?,
        &refused("token_expired"),
    )
}

/// What a gate says of a server that is not there: whatever the network does with what is sent to it.
const UNREACHABLE: &[&str] = &["connect", "connect_or_tls", "timeout", "dns", "no_answer"];

pub(super) fn issuer_slow(stage: &mut Stage<'_>) -> Result<(), Error> {
    let (good, expired) = (stage.begin()?, stage.expired()?);
    let failures = stage.failures(&["timeout"])?;
    stage.step("the issuer answers half a minute late, and signs with a new key")?;
    stage
        .player
        .issuer
        .break_keys(&json!({ "delay_ms": 30_000 }))?;
    let met = meet_slow_issuer(stage, &good, &expired, failures);
    // Whatever came of it: the next scenario needs an issuer that answers.
    stage.player.issuer.break_keys(&json!("none"))?;
    let new = met?;
    stage.step("the issuer answers at once again")?;
    stage.is_found("after it, a token of the new key passes", &new)?;
    stage.goes_on("after it", &good, &expired)
}

fn meet_slow_issuer(
    stage: &mut Stage<'_>,
    good: &str,
    expired: &str,
    failures: usize,
) -> Result<String, Error> {
    stage.player.issuer.rotate_keys(true)?;
    let new = stage.token()?;
    stage.always(
        "while it is slow, a token of the new key waits",
        STEADY,
        &new,
        &unavailable(),
    )?;
    let noticed = stage.wait_for_failure(&["timeout"], failures)?;
    stage.check("the log says that it took too long", noticed)?;
    stage.goes_on("while it is slow", good, expired)?;
    Ok(new)
}

pub(super) fn issuer_moved(stage: &mut Stage<'_>) -> Result<(), Error> {
    let (good, expired) = (stage.begin()?, stage.expired()?);
    stage.ask(Ask::MoveIssuer)?;
    stage.step("the issuer signs with a new key")?;
    stage.player.issuer.rotate_keys(true)?;
    let new = stage.token()?;
    stage.goes_on("where nobody has looked yet", &good, &expired)?;
    stage.is_found("the issuer is found at its new address", &new)?;
    stage.goes_on("after it", &good, &expired)
}

pub(super) fn network_cut(stage: &mut Stage<'_>) -> Result<(), Error> {
    let (good, expired) = (stage.begin()?, stage.expired()?);
    let failures = stage.failures(UNREACHABLE)?;
    stage.ask(Ask::CutNetwork)?;
    stage.step("the issuer signs with a new key")?;
    stage.player.issuer.rotate_keys(true)?;
    let new = stage.token()?;
    stage.always(
        "while it is cut, a token of the new key waits",
        STEADY,
        &new,
        &unavailable(),
    )?;
    let noticed = stage.wait_for_failure(UNREACHABLE, failures)?;
    stage.check("the log says that the keys could not be fetched", noticed)?;
    stage.goes_on("while it is cut", &good, &expired)?;
    stage.ask(Ask::MendNetwork)?;
    stage.is_found("after it, a token of the new key passes", &new)?;
    stage.goes_on("after it", &good, &expired)
}

/// Has the issuer sign with a new key, and publish the old ones still, under the load of these tokens.
fn rotate_under(
    stage: &mut Stage<'_>,
    tokens: &[Kind],
    passes: &str,
    meanwhile: &str,
) -> Result<(), Error> {
    let (tally, found) = load::under(&stage.player, tokens, || {
        stage.player.issuer.rotate_keys(true)?;
        let new = stage.token()?;
        stage.settles(STEADY, &new, &Answer::Passed, &[unavailable()])
    })?;
    stage.step(&tally.to_string())?;
    stage.check(passes, found?)?;
    stage.check(meanwhile, tally.verdict())
}

pub(super) fn rotated_under_load(stage: &mut Stage<'_>) -> Result<(), Error> {
    stage.begin()?;
    let old = load::mixed(&stage.player)?;
    stage.step("under load of the old key's tokens, the issuer signs with a new one")?;
    rotate_under(
        stage,
        &old,
        "a token of the new key passes soon",
        "meanwhile all requests with the old key's tokens are decided as before",
    )?;
    let new = load::mixed(&stage.player)?;
    let withdrawn = stage.token()?;
    stage.step("under load of the next key's tokens, the ones before are withdrawn")?;
    // The key that the load's tokens are of becomes the old one, and stays published; then it alone does not.
    rotate_under(
        stage,
        &new,
        "a token of the third key passes soon",
        "meanwhile all requests with the second key's tokens are decided as before",
    )?;
    stage.step("all keys but a new one are withdrawn")?;
    stage.player.issuer.rotate_keys(false)?;
    let last = stage.token()?;
    stage.is_found("a token of the new key passes", &last)?;
    let gone = stage.settles(
        STEADY,
        &withdrawn,
        &refused("key_unknown"),
        &[Answer::Passed, unavailable()],
    )?;
    stage.check("a token of a withdrawn key does not", gone)
}

pub(super) fn impostor(stage: &mut Stage<'_>) -> Result<(), Error> {
    let good = stage.begin()?;
    stage.step("a gate asks a server for keys whose certificate is of another authority")?;
    stage.always(
        "a good token is not taken by its keys",
        IMPOSTOR,
        &good,
        &unavailable(),
    )?;
    let told = stage.wait_for_failure(&["tls"], 0)?;
    stage.check("the log says that it is the certificate", told)?;
    stage.always("the gate beside it decides", STEADY, &good, &Answer::Passed)
}
