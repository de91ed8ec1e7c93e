//! A proxy-wasm filter that decides nothing, made with the same SDK as the gate: what Wasm itself costs.
//!
//! With an empty configuration it does nothing. With any other it asks of the host what the gate asks of it for a token
//! that it knows, and does nothing else: what is left between the two is what deciding costs.
#![cfg(target_family = "wasm")]

mod filter;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, MapType, MetricType, Status};

// The SDK's macro exports the entry point, which takes an unmangled symbol.
#[allow(unsafe_code, missing_docs)]
mod entry {
    use super::{Root, RootContext};

    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(Root { counter: None }) });
    }}
}

/// What the gate tells the upstream of a Buildkite job, with values of the same lengths.
const HEADERS: [(&str, &str); 14] = [
    ("x-jobgate-decision", "allow"),
    (
        "x-jobgate-decision-id",
        "01a200e0-c008-7001-b957-e31d29bfa1b8",
    ),
    (
        "x-jobgate-policy",
        "sha256:5bfd8724fe03bdbaa393a793dc1a1050ed7a6260da4e7effddf96a11aad5852a",
    ),
    ("x-jobgate-rule", "deploy-production"),
    ("x-jobgate-issuer", "https://agent.buildkite.com"),
    (
        "x-jobgate-subject",
        "organization:acme:pipeline:deploy-web:ref:refs/heads/main:commit:9f31820:step:deploy",
    ),
    ("x-jobgate-organization", "acme"),
    ("x-jobgate-pipeline", "deploy-web"),
    ("x-jobgate-build", "1234"),
    ("x-jobgate-branch", "main"),
    (
        "x-jobgate-commit",
        "9f3182061f1e2cca4702c368cbc039b7dc9d4485",
    ),
    ("x-jobgate-job", "018bf4a6-1b0e-4a3a-9a0e-4c5a4f9d5e13"),
    ("x-jobgate-step", "deploy"),
    ("x-jobgate-agent", "018bf4a6-1b0e-4a3a-9a0e-4c5a4f9d5e14"),
];

struct Root {
    /// Its id, if the host is to be asked.
    counter: Option<u32>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        if size > 0 {
            self.counter = hostcalls::define_metric(MetricType::Counter, "asked").ok();
        }
        true
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Request {
            counter: self.counter,
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Request {
    counter: Option<u32>,
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        match self.counter.map(ask) {
            Some(Err(_)) => Action::Pause,
            Some(Ok(())) | None => Action::Continue,
        }
    }
}

fn ask(counter: u32) -> Result<(), Status> {
    const REQUEST: MapType = MapType::HttpRequestHeaders;
    hostcalls::get_current_time()?;
    filter::headers()?;
    for (name, value) in HEADERS {
        hostcalls::add_map_value(REQUEST, name, value)?;
    }
    hostcalls::remove_map_value(REQUEST, "authorization")?;
    hostcalls::increment_metric(counter, 1)
}
