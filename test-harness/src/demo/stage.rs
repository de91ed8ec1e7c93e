//! What the story is played on: an issuer, an upstream, and an Envoy with four gates.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{Error, policies};
use crate::case::Placeholders;
use crate::client::Request;
use crate::envoy::{Envoy, EnvoyConfig, Listener};
use crate::exchange::{Exchange, eventually};
use crate::issuer::Issuer;
use crate::mint::TokenSpec;
use crate::upstream::Upstream;

/// The gate before the deploy endpoints.
pub(super) const DEPLOY: &str = "deploy";
/// The gate in shadow mode.
pub(super) const REPORTS: &str = "reports";
/// The gate whose issuer was never there.
pub(super) const CUT_OFF: &str = "cut-off";
/// The gate whose policy has errors.
pub(super) const BROKEN: &str = "broken";

const AUDIENCE: &str = "https://deploy.acme.example";

/// Nothing listens on the first of all ports.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// How long something may take that comes about by itself.
const SOON: Duration = Duration::from_secs(20);

/// Dropped in this order; all of it ends with the process in any case.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) envoy: Envoy,
    pub(super) upstream: Upstream,
    pub(super) issuer: Issuer,
}

impl Stage {
    /// Starts everything on free ports, and waits until the gates that can have keys have them.
    pub(super) fn start(mut say: impl FnMut(&str)) -> Result<Self, Error> {
        let issuer = Issuer::start(AUDIENCE)?;
        say(&format!("the issuer is at {}", issuer.base_url()));
        let upstream = Upstream::start()?;
        say(&format!("the upstream is at http://{}", upstream.addr()));
        say("Envoy is starting, with four gates in it");
        let dead = format!("http://{NOWHERE}/.well-known/jwks");
        let config = EnvoyConfig::new(upstream.addr(), issuer.addr())
            .cluster("dead-issuer", NOWHERE)
            .listener(Listener::new(DEPLOY).jobgate(policies::deploy(&issuer)))
            .listener(Listener::new(REPORTS).jobgate(policies::reports(&issuer)))
            .listener(Listener::new(CUT_OFF).jobgate(policies::cut_off(
                &issuer,
                "dead-issuer",
                &dead,
            )))
            .listener(Listener::new(BROKEN).jobgate(policies::broken(&issuer)));
        let stage = Self {
            envoy: Envoy::start(&config)?,
            upstream,
            issuer,
        };
        say("the gates are fetching the issuer's keys");
        for gate in [DEPLOY, REPORTS] {
            stage.wait_for_keys(gate)?;
        }
        Ok(stage)
    }

    /// Sends a request to a gate.
    pub(super) fn send(&self, gate: &str, request: &Request) -> Result<Exchange, Error> {
        Ok(Exchange::run(&self.envoy, gate, &self.upstream, request)?)
    }

    /// Whether Envoy's log comes to hold these words.
    pub(super) fn comes_to_log(&self, words: &str) -> bool {
        eventually(SOON, || self.envoy.log_text().contains(words).then_some(())).is_some()
    }

    /// What the placeholders of an expectation stand for.
    pub(super) fn placeholders(&self) -> Placeholders {
        Placeholders::from(&self.issuer)
    }

    fn wait_for_keys(&self, gate: &'static str) -> Result<(), Error> {
        let token = self.issuer.mint(&TokenSpec::default());
        let request = Request::new("GET", "/").header("authorization", format!("Bearer {token}"));
        let found = eventually(SOON, || match self.send(gate, &request) {
            Ok(exchange) => {
                let waits = exchange.recorded("reason").as_deref() == Some("keys_unavailable");
                (!waits).then_some(Ok(()))
            }
            Err(error) => Some(Err(error)),
        });
        found.unwrap_or_else(|| {
            let log = self.envoy.log_text();
            let lines: Vec<_> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(20)..].join("\n");
            Err(Error::NoKeys(gate, tail))
        })
    }
}
