//! The claims of a Buildkite job's token.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{TokenSpec, merged};

/// The claims that `spec` describes: the payload that [`super::Minter::mint`] encodes and signs.
pub(super) fn claims(
    issuer: &str,
    audience: &str,
    spec: &TokenSpec,
    now: u64,
) -> Map<String, Value> {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let issued_at = now.saturating_sub(spec.age);
    let not_before = spec
        .nbf_in
        .map_or(issued_at, |offset| now.saturating_add(offset));
    let expires = spec.exp_in.map_or_else(
        || issued_at.saturating_add(spec.lifetime),
        |offset| now.saturating_add(offset),
    );

    let base = [
        ("iss", json!(issuer)),
        ("aud", json!(audience)),
        ("iat", json!(issued_at)),
        ("nbf", json!(not_before)),
        ("exp", json!(expires)),
        ("organization_slug", json!("acme")),
        ("pipeline_slug", json!("deploy-web")),
        ("build_number", json!(42)),
        ("build_branch", json!("main")),
        (
            "build_commit",
            json!("9f3182061f1e2cca4702c368cbc039b7dc9d4485"),
        ),
        ("step_key", json!("deploy")),
        ("job_id", json!("0190046e-e199-453b-a302-a21a4d649d31")),
        ("agent_id", json!("0190046d-2b9e-4a3b-8f42-6a3f1d7f6a55")),
        ("build_source", json!("webhook")),
        ("runner_environment", json!("self-hosted")),
    ];
    // Claims are left out last: `sub` still tells what they would have said.
    let mut claims = merged(base, &spec.claims, &BTreeSet::new());
    let subject = subject(&claims);
    claims.entry("sub").or_insert(subject);
    if let Some(length) = spec.pad {
        claims.insert("padding".to_owned(), json!("x".repeat(length)));
    }
    claims.retain(|name, _| !spec.without.contains(name));
    claims
}

/// `organization:ORG:pipeline:PIPE:ref:REF:commit:SHA:step:KEY`; a null (a step without a key) is written as nothing.
fn subject(claims: &Map<String, Value>) -> Value {
    let text = |name: &str| match claims.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    json!(format!(
        "organization:{}:pipeline:{}:ref:refs/heads/{}:commit:{}:step:{}",
        text("organization_slug"),
        text("pipeline_slug"),
        text("build_branch"),
        text("build_commit"),
        text("step_key"),
    ))
}
