//! The built module in a real Envoy: what the shared cases cannot tell, because it takes time, faults or a gateway.

mod client_certificates;
mod configuration;
mod discovery;
mod faults;
mod keys;
mod metrics;
mod reload;
mod replay;
mod requests;
mod revocations;
mod routes;
mod tls;
mod waiting;
mod workers;
mod world;
