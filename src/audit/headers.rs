//! What the upstream is told: a clean identity in place of the token.

use super::escape::header_value;
use crate::gate::Decision;
use crate::limit::{Enforcer, State};

/// The headers for the upstream, by name. Empty where the request does not get there.
#[must_use]
pub fn upstream_headers<'p>(decision: &Decision<'p>) -> Vec<(&'p str, String)> {
    let Some(policy) = decision.policy.filter(|_| !decision.blocks()) else {
        return Vec::new();
    };
    let names = &policy.headers;
    let mut headers: Vec<(&str, String)> = vec![
        (&names.decision, decision.label().into()),
        (&names.decision_id, decision.id.to_string()),
        (&names.policy, policy.digest.clone()),
    ];
    let (rule, roles) = match &decision.outcome {
        Ok(permit) => (Some(permit.rule()), permit.roles()),
        Err(refused) => {
            headers.push((&names.reason, refused.refusal.reason.code().into()));
            (refused.rule, refused.roles.as_slice())
        }
    };
    if let Some(rule) = rule.and_then(|rule| policy.rules.get(rule)) {
        headers.push((&names.rule, rule.id.clone()));
    }
    let roles: Vec<&str> = roles
        .iter()
        .filter_map(|role| policy.roles.get(*role))
        .map(|role| role.name.as_str())
        .collect();
    if !roles.is_empty() {
        headers.push((&names.roles, roles.join(",")));
    }
    // What was refused is not counted, wherever it is counted.
    for standing in decision.limits.iter().filter(|_| decision.outcome.is_ok()) {
        if let (State::HandedOn(bucket), Some(limit)) =
            (&standing.state, policy.limits.get(standing.limit))
            && let Enforcer::Gateway { header } = &limit.enforcer
        {
            headers.push((header, bucket.clone()));
        }
    }
    let Some(token) = &decision.token else {
        return headers;
    };
    let Some(issuer) = policy.issuers.get(token.issuer()) else {
        return headers;
    };
    headers.push((&names.issuer, header_value(&issuer.issuer)));
    if let Some(subject) = token.claims().text("sub") {
        headers.push((&names.subject, header_value(&subject)));
    }
    for (field, claim) in &issuer.identity {
        if let Some(value) = token.claims().text(claim) {
            headers.push((names.identity(*field), header_value(&value)));
        }
    }
    headers
}
