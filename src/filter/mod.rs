//! The shell: the only code that talks to the proxy.
//!
//! It calls `proxy_wasm::hostcalls`, which return the statuses that hosts were seen to give as results, and panic
//! on the rest; the SDK's trait helpers unwrap them all, and a panic takes the whole VM. What it must never do:
//! return false from `on_configure` (Kong then opens every route), pause a request before it is decided where
//! the host would let it through when anything goes wrong (Kong), fetch or touch shared data that may not be
//! there in `on_configure` (that traps on Kong).

mod exchange;
mod fetch;
mod host;
mod lines;
mod metrics;
mod request;
mod root;
mod session;
mod shared;
mod vm;
mod waiting;

use proxy_wasm::traits::RootContext;
use proxy_wasm::types::LogLevel;

// The SDK's macro exports the entry point, which takes an unmangled symbol.
#[allow(unsafe_code, missing_docs)]
mod entry {
    use super::{LogLevel, RootContext, root::Root};

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(|context| -> Box<dyn RootContext> { Box::new(Root::new(context)) });
    }}
}
