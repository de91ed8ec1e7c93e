//! What the upstream is told: a clean identity in place of the token.

use crate::gate::Decision;
use crate::limit::{Enforcer, State};
use std::borrow::Cow;

/// The headers for the upstream, by name. Empty where the request does not get there.
#[must_use]
pub fn upstream_headers<'d>(decision: &'d Decision<'_>) -> Vec<(&'d str, Cow<'d, str>)> {
    let Some(policy) = decision.policy.filter(|_| !decision.blocks()) else {
        return Vec::new();
    };
    let names = &policy.headers;
    // The five that are about the decision, and the identity.
    let mut headers: Vec<(&str, Cow<'_, str>)> = Vec::with_capacity(16);
    headers.push((&names.decision, decision.label().into()));
    headers.push((&names.decision_id, decision.id.text().into()));
    headers.push((&names.policy, policy.digest.as_str().into()));
    let (rule, roles) = match &decision.outcome {
        Ok(permit) => (Some(permit.rule()), permit.roles()),
        Err(refused) => {
            headers.push((&names.reason, refused.refusal.reason.code().into()));
            (refused.rule, refused.roles.as_slice())
        }
    };
    if let Some(rule) = rule.and_then(|rule| policy.rules.get(rule)) {
        headers.push((&names.rule, rule.id.as_str().into()));
    }
    let mut roles = roles
        .iter()
        .filter_map(|role| policy.roles.get(*role))
        .map(|role| role.name.as_str());
    if let Some(first) = roles.next() {
        let mut list = Cow::Borrowed(first);
        for role in roles {
            let list = list.to_mut();
            list.push(',');
            list.push_str(role);
        }
        headers.push((&names.roles, list));
    }
    if let (Some(name), Some(assertion)) = (&names.assertion, &decision.assertion) {
        headers.push((name, assertion.compact.as_str().into()));
    }
    // What was refused is not counted, wherever it is counted.
    for standing in decision.limits.iter().filter(|_| decision.outcome.is_ok()) {
        if let (State::HandedOn(bucket), Some(limit)) =
            (&standing.state, policy.limits.get(standing.limit))
            && let Enforcer::Gateway { header } = &limit.enforcer
        {
            headers.push((header, bucket.as_str().into()));
        }
    }
    if let Some(told) = decision.rendering() {
        headers.extend(
            told.headers(names)
                .map(|(name, value)| (name, Cow::Borrowed(value))),
        );
    }
    headers
}
