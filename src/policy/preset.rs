//! What is known of the CI providers: their issuers, keys, algorithms, tenants and the names of their claims.

use crate::token::Algorithm;
use std::time::Duration;

/// A part of a job's identity, as upstreams and auditors see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityField {
    /// The tenant: organization, owner, group.
    Organization,
    /// The pipeline, project or repository.
    Pipeline,
    /// The build or run.
    Build,
    /// The branch or ref.
    Branch,
    /// The commit.
    Commit,
    /// The job.
    Job,
    /// The step.
    Step,
    /// The agent or runner.
    Agent,
}

impl IdentityField {
    /// Every field, in the order of headers and records.
    pub const ALL: [IdentityField; 8] = [
        IdentityField::Organization,
        IdentityField::Pipeline,
        IdentityField::Build,
        IdentityField::Branch,
        IdentityField::Commit,
        IdentityField::Job,
        IdentityField::Step,
        IdentityField::Agent,
    ];

    /// The field's name in records, and after the prefix in headers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Pipeline => "pipeline",
            Self::Build => "build",
            Self::Branch => "branch",
            Self::Commit => "commit",
            Self::Job => "job",
            Self::Step => "step",
            Self::Agent => "agent",
        }
    }
}

/// Which claim holds each part of the identity.
pub type Identity = &'static [(IdentityField, &'static str)];

/// A provider's facts; a policy can override all but the identity.
#[derive(Debug)]
pub(super) struct Preset {
    pub(super) name: &'static str,
    pub(super) issuer: &'static str,
    pub(super) jwks_uri: &'static str,
    pub(super) algorithms: &'static [Algorithm],
    /// Claims that name the customer. The provider signs for all customers with the same keys.
    pub(super) tenant_claims: &'static [&'static str],
    pub(super) identity: Identity,
    pub(super) max_lifetime: Duration,
}

const BUILDKITE: Preset = Preset {
    name: "buildkite",
    issuer: "https://agent.buildkite.com",
    jwks_uri: "https://agent.buildkite.com/.well-known/jwks",
    algorithms: &[Algorithm::Rs256],
    tenant_claims: &["organization_slug", "organization_id"],
    identity: &[
        (IdentityField::Organization, "organization_slug"),
        (IdentityField::Pipeline, "pipeline_slug"),
        (IdentityField::Build, "build_number"),
        (IdentityField::Branch, "build_branch"),
        (IdentityField::Commit, "build_commit"),
        (IdentityField::Job, "job_id"),
        (IdentityField::Step, "step_key"),
        (IdentityField::Agent, "agent_id"),
    ],
    max_lifetime: Duration::from_secs(2 * 60 * 60),
};

impl Preset {
    pub(super) const ALL: &'static [&'static Preset] = &[&BUILDKITE];

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().copied().find(|preset| preset.name == name)
    }
}

/// Issuers that sign for all customers of a provider, and the claims that tell these apart. What is known of
/// them holds whether a preset was named or not.
const SHARED_ISSUERS: [(&str, &[&str]); 3] = [
    (BUILDKITE.issuer, BUILDKITE.tenant_claims),
    (
        "https://token.actions.githubusercontent.com",
        &["repository_owner", "repository_owner_id"],
    ),
    (
        "https://gitlab.com",
        &[
            "namespace_path",
            "namespace_id",
            "project_path",
            "project_id",
        ],
    ),
];

/// The claims that tell the customers of this issuer apart, if it is one that many share.
pub(super) fn shared_tenants(issuer: &str) -> Option<&'static [&'static str]> {
    SHARED_ISSUERS
        .iter()
        .find(|(shared, _)| *shared == issuer)
        .map(|(_, claims)| *claims)
}
