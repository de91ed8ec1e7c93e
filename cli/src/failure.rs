//! Why a command could not do its work.

use crate::output::style;
use std::io;

/// A message for standard error, and the remedy where there is one.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    message: String,
    help: Option<String>,
    /// Whether there is someone to tell: not if the reader of the output has gone.
    silent: bool,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            silent: false,
        }
    }

    /// Says how to mend it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Writes it to standard error.
    pub(crate) fn report(&self) {
        if self.silent {
            return;
        }
        let style = style::ERROR;
        anstream::eprintln!("{style}error:{style:#} {}", self.message);
        if let Some(help) = &self.help {
            let style = style::HELP;
            anstream::eprintln!("{style}help:{style:#} {help}");
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        Self {
            silent,
            ..Self::new(format!("the output can't be written: {error}"))
        }
    }
}
