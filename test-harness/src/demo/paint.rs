//! Colours, where somebody sees them.

use std::env;
use std::io::{self, IsTerminal};

/// Paints text, or leaves it as it is: in a pipe, and where `NO_COLOR` is set (<https://no-color.org>).
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

impl Paint {
    pub(super) fn for_stdout() -> Self {
        Self::wanted(io::stdout().is_terminal())
    }

    pub(super) fn for_stderr() -> Self {
        Self::wanted(io::stderr().is_terminal())
    }

    fn wanted(terminal: bool) -> Self {
        Self(terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
