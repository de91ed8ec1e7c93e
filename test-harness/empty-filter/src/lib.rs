//! A proxy-wasm filter that does nothing, made with the same SDK as the gate: what Wasm itself costs.
#![cfg(target_family = "wasm")]

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

// The SDK's macro exports the entry point, which takes an unmangled symbol.
#[allow(unsafe_code, missing_docs)]
mod entry {
    use super::{Empty, RootContext};

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Empty) });
    }}
}

/// Both the filter and its requests.
struct Empty;

impl Context for Empty {}

impl HttpContext for Empty {}

impl RootContext for Empty {
    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Empty))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
