//! A proxy-wasm host for tests: it loads the built filter, drives it at ABI level, and behaves as
//! Envoy or Kong was measured to behave.
//!
//! What matters here is what is dangerous. Kong's Wasm host fails open in several ways, headers
//! on it can't be removed, and a trap takes a VM with all its state. A filter is only shown to hold if
//! the host that it is tested on does all of that too, so each such way is code here, named where
//! it happens, with a test of its own.
//!
//! ```no_run
//! use jobgate_wasm_host::{Gateway, Module, Options, Profile, Request, RouteConfig};
//!
//! let module = Module::load("jobgate.wasm")?;
//! let mut gateway = Gateway::new(Profile::Kong, &module, Options::default());
//! gateway.start(&[RouteConfig::new("deploy", "{}")])?;
//! let exchange = gateway.request(0, Request::get("/deploy"));
//! assert_eq!(exchange.refused_with(), Some(401));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Enters: a module, options, requests, answers to calls, time. Leaves: outcomes, logs, metrics,
//! properties, counts. It never opens a socket and never reads a clock.
//!
//! Not modelled: the response phase but for its callbacks, streams below HTTP, gRPC and shared queues (they fail as
//! documented in the code), Kong's isolation modes, and the gateways' own additions to a request
//! (`x-request-id`, `x-forwarded-proto` and the like).

mod abi;
mod arrival;
mod calls;
mod clock;
mod cost;
mod error;
mod exchange;
mod faults;
mod gateway;
mod headers;
mod host;
// One file of both crates: this one depends on nothing of the harness, so that the fuzz targets need not build it.
#[path = "../../src/leak.rs"]
mod leak;
mod metrics;
mod module;
mod nginx_uri;
mod profile;
mod random;
mod request;
mod shared_data;
mod signature;
mod stream;
mod vm;
mod world;

pub use abi::{Level, Pair, Status, decode_map, encode_map};
pub use calls::{CallFailure, CallId, CallResponse, HttpCall};
pub use cost::Cost;
pub use error::{NoSuchCall, StartError};
pub use exchange::{Exchange, ExchangeId, LocalResponse, Outcome, Passage, UpstreamRequest};
pub use faults::{Fault, HostCall};
pub use gateway::Gateway;
pub use metrics::{Metric, MetricKind};
pub use module::{LoadError, Module};
pub use profile::{Cluster, FailurePolicy, KongVersion, Options, Profile, RouteConfig};
pub use request::{Certificate, Client, Request};
pub use world::PropertyWrite;
