//! The built module in a real Envoy: what the shared cases cannot tell, because it takes time, faults or a gateway.

mod configuration;
mod faults;
mod keys;
mod requests;
mod world;
