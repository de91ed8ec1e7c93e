//! What the core's parts cost, natively: `cargo bench -p jobgate-harness --bench core`.
//!
//! The filter runs as WebAssembly, so only the ratios count. A name behind it picks benchmarks:
//! `cargo bench -p jobgate-harness --bench core -- judge/warm`.

mod judging;
mod parts;
mod rules;

use criterion::Criterion;
use std::time::Duration;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
        .configure_from_args();
    parts::bench(&mut criterion);
    judging::bench(&mut criterion);
    rules::bench(&mut criterion);
    criterion.final_summary();
}
