//! The command line.

use crate::commands::{check, completions, diff, explain, schema, suggest, test};
use crate::output::Format;
use crate::source::STDIN;
use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};
use std::path::Path;

/// Writes, checks and explains Jobgate policies, on the core that the gateway's filter decides with.
#[derive(Debug, Parser)]
#[command(
    name = "jobgate",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_long_help = EXIT_CODES
)]
pub(crate) struct Args {
    /// How results are written
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) format: Format,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Ends the command as clap does when it is used wrongly, for what clap can't tell.
pub(crate) fn misuse(message: impl std::fmt::Display) -> ! {
    Args::command()
        .error(ErrorKind::ValueValidation, message)
        .exit()
}

/// Ends the command if more than one of these files is standard input, which can be read only once.
pub(crate) fn check_stdin<'a>(files: impl IntoIterator<Item = &'a Path>) {
    let from_stdin = files.into_iter().filter(|file| file.as_os_str() == STDIN);
    if from_stdin.count() > 1 {
        misuse(
            "standard input is given for several things; give one of them as -, and the others as files",
        );
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0  yes: nothing is wrong, or the request is allowed
  1  no: there are findings, or the request is denied
  2  the command line is wrong
  3  the command could not run: a file can't be read, or holds no policy";

/// One variant and one file in `commands/` for each sub-command.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::CheckArgs),
    Explain(Box<explain::ExplainArgs>),
    Test(test::TestArgs),
    Diff(diff::DiffArgs),
    Suggest(suggest::SuggestArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
}
