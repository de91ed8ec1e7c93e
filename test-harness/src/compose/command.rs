//! Commands on the host.

use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::process::Command;

/// How much of what a failed command says goes into its error.
const TAIL_LINES: usize = 20;

/// Why a command came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It isn't there, as a rule.
    #[error("`{line}` could not be started: {source}")]
    Start {
        /// The command with its arguments.
        line: String,
        /// What came of it.
        source: io::Error,
    },
    /// It failed.
    #[error("`{line}` failed ({status}):\n{stderr}")]
    Failed {
        /// The command with its arguments.
        line: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines that it wrote to its standard error.
        stderr: String,
    },
}

impl CommandError {
    /// What the command said, in one line.
    pub fn said(&self) -> &str {
        match self {
            Self::Start { .. } => "it could not be started",
            Self::Failed { stderr, .. } => stderr.lines().last().unwrap_or("it said nothing"),
        }
    }
}

/// A command that is killed when nobody waits for it any more, and that a terminal's Ctrl-C does not reach: what
/// becomes of it is for us to say.
pub(super) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .process_group(0);
    command
}

/// The command with its arguments, as one would type it.
pub(super) fn line(command: &Command) -> String {
    let command = command.as_std();
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs a command to its end: what it wrote to its standard output, without white space around it.
pub(super) async fn capture(command: &mut Command) -> Result<String, CommandError> {
    let line = line(command);
    let output = match command.output().await {
        Ok(output) => output,
        Err(source) => return Err(CommandError::Start { line, source }),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(CommandError::Failed {
        line,
        status: output.status,
        stderr: tail(&output.stderr),
    })
}

/// The last lines of a text that isn't empty.
pub(super) fn tail(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
