//! The gate at work: a story of requests, each with what became of it.

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use jobgate_harness::demo::{self, Error};

/// Plays a story of CI jobs, honest and not, before a real Envoy with the gate in it.
///
/// Every request is checked. The exit code is 0 if all came out as expected, 1 if not, 2 if it could not be played.
#[derive(Parser)]
struct Args {
    /// Stay up after the story, and print curl lines to try.
    #[arg(long)]
    keep: bool,
    /// How to tell the story.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let format = match args.format {
        Format::Table => demo::Format::Table,
        Format::Json => demo::Format::Json,
    };
    match demo::run(format, args.keep) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        // Whoever read it has seen enough.
        Err(Error::Io(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::from(2)
        }
    }
}
