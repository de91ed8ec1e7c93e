//! Envoy's admin interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use crate::client::{self, Request, Response};

/// The admin interface at an address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admin(SocketAddr);

/// Counters and gauges by their names. What the gate counts begins with `wasmcustom.`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats(BTreeMap<String, u64>);

impl Stats {
    /// One of them; 0 if there is none of this name, since Envoy makes many only when they are first used.
    pub fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

impl Admin {
    pub(crate) fn new(addr: SocketAddr) -> Self {
        Self(addr)
    }

    pub(crate) fn addr(self) -> SocketAddr {
        self.0
    }

    /// Whether the server is live. Before, it says 503.
    pub(crate) fn ready(self) -> bool {
        self.get("/ready")
            .is_ok_and(|response| response.status == 200)
    }

    /// The addresses that the listeners are bound to, by name; none if the answer isn't one yet.
    pub(crate) fn listeners(self) -> Option<BTreeMap<String, SocketAddr>> {
        let answer: Listeners = self.get("/listeners?format=json").ok()?.json().ok()?;
        let listeners = answer.listener_statuses.into_iter();
        listeners
            .map(|listener| {
                let SocketAddress {
                    address,
                    port_value,
                } = listener.local_address.socket_address;
                Some((
                    listener.name,
                    SocketAddr::new(address.parse().ok()?, port_value),
                ))
            })
            .collect()
    }

    pub(crate) fn stats(self) -> Result<Stats, client::Error> {
        // Text, not JSON: histograms have no number there and fall out by themselves.
        let text = self.get("/stats")?.text();
        let numbers = text.lines().filter_map(|line| {
            let (name, value) = line.rsplit_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Ok(Stats(numbers.collect()))
    }

    fn get(self, path: &str) -> Result<Response, client::Error> {
        Request::new("GET", path).send(self.0)
    }
}

#[derive(Deserialize)]
struct Listeners {
    #[serde(default)]
    listener_statuses: Vec<ListenerStatus>,
}

#[derive(Deserialize)]
struct ListenerStatus {
    name: String,
    local_address: Address,
}

#[derive(Deserialize)]
struct Address {
    socket_address: SocketAddress,
}

#[derive(Deserialize)]
struct SocketAddress {
    address: String,
    port_value: u16,
}
