//! The job that is asked about: a token, or claims without one.

use jobgate::policy::Policy;
use jobgate::token::Claims;
use serde_json::{Map, Value, json};

/// A job.
pub(crate) enum Job {
    /// A token in compact form. It is never shown.
    Token(String),
    /// Claims that are taken for proven.
    Claims {
        claims: Claims,
        /// The issuer's place in the policy; without one the claims name it.
        issuer: Option<usize>,
    },
}

impl Job {
    /// A job of which the claims are known. If they don't name the issuer it is `issuer`, or the only one there
    /// is.
    ///
    /// # Errors
    /// The issuer is not clear, or the policy doesn't have it.
    pub(crate) fn of_claims(
        policy: &Policy,
        mut claims: Map<String, Value>,
        issuer: Option<&str>,
    ) -> Result<Self, String> {
        let place = match (issuer, claims.get("iss"), policy.issuers.as_slice()) {
            (Some(name), _, _) => Some(named_issuer(policy, name)?),
            (None, Some(_), _) => None,
            (None, None, [_]) => Some(0),
            (None, None, _) => {
                return Err(format!(
                    "whose claims these are is not clear; name the issuer, or write iss among them: {}",
                    issuers(policy)
                ));
            }
        };
        if let Some(place) = place {
            let issuer = &policy.issuers[place].issuer;
            if let Some(claimed) = claims.get("iss").filter(|claimed| *claimed != issuer) {
                return Err(format!(
                    "the claims say that iss is {claimed}, and not {issuer:?}; leave one of the two out"
                ));
            }
            // Rules can ask for it like for any claim.
            claims
                .entry("iss")
                .or_insert_with(|| issuer.as_str().into());
        }
        Ok(Self::Claims {
            claims: Claims::new(claims),
            issuer: place,
        })
    }
}

/// The issuer of this name, or the only one of this preset.
///
/// # Errors
/// There is none, or there are several.
pub(crate) fn named_issuer(policy: &Policy, name: &str) -> Result<usize, String> {
    let all = || policy.issuers.iter().enumerate();
    if let Some((place, _)) = all().find(|(_, issuer)| issuer.issuer == name) {
        return Ok(place);
    }
    let of_preset: Vec<_> = all()
        .filter(|(_, issuer)| issuer.preset == Some(name))
        .map(|(place, _)| place)
        .collect();
    match of_preset.as_slice() {
        [place] => Ok(*place),
        [] => Err(format!(
            "{name:?} is no issuer of the policy; it has {}",
            issuers(policy)
        )),
        _ => Err(format!(
            "{name:?} are several issuers of the policy; name one: {}",
            issuers(policy)
        )),
    }
}

fn issuers(policy: &Policy) -> String {
    let names: Vec<_> = policy
        .issuers
        .iter()
        .map(|issuer| issuer.issuer.as_str())
        .collect();
    names.join(", ")
}

/// The presets of which there is an example.
pub(crate) const EXAMPLES: [&str; 4] = ["buildkite", "circleci", "github", "gitlab"];

/// The claims of a usual job of this provider, but for issuer, audience and times.
pub(crate) fn example(preset: &str) -> Option<Map<String, Value>> {
    let claims = match preset {
        // https://buildkite.com/docs/agent/cli/reference/oidc
        "buildkite" => json!({
            "sub": "organization:acme:pipeline:web:ref:refs/heads/main:commit:3c0f3a7d0e6b4c0b8a1f5d2e9b7c6a5f4e3d2c1b:step:deploy",
            "organization_slug": "acme",
            "pipeline_slug": "web",
            "build_number": 1207,
            "build_branch": "main",
            "build_commit": "3c0f3a7d0e6b4c0b8a1f5d2e9b7c6a5f4e3d2c1b",
            "build_source": "webhook",
            "step_key": "deploy",
            "job_id": "01930a52-6f0e-4c1b-9a57-2b7a8e0d4f11",
            "agent_id": "01930a50-11c2-4f0a-8d3e-7c5b9f6a2e44",
            "runner_environment": "self-hosted",
        }),
        // https://docs.gitlab.com/ci/secrets/id_token_authentication/
        "gitlab" => json!({
            "sub": "project_path:acme/web:ref_type:branch:ref:main",
            "jti": "6f3b1c52-8d7e-4a90-b1c4-5e2f7a9d0c38",
            "namespace_id": "72",
            "namespace_path": "acme",
            "project_id": "1420",
            "project_path": "acme/web",
            "user_id": "15",
            "user_login": "sam",
            "user_email": "sam@acme.example",
            "user_access_level": "maintainer",
            "groups_direct": ["acme/platform"],
            "pipeline_id": "90311",
            "pipeline_source": "push",
            "job_id": "903117",
            "ref": "main",
            "ref_type": "branch",
            "ref_path": "refs/heads/main",
            "ref_protected": "true",
            "environment": "production",
            "environment_protected": "true",
            "deployment_tier": "production",
            "runner_id": 8,
            "runner_environment": "self-hosted",
            "sha": "3c0f3a7d0e6b4c0b8a1f5d2e9b7c6a5f4e3d2c1b",
            "ci_config_ref_uri": "gitlab.com/acme/web//.gitlab-ci.yml@refs/heads/main",
            "project_visibility": "private",
        }),
        // https://docs.github.com/en/actions/reference/security/oidc
        "github" => json!({
            "sub": "repo:acme/web:ref:refs/heads/main",
            "jti": "c41f7d2e-05a6-4b7e-9f1a-3d8e6b2c7a90",
            "repository": "acme/web",
            "repository_id": "640127",
            "repository_owner": "acme",
            "repository_owner_id": "90321",
            "repository_visibility": "private",
            "ref": "refs/heads/main",
            "ref_type": "branch",
            "ref_protected": "true",
            "sha": "3c0f3a7d0e6b4c0b8a1f5d2e9b7c6a5f4e3d2c1b",
            "workflow": "deploy",
            "workflow_ref": "acme/web/.github/workflows/deploy.yml@refs/heads/main",
            "job_workflow_ref": "acme/web/.github/workflows/deploy.yml@refs/heads/main",
            "event_name": "push",
            "actor": "sam",
            "actor_id": "5512",
            "base_ref": "",
            "head_ref": "",
            "run_id": "7719203345",
            "run_number": "318",
            "run_attempt": "1",
            "check_run_id": "21984410377",
            "runner_environment": "github-hosted",
        }),
        // https://circleci.com/docs/guides/permissions-authentication/openid-connect-tokens/
        "circleci" => json!({
            "sub": "org/5f0c1a72-9d3b-4e68-a1f7-2c8b6d9e4a05/project/b27e4c10-6a5d-4f39-8e12-7d0f3c9b5a81/user/e8d1f6b3-2c47-4a9e-b05d-1f6a7c3e9d20",
            "oidc.circleci.com/org-id": "5f0c1a72-9d3b-4e68-a1f7-2c8b6d9e4a05",
            "oidc.circleci.com/project-id": "b27e4c10-6a5d-4f39-8e12-7d0f3c9b5a81",
            "oidc.circleci.com/pipeline-id": "0d9c7e35-41fa-4b62-93e8-5a2d8f1b6c74",
            "oidc.circleci.com/workflow-id": "46b1e0f9-7c2d-4835-a9d6-e3f05b8c1a27",
            "oidc.circleci.com/job-id": "f3a8d5c6-0b1e-4927-8d4c-6e9a2f7b5c13",
            "oidc.circleci.com/context-ids": ["97c4b2e1-3f6a-4d08-b5e9-0a1d7c8f2b46"],
            "oidc.circleci.com/vcs-origin": "github.com/acme/web",
            "oidc.circleci.com/vcs-ref": "refs/heads/main",
            "oidc.circleci.com/ssh-rerun": false,
        }),
        _ => return None,
    };
    match claims {
        Value::Object(claims) => Some(claims),
        _ => None,
    }
}
