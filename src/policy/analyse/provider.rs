//! Which claims the providers issue, as far as their documentation tells.

use crate::policy::compiled::Issuer;
use crate::policy::nearest::nearest;
use Kind::{Always, OnRequest, Sometimes, Structured};

/// What is known of the claims in a provider's tokens.
#[derive(Debug)]
pub(super) struct Provider {
    /// The preset's name.
    preset: &'static str,
    /// How the provider is called.
    pub(super) name: &'static str,
    /// Its claims, beside the registered ones.
    claims: &'static [(&'static str, Kind)],
    /// How the names of claims begin of which there are as many as users make.
    family: Option<(&'static str, Kind)>,
    /// Names that can be given to others, and the ids beside them that can't.
    ids: &'static [(&'static str, &'static str)],
}

/// What is known of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A scalar that every token has.
    Always,
    /// A scalar that some tokens have: for some jobs, or of later versions.
    Sometimes,
    /// A scalar that a token has only if the job asks for it.
    OnRequest,
    /// What may be an array or an object, in some tokens.
    Structured,
}

/// RFC 7519, section 4.1.
const REGISTERED: &[(&str, Kind)] = &[
    ("iss", Always),
    ("sub", Always),
    ("aud", Structured),
    ("exp", Always),
    ("nbf", Sometimes),
    ("iat", Sometimes),
    ("jti", Sometimes),
];

const BUILDKITE: Provider = Provider {
    preset: "buildkite",
    name: "Buildkite",
    claims: &[
        ("organization_slug", Always),
        ("pipeline_slug", Always),
        ("build_number", Always),
        ("build_branch", Always),
        ("build_commit", Always),
        ("job_id", Always),
        ("agent_id", Always),
        ("build_source", Always),
        ("runner_environment", Always),
        ("step_key", Sometimes),
        ("build_tag", Sometimes),
        ("organization_id", OnRequest),
        ("pipeline_id", OnRequest),
        ("build_id", OnRequest),
        ("cluster_id", OnRequest),
        ("cluster_name", OnRequest),
        ("queue_id", OnRequest),
        ("queue_key", OnRequest),
        ("https://aws.amazon.com/tags", Structured),
    ],
    family: Some(("agent_tag:", OnRequest)),
    ids: &[
        ("organization_slug", "organization_id"),
        ("pipeline_slug", "pipeline_id"),
    ],
};

const GITLAB: Provider = Provider {
    preset: "gitlab",
    name: "GitLab",
    claims: &[
        ("namespace_id", Always),
        ("namespace_path", Always),
        ("project_id", Always),
        ("project_path", Always),
        ("user_id", Always),
        ("user_login", Always),
        ("pipeline_id", Always),
        ("pipeline_source", Always),
        ("job_id", Always),
        ("ref", Always),
        ("ref_type", Always),
        ("ref_protected", Always),
        ("user_email", Sometimes),
        ("user_access_level", Sometimes),
        ("ref_path", Sometimes),
        ("environment", Sometimes),
        ("environment_protected", Sometimes),
        ("environment_action", Sometimes),
        ("deployment_tier", Sometimes),
        ("runner_id", Sometimes),
        ("runner_environment", Sometimes),
        ("sha", Sometimes),
        ("ci_config_ref_uri", Sometimes),
        ("ci_config_sha", Sometimes),
        ("project_visibility", Sometimes),
        ("job_project_id", Sometimes),
        ("job_project_path", Sometimes),
        ("job_namespace_id", Sometimes),
        ("job_namespace_path", Sometimes),
        ("job_source", Sometimes),
        ("job_policy_ref_uri", Sometimes),
        ("job_policy_ref_sha", Sometimes),
        ("groups_direct", Structured),
        ("user_identities", Structured),
        ("job_config", Structured),
    ],
    family: None,
    ids: &[
        ("namespace_path", "namespace_id"),
        ("project_path", "project_id"),
        ("user_login", "user_id"),
    ],
};

const GITHUB: Provider = Provider {
    preset: "github",
    name: "GitHub",
    claims: &[
        ("repository", Always),
        ("repository_id", Always),
        ("repository_owner", Always),
        ("repository_owner_id", Always),
        ("ref", Always),
        ("ref_type", Always),
        ("sha", Always),
        ("event_name", Always),
        ("actor", Always),
        ("actor_id", Always),
        ("run_id", Always),
        ("repository_visibility", Sometimes),
        ("ref_protected", Sometimes),
        ("workflow", Sometimes),
        ("workflow_ref", Sometimes),
        ("workflow_sha", Sometimes),
        ("job_workflow_ref", Sometimes),
        ("job_workflow_sha", Sometimes),
        ("base_ref", Sometimes),
        ("head_ref", Sometimes),
        ("environment", Sometimes),
        ("environment_node_id", Sometimes),
        ("run_number", Sometimes),
        ("run_attempt", Sometimes),
        ("runner_environment", Sometimes),
        ("check_run_id", Sometimes),
        ("enterprise", Sometimes),
        ("enterprise_id", Sometimes),
        ("issuer_scope", Sometimes),
    ],
    family: Some(("repo_property_", Structured)),
    ids: &[
        ("repository", "repository_id"),
        ("repository_owner", "repository_owner_id"),
        ("actor", "actor_id"),
        ("enterprise", "enterprise_id"),
    ],
};

const CIRCLECI: Provider = Provider {
    preset: "circleci",
    name: "CircleCI",
    claims: &[
        ("oidc.circleci.com/project-id", Always),
        ("oidc.circleci.com/org-id", Sometimes),
        ("oidc.circleci.com/pipeline-id", Sometimes),
        ("oidc.circleci.com/pipeline-definition-id", Sometimes),
        ("oidc.circleci.com/workflow-id", Sometimes),
        ("oidc.circleci.com/job-id", Sometimes),
        ("oidc.circleci.com/vcs-origin", Sometimes),
        ("oidc.circleci.com/vcs-ref", Sometimes),
        ("oidc.circleci.com/ssh-rerun", Sometimes),
        ("oidc.circleci.com/context-ids", Structured),
    ],
    family: None,
    ids: &[],
};

impl Provider {
    /// The provider of an issuer with a preset.
    pub(super) fn of(issuer: &Issuer) -> Option<&'static Self> {
        const ALL: [&Provider; 4] = [&BUILDKITE, &GITLAB, &GITHUB, &CIRCLECI];
        let preset = issuer.preset?;
        ALL.into_iter().find(|provider| provider.preset == preset)
    }

    /// The name of the preset, by which policies call the provider.
    pub(super) const fn preset(&self) -> &'static str {
        self.preset
    }

    /// Whether its tokens can have a claim of this name.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.kind(name).is_some()
    }

    /// Whether the claim of this name, where it is there, is no array and no object.
    pub(super) fn is_scalar(&self, name: &str) -> bool {
        self.kind(name).is_some_and(|kind| kind != Structured)
    }

    /// Whether a token can be without a claim that the provider is known to issue.
    pub(super) fn may_lack(&self, name: &str) -> bool {
        self.kind(name).is_some_and(|kind| kind != Always)
    }

    /// Whether only a job that asks for this claim gets it.
    pub(super) fn is_on_request(&self, name: &str) -> bool {
        self.kind(name) == Some(OnRequest)
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        for claims in [self.claims, REGISTERED] {
            if let Some((_, kind)) = claims.iter().find(|(known, _)| *known == name) {
                return Some(*kind);
            }
        }
        let (prefix, kind) = self.family?;
        name.starts_with(prefix).then_some(kind)
    }

    /// The id that stays what it is when what this claim names is renamed.
    pub(super) fn id_of(&self, name: &str) -> Option<&'static str> {
        let mut ids = self.ids.iter();
        ids.find(|(known, _)| *known == name).map(|(_, id)| *id)
    }

    /// The claim that was probably meant by a name that is none.
    pub(super) fn meant(&self, name: &str) -> Option<&'static str> {
        // A long beginning that all names have would make them all alike.
        let prefix = name.rfind('/').and_then(|slash| name.get(..=slash));
        let prefix = prefix.unwrap_or_default();
        let rest = name.strip_prefix(prefix)?;
        let names = || self.claims.iter().map(|(known, _)| *known);
        // Whoever left that beginning out.
        let is_end = |known: &&str| {
            let before = known.strip_suffix(name);
            before.is_some_and(|before| before.ends_with('/'))
        };
        let meant = nearest(rest, names().filter_map(|known| known.strip_prefix(prefix)));
        names()
            .find(|known| is_end(known) || meant.is_some() && known.strip_prefix(prefix) == meant)
    }
}
