//! The command line.

use crate::commands::{check, completions, schema};
use crate::output::Format;
use clap::{Parser, Subcommand};

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
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
}
