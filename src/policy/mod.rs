//! The route's policy: what its operator wrote, checked once, and then decided on for every request.
//!
//! Raw ([`raw`], structs of its shape), checked (one fallible conversion that reports every error with its path),
//! compiled ([`Policy`]): the request path sees only the last. Whoever holds a [`Permit`] was allowed by a
//! rule; only [`Policy::decide`] makes one.

mod analyse;
mod certificate;
mod check;
mod claim_name;
mod compiled;
mod condition;
mod decide;
mod explain;
mod facts;
mod glob;
mod host_glob;
mod identity;
mod index;
mod matcher;
mod mention;
mod nearest;
mod pin;
mod preset;
mod raw;
mod schedule;
#[cfg(feature = "schema")]
mod schema;
mod share;
pub mod when;

#[cfg(test)]
mod tests;

pub use analyse::{Finding, FirstFindings, Severity};
pub use certificate::CertificateTest;
pub use check::{ConfigError, ConfigErrors};
pub use claim_name::ClaimName;
pub use compiled::{
    Allowed, Audit, ClaimSet, ClientDetail, Detail, Effect, Exchange, HeaderNames, Issuer, Level,
    Mode, Policy, Replay, Role, RoleSet, Rule,
};
pub use condition::Truth;
pub use decide::{Denial, Mismatch, Permit, Ruling, Verdict};
pub use explain::{ConditionTrace, RuleTrace};
pub use facts::{ClientCertificate, Facts, Needs};
pub use glob::{ClaimGlob, PathGlob};
pub use host_glob::{HostGlob, normalise_host};
pub use identity::{Identity, IdentityField};
pub use matcher::ClaimTest;
pub use schedule::Schedule;
#[cfg(feature = "schema")]
pub use schema::schema;
pub use share::Share;
