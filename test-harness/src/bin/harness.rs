//! What brings the world up in containers and plays everything there.

use std::io;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jobgate_harness::compose::{self, Error, Gateway, Only, Options, Report};

/// Plays the suite and the fault scenarios before real gateways in containers.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the world up for each gateway, play everything, and take it down.
    ///
    /// The exit code is 0 if all passed, 1 if something failed or a gateway is missing, 2 if it could not be run.
    Run(Run),
    /// Build the images, and a stand-in for Envoy's where no registry can be reached.
    Images(Gateways),
}

#[derive(Args)]
struct Gateways {
    /// On which gateway.
    #[arg(long, value_enum, default_value_t = Which::All)]
    gateway: Which,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    gateways: Gateways,
    /// Only this: `suite`, `suite/TEXT` for the cases with TEXT in their name, or a scenario's name.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Only>,
    /// Gateways that need not be there.
    #[arg(long, value_enum, value_delimiter = ',')]
    allow_missing: Vec<Gateway>,
    /// Leave the worlds up.
    #[arg(long)]
    keep: bool,
    /// How to report.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Kong,
    Envoy,
    All,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Images(gateways) => match compose::images(&gateways.all()).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        },
        Command::Run(run) => {
            let options = Options {
                gateways: run.gateways.all(),
                allow_missing: run.allow_missing,
                only: run.only,
                keep: run.keep,
            };
            match compose::run(&options).await {
                Ok(report) => told(&report, run.format),
                Err(error) => failed(&error),
            }
        }
    }
}

fn told(report: &Report, format: Format) -> ExitCode {
    let mut out = io::stdout().lock();
    let written = match format {
        Format::Table => report.table(&mut out),
        Format::Json => report.json(&mut out),
    };
    match written {
        Ok(()) if report.all_passed() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::from(1),
        Err(error) => failed(&error.into()),
    }
}

fn failed(error: &Error) -> ExitCode {
    eprintln!("harness: {error}");
    ExitCode::from(match error {
        // As a shell has it for Ctrl-C.
        Error::Interrupted => 130,
        _ => 2,
    })
}

impl Gateways {
    fn all(&self) -> Vec<Gateway> {
        match self.gateway {
            Which::Kong => vec![Gateway::Kong],
            Which::Envoy => vec![Gateway::Envoy],
            Which::All => Gateway::ALL.to_vec(),
        }
    }
}
