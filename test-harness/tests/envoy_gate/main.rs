//! The built module in a real Envoy: what the shared cases cannot tell, because it takes time, faults or a gateway.

mod assertion;
mod client_certificates;
mod configuration;
mod discovery;
mod example;
mod faults;
mod keys;
mod limits;
mod metrics;
mod rate_limit_service;
mod reload;
mod replay;
mod requests;
mod revocations;
mod routes;
mod sessions;
mod signatures;
mod tls;
mod upgrades;
mod waiting;
mod workers;
mod world;
