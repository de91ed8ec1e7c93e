//! The host, fact by fact. One binary, so that the host is linked once.

mod common;
mod envoy;
mod guest;
mod kong;

use std::collections::BTreeMap;

use guest::Guest;
use jobgate_wasm_host::{
    Cluster, Exchange, FailurePolicy, Gateway, Level, Options, Profile, RouteConfig,
};

/// A started gateway with the guest on one route.
fn start(profile: Profile, guest: &Guest) -> Gateway {
    start_with(profile, guest, Options::default())
}

fn start_with(profile: Profile, guest: &Guest, options: Options) -> Gateway {
    let mut gateway = Gateway::new(profile, &guest.module(), options);
    gateway
        .start(&[RouteConfig::new("first", "configuration")])
        .expect("the gateway starts");
    gateway
}

/// Envoy with `FAIL_RELOAD` and a cluster `keys`.
fn reloading() -> Options {
    Options {
        failure_policy: FailurePolicy::Reload,
        ..with_clusters()
    }
}

fn with_clusters() -> Options {
    Options {
        clusters: BTreeMap::from([
            ("keys".into(), Cluster::Ready),
            ("empty".into(), Cluster::Empty),
        ]),
        ..Options::default()
    }
}

/// What the guest has said since the last time: texts as they are, statuses with a `!`.
fn said(gateway: &mut Gateway) -> Vec<String> {
    gateway
        .take_logs()
        .into_iter()
        .filter_map(|(level, text)| match level {
            Level::Info => Some(text),
            Level::Warn => Some(format!("!{text}")),
            _ => None,
        })
        .collect()
}

/// Every value of a header, as the upstream got them.
fn sent(exchange: &Exchange, name: &str) -> Vec<String> {
    let upstream = exchange.upstream();
    upstream.unwrap_or_else(|| panic!("{exchange:?}")).all(name)
}
