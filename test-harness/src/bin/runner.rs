//! What plays the tests against gateways that run elsewhere.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use jobgate_harness::suite::{self, Gateway, Topology, healthy, scenario};

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
    /// Play all shared cases, and some checks beside them, against a gateway that was just started.
    ///
    /// The exit code is 0 if all passed, 1 if not, and 2 if they could not be played.
    Suite {
        /// Against which gateway.
        #[arg(long, value_enum)]
        gateway: Gateway,
        /// How to report.
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
        /// Only what has this in its name.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
        #[command(flatten)]
        topology: Topology,
    },
    /// Play a story in which something breaks. What it says and asks for are lines of JSON.
    ///
    /// On standard output: {"event":"step","text":"..."}, {"event":"ask","what":"stop_issuer"}, {"event":"passed","check":"..."},
    /// {"event":"failed","check":"...","detail":"..."}, and at last {"event":"end","passed":2,"failed":0}. An ask must be
    /// carried out, and answered on standard input by {"done":true} or {"failed":"why"}.
    ///
    /// The exit code is 0 if all checks passed, 1 if not, and 2 if it could not be played to its end.
    Scenario {
        /// Which one; `runner list` has them.
        name: String,
        /// On which gateway.
        #[arg(long, value_enum)]
        gateway: Gateway,
        #[command(flatten)]
        topology: Topology,
    },
    /// List the scenarios, what they are about, and what they ask for.
    List,
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

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people: counts, and all that was skipped or failed.
    Table,
    /// For programs: every case.
    Json,
}

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Prepare { topology } => ended(suite::prepare(&topology), 2),
        Command::Suite {
            gateway,
            format,
            only,
            topology,
        } => match suite::play(gateway, &topology, only.as_deref()) {
            Ok(report) => {
                let text = match format {
                    Format::Table => report.to_string(),
                    Format::Json => report.json().to_string(),
                };
                // Whoever reads no further has seen enough.
                let _ = writeln!(io::stdout(), "{text}");
                match report.counts().failed {
                    0 => ExitCode::SUCCESS,
                    _ => ExitCode::from(1),
                }
            }
            Err(error) => ended(Err(error), 2),
        },
        Command::Scenario {
            name,
            gateway,
            topology,
        } => {
            let (mut answers, mut events) = (io::stdin().lock(), io::stdout());
            match scenario::play(&name, gateway, &topology, &mut answers, &mut events) {
                Ok(counts) if counts.failed == 0 => ExitCode::SUCCESS,
                Ok(_) => ExitCode::from(1),
                Err(error) => ended(Err(error), 2),
            }
        }
        Command::List => {
            for scenario in scenario::ALL {
                let asks = |gateway| -> Vec<_> {
                    (scenario.asks)(gateway)
                        .iter()
                        .map(ToString::to_string)
                        .collect()
                };
                let (kong, envoy) = (asks(Gateway::Kong), asks(Gateway::Envoy));
                let note = match (kong.is_empty(), kong == envoy) {
                    (true, true) => String::new(),
                    (false, true) => format!(" (asks for {})", kong.join(", ")),
                    (_, false) => format!(" (asks for {} on Kong)", kong.join(", ")),
                };
                let _ = writeln!(
                    io::stdout(),
                    "{:<25}{}{note}",
                    scenario.name,
                    scenario.about
                );
            }
            ExitCode::SUCCESS
        }
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
