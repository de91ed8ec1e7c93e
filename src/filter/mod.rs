//! The shell: the only code that talks to the proxy.
//!
//! It calls `proxy_wasm::hostcalls`, which return most statuses as results (the SDK panics on the rest, which
//! neither host gives for these calls); the SDK's trait helpers unwrap them all, and a panic takes the whole VM. What it must never do: return false from `on_configure` (Kong then opens every
//! route), pause a request before it is decided (Kong lets paused requests through when anything goes
//! wrong), fetch in `on_configure` (that traps on Kong).

mod fetch;
mod host;
mod request;
mod root;

use proxy_wasm::traits::RootContext;
use proxy_wasm::types::LogLevel;

// The SDK's macro exports the entry point, which takes an unmangled symbol.
#[allow(unsafe_code, missing_docs)]
mod entry {
    use super::{LogLevel, RootContext, root::Root};

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root::default()) });
    }}
}
