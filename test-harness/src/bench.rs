//! The gate and Envoy's own filters, side by side in one run: what `make bench` does.
//!
//! Each variant is an Envoy of its own with one worker, all of them up at once. They take turns under the same load, in
//! rounds, so that whatever else the machine does falls on all of them; a ratio is taken within each round. What counts
//! is the CPU time of Envoy's process for a request: it tells what a filter costs where the network is not the limit.

mod arena;
mod cache;
mod capabilities;
mod chart;
mod checks;
mod error;
mod filters;
mod job;
mod machine;
mod page;
mod process;
mod statistics;
mod summary;
mod table;
mod tokens;
mod variant;
mod wrk;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use crate::envoy::EnvoyBinary;
use arena::{Arena, Sample};
pub use error::Error;
use filters::Modules;
pub use machine::Machine;
pub use summary::{Figures, Limit, Summary};
use tokens::{Pool, Tokens};
use variant::Variant;
use wrk::Wrk;

/// How to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many rounds.
    pub rounds: usize,
    /// How long each variant is under load in a round, in seconds: wrk knows no parts of them.
    pub seconds: u64,
    /// How long before the first round.
    pub warm_up: u64,
    /// Connections, all of them kept open.
    pub connections: u32,
    /// Whether this is the short run.
    pub quick: bool,
    /// The variants to compare, by id; all if there are none.
    pub only: Vec<String>,
    /// The gate's module.
    pub wasm: PathBuf,
}

/// Measures.
///
/// What happens is told on the standard error; the figures are also left in `target/bench/summary.json`.
///
/// # Errors
///
/// If something needed isn't there, or a variant does not answer as it must: then there are no figures.
pub fn run(options: &Options) -> Result<Summary, Error> {
    say("looking for what is needed");
    let folder = crate::repository().join("target/bench");
    make_folder(&folder)?;
    let variants = variant::chosen(&options.only)?;
    let binary = EnvoyBinary::locate()?;
    let modules = Modules {
        jobgate: options.wasm.clone(),
        empty: crate::repository().join("target/wasm32-wasip1/release/jobgate_empty_filter.wasm"),
    };
    for module in [&modules.jobgate, &modules.empty] {
        if !module.is_file() {
            return Err(Error::NoModule(module.clone()));
        }
    }
    let (envoy_on, wrk_on) = match process::processors().as_slice() {
        [first, second, ..] if process::can_pin() => (Some(*first), Some(*second)),
        _ => (None, None),
    };
    let mut wrk = Wrk::ready(&folder, say)?;
    wrk.processor = wrk_on;
    wrk.connections = options.connections;

    let pools = pools(&variants, &folder)?;
    let mut arenas = start(&variants, &pools, &binary, &modules, envoy_on)?;
    for arena in &mut arenas {
        checks::answers(arena)?;
    }
    say("every variant refuses what it must; warming up");
    for arena in &mut arenas {
        arena.warm_up(&wrk, options.warm_up)?;
        checks::native_cache(arena)?;
    }
    let samples = play(&mut arenas, &wrk, options)?;
    for arena in &arenas {
        checks::native_cache(arena)?;
    }

    let figures = arenas
        .iter()
        .zip(&samples)
        .map(|(arena, samples)| Figures::new(arena, samples));
    let run = summary::Run {
        seconds: options.seconds,
        connections: options.connections,
        cold_tokens: tokens::COLD,
        quick: options.quick,
        machine: Machine::look(&binary, &options.wasm, envoy_on.is_some()),
    };
    let summary = Summary::new(run, figures.collect());
    let file = folder.join("summary.json");
    write(&file, &(json(&summary) + "\n"))?;
    say(&format!("all figures are in {}", shown(&file)));
    Ok(summary)
}

/// The tokens of each pool that the variants are sent.
fn pools(variants: &[&'static Variant], folder: &Path) -> Result<Vec<(Pool, Arc<Tokens>)>, Error> {
    let mut pools: Vec<(Pool, Arc<Tokens>)> = Vec::new();
    for variant in variants {
        if pools.iter().all(|(pool, _)| *pool != variant.pool) {
            let tokens = variant.pool.tokens(folder, say)?;
            pools.push((variant.pool, Arc::new(tokens)));
        }
    }
    // The cache looks at whole tokens and does not care how they were signed: one pool of each kind is enough.
    let warm = pools.iter().find(|(pool, _)| matches!(pool, Pool::Warm(_)));
    let cold = pools
        .iter()
        .rfind(|(pool, _)| matches!(pool, Pool::Cold(_)));
    for (pool, tokens) in warm.into_iter().chain(cold) {
        cache::check(*pool, tokens)?;
    }
    Ok(pools)
}

/// Starts all Envoys, at once: most of the time goes into compiling their modules.
fn start(
    variants: &[&'static Variant],
    pools: &[(Pool, Arc<Tokens>)],
    binary: &EnvoyBinary,
    modules: &Modules,
    processor: Option<usize>,
) -> Result<Vec<Arena>, Error> {
    say(&format!("starting {} Envoys", variants.len()));
    let start = |variant: &'static Variant| {
        let tokens = pools.iter().find(|(pool, _)| *pool == variant.pool);
        let tokens = tokens.map(|(_, tokens)| Arc::clone(tokens));
        Arena::start(
            variant,
            binary,
            modules,
            tokens.unwrap_or_default(),
            processor,
        )
    };
    thread::scope(|scope| {
        let starting: Vec<_> = variants
            .iter()
            .map(|variant| scope.spawn(|| start(variant)))
            .collect();
        let started = starting.into_iter().map(|thread| thread.join());
        started
            .map(|arena| arena.expect("starting an Envoy does not panic"))
            .collect()
    })
}

/// The rounds: every variant in each of them, each time beginning with another and every other time backwards, so that
/// none is always the first or after the same one.
fn play(arenas: &mut [Arena], wrk: &Wrk, options: &Options) -> Result<Vec<Vec<Sample>>, Error> {
    let mut samples = vec![Vec::with_capacity(options.rounds); arenas.len()];
    for round in 0..options.rounds {
        for nth in order(round, arenas.len()) {
            let sample = arenas[nth].measure(wrk, options.seconds)?;
            samples[nth].push(sample);
        }
        let cpu = |id: &str| {
            let nth = arenas.iter().position(|arena| arena.variant.id == id)?;
            samples[nth].last().map(|sample: &Sample| sample.cpu_micros)
        };
        let told = [
            "none",
            "native-warm",
            "jobgate-warm",
            "native-cold",
            "jobgate-cold-host",
        ]
        .into_iter()
        .filter_map(|id| Some(format!("{id} {:.1}", cpu(id)?)));
        let told = told.collect::<Vec<_>>().join(", ");
        say(&format!(
            "round {} of {}: µs of {told}",
            round + 1,
            options.rounds
        ));
    }
    Ok(samples)
}

fn order(round: usize, count: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..count).collect();
    order.rotate_left(round * 4 % count.max(1));
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

/// Writes the table for people.
///
/// # Errors
///
/// If nobody reads it.
pub fn print(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    table::plain(out, summary)
}

/// The summary as a document.
pub fn json(summary: &Summary) -> String {
    serde_json::to_string_pretty(summary).unwrap_or_default()
}

/// Writes the run's table and chart into `docs/benchmarks`.
///
/// # Errors
///
/// If the files can't be written.
pub fn publish(summary: &Summary) -> Result<(), Error> {
    let folder = crate::repository().join("docs/benchmarks");
    make_folder(&folder)?;
    write(&folder.join("cpu.svg"), &chart::svg(summary))?;
    let file = folder.join("README.md");
    let text = fs::read_to_string(&file).map_err(Error::io(format!("reading {}", shown(&file))))?;
    write(&file, &page::with_figures(&text, summary))?;
    say(&format!(
        "the table and the chart are in {}",
        shown(&folder)
    ));
    Ok(())
}

fn make_folder(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io(format!("making {}", shown(folder))))
}

fn write(file: &Path, text: &str) -> Result<(), Error> {
    fs::write(file, text).map_err(Error::io(format!("writing {}", shown(file))))
}

/// A path as the reader sees it from the repository's root.
fn shown(path: &Path) -> String {
    let path = path.strip_prefix(crate::repository()).unwrap_or(path);
    path.display().to_string()
}

/// Says what happens, for people, and how long after the first thing that was said.
fn say(what: &str) {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let seconds = FIRST.get_or_init(Instant::now).elapsed().as_secs();
    // That nobody listens is no reason to stop.
    let _ = writeln!(
        io::stderr(),
        "    {:>2}:{:02}  {what}",
        seconds / 60,
        seconds % 60
    );
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn every_round_has_every_variant_once() {
        for round in 0..40 {
            let mut order = order(round, 15);
            order.sort_unstable();
            assert_eq!(order, (0..15).collect::<Vec<_>>());
        }
        assert_ne!(order(0, 15)[0], order(1, 15)[0]);
        assert!(order(3, 0).is_empty());
    }
}
