//! The decision record: one line of JSON for each request, for auditors. The reasoning, not the payload.

use super::escape::clipped;
use super::line::Line;
use super::session;
use crate::gate::{Decision, Refused, SupplyState};
use crate::limit::State;
use crate::policy::{ClientCertificate, Detail, Mismatch, Mode, Policy};
use crate::request::NormalPath;
use crate::token::Claims;
use serde_json::Value;
use std::borrow::Cow;

/// The most bytes that a value takes which the client or the job chooses. nginx cuts a line of its log at
/// 4096 bytes: a long path or branch must not push the rest of the record out.
pub(super) const VALUE: usize = 200;

/// The same for one of several: the parts of the identity, the failed conditions.
pub(super) const PART: usize = 100;

/// The same for what a refusal says, in which a revocation's note fits.
const DETAIL: usize = 400;

/// The same for the names of all roles together.
const ROLES: usize = 200;

/// What a whole record takes at most, below nginx's limit and with room for what nginx puts around it.
const LINE: usize = 3_900;

/// The most limits of which a record says how the request stands.
const LIMITS: usize = 8;

/// Most records are shorter.
const USUAL: usize = 1_024;

/// The record of a decision, as one line of ASCII JSON.
///
/// `route` is the gateway's own name for the route by which the request came to the gate.
#[must_use]
pub fn record(decision: &Decision<'_>, route: Option<&str>) -> String {
    let policy = decision.policy;
    let detail = policy.map_or(Detail::Conditions, |policy| policy.audit.detail);
    let refused = decision.refused();
    let claims = decision.token.as_ref().map(|token| token.claims());
    let explained = refused.filter(|_| detail >= Detail::Conditions);
    let mut line = Line::with_capacity(USUAL);
    begin(&mut line, decision, refused);
    line.maybe_clipped("route", route, VALUE);
    about(&mut line, decision);
    let rendering = decision.rendering();
    if let Some(rendering) = rendering {
        line.members(rendering.record());
    }
    if let Some(call) = &decision.call {
        session::add(&mut line, decision, call, rendering.is_some());
    }
    if let Some(refused) = explained {
        line.maybe_clipped("claimed_issuer", decision.claimed_issuer.as_deref(), VALUE);
        line.clipped("detail", &refused.refusal.detail, DETAIL);
    }
    let failed = explained.map_or(&[][..], |refused| &refused.mismatches);
    let failed: Vec<Line> = failed
        .iter()
        .map(|mismatch| failed_condition(mismatch, claims.filter(|_| detail >= Detail::Claims)))
        .collect();
    add_what_fits(&mut line, failed, limited(decision));
    let certificate = certificate(&decision.certificate);
    let certificate = certificate.filter(|known| {
        // The name, and what is around it.
        let around = "\"client_certificate\":{},{}".len();
        known
            .len()
            .saturating_add(around)
            .saturating_add(line.len())
            <= LINE
    });
    if let (Some(policy), Some(claims), Detail::Claims) = (policy, claims, detail) {
        let left = LINE
            .saturating_sub(line.len())
            .saturating_sub(certificate.as_ref().map_or(0, Line::len));
        add_claims(&mut line, policy, claims, left);
    }
    if let Some(certificate) = certificate {
        line.object("client_certificate", &certificate);
    }
    line.into_object()
}

/// What was decided, and by what.
fn begin(line: &mut Line, decision: &Decision<'_>, refused: Option<&Refused>) {
    let policy = decision.policy;
    line.word(
        "event",
        match decision.call {
            None => "jobgate.decision",
            Some(_) => session::EVENT,
        },
    );
    line.word("decision_id", decision.id.text());
    line.number("time_ms", decision.at.as_millis());
    line.word("decision", decision.label());
    if let Some(refused) = refused {
        let reason = refused.refusal.reason;
        line.word("reason", reason.code());
        if decision.blocks() {
            line.number("status", reason.status().into());
        }
    }
    if let Some(policy) = policy {
        let mode = match policy.mode {
            Mode::Enforce => "enforce",
            Mode::Shadow => "shadow",
        };
        line.word("mode", mode);
    }
    let (rule, roles) = match &decision.outcome {
        Ok(permit) => (Some(permit.rule()), permit.roles()),
        Err(refused) => (refused.rule, refused.roles.as_slice()),
    };
    let rule = rule.and_then(|rule| policy?.rules.get(rule));
    if let Some(rule) = rule {
        line.text("rule", &rule.id);
    }
    let roles = roles.iter().filter_map(|role| policy?.roles.get(*role));
    line.array("roles", &within(ROLES, roles.map(|role| &*role.name)));
    // What rules on trial would change.
    if let (Some(policy), Some((outcome, rules))) = (policy, decision.trial()) {
        let rules = rules.iter().filter_map(|place| policy.rules.get(*place));
        let mut trial = Line::default();
        trial.word("decision", outcome);
        trial.array("rules", &within(ROLES, rules.map(|rule| &*rule.id)));
        line.object("trial", &trial);
    }
    if let Some(policy) = policy {
        line.word("policy", &policy.digest);
    }
    if let Some(assertion) = &decision.assertion {
        line.word("assertion", &assertion.id);
    }
    if let Some(exchange) = exchanged(decision) {
        line.object("exchange", &exchange);
    }
}

/// What the token was exchanged for, and what came of it.
fn exchanged(decision: &Decision<'_>) -> Option<Line> {
    let supply = decision.supply.as_ref()?;
    let target = decision.policy?.exchange.get(supply.target)?;
    let mut line = Line::default();
    line.text("target", &target.name);
    match &supply.state {
        SupplyState::Kept(_) => line.flag("kept", true),
        SupplyState::Got(_) => {}
        SupplyState::Missing(_) | SupplyState::UnderWay => line.flag("missing", true),
        SupplyState::Failed(error) => line.clipped("failed", &error.0, VALUE),
    }
    Some(line)
}

/// What is known of the request.
fn about(line: &mut Line, decision: &Decision<'_>) {
    line.maybe_clipped("service", decision.service.as_deref(), PART);
    line.maybe_clipped("host", decision.host.as_deref(), PART);
    if !decision.method.is_empty() {
        line.clipped("method", &decision.method, PART);
    }
    let path = decision.path.as_ref().ok();
    line.maybe_clipped("path", path.map(NormalPath::as_str), VALUE);
}

/// Adds the failed conditions, and how the request stands with its limits; without the last of these, where long names
/// of the policy's leave no room for them.
fn add_what_fits(line: &mut Line, mut failed: Vec<Line>, mut limits: Vec<Line>) {
    // A list's name, with what is around it, and the braces around the line.
    const AROUND: usize = "\"failed\":[],\"limits\":[],{}".len();
    let size = |list: &[Line]| -> usize {
        let element = |line: &Line| line.len().saturating_add("{},".len());
        list.iter().map(element).fold(0, usize::saturating_add)
    };
    let fits = |failed: &[Line], limits: &[Line]| {
        let lists = size(failed).saturating_add(size(limits));
        lists.saturating_add(AROUND).saturating_add(line.len()) <= LINE
    };
    while !fits(&failed, &limits) {
        if failed.pop().is_none() && limits.pop().is_none() {
            break;
        }
    }
    for (name, list) in [("failed", failed), ("limits", limits)] {
        let mut elements = Line::default();
        for element in &list {
            elements.object_element(element);
        }
        line.array(name, &elements);
    }
}

/// A condition that kept a rule from matching, with the value that it looked at if claims are told.
fn failed_condition(mismatch: &Mismatch, claims: Option<&Claims>) -> Line {
    let mut line = Line::default();
    if let Some(rule) = &mismatch.rule {
        line.text("rule", rule);
    }
    line.clipped("condition", &mismatch.condition, VALUE);
    line.clipped("expected", &mismatch.expected, VALUE);
    if let (Some(name), Some(claims)) = (&mismatch.claim, claims) {
        let value = name.find(claims).unwrap_or(&Value::Null);
        line.value("value", &shown(value));
    }
    line
}

/// What the gateway told of the client's certificate.
fn certificate(known: &ClientCertificate) -> Option<Line> {
    let mut line = Line::default();
    line.value("verified", &known.verified?.into());
    for (name, text) in [
        ("subject", &known.subject),
        ("uri_san", &known.uri_san),
        ("dns_san", &known.dns_san),
    ] {
        line.maybe_clipped(name, text.as_deref(), PART);
    }
    Some(line)
}

/// Adds the claims that the policy looks at, as far as they are there and fit into so many bytes.
fn add_claims(line: &mut Line, policy: &Policy, claims: &Claims, mut left: usize) {
    let (mut told, mut left_out) = (Line::default(), 0);
    for name in &policy.claims_read {
        let Some(value) = name.find(claims).map(shown) else {
            continue;
        };
        let mut member = Line::default();
        member.value(name.as_str(), &value);
        // A comma, and the count of those that don't fit.
        match left.checked_sub(member.len().saturating_add(1)) {
            Some(rest) => {
                left = rest;
                told.members(member.as_str());
            }
            None => left_out = 1_u64.saturating_add(left_out),
        }
    }
    line.object("claims", &told);
    if left_out > 0 {
        line.number("claims_left_out", left_out);
    }
}

/// How the request stands with its limits; of many those that have no room first.
fn limited(decision: &Decision<'_>) -> Vec<Line> {
    let limits = decision.policy.map_or(&[][..], |policy| &policy.limits);
    let mut all = Vec::new();
    for standing in &decision.limits {
        let Some(limit) = limits.get(standing.limit) else {
            continue;
        };
        let mut line = Line::default();
        line.text("id", &limit.id);
        let mut retry = 0;
        match &standing.state {
            State::Counted(level, _) => {
                // How many more requests of the job would pass at once.
                line.number("remaining", level.remaining);
                // Until one would, if none would now.
                retry = level.retry.as_nanos().div_ceil(1_000_000);
                if let Some(retry) = u64::try_from(retry).ok().filter(|millis| *millis > 0) {
                    line.number("retry_ms", retry);
                }
            }
            State::Unavailable => line.flag("unavailable", true),
            // The gateway's own limiter counts.
            State::HandedOn(_) => line.flag("handed_on", true),
        }
        let place = if retry > 0 { 0 } else { all.len() };
        all.insert(place, line);
    }
    all.truncate(LIMITS);
    all
}

/// As many names as fit into a budget of bytes, and `...` where some were left out.
fn within<'a>(budget: usize, names: impl Iterator<Item = &'a str>) -> Line {
    let (mut left, mut kept) = (budget, Line::default());
    for name in names {
        match left.checked_sub(name.len()) {
            Some(rest) => left = rest,
            None => {
                kept.element("...");
                break;
            }
        }
        kept.element(name);
    }
    kept
}

/// A value as records show it: clipped if it is long.
fn shown(value: &Value) -> Cow<'_, Value> {
    let clip = |text: &str| match clipped(text, PART) {
        Cow::Borrowed(_) => Cow::Borrowed(value),
        Cow::Owned(clipped) => Cow::Owned(clipped.into()),
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Cow::Borrowed(value),
        Value::String(text) => clip(text),
        Value::Array(_) | Value::Object(_) => clip(&value.to_string()),
    }
}
