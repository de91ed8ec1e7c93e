//! The decision record: one line of JSON for each request, for auditors. The reasoning, not the payload.

use super::escape::{ascii_json, clipped};
use crate::gate::Decision;
use crate::limit::State;
use crate::policy::{ClientCertificate, Detail, Mismatch, Mode, Policy};
use crate::token::Claims;
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The most bytes that a value takes which the client or the job chooses. nginx cuts a line of its log at
/// 4096 bytes: a long path or branch must not push the rest of the record out.
const VALUE: usize = 200;

/// The same for one of several: the parts of the identity, the failed conditions.
const PART: usize = 100;

/// The same for what a refusal says, in which a revocation's note fits.
const DETAIL: usize = 400;

/// The same for the names of all roles together.
const ROLES: usize = 200;

/// What a whole record takes at most, below nginx's limit and with room for what nginx puts around it.
const LINE: usize = 3_900;

/// The most limits of which a record says how the request stands.
const LIMITS: usize = 8;

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
    /// What the decision would be if rules on trial were in force, where that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    trial: Option<Trial<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Cow<'a, str>>,
    /// Known where the policy's conditions look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    method: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    identity: Map<String, Value>,
    /// What the token says its issuer is; not proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_issuer: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
    /// As many as fit, the first of them first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<Failed<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    limits: Vec<Limited<'a>>,
    /// The claims that the policy's conditions look at, as far as they are there and fit.
    #[serde(skip_serializing_if = "Map::is_empty")]
    claims: Map<String, Value>,
    /// How many of them did not fit.
    #[serde(skip_serializing_if = "is_zero")]
    claims_left_out: usize,
    /// Known where the policy's conditions look at it, and there if it fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_certificate: Option<Certificate>,
}

/// What the gateway told of the client's certificate.
#[derive(Serialize)]
struct Certificate {
    verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri_san: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns_san: Option<String>,
}

impl Certificate {
    fn new(known: &ClientCertificate) -> Option<Self> {
        let short = |text: &Option<String>| Some(clipped(text.as_ref()?, PART).into_owned());
        Some(Self {
            verified: known.verified?,
            subject: short(&known.subject),
            uri_san: short(&known.uri_san),
            dns_san: short(&known.dns_san),
        })
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What rules on trial would change.
#[derive(Serialize)]
struct Trial<'a> {
    decision: &'static str,
    rules: Vec<&'a str>,
}

/// How a request stands with a limit.
#[derive(Serialize)]
struct Limited<'a> {
    id: &'a str,
    /// How many more requests of the job would pass at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<u64>,
    /// Milliseconds until one would, if none would now.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_ms: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unavailable: bool,
    /// Whether the gateway's own limiter counts.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    handed_on: bool,
}

/// A condition that kept a rule from matching.
#[derive(Serialize)]
struct Failed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    condition: Cow<'a, str>,
    expected: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
}

/// The record of a decision, as one line of ASCII JSON.
///
/// `route` is the gateway's own name for the route by which the request came to the gate.
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
    for (field, claim) in issuer.map_or(&[][..], |issuer| &issuer.identity) {
        if let Some(value) = claims.and_then(|claims| claims.text(claim)) {
            identity.insert(field.name().into(), clipped(&value, PART).into());
        }
    }
    let explained = refused.filter(|_| detail >= Detail::Conditions);
    let mut record = Record {
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
        roles: within(
            ROLES,
            roles
                .iter()
                .filter_map(|role| policy?.roles.get(*role))
                .map(|role| role.name.as_str()),
        ),
        trial: trial(decision),
        policy: policy.map(|policy| policy.digest.as_str()),
        route: route.map(|route| clipped(route, VALUE)),
        service: decision
            .service
            .as_deref()
            .map(|service| clipped(service, PART)),
        host: decision.host.as_deref().map(|host| clipped(host, PART)),
        method: clipped(&decision.method, PART),
        path: decision
            .path
            .as_ref()
            .ok()
            .map(|path| clipped(path.as_str(), VALUE)),
        issuer: issuer.map(|issuer| clipped(&issuer.issuer, VALUE)),
        subject: claims
            .and_then(|claims| claims.text("sub"))
            .map(|subject| clipped(&subject, VALUE).into_owned()),
        identity,
        claimed_issuer: explained
            .and(decision.claimed_issuer.as_deref())
            .map(|issuer| clipped(issuer, VALUE)),
        detail: explained.map(|refused| clipped(&refused.refusal.detail, DETAIL)),
        failed: explained
            .map_or(&[][..], |refused| &refused.mismatches)
            .iter()
            .map(|mismatch| Failed {
                rule: mismatch.rule.as_deref(),
                condition: clipped(&mismatch.condition, VALUE),
                expected: clipped(&mismatch.expected, VALUE),
                value: claims
                    .filter(|_| detail >= Detail::Claims)
                    .and_then(|claims| looked_at(mismatch, claims)),
            })
            .collect(),
        limits: limited(decision),
        claims: Map::new(),
        claims_left_out: 0,
        client_certificate: None,
    };
    record.drop_what_does_not_fit();
    record.add_certificate(&decision.certificate);
    if let (Some(policy), Some(claims), Detail::Claims) = (policy, claims, detail) {
        record.add_claims(policy, claims);
    }
    // The record is made of strings, numbers and JSON values, so writing it cannot fail; if it did, the
    // decision would still be on record.
    ascii_json(&record).unwrap_or_else(|_| {
        let (id, label) = (decision.id, decision.label());
        format!(r#"{{"event":"jobgate.decision","decision_id":"{id}","decision":"{label}"}}"#)
    })
}

/// How many bytes a value takes in a record.
fn written(value: &impl Serialize) -> usize {
    ascii_json(value).map_or(LINE, |text| text.len())
}

impl Record<'_> {
    /// Leaves out the last failed conditions, and the last limits, where long names of the policy's leave no room
    /// for them.
    fn drop_what_does_not_fit(&mut self) {
        // What has nothing to leave out, as most that is allowed, is not measured.
        while !(self.failed.is_empty() && self.limits.is_empty()) && written(self) > LINE {
            if self.failed.pop().is_none() {
                self.limits.pop();
            }
        }
    }

    /// Adds what is known of the client's certificate, if the line has room for it.
    fn add_certificate(&mut self, known: &ClientCertificate) {
        self.client_certificate = Certificate::new(known);
        if self.client_certificate.is_some() && written(self) > LINE {
            self.client_certificate = None;
        }
    }

    /// Adds the claims that the policy looks at, as far as the line has room for them.
    fn add_claims(&mut self, policy: &Policy, claims: &Claims) {
        let mut left = LINE.saturating_sub(written(self));
        for name in &policy.claims_read {
            let Some(value) = name.find(claims).map(shown) else {
                continue;
            };
            // A comma, a colon, and the count of those that don't fit.
            let bytes = written(&name.as_str())
                .saturating_add(written(&value))
                .saturating_add(2);
            match left.checked_sub(bytes) {
                Some(rest) => {
                    left = rest;
                    self.claims.insert(name.as_str().to_owned(), value);
                }
                None => self.claims_left_out = self.claims_left_out.saturating_add(1),
            }
        }
    }
}

/// How the request stands with its limits; of many those that have no room first.
fn limited<'a>(decision: &'a Decision<'_>) -> Vec<Limited<'a>> {
    let limits = decision.policy.map_or(&[][..], |policy| &policy.limits);
    let mut all: Vec<_> = Vec::new();
    for standing in &decision.limits {
        let Some(limit) = limits.get(standing.limit) else {
            continue;
        };
        let level = match &standing.state {
            State::Counted(level, _) => Some(level),
            State::Unavailable | State::HandedOn(_) => None,
        };
        let retry = level.map_or(0, |level| level.retry.as_nanos().div_ceil(1_000_000));
        let limited = Limited {
            id: &limit.id,
            remaining: level.map(|level| level.remaining),
            retry_ms: u64::try_from(retry).ok().filter(|millis| *millis > 0),
            unavailable: standing.state == State::Unavailable,
            handed_on: matches!(standing.state, State::HandedOn(_)),
        };
        let place = if retry > 0 { 0 } else { all.len() };
        all.insert(place, limited);
    }
    all.truncate(LIMITS);
    all
}

fn trial<'a>(decision: &'a Decision<'_>) -> Option<Trial<'a>> {
    let (policy, (decision, places)) = (decision.policy?, decision.trial()?);
    let rules = places.iter().filter_map(|place| policy.rules.get(*place));
    Some(Trial {
        decision,
        rules: within(ROLES, rules.map(|rule| rule.id.as_str())),
    })
}

/// As many names as fit into a budget of bytes, and `...` where some were left out.
fn within<'a>(budget: usize, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let (mut left, mut kept) = (budget, Vec::new());
    for name in names {
        match left.checked_sub(name.len()) {
            Some(rest) => left = rest,
            None => {
                kept.push("...");
                break;
            }
        }
        kept.push(name);
    }
    kept
}

/// The value of the claim that a condition looked at: null if there is none, and clipped if it is long.
fn looked_at(mismatch: &Mismatch, claims: &Claims) -> Option<Value> {
    let value = mismatch
        .claim
        .as_ref()?
        .find(claims)
        .unwrap_or(&Value::Null);
    Some(shown(value))
}

/// A value as records show it: clipped if it is long.
fn shown(value: &Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        Value::String(text) => clipped(text, PART).into(),
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            match clipped(&text, PART) {
                Cow::Borrowed(_) => value.clone(),
                Cow::Owned(clipped) => clipped.into(),
            }
        }
    }
}
