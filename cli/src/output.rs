//! Standard output in the three formats.

use clap::ValueEnum;
use serde::Serialize;
use std::io::{self, Write};

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people: in colours if it goes to a terminal and NO_COLOR is not set
    #[default]
    Human,
    /// For grep and diff: one line for each thing, no colours
    Plain,
    /// For programs: one JSON document
    Json,
}

/// Where a command writes its results. It is a [`Write`], from which colours are taken where they don't belong.
pub(crate) struct Output {
    pub(crate) format: Format,
    stream: anstream::AutoStream<io::StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        let stdout = io::stdout().lock();
        let stream = match format {
            Format::Human => anstream::AutoStream::auto(stdout),
            Format::Plain | Format::Json => anstream::AutoStream::never(stdout),
        };
        Self { format, stream }
    }

    /// Writes the one document of [`Format::Json`].
    pub(crate) fn json(&mut self, document: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *self, document)?;
        self.write_all(b"\n")
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The colours of human output: `let good = style::GOOD; write!(out, "{good}yes{good:#}")`.
pub(crate) mod style {
    use anstyle::{AnsiColor, Style};

    /// What is right.
    pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
    /// What is wrong.
    pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
    /// What may be wrong.
    pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
    /// How to mend it.
    pub(crate) const HELP: Style = AnsiColor::Cyan.on_default().bold();
}
