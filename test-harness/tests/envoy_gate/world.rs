//! An issuer, an Envoy with one gate in it, and an upstream.

use std::time::Duration;

use jobgate_harness::client::Request;
use jobgate_harness::envoy::{Envoy, EnvoyConfig, GateConfig, Listener};
use jobgate_harness::exchange::{Exchange, eventually};
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::Upstream;
use serde_json::{Value, json};

/// How long something may take that comes about by itself, on a machine that is busy.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The name of the one listener.
const GATE: &str = "gate";

/// Dropped in this order.
pub(crate) struct World {
    pub(crate) envoy: Envoy,
    pub(crate) upstream: Upstream,
    pub(crate) issuer: Issuer,
}

impl World {
    /// A gate with this configuration.
    pub(crate) fn start(issuer: Issuer, configuration: impl Into<GateConfig>) -> Self {
        let upstream = Upstream::start().unwrap();
        let config = EnvoyConfig::new(upstream.addr(), issuer.addr())
            .listener(Listener::new(GATE).jobgate(configuration));
        Self {
            envoy: start(&config),
            upstream,
            issuer,
        }
    }

    /// A gate with [`policy`], changed, that has its keys.
    pub(crate) fn with_keys(change: impl FnOnce(&mut Value)) -> Self {
        let issuer = issuer();
        let mut policy = policy(&issuer);
        change(&mut policy);
        let world = Self::start(issuer, policy);
        world.wait_until_it_passes(&world.token());
        world
    }

    /// A good token.
    pub(crate) fn token(&self) -> String {
        self.issuer.mint(&TokenSpec::default())
    }

    pub(crate) fn send(&self, request: &Request) -> Exchange {
        Exchange::run(&self.envoy, GATE, &self.upstream, request).unwrap()
    }

    /// Sends a request with this token, and gives the reason why it was refused, if it was.
    pub(crate) fn refusal(&self, token: &str) -> Option<String> {
        let exchange = self.send(&bearing(token));
        let reason = exchange.code();
        assert_eq!(reason.is_some(), exchange.forwarded.is_empty());
        assert_eq!(reason.is_some(), exchange.response.status >= 400);
        reason
    }

    pub(crate) fn wait_until_it_passes(&self, token: &str) {
        eventually(SOON, || self.refusal(token).is_none().then_some(()))
            .unwrap_or_else(|| panic!("it did not pass:\n{}", log_tail(&self.envoy)));
    }

    pub(crate) fn wait_for_refusal(&self, token: &str, reason: &str) {
        eventually(SOON, || (self.refusal(token)? == reason).then_some(()))
            .unwrap_or_else(|| panic!("it is not {reason}:\n{}", log_tail(&self.envoy)));
    }

    pub(crate) fn wait_for_log(&self, words: &str) {
        wait_for_log(&self.envoy, words);
    }
}

pub(crate) fn start(config: &EnvoyConfig) -> Envoy {
    Envoy::start(config).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn wait_for_log(envoy: &Envoy, words: &str) {
    eventually(SOON, || envoy.log_text().contains(words).then_some(()))
        .unwrap_or_else(|| panic!("the log lacks {words:?}:\n{}", log_tail(envoy)));
}

/// The end of the log, where the reason is.
pub(crate) fn log_tail(envoy: &Envoy) -> String {
    let log = envoy.log_text();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

pub(crate) fn issuer() -> Issuer {
    Issuer::start("https://deploy.acme.example").unwrap()
}

/// Every job of acme may do anything.
pub(crate) fn policy(issuer: &Issuer) -> Value {
    json!({
        "issuers": [{
            "preset": "buildkite",
            "issuer": issuer.base_url(),
            "audience": issuer.audience(),
            "jwks": { "cluster": "issuer", "uri": issuer.jwks_uri() },
        }],
        "rules": [{ "id": "any-job", "claims": { "organization_slug": "acme" } }],
    })
}

pub(crate) fn bearing(token: &str) -> Request {
    Request::new("GET", "/").header("authorization", format!("Bearer {token}"))
}
