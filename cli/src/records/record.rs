//! A decision record, read back.

use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a record says, as `docs/policy.md` lists its members; those that nothing here looks at are left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    pub(crate) decision_id: String,
    pub(crate) time_ms: u64,
    decision: String,
    reason: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) method: String,
    pub(crate) path: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) identity: BTreeMap<String, String>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) claims_left_out: usize,
    pub(crate) client_certificate: Option<Certificate>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Certificate {
    pub(crate) verified: bool,
    pub(crate) subject: Option<String>,
    pub(crate) uri_san: Option<String>,
    pub(crate) dns_san: Option<String>,
}

/// What the gate's rules had said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A rule allowed it, whatever was refused after that.
    Allowed,
    /// A deny rule matched.
    Denied,
    /// No rule allowed it.
    NotAllowed,
    /// They were not asked: the token was not proven, or is revoked, or the path is ambiguous.
    NotAsked,
}

impl Record {
    /// What the rules said.
    pub(crate) fn outcome(&self) -> Outcome {
        match (self.decision.as_str(), self.reason.as_deref()) {
            _ if self.issuer.is_none() || self.path.is_none() => Outcome::NotAsked,
            ("allow", _) => Outcome::Allowed,
            (_, Some("replayed" | "replay_unavailable" | "rate_limited")) => Outcome::Allowed,
            (_, Some("denied_by_rule")) => Outcome::Denied,
            (_, Some("no_rule_matched" | "client_certificate_required")) => Outcome::NotAllowed,
            _ => Outcome::NotAsked,
        }
    }

    /// Whether it was let through by a rule.
    pub(crate) fn is_allowed(&self) -> bool {
        self.decision == "allow" && self.outcome() == Outcome::Allowed
    }

    /// Whether nothing but a missing rule stood against it, and the gateway let it through, as its policy
    /// blocks nothing.
    pub(crate) fn is_on_trial(&self) -> bool {
        self.decision == "shadow-deny" && self.lacks_a_rule()
    }

    /// Whether nothing but a missing rule stood against it.
    pub(crate) fn lacks_a_rule(&self) -> bool {
        self.outcome() == Outcome::NotAllowed && self.reason.as_deref() == Some("no_rule_matched")
    }
}

/// A text that was not clipped. What ends in `...` may have been.
pub(crate) fn whole(text: &str) -> Option<&str> {
    (!text.ends_with("...")).then_some(text)
}
