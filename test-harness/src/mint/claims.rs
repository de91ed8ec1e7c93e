//! The claims of a job's token, as each provider writes them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Provider, TokenSpec, merged};

/// How `sub` follows from the other claims.
type Subject = fn(&Map<String, Value>) -> String;

/// The claims that `spec` describes: the payload that [`super::Minter::mint`] encodes and signs.
pub(super) fn claims(
    issuer: &str,
    audience: &str,
    spec: &TokenSpec,
    now: u64,
) -> Map<String, Value> {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let issued_at = now.saturating_sub(spec.age);
    let backdated = |seconds| issued_at.saturating_sub(seconds);
    let usual_not_before = match spec.provider {
        Provider::Buildkite => Some(issued_at),
        Provider::Gitlab => Some(backdated(5)),
        Provider::Github => Some(backdated(600)),
        Provider::Circleci => None,
    };
    let not_before = spec
        .nbf_in
        .map(|offset| now.saturating_add(offset))
        .or(usual_not_before);
    let expires = spec.exp_in.map_or_else(
        || issued_at.saturating_add(spec.lifetime),
        |offset| now.saturating_add(offset),
    );

    let (job, subject): (_, Subject) = match spec.provider {
        Provider::Buildkite => (buildkite(), buildkite_subject),
        Provider::Gitlab => (gitlab(), gitlab_subject),
        Provider::Github => (github(), github_subject),
        Provider::Circleci => (circleci(), circleci_subject),
    };
    let base = [
        ("iss", json!(issuer)),
        ("aud", json!(audience)),
        ("iat", json!(issued_at)),
        ("exp", json!(expires)),
    ]
    .into_iter()
    .chain(not_before.map(|moment| ("nbf", json!(moment))))
    .chain(
        job.iter()
            .map(|(name, value)| (name.as_str(), value.clone())),
    );
    // Claims are left out last: `sub` still tells what they would have said.
    let mut claims = merged(base, &spec.claims, &BTreeSet::new());
    let subject = json!(subject(&claims));
    claims.entry("sub").or_insert(subject);
    if let Some(length) = spec.pad {
        claims.insert("padding".to_owned(), json!("x".repeat(length)));
    }
    claims.retain(|name, _| !spec.without.contains(name));
    claims
}

const COMMIT: &str = "9f3182061f1e2cca4702c368cbc039b7dc9d4485";

/// <https://buildkite.com/docs/agent/cli/reference/oidc>
fn buildkite() -> Map<String, Value> {
    members(json!({
        "organization_slug": "acme",
        "pipeline_slug": "deploy-web",
        "build_number": 42,
        "build_branch": "main",
        "build_commit": COMMIT,
        "step_key": "deploy",
        "job_id": "0190046e-e199-453b-a302-a21a4d649d31",
        "agent_id": "0190046d-2b9e-4a3b-8f42-6a3f1d7f6a55",
        "build_source": "webhook",
        "runner_environment": "self-hosted",
    }))
}

/// A null (a step without a key) is written as nothing.
fn buildkite_subject(claims: &Map<String, Value>) -> String {
    let text = |name| text(claims, name);
    format!(
        "organization:{}:pipeline:{}:ref:refs/heads/{}:commit:{}:step:{}",
        text("organization_slug"),
        text("pipeline_slug"),
        text("build_branch"),
        text("build_commit"),
        text("step_key"),
    )
}

/// <https://docs.gitlab.com/ci/secrets/id_token_authentication/>; ids are strings, the runner's is not.
fn gitlab() -> Map<String, Value> {
    members(json!({
        "jti": "21636369-8b52-4b4a-97b7-50923ceb3ffd",
        "namespace_id": "9001",
        "namespace_path": "acme/platform",
        "project_id": "4711",
        "project_path": "acme/platform/web",
        "job_project_id": "4711",
        "job_project_path": "acme/platform/web",
        "job_namespace_id": "9001",
        "job_namespace_path": "acme/platform",
        "user_id": "33",
        "user_login": "robin",
        "user_email": "robin@acme.example",
        "user_access_level": "developer",
        "groups_direct": ["acme/deployers", "acme/platform"],
        "pipeline_id": "88001",
        "pipeline_source": "push",
        "job_id": "880012",
        "ref": "main",
        "ref_type": "branch",
        "ref_path": "refs/heads/main",
        "ref_protected": "true",
        "environment": "production",
        "environment_protected": "true",
        "deployment_tier": "production",
        "runner_id": 17,
        "runner_environment": "self-hosted",
        "sha": COMMIT,
        "ci_config_ref_uri": "gitlab.com/acme/platform/web//.gitlab-ci.yml@refs/heads/main",
        "project_visibility": "private",
    }))
}

fn gitlab_subject(claims: &Map<String, Value>) -> String {
    let text = |name| text(claims, name);
    format!(
        "project_path:{}:ref_type:{}:ref:{}",
        text("project_path"),
        text("ref_type"),
        text("ref"),
    )
}

/// <https://docs.github.com/en/actions/reference/security/oidc>; all of them strings.
fn github() -> Map<String, Value> {
    members(json!({
        "jti": "795b929e-9a9a-40fd-aa7b-5bf55eb561a4",
        "repository": "acme/web",
        "repository_id": "456789",
        "repository_owner": "acme",
        "repository_owner_id": "123456",
        "repository_visibility": "private",
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "ref_protected": "true",
        "sha": COMMIT,
        "workflow": "deploy",
        "workflow_ref": "acme/web/.github/workflows/deploy.yml@refs/heads/main",
        "workflow_sha": COMMIT,
        "job_workflow_ref": "acme/web/.github/workflows/deploy.yml@refs/heads/main",
        "job_workflow_sha": COMMIT,
        "event_name": "push",
        "actor": "robin",
        "actor_id": "33",
        "base_ref": "",
        "head_ref": "",
        "run_id": "11223344",
        "run_number": "7",
        "run_attempt": "1",
        "check_run_id": "55667788",
        "runner_environment": "github-hosted",
    }))
}

/// As repositories have it that were made since July 2026: with the ids that names are lent by.
fn github_subject(claims: &Map<String, Value>) -> String {
    let text = |name| text(claims, name);
    let repository = text("repository");
    let name = repository.rsplit('/').next().unwrap_or_default().to_owned();
    format!(
        "repo:{}@{}/{name}@{}:ref:{}",
        text("repository_owner"),
        text("repository_owner_id"),
        text("repository_id"),
        text("ref"),
    )
}

/// <https://circleci.com/docs/guides/permissions-authentication/openid-connect-tokens/>
fn circleci() -> Map<String, Value> {
    members(json!({
        "oidc.circleci.com/org-id": "9d2dd1d6-6d2b-4a3e-9b0f-0c6ab6d6c0b1",
        "oidc.circleci.com/project-id": "9b08923d-10c6-4fd9-94b2-b8fda02f34a6",
        "oidc.circleci.com/pipeline-id": "781f9c58-d664-4fa9-a8a8-529f035efa25",
        "oidc.circleci.com/pipeline-definition-id": "31162427-3bfd-4d33-8d00-38ec42650644",
        "oidc.circleci.com/workflow-id": "8a7d43b5-7863-4074-b797-0386fee29476",
        "oidc.circleci.com/job-id": "65aa9c82-79f2-48b0-8cb4-a0d7d6225675",
        "oidc.circleci.com/context-ids": ["3b5f3d86-268e-4c45-9c6b-f1e1a399f82a"],
        "oidc.circleci.com/vcs-origin": "github.com/acme/web",
        "oidc.circleci.com/vcs-ref": "refs/heads/main",
        "oidc.circleci.com/ssh-rerun": false,
    }))
}

fn circleci_subject(claims: &Map<String, Value>) -> String {
    format!(
        "org/{}/project/{}/user/ed038db4-de38-4784-a6d0-b944a2863a7f",
        text(claims, "oidc.circleci.com/org-id"),
        text(claims, "oidc.circleci.com/project-id"),
    )
}

fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn text(claims: &Map<String, Value>, name: &str) -> String {
    match claims.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
