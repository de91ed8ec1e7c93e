//! `jobgate completions`

use crate::args::Args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io::Write as _;

/// Prints what completes the command in a shell.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  jobgate completions bash > ~/.local/share/bash-completion/completions/jobgate
  jobgate completions zsh > ~/.zfunc/_jobgate
  jobgate completions fish > ~/.config/fish/completions/jobgate.fish";

impl CompletionsArgs {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Exit, Failure> {
        // clap_complete panics where writing fails, so it writes to memory.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Args::command(), "jobgate", &mut script);
        output.write_all(&script)?;
        output.flush()?;
        Ok(Exit::Yes)
    }
}
