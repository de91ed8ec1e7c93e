//! The story that `make demo` plays: CI jobs, honest and not, before a real Envoy with the gate in it.
//!
//! Every row of the story is checked, so it is a test as well: a row that differs is marked, and the story has failed.

mod curl;
mod paint;
mod policies;
mod pretty;
mod row;
mod scene;
mod stage;
mod story;
mod table;

use std::io::{self, Write};
use std::time::Instant;

use crate::{client, envoy};
use paint::Paint;
use row::Row;
use stage::Stage;

/// How the story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table that grows as the story goes on, a decision record and the totals.
    Table,
    /// The rows, as an array of JSON objects.
    Json,
}

/// Why the story could not be told to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port that could not be bound, or an output that could not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Envoy does not run.
    #[error(transparent)]
    Envoy(#[from] envoy::StartError),
    /// A request had no response.
    #[error("a request had no response: {0}")]
    Client(#[from] client::Error),
    /// A gate was waited for in vain.
    #[error("the gate {0:?} has no keys yet; the end of Envoy's log:\n{1}")]
    NoKeys(&'static str, String),
}

/// Plays the story; whether all of it came out as expected.
///
/// With `keep` it stays up afterwards and never comes back: the process is to be ended. What was started ends with it,
/// whatever ends it.
///
/// # Errors
///
/// If something could not be started, reached or written.
pub fn run(format: Format, keep: bool) -> Result<bool, Error> {
    let stage = Stage::start(|step| eprintln!("{} {step}", Paint::for_stderr().dim("…")))?;
    let mut out = io::stdout().lock();
    let started = Instant::now();
    let as_expected = match format {
        Format::Json => {
            let mut rows = Vec::new();
            story::play(&stage, |row| {
                rows.push(row);
                Ok(())
            })?;
            writeln!(out, "{:#}", serde_json::json!(rows))?;
            rows.iter().all(Row::as_expected)
        }
        Format::Table => {
            let paint = Paint::for_stdout();
            let mut rows = Vec::new();
            table::head(&mut out, paint)?;
            story::play(&stage, |row| {
                table::row(&mut out, paint, &row)?;
                rows.push(row);
                Ok(())
            })?;
            table::foot(&mut out, paint, &rows, started.elapsed())?;
            rows.iter().all(Row::as_expected)
        }
    };
    if keep {
        stage.issuer.heal();
        match format {
            Format::Table => curl::lines(&mut out, Paint::for_stdout(), &stage)?,
            // Standard output is for the rows alone.
            Format::Json => curl::lines(&mut io::stderr(), Paint::for_stderr(), &stage)?,
        }
        out.flush()?;
        loop {
            std::thread::park();
        }
    }
    Ok(as_expected)
}
