//! The decision record: one line of JSON for each request, for auditors. The reasoning, not the payload.

use super::escape::ascii_json;
use crate::gate::Decision;
use crate::policy::{Detail, Mode};
use serde::Serialize;
use serde_json::{Map, Value};

#[derive(Serialize)]
struct Record<'a> {
    event: &'static str,
    decision_id: String,
    /// Milliseconds since the epoch.
    time_ms: u64,
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    identity: Map<String, Value>,
    /// What the token says its issuer is; not proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Failed<'a>>,
}

/// A condition that kept a rule from matching.
#[derive(Serialize)]
struct Failed<'a> {
    rule: &'a str,
    condition: &'a str,
    expected: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

/// The record of a decision, as one line of ASCII JSON.
///
/// `route` is the gateway's own name for the route that serves.
#[must_use]
pub fn record(decision: &Decision<'_>, route: Option<&str>) -> String {
    let policy = decision.policy;
    let detail = policy.map_or(Detail::Conditions, |policy| policy.audit.detail);
    let (rule, roles) = match &decision.outcome {
        Ok(permit) => (Some(permit.rule()), permit.roles()),
        Err(refused) => (refused.rule, refused.roles.as_slice()),
    };
    let refused = decision.outcome.as_ref().err();
    let claims = decision.token.as_ref().map(|token| token.claims());
    let issuer = decision
        .token
        .as_ref()
        .and_then(|token| policy.and_then(|policy| policy.issuers.get(token.issuer())));
    let mut identity = Map::new();
    for (field, claim) in issuer.map_or(&[][..], |issuer| issuer.identity) {
        if let Some(value) = claims.and_then(|claims| claims.text(claim)) {
            identity.insert(field.name().into(), value.into());
        }
    }
    let failed = refused
        .filter(|_| detail >= Detail::Conditions)
        .map_or(&[][..], |refused| &refused.mismatches);
    let record = Record {
        event: "jobgate.decision",
        decision_id: decision.id.to_string(),
        time_ms: decision.at.as_millis(),
        decision: decision.label(),
        reason: refused.map(|refused| refused.refusal.reason.code()),
        status: refused
            .filter(|_| decision.blocks())
            .map(|refused| refused.refusal.reason.status()),
        mode: policy.map(|policy| match policy.mode {
            Mode::Enforce => "enforce",
            Mode::Shadow => "shadow",
        }),
        rule: rule
            .and_then(|rule| policy?.rules.get(rule))
            .map(|rule| rule.id.as_str()),
        roles: roles
            .iter()
            .filter_map(|role| policy?.roles.get(*role))
            .map(|role| role.name.as_str())
            .collect(),
        policy: policy.map(|policy| policy.digest.as_str()),
        route,
        method: &decision.method,
        path: decision.path.as_ref().map(|path| path.as_str()),
        issuer: issuer.map(|issuer| issuer.issuer.as_str()),
        subject: claims
            .and_then(|claims| claims.text("sub"))
            .map(std::borrow::Cow::into_owned),
        identity,
        claimed_issuer: decision
            .claimed_issuer
            .as_deref()
            .filter(|_| detail >= Detail::Conditions),
        detail: refused
            .filter(|_| detail >= Detail::Conditions)
            .map(|refused| refused.refusal.detail.as_ref()),
        failed: failed
            .iter()
            .map(|mismatch| Failed {
                rule: &mismatch.rule,
                condition: &mismatch.condition,
                expected: &mismatch.expected,
                value: mismatch
                    .claim
                    .as_deref()
                    .filter(|_| detail >= Detail::Claims)
                    .map(|claim| {
                        claims
                            .and_then(|claims| claims.get(claim))
                            .cloned()
                            .unwrap_or_default()
                    }),
            })
            .collect(),
    };
    // The record is made of strings, numbers and JSON values, so writing it cannot fail; if it did, the
    // decision would still be on record.
    ascii_json(&record).unwrap_or_else(|_| {
        let id = decision.id;
        format!(
            "{{\"event\":\"jobgate.decision\",\"decision_id\":\"{id}\",\"decision\":\"{}\"}}",
            decision.label()
        )
    })
}
