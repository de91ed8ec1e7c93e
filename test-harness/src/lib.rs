//! The world around the gate, for its tests.
//!
//! - [`keys`] and [`mint`]: a CI provider's keys and its jobs' tokens, good and bad.
//! - [`issuer`]: the provider itself, which publishes the keys, rotates them, and fails on demand.
//! - [`upstream`]: the service behind the gate, which remembers what reached it.
//! - [`counterpart`]: the servers that jobs' tokens are exchanged at.
//! - [`tls`]: certificates, good and bad.
//! - [`documents`]: a server of one document, which changes, breaks and goes away.
//! - [`envoy`]: a real Envoy with the gate in it.
//! - [`exchange`]: one request through it, as the client, the upstream and the log saw it.
//! - [`client`]: a client that sends exactly what it is told to.
//! - [`case`]: the cases that the core, the in-process host and the gateways are all run through.
//! - [`configurations`]: configurations that are wrong, and what the gate must say of each.
//! - [`suite`]: all of that against gateways that run elsewhere, Kong and Envoy, by their addresses.
//! - [`compose`]: the same in containers, before real gateways, as `make harness` does it.
//! - [`demo`]: the story that `make demo` plays.
//! - [`bench`]: what the gate costs beside what Envoy's own filters cost.

use std::path::{Path, PathBuf};

pub mod bench;
pub mod case;
pub mod client;
pub mod compose;
pub mod configurations;
pub mod counterpart;
pub mod demo;
pub mod documents;
pub mod envoy;
pub mod exchange;
pub mod issuer;
pub mod keys;
mod leak;
pub mod mint;
pub mod number;
mod record;
mod server;
pub mod suite;
pub mod tls;
pub mod upstream;

/// The repository's root, where the module and the virtual environment are.
///
/// # Panics
///
/// Never: this crate's folder is in the repository.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("this crate's folder has a parent")
        .to_owned()
}

/// The Python of the tests' scripts: the one that `JOBGATE_PYTHON` names, else the virtual environment's.
pub fn python() -> PathBuf {
    let in_venv = || repository().join(".venv/bin/python");
    std::env::var_os("JOBGATE_PYTHON").map_or_else(in_venv, Into::into)
}
