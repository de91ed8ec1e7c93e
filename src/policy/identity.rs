//! Who the job is, in words that are the same for every provider.

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

    /// The field's name in policies and records, and after the prefix in headers.
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

/// Which claim holds each part of the identity, by its whole name; at most one for each, in the order of
/// [`IdentityField::ALL`]. A part without a claim is not told.
pub type Identity = Vec<(IdentityField, String)>;
