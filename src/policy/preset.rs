//! What is known of the CI providers: their issuers, keys, algorithms, tenants and the names of their claims.

use super::identity::{Identity, IdentityField};
use crate::token::Algorithm;
use IdentityField::{Agent, Branch, Build, Commit, Job, Organization, Pipeline, Step};
use std::time::Duration;

/// A provider's facts; a policy can override them.
#[derive(Debug)]
pub(super) struct Preset {
    pub(super) name: &'static str,
    /// The issuer of the provider's own service, unless each customer has one there.
    pub(super) issuer: Option<&'static str>,
    /// How issuers of the provider's own service are spelled, for errors.
    pub(super) spelling: &'static str,
    /// Where the key set is, below the issuer.
    jwks_path: &'static str,
    pub(super) algorithms: &'static [Algorithm],
    /// Claims that name the customer, where the issuer does not.
    pub(super) tenant_claims: &'static [&'static str],
    identity: &'static [(IdentityField, &'static str)],
    /// The longest a token lives from `iat` to `exp`, with some room: a cap on what a stolen one is good for.
    pub(super) max_lifetime: Duration,
    /// The host of the provider's own service.
    host: &'static str,
    /// Whether this, below that host, is a customer's own issuer.
    is_customers: fn(&str) -> bool,
}

const BUILDKITE: Preset = Preset {
    name: "buildkite",
    issuer: Some("https://agent.buildkite.com"),
    spelling: "write \"https://agent.buildkite.com\"",
    jwks_path: "/.well-known/jwks",
    algorithms: &[Algorithm::Rs256],
    tenant_claims: &["organization_slug", "organization_id"],
    identity: &[
        (Organization, "organization_slug"),
        (Pipeline, "pipeline_slug"),
        (Build, "build_number"),
        (Branch, "build_branch"),
        (Commit, "build_commit"),
        (Job, "job_id"),
        (Step, "step_key"),
        (Agent, "agent_id"),
    ],
    // What Buildkite lets jobs ask for at most; they get 5 minutes unless they ask.
    max_lifetime: minutes(120),
    host: "agent.buildkite.com",
    is_customers: |_| false,
};

const GITLAB: Preset = Preset {
    name: "gitlab",
    issuer: Some("https://gitlab.com"),
    spelling: "write \"https://gitlab.com\"",
    jwks_path: "/oauth/discovery/keys",
    algorithms: &[Algorithm::Rs256],
    // Not job_project_path and its like: where a fork's merge request runs, these name the project that was
    // forked, and the code is the fork's.
    tenant_claims: &[
        "namespace_path",
        "namespace_id",
        "project_path",
        "project_id",
    ],
    identity: &[
        (Organization, "namespace_path"),
        (Pipeline, "project_path"),
        (Build, "pipeline_id"),
        (Branch, "ref"),
        (Commit, "sha"),
        (Job, "job_id"),
        (Agent, "runner_id"),
    ],
    // A token lives as long as its job may run: an hour unless the project says otherwise, and three at most
    // on GitLab.com's own runners. Who lets jobs run longer raises this knowingly.
    max_lifetime: minutes(240),
    host: "gitlab.com",
    is_customers: |_| false,
};

const GITHUB: Preset = Preset {
    name: "github",
    issuer: Some("https://token.actions.githubusercontent.com"),
    spelling: "write \"https://token.actions.githubusercontent.com\", or that with \"/\" and the enterprise's slug",
    jwks_path: "/.well-known/jwks",
    algorithms: &[Algorithm::Rs256],
    tenant_claims: &[
        "repository_owner",
        "repository_owner_id",
        "repository",
        "repository_id",
        "enterprise_id",
    ],
    identity: &[
        (Organization, "repository_owner"),
        (Pipeline, "repository"),
        (Build, "run_id"),
        (Branch, "ref"),
        (Commit, "sha"),
        (Job, "check_run_id"),
    ],
    // Five minutes from `iat`; the backdated `nbf` does not count where there is an `iat`.
    max_lifetime: minutes(15),
    host: "token.actions.githubusercontent.com",
    is_customers: is_slug,
};

const CIRCLECI: Preset = Preset {
    name: "circleci",
    issuer: None,
    spelling: "write \"https://oidc.circleci.com/org/\" and the organization's UUID",
    jwks_path: "/.well-known/jwks-pub.json",
    algorithms: &[Algorithm::Rs256],
    // The issuer names the organization.
    tenant_claims: &[],
    identity: &[
        (Organization, "oidc.circleci.com/org-id"),
        (Pipeline, "oidc.circleci.com/project-id"),
        (Build, "oidc.circleci.com/pipeline-id"),
        (Branch, "oidc.circleci.com/vcs-ref"),
        (Job, "oidc.circleci.com/job-id"),
    ],
    // An hour, as documented.
    max_lifetime: minutes(90),
    host: "oidc.circleci.com",
    is_customers: |rest| rest.strip_prefix("org/").is_some_and(is_uuid),
};

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes.saturating_mul(60))
}

/// Whose an issuer is that stands on a provider's own host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hosted {
    pub(super) preset: &'static Preset,
    /// Whether all of the provider's customers have this issuer, so that only claims tell them apart.
    pub(super) is_shared: bool,
}

impl Preset {
    pub(super) const ALL: &'static [&'static Preset] = &[&BUILDKITE, &GITLAB, &GITHUB, &CIRCLECI];

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().copied().find(|preset| preset.name == name)
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
            .iter()
            .map(|(field, claim)| (*field, (*claim).to_owned()))
            .collect()
    }

    /// The address of the key set of this issuer, which stands below the issuer itself: tokens of one
    /// instance must not be proven with another's keys.
    ///
    /// GitHub has the keys of all enterprises below its own issuer, and none below theirs.
    pub(super) fn jwks_uri(&self, issuer: &str) -> String {
        let base = match self.issuer {
            Some(own) if Hosted::find(issuer).is_ok_and(|hosted| hosted.is_some()) => own,
            _ => issuer.strip_suffix('/').unwrap_or(issuer),
        };
        format!("{base}{}", self.jwks_path)
    }
}

impl Hosted {
    /// What is known of an issuer by its text, whether a preset was named or not.
    ///
    /// Hosts are told apart as addresses do, since whoever writes `https://gitlab.com/` means GitLab.com.
    /// Tokens are told apart byte for byte, so another spelling would be an issuer that no token names, and
    /// one for which nobody asked whether it is shared.
    ///
    /// # Errors
    /// The provider, if the host is its own and no token of it has this issuer.
    pub(super) fn find(issuer: &str) -> Result<Option<Self>, &'static Preset> {
        let Some(preset) = host_of(issuer).and_then(|host| {
            Preset::ALL
                .iter()
                .find(|preset| preset.host == host)
                .copied()
        }) else {
            return Ok(None);
        };
        let rest = issuer
            .strip_prefix("https://")
            .and_then(|rest| rest.strip_prefix(preset.host));
        match rest.map(|rest| rest.split_at_checked(1)) {
            // Nothing after the host.
            Some(None) if preset.issuer.is_some() => Ok(Some(Self {
                preset,
                is_shared: true,
            })),
            Some(Some(("/", below))) if (preset.is_customers)(below) => Ok(Some(Self {
                preset,
                is_shared: false,
            })),
            _ => Err(preset),
        }
    }
}

/// The host that a browser would go to, in lower case and without a dot at its end.
fn host_of(issuer: &str) -> Option<String> {
    let (_, rest) = issuer.split_once("//")?;
    let authority = rest.split(['/', '\\', '?', '#']).next()?;
    let host_and_port = authority.rsplit('@').next()?;
    let host = host_and_port.split(':').next()?;
    Some(host.trim_end_matches('.').to_ascii_lowercase())
}

fn is_slug(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A UUID as it is written in lower case.
fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12])
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_issuer_is_known_in_its_one_spelling_and_every_other_is_an_error() {
        let uuid = "9d2dd1d6-6d2b-4a3e-9b0f-0c6ab6d6c0b1";
        for (issuer, expected) in [
            ("https://agent.buildkite.com", Ok(Some(("buildkite", true)))),
            ("https://gitlab.com", Ok(Some(("gitlab", true)))),
            (
                "https://token.actions.githubusercontent.com",
                Ok(Some(("github", true))),
            ),
            (
                "https://token.actions.githubusercontent.com/acme-inc",
                Ok(Some(("github", false))),
            ),
            (
                &format!("https://oidc.circleci.com/org/{uuid}"),
                Ok(Some(("circleci", false))),
            ),
            ("https://gitlab.acme.example", Ok(None)),
            ("https://gitlab.com.acme.example", Ok(None)),
            ("https://gitlab.com@acme.example/", Ok(None)),
            ("https://acme.example/https://gitlab.com", Ok(None)),
            ("https://github.acme.example/_services/token", Ok(None)),
            ("gitlab.com", Ok(None)),
            ("https://gitlab.com/", Err("gitlab")),
            ("https://gitlab.com//", Err("gitlab")),
            ("https://gitlab.com.", Err("gitlab")),
            ("https://gitlab.com:443", Err("gitlab")),
            ("https://GitLab.com", Err("gitlab")),
            ("HTTPS://gitlab.com", Err("gitlab")),
            ("http://gitlab.com", Err("gitlab")),
            ("//gitlab.com", Err("gitlab")),
            ("https://gitlab.com/acme", Err("gitlab")),
            ("https://gitlab.com?x", Err("gitlab")),
            ("https://gitlab.com#", Err("gitlab")),
            ("https://gitlab.com\\acme", Err("gitlab")),
            ("https://x@gitlab.com", Err("gitlab")),
            ("https://agent.buildkite.com/acme", Err("buildkite")),
            (
                "https://token.actions.githubusercontent.com/",
                Err("github"),
            ),
            (
                "https://token.actions.githubusercontent.com/a/b",
                Err("github"),
            ),
            (
                "https://token.actions.githubusercontent.com/acme/",
                Err("github"),
            ),
            ("https://oidc.circleci.com", Err("circleci")),
            ("https://oidc.circleci.com/org/acme", Err("circleci")),
            (
                &format!("https://oidc.circleci.com/org/{uuid}/"),
                Err("circleci"),
            ),
            (
                &format!("https://oidc.circleci.com/org/{}", uuid.to_uppercase()),
                Err("circleci"),
            ),
        ] {
            let found = Hosted::find(issuer)
                .map(|hosted| hosted.map(|hosted| (hosted.preset.name, hosted.is_shared)))
                .map_err(|preset| preset.name);
            assert_eq!(found, expected, "{issuer}");
        }
    }

    #[test]
    fn keys_are_below_the_issuer_that_the_policy_names() {
        for (preset, issuer, uri) in [
            (
                &BUILDKITE,
                "https://agent.buildkite.com",
                "https://agent.buildkite.com/.well-known/jwks",
            ),
            (
                &BUILDKITE,
                "https://ci.example",
                "https://ci.example/.well-known/jwks",
            ),
            (
                &GITLAB,
                "https://gitlab.com",
                "https://gitlab.com/oauth/discovery/keys",
            ),
            (
                &GITLAB,
                "https://git.acme.example/gitlab/",
                "https://git.acme.example/gitlab/oauth/discovery/keys",
            ),
            (
                &GITHUB,
                "https://token.actions.githubusercontent.com",
                "https://token.actions.githubusercontent.com/.well-known/jwks",
            ),
            (
                &GITHUB,
                "https://token.actions.githubusercontent.com/acme",
                "https://token.actions.githubusercontent.com/.well-known/jwks",
            ),
            (
                &GITHUB,
                "https://github.acme.example/_services/token",
                "https://github.acme.example/_services/token/.well-known/jwks",
            ),
            (
                &CIRCLECI,
                "https://oidc.circleci.com/org/9d2dd1d6-6d2b-4a3e-9b0f-0c6ab6d6c0b1",
                "https://oidc.circleci.com/org/9d2dd1d6-6d2b-4a3e-9b0f-0c6ab6d6c0b1/.well-known/jwks-pub.json",
            ),
        ] {
            assert_eq!(preset.jwks_uri(issuer), uri);
        }
    }
}
