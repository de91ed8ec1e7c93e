//! The runner in a world: a part of the suite, or one scenario.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin};

use super::command::{capture, line, tail};
use super::fault::Faults;
use super::gateway::service;
use super::only::Only;
use super::protocol::{self, Event};
use super::report::Tally;
use super::world::World;
use super::{progress, verdicts};
use crate::suite::scenario::Ask;

/// How long the suite or one scenario may take.
const AT_MOST: Duration = Duration::from_secs(600);

/// Runs one thing to its end. Whatever comes in its way is part of the tally.
pub(super) async fn run(world: &World<'_>, faults: &mut Faults, what: &Only) -> Tally {
    let mut tally = Tally::default();
    let outcome = tokio::time::timeout(AT_MOST, play(world, faults, what, &mut tally)).await;
    tally.broken = match outcome {
        Ok(outcome) => outcome.err(),
        Err(_) => Some(format!(
            "it was not at its end after {} s",
            AT_MOST.as_secs()
        )),
    };
    if tally.broken.is_none() && tally.passed + tally.failed == 0 {
        tally.broken = Some("nothing was checked".to_owned());
    }
    if let Some(why) = &tally.broken {
        progress::detail(&format!("✗ {why}"));
    }
    tally
}

async fn play(
    world: &World<'_>,
    faults: &mut Faults,
    what: &Only,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut command = world.compose();
    command.args(["run", "--rm", "-T", "runner"]);
    let gateway = ["--gateway", service(world.gateway())];
    match what {
        Only::Suite(part) => {
            command
                .arg("suite")
                .args(gateway)
                .args(["--format", "json"]);
            if let Some(part) = part {
                command.args(["--only", part]);
            }
        }
        Only::Scenario(name) => {
            command.args(["scenario", name]).args(gateway);
        }
    }
    let said = line(&command);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut runner = command
        .spawn()
        .map_err(|error| format!("`{said}` could not be started: {error}"))?;
    let mut errors = runner.stderr.take();
    let errors = async {
        let mut text = Vec::new();
        if let Some(errors) = &mut errors {
            // What could be read of it is enough.
            let _ = errors.read_to_end(&mut text).await;
        }
        tail(&text)
    };
    let (outcome, errors) = match what {
        Only::Suite(_) => tokio::join!(suite(runner, tally), errors),
        Only::Scenario(_) => tokio::join!(scenario(runner, world, faults, tally), errors),
    };
    let status = outcome?;
    // 1 is for checks that failed, which the tally has.
    match status.code() {
        Some(0) => Ok(()),
        Some(1) if tally.failed > 0 => Ok(()),
        _ => Err(format!("the runner ended with {status}:\n{errors}")),
    }
}

/// Reads a scenario's events, and does what it asks for.
async fn scenario(
    mut runner: Child,
    world: &World<'_>,
    faults: &mut Faults,
    tally: &mut Tally,
) -> Result<ExitStatus, String> {
    let (Some(mut answers), Some(events)) = (runner.stdin.take(), runner.stdout.take()) else {
        return Err("the runner has no standard input and output".to_owned());
    };
    let mut events = BufReader::new(events).lines();
    let mut end = None;
    while let Some(line) = events.next_line().await.map_err(|e| e.to_string())? {
        match protocol::read(&line)? {
            Event::Step { text } => progress::detail(&text),
            Event::Ask { what } => {
                progress::detail(&format!("→ {what}"));
                let outcome = carry_out(world, faults, what).await;
                reply(&mut answers, outcome).await?;
            }
            Event::Passed { check } => {
                progress::detail(&format!("✓ {check}"));
                tally.passed += 1;
            }
            Event::Failed { check, detail } => {
                progress::detail(&format!("✗ {check}: {detail}"));
                tally.fail(&check, &detail);
            }
            Event::End { passed, failed } => end = Some((passed, failed)),
        }
    }
    let status = runner.wait().await.map_err(|e| e.to_string())?;
    match end {
        Some(end) if end == (tally.passed, tally.failed) => Ok(status),
        Some((passed, failed)) => Err(format!(
            "it says {passed} passed and {failed} failed, but told of {} and {}",
            tally.passed, tally.failed
        )),
        // Its exit code and last words say more, if it failed.
        None if !status.success() => Ok(status),
        None => Err("it ended without saying so".to_owned()),
    }
}

/// Reads the suite's report.
async fn suite(mut runner: Child, tally: &mut Tally) -> Result<ExitStatus, String> {
    let mut text = Vec::new();
    if let Some(mut out) = runner.stdout.take() {
        out.read_to_end(&mut text)
            .await
            .map_err(|e| e.to_string())?;
    }
    let status = runner.wait().await.map_err(|e| e.to_string())?;
    // With any other code there is no report, but a reason on the standard error.
    if matches!(status.code(), Some(0 | 1)) {
        verdicts::read(&text, tally)?;
    }
    Ok(status)
}

async fn reply(answers: &mut ChildStdin, outcome: Result<(), String>) -> Result<(), String> {
    let answer = protocol::answer(outcome.as_ref().copied().map_err(String::as_str));
    let lost = |error| format!("the runner takes no answer: {error}");
    answers.write_all(answer.as_bytes()).await.map_err(lost)?;
    answers.flush().await.map_err(lost)
}

/// Does what is asked for, and waits until it is so.
async fn carry_out(world: &World<'_>, faults: &mut Faults, ask: Ask) -> Result<(), String> {
    for arguments in faults.commands(ask)? {
        docker(world, &arguments).await?;
    }
    if ask == Ask::StartIssuer {
        issuer_healthy(world).await?;
    }
    Ok(())
}

/// Makes the world whole again after a scenario.
pub(super) async fn repair(world: &World<'_>, faults: &mut Faults) -> Result<(), String> {
    let repairs = faults.repairs();
    for arguments in &repairs {
        docker(world, arguments).await?;
    }
    if !repairs.is_empty() {
        issuer_healthy(world).await?;
    }
    Ok(())
}

async fn docker(world: &World<'_>, arguments: &[String]) -> Result<(), String> {
    let outcome = capture(world.docker([]).args(arguments)).await;
    outcome.map(|_| ()).map_err(|error| error.to_string())
}

async fn issuer_healthy(world: &World<'_>) -> Result<(), String> {
    let issuer = world.container("issuer").await;
    let issuer = issuer.map_err(|error| error.to_string())?;
    let healthy = world.healthy("issuer", &issuer).await;
    healthy.map_err(|error| error.to_string())
}
