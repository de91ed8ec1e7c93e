//! The whole run.

use std::path::PathBuf;
use std::time::Instant;

use time::OffsetDateTime;

use super::engine::Engine;
use super::images::{self, Image};
use super::interrupt::unless_interrupted;
use super::only::{self, Only};
use super::report::{Missing, Report, Row, Tally};
use super::world::World;
use super::{Error, logs, progress, runner};
use crate::suite::Gateway;
use crate::suite::scenario;

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// On which gateways.
    pub gateways: Vec<Gateway>,
    /// Which of them may be missing.
    pub allow_missing: Vec<Gateway>,
    /// What; everything if it is empty.
    pub only: Vec<Only>,
    /// Whether the worlds stay up.
    pub keep: bool,
}

/// Runs it all. Everything is taken down again, also after Ctrl-C, but for worlds that are to be kept.
///
/// # Errors
///
/// If it could not be run. What fails is in the report.
pub async fn run(options: &Options) -> Result<Report, Error> {
    let tag = format!("{:08x}", rand::random::<u32>());
    let scenarios = scenario::ALL.map(|scenario| scenario.name);
    let chosen = only::choose(&options.only, &scenarios)?;
    let engine = unless_interrupted(async { Ok(Engine::find().await?) }).await?;
    let run = Run {
        options,
        engine: &engine,
        tag: &tag,
        chosen: &chosen,
        logs: logs_folder(),
    };
    let outcome = run.gateways().await;
    if !options.keep {
        images::untag(&engine, &tag).await;
    }
    outcome
}

struct Run<'a> {
    options: &'a Options,
    engine: &'a Engine,
    tag: &'a str,
    chosen: &'a [Only],
    logs: PathBuf,
}

impl Run<'_> {
    async fn gateways(&self) -> Result<Report, Error> {
        unless_interrupted(async { Ok(images::build(self.engine, Some(self.tag)).await?) }).await?;
        let mut report = Report::default();
        for gateway in &self.options.gateways {
            let image = images::of(self.engine, *gateway).await?;
            match unless_interrupted(async { Ok(images::find(self.engine, &image).await) }).await? {
                Image::Missing { why } => {
                    progress::heading(&format!("{gateway} is not run: there is no {image}"));
                    report.missing.push(Missing {
                        gateway: *gateway,
                        image,
                        why,
                        allowed: self.options.allow_missing.contains(gateway),
                    });
                }
                Image::Here { stand_in } => {
                    report.stand_ins.extend(stand_in.map(|what| (image, what)));
                    self.gateway(*gateway, &mut report).await?;
                }
            }
        }
        Ok(report)
    }

    /// Plays everything on one gateway. After a failure what follows gets a new world.
    async fn gateway(&self, gateway: Gateway, report: &mut Report) -> Result<(), Error> {
        let mut left = self.chosen;
        while !left.is_empty() {
            let mut world = World::new(self.engine, gateway, self.tag).await?;
            let before = report.rows.len();
            let played = unless_interrupted(self.world(&mut world, left, report)).await;
            let rows = &report.rows[before..];
            let failed = rows.iter().any(|row| !row.failures.is_empty());
            if failed || played.is_err() {
                progress::heading(&format!("{gateway}: gathering the logs"));
                // Without them it still goes down.
                match logs::gather(&world, &self.logs).await {
                    Ok(folder) => progress::detail(&format!("they are in {}", folder.display())),
                    Err(error) => progress::detail(&format!("they could not be written: {error}")),
                }
                report.logs = Some(self.logs.clone());
            }
            left = left.get(rows.len()..).unwrap_or_default();
            if self.options.keep && left.is_empty() {
                kept(&world);
            } else {
                progress::heading(&format!("{gateway}: taking the world down"));
                world.down().await?;
            }
            played?;
        }
        Ok(())
    }

    /// Plays in one world until something fails.
    async fn world(
        &self,
        world: &mut World<'_>,
        what: &[Only],
        report: &mut Report,
    ) -> Result<(), Error> {
        let gateway = world.gateway();
        progress::heading(&format!("{gateway}: bringing the world up"));
        let started = Instant::now();
        let mut faults = match world.up().await {
            Ok(faults) => faults,
            Err(error) => {
                // Nothing of what follows would fare better.
                let tally = Tally {
                    broken: Some(error.to_string()),
                    ..Tally::default()
                };
                let seconds = started.elapsed().as_secs_f64();
                for only in what {
                    let name = only.to_string();
                    report
                        .rows
                        .push(Row::new(gateway, name, tally.clone(), seconds));
                }
                return Ok(());
            }
        };
        for only in what {
            progress::heading(&format!("{gateway}: {only}"));
            let started = Instant::now();
            let mut tally = runner::run(world, &mut faults, only).await;
            if tally.broken.is_none() {
                tally.broken = runner::repair(world, &mut faults).await.err();
            }
            let passed = tally.all_passed();
            let seconds = started.elapsed().as_secs_f64();
            report
                .rows
                .push(Row::new(gateway, only.to_string(), tally, seconds));
            if !passed {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Where this run's logs go, if there is a reason to keep them.
fn logs_folder() -> PathBuf {
    let now = OffsetDateTime::now_utc();
    let (hour, minute, second) = now.to_hms();
    images::folder().join(format!("{}T{hour:02}{minute:02}{second:02}Z", now.date()))
}

fn kept(world: &World<'_>) {
    let gateway = world.gateway();
    let environment = world.environment().into_iter();
    let environment: Vec<_> = environment
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let compose = super::command::line(&world.compose());
    progress::heading(&format!("{gateway}: the world stays up"));
    progress::detail(&format!(
        "export {}\n{compose} ps\n{compose} run --rm runner suite --gateway {gateway}\n{compose} down --volumes",
        environment.join(" ")
    ));
}
