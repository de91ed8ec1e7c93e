//! What the exit code tells scripts.

use std::process::ExitCode;

/// How a command ended. [`clap`] itself ends with 2 for a wrong usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// The answer is yes: nothing is wrong, or the request is allowed.
    Yes,
    /// The answer is no: there are findings, the request is denied, a test failed.
    No,
    /// There is no answer: a file can't be read, or holds no policy.
    CouldNotRun,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Yes => 0,
            Exit::No => 1,
            Exit::CouldNotRun => 3,
        })
    }
}
