//! The built filter, `dist/jobgate.wasm`, in the in-process host: the file that gateways load, on a host
//! that behaves as Envoy or as Kong does.

mod assertion;
mod cases;
mod common;
mod conditions;
mod configurations;
mod exchange;
mod failures;
mod hosts;
mod input;
mod keys;
mod kong;
mod limits;
mod once;
mod pitfalls;
mod records;
mod revocations;
mod sessions;
mod sharing;
mod signatures;
mod waiting;
