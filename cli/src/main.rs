//! `jobgate`: the command for those who write policies.
//!
//! Each sub-command is a file in [`commands`] with its arguments and a `run`, which writes its results to
//! [`output::Output`] and ends with an [`exit::Exit`], or with a [`failure::Failure`] if it could not run.

mod args;
mod commands;
mod diagnostic;
mod difference;
mod evaluate;
mod exit;
mod explanation;
mod failure;
mod output;
mod policy_tests;
mod records;
mod source;
mod suggestion;

use args::{Args, Command};
use clap::Parser as _;
use exit::Exit;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Args { format, command } = Args::parse();
    let mut output = Output::new(format);
    let ended = match &command {
        Command::Check(args) => args.run(&mut output),
        Command::Explain(args) => args.run(&mut output),
        Command::Test(args) => args.run(&mut output),
        Command::Diff(args) => args.run(&mut output),
        Command::Suggest(args) => args.run(&mut output),
        Command::Schema(args) => args.run(&mut output),
        Command::Completions(args) => args.run(&mut output),
    };
    ended
        .unwrap_or_else(|failure| {
            failure.report();
            Exit::CouldNotRun
        })
        .into()
}
