//! A file of tests, as it is written.
//!
//! ```yaml
//! policy: policy.yaml               # relative to this file; or a gateway's configuration, with policy_at
//! defaults:
//!   like: buildkite                 # the claims of an example job
//!   request: { method: POST, at: "2026-11-20T17:00:00Z" }
//! tests:
//!   - name: main deploys to production
//!     claims: { pipeline_slug: deploy-web }
//!     request: { path: /deploy/production/eu }
//!     expect: { decision: allow, rule: deploy-production }
//! ```

use crate::evaluate::{Certificate, Decision};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFile {
    pub(super) policy: String,
    #[serde(default)]
    pub(super) policy_at: Option<String>,
    #[serde(default)]
    pub(super) defaults: RawDefaults,
    pub(super) tests: Vec<RawTest>,
}

/// What every test of the file begins with.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawDefaults {
    pub(super) like: Option<String>,
    pub(super) claims: Map<String, Value>,
    pub(super) issuer: Option<String>,
    pub(super) request: RawRequest,
}

/// One test.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTest {
    pub(super) name: String,
    #[serde(default)]
    pub(super) like: Option<String>,
    #[serde(default)]
    pub(super) claims: Map<String, Value>,
    #[serde(default)]
    pub(super) issuer: Option<String>,
    #[serde(default)]
    pub(super) request: RawRequest,
    pub(super) expect: RawExpect,
}

/// A request, or a part of one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawRequest {
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
    pub(super) host: Option<String>,
    pub(super) route: Option<String>,
    pub(super) service: Option<String>,
    pub(super) at: Option<Value>,
    pub(super) client_certificate: Option<RawCertificate>,
}

impl RawRequest {
    /// This request, and of `base` what it leaves out.
    pub(super) fn over(&self, base: &Self) -> Self {
        let (this, base) = (self.clone(), base.clone());
        Self {
            method: this.method.or(base.method),
            path: this.path.or(base.path),
            host: this.host.or(base.host),
            route: this.route.or(base.route),
            service: this.service.or(base.service),
            at: this.at.or(base.at),
            client_certificate: this.client_certificate.or(base.client_certificate),
        }
    }
}

/// A certificate of the client's: one that the gateway verified and tells of, unless it is said.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCertificate {
    #[serde(default = "yes")]
    told: bool,
    #[serde(default = "yes")]
    verified: bool,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    uri_san: Option<String>,
    #[serde(default)]
    dns_san: Option<String>,
}

const fn yes() -> bool {
    true
}

impl RawCertificate {
    pub(super) fn resolve(self) -> Certificate {
        match (self.told, self.verified) {
            (false, _) => Certificate::unknown(),
            (true, false) => Certificate::default(),
            (true, true) => Certificate::verified(self.subject, self.uri_san, self.dns_san),
        }
    }
}

/// What must come of it. What is not said may be anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExpect {
    pub(super) decision: RawDecision,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) rule: Option<String>,
    #[serde(default)]
    pub(super) roles: Option<Vec<String>>,
    #[serde(default)]
    pub(super) on_trial: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawDecision {
    Allow,
    /// Also where the policy is in shadow mode: one file then serves before and after.
    Deny,
    ShadowDeny,
}

impl RawDecision {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::ShadowDeny => "shadow-deny",
        }
    }

    pub(super) fn is_met_by(self, decision: Decision) -> bool {
        match self {
            Self::Allow => decision == Decision::Allow,
            Self::Deny => decision != Decision::Allow,
            Self::ShadowDeny => decision == Decision::ShadowDeny,
        }
    }
}
