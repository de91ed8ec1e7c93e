//! The whole filter, `dist/jobgate.wasm`, through the in-process host, in both profiles: sequences of
//! configurations, requests, ticks, answers and faults. What must hold is in `jobgate_fuzz::gateway`.

#![no_main]

use jobgate_fuzz::gateway::{self, Plan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: gateway::check_harness(), |plan: Plan| gateway::run(&plan));
