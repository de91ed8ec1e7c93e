//! Very many requests with ever new tokens, in simulated time: what the filter keeps of them must not grow.
//!
//! `make soak` sends a million (`REQUESTS=`), `make test` some twenty thousand through the same code. Whatever
//! their number, they come in two simulated hours, in which keys rotate, revocations change, and some of the
//! requests are garbage.

mod traffic;

use std::time::{Duration, Instant};

use jobgate_wasm_host::Profile;
use traffic::Traffic;

/// What `make test` sends.
const REQUESTS: u64 = 20_000;

/// How long the requests of a run take, in the gateway's time.
const SPAN: Duration = Duration::from_secs(2 * 3_600);

/// How often memory is looked at in a run.
const SAMPLES: u64 = 20;

/// After so many samples nothing grows any more.
const WARM: usize = 8;

/// But for this, however many requests come: two pages of WebAssembly. The largest document, token and
/// number of waiting requests meet in one moment only by chance, and the allocator gives nothing back.
const SLACK: usize = 2 * 64 * 1024;

/// Pitfall 19: memory that grows with every token or key.
#[test]
fn pitfall_19_memory_is_flat_however_many_tokens_come() {
    let requests = match std::env::var("REQUESTS") {
        Ok(number) => number.parse().expect("REQUESTS is a number"),
        Err(_) => REQUESTS,
    };
    for profile in [Profile::Envoy, Profile::Kong] {
        soak(profile, requests / 2);
    }
}

fn soak(profile: Profile, requests: u64) {
    let began = Instant::now();
    let mut traffic = Traffic::new(profile);
    let mut memory = Vec::new();
    let between = SPAN / u32::try_from(requests.max(1)).expect("that many would take days");
    for nth in 0..requests {
        traffic.send(nth);
        traffic.advance(between);
        if (nth + 1) % (requests / SAMPLES).max(1) == 0 {
            memory.push(traffic.memory());
        }
    }
    traffic.check_end();
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{profile:?}: {requests} requests in {seconds:.1} s, {:.0} a second; {}; KiB: {:?}",
        requests as f64 / seconds,
        traffic.tally(),
        memory.iter().map(|bytes| bytes / 1024).collect::<Vec<_>>(),
    );
    let warm = memory.get(WARM).copied().unwrap_or_default();
    let last = memory.last().copied().unwrap_or_default();
    assert!(
        last <= warm + SLACK,
        "it grew from {warm} to {last} bytes after warming up: {memory:?}"
    );
}
