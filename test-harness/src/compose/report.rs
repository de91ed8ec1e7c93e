//! What came of it all.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use super::gateway::{image_variable, service};
use crate::suite::Gateway;

/// What one run of the runner came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) skipped: u32,
    /// What failed, and why.
    pub(super) failures: Vec<String>,
    /// What was skipped, and why.
    pub(super) skips: Vec<String>,
    /// Why it did not come to its end.
    pub(super) broken: Option<String>,
}

impl Tally {
    pub(super) fn fail(&mut self, check: &str, detail: &str) {
        self.failed += 1;
        self.failures.push(format!("{check}: {detail}"));
    }

    pub(super) fn skip(&mut self, check: &str, why: &str) {
        self.skipped += 1;
        self.skips.push(format!("{check}: {why}"));
    }

    pub(super) fn all_passed(&self) -> bool {
        self.failed == 0 && self.broken.is_none()
    }
}

/// How one row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every check passed.
    Passed,
    /// A check failed.
    Failed,
    /// It did not come to its end.
    Broken,
}

/// The suite or a scenario on a gateway.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The gateway.
    pub gateway: Gateway,
    /// `suite`, or the scenario's name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How many checks passed.
    pub passed: u32,
    /// How many failed.
    pub failed: u32,
    /// How many can't be made on this gateway.
    pub skipped: u32,
    /// How long it took.
    pub seconds: f64,
    /// What failed, and why; the last is why it did not come to its end.
    pub failures: Vec<String>,
    /// What was skipped, and why.
    pub skips: Vec<String>,
}

impl Row {
    pub(super) fn new(gateway: Gateway, name: String, tally: Tally, seconds: f64) -> Self {
        let outcome = match &tally.broken {
            Some(_) => Outcome::Broken,
            None if tally.failed > 0 => Outcome::Failed,
            None => Outcome::Passed,
        };
        Self {
            gateway,
            name,
            outcome,
            passed: tally.passed,
            failed: tally.failed,
            skipped: tally.skipped,
            seconds,
            skips: tally.skips,
            failures: tally.failures.into_iter().chain(tally.broken).collect(),
        }
    }
}

/// A gateway that was not run, since its image isn't to be had.
#[derive(Clone, Debug, Serialize)]
pub struct Missing {
    /// The gateway.
    pub gateway: Gateway,
    /// Its image.
    pub image: String,
    /// What the engine said.
    pub why: String,
    /// Whether that was allowed for.
    pub allowed: bool,
}

/// Everything.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// What was run.
    pub rows: Vec<Row>,
    /// What was not.
    pub missing: Vec<Missing>,
    /// Stand-ins that were run in place of the real images: the image, and what it is.
    pub stand_ins: Vec<(String, String)>,
    /// Where the logs are, if something failed.
    pub logs: Option<PathBuf>,
}

impl Report {
    /// Whether all that was run passed, and all that was not may be missing.
    pub fn all_passed(&self) -> bool {
        self.rows.iter().all(|row| row.outcome == Outcome::Passed)
            && self.missing.iter().all(|missing| missing.allowed)
    }

    /// As JSON.
    ///
    /// # Errors
    ///
    /// If it can't be written.
    pub fn json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    /// As a table, with what failed below it.
    ///
    /// # Errors
    ///
    /// If it can't be written.
    pub fn table(&self, out: &mut impl Write) -> io::Result<()> {
        let width = self.rows.iter().map(|row| row.name.len()).max();
        let width = width.unwrap_or(0).max("what".len());
        writeln!(
            out,
            "\n  gateway  {:width$}  passed  failed  skipped    time",
            "what"
        )?;
        for row in &self.rows {
            let (mark, broken) = match row.outcome {
                Outcome::Passed => ('✓', ""),
                Outcome::Failed => ('✗', ""),
                Outcome::Broken => ('✗', "  did not come to its end"),
            };
            writeln!(
                out,
                "{mark} {:7}  {:width$}  {:>6}  {:>6}  {:>7}  {:>4.0} s{broken}",
                service(row.gateway),
                row.name,
                row.passed,
                row.failed,
                row.skipped,
                row.seconds
            )?;
        }
        for missing in &self.missing {
            let mark = if missing.allowed { '-' } else { '✗' };
            writeln!(out, "{mark} {:7}  not run", service(missing.gateway))?;
        }
        writeln!(out)?;
        for row in self.rows.iter().filter(|row| !row.skips.is_empty()) {
            writeln!(out, "{} {}, skipped:", row.gateway, row.name)?;
            for skipped in &row.skips {
                writeln!(out, "  {skipped}")?;
            }
        }
        for row in self.rows.iter().filter(|row| !row.failures.is_empty()) {
            writeln!(out, "{} {}, failed:", row.gateway, row.name)?;
            for line in row.failures.iter().flat_map(|failure| failure.lines()) {
                writeln!(out, "  {line}")?;
            }
        }
        for (image, what) in &self.stand_ins {
            writeln!(out, "{image} is a stand-in: {what}.")?;
        }
        for missing in &self.missing {
            missing.table(out)?;
        }
        match &self.logs {
            Some(logs) => writeln!(out, "The logs of all containers are in {}.", logs.display()),
            None => Ok(()),
        }
    }
}

impl Missing {
    fn table(&self, out: &mut impl Write) -> io::Result<()> {
        let Self {
            gateway,
            image,
            why,
            allowed,
        } = self;
        writeln!(
            out,
            "{gateway} was not run: {image} is not here and could not be pulled: {why}"
        )?;
        if *allowed {
            return Ok(());
        }
        let variable = image_variable(*gateway);
        match gateway {
            Gateway::Kong => writeln!(
                out,
                "  Pull or load it, or set {variable} to an image that is here."
            )?,
            Gateway::Envoy => writeln!(
                out,
                "  Pull or load it, set {variable} to an image that is here, or have `make harness-images` make a stand-in."
            )?,
        }
        writeln!(out, "  To do without: ALLOW_MISSING={gateway}.")
    }
}

#[cfg(test)]
mod tests;
