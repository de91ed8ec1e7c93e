//! Why there are no figures.

use std::io;
use std::path::PathBuf;

use crate::client;
use crate::envoy::{LocateError, StartError};

/// Why there are no figures, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A filter's module isn't there.
    #[error("there is no module at {}: run `make bench`, which builds it", .0.display())]
    NoModule(PathBuf),
    /// There is no Envoy.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// A variant's Envoy does not start.
    #[error("{variant}: {source}")]
    Start {
        /// Which.
        variant: &'static str,
        /// Why.
        source: StartError,
    },
    /// An Envoy does not answer.
    #[error("{variant}: {source}; was its Envoy ended by something else?")]
    Client {
        /// Which.
        variant: &'static str,
        /// Why.
        source: client::Error,
    },
    /// A file or a program.
    #[error("{what}: {source}")]
    Io {
        /// What was to be done, with the file's or the program's name.
        what: String,
        /// What came of it.
        source: io::Error,
    },
    /// There is no load generator.
    #[error(
        "there is no wrk: {0}; install it (on Debian and Ubuntu: apt-get update && apt-get install wrk), or put it on PATH"
    )]
    NoWrk(String),
    /// The load generator failed.
    #[error("{variant}: wrk failed ({status}): {told}")]
    Wrk {
        /// On which.
        variant: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it printed.
        told: String,
    },
    /// A variant answers something else than it must: its figures would mean nothing.
    #[error(
        "{variant}: a request with {what} was answered {got}, not {expected}; its configuration is made in test-harness/src/bench/filters.rs"
    )]
    Answer {
        /// Which.
        variant: &'static str,
        /// What was sent.
        what: String,
        /// What is right.
        expected: &'static str,
        /// The status.
        got: u16,
    },
    /// A measured request was not allowed, or not answered.
    #[error("{variant}: of {requests} measured requests {failed} were not answered with 200")]
    Failures {
        /// Which.
        variant: &'static str,
        /// How many there were.
        requests: u64,
        /// How many failed.
        failed: u64,
    },
    /// A cache holds, or does not hold, what it should.
    #[error("{variant}: {what}")]
    Cache {
        /// Which.
        variant: &'static str,
        /// What is wrong.
        what: String,
    },
    /// There is no such variant.
    #[error("no variant is called {name:?}; there are: {}", .known.join(", "))]
    NoVariant {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
}

impl Error {
    /// `what` says what was to be done.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            what: what.into(),
            source,
        }
    }
}
