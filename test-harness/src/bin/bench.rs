//! The gate and Envoy's own filters, side by side.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use jobgate_harness::bench::{self, Options};

/// Measures what the gate costs beside what Envoy's own filters cost, on real Envoys that take turns under load.
///
/// Needs Linux, the Envoy of `make setup`, dist/jobgate.wasm and the empty filter, all of which `make bench` sees to. wrk
/// is taken from PATH, or fetched from Debian's archive into target/tools. The figures are left in
/// target/bench/summary.json. The exit code is 0 if there are figures, 1 with --check if a limit does not hold, 2 if it
/// could not be measured.
#[derive(Parser)]
struct Args {
    /// How many rounds [default: 7, quick 5].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Seconds of load for each variant in each round [default: 4, quick 2].
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// Connections to keep open and busy.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Be done within five minutes.
    #[arg(long)]
    quick: bool,
    /// Only these variants, and what they are compared with; a wrong name shows all.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The gate's module [default: dist/jobgate.wasm].
    #[arg(long)]
    wasm: Option<PathBuf>,
    /// How to print the figures.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Exit with 1 if a limit does not hold.
    #[arg(long)]
    check: bool,
    /// Write the table and the chart into docs/benchmarks: of a whole run only.
    #[arg(long, conflicts_with_all = ["quick", "only"])]
    update_docs: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let (rounds, seconds, warm_up) = if args.quick { (5, 2, 3) } else { (7, 4, 10) };
    let options = Options {
        rounds: args.rounds.map_or(rounds, usize::from),
        seconds: args.seconds.unwrap_or(seconds),
        warm_up,
        connections: args.connections,
        quick: args.quick,
        only: args.only,
        wasm: args
            .wasm
            .unwrap_or_else(|| jobgate_harness::repository().join("dist/jobgate.wasm")),
    };
    let summary = match bench::run(&options) {
        Ok(summary) => summary,
        Err(error) => return failed(&error),
    };
    if args.update_docs
        && let Err(error) = bench::publish(&summary)
    {
        return failed(&error);
    }
    let mut out = io::stdout().lock();
    let printed = match args.format {
        Format::Table => bench::print(&mut out, &summary),
        Format::Json => io::Write::write_all(&mut out, (bench::json(&summary) + "\n").as_bytes()),
    };
    match printed {
        // Whoever read it has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => failed(&error),
        _ if args.check && !summary.holds() => ExitCode::from(1),
        _ => ExitCode::SUCCESS,
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("bench: {error}");
    ExitCode::from(2)
}
