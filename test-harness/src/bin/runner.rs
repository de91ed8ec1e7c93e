//! What plays the tests against gateways that run elsewhere.

use std::fmt::Display;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jobgate_harness::suite::{self, Topology, healthy};

/// Plays the gate's tests against a Kong and an Envoy that run elsewhere.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the gateways' configurations and all certificates into a folder.
    ///
    /// The exit code is 0 if it is done and 2 if not.
    Prepare {
        #[command(flatten)]
        topology: Topology,
    },
    /// Tell by the exit code whether a server is up: 0 if it is, 1 if not.
    #[command(group = clap::ArgGroup::new("server").required(true))]
    Healthy {
        /// An http:// address, which must answer a GET with 2xx.
        #[arg(group = "server")]
        url: Option<String>,
        /// A HOST:PORT that must take connections.
        #[arg(long, value_name = "HOST:PORT", group = "server")]
        tcp: Option<String>,
    },
}

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Prepare { topology } => ended(suite::prepare(&topology), 2),
        Command::Healthy { url, tcp } => {
            let url = url.map_or(Ok(()), |url| healthy::http(&url));
            ended(url.and(tcp.map_or(Ok(()), |tcp| healthy::tcp(&tcp))), 1)
        }
    }
}

fn ended(result: Result<(), impl Display>, otherwise: u8) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("runner: {error}");
            ExitCode::from(otherwise)
        }
    }
}
