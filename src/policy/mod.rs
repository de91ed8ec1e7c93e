//! The route's policy: what its operator wrote, checked once, and then decided on for every request.
//!
//! Raw ([`raw`], serde structs), checked (one fallible conversion that reports every error with its path),
//! compiled ([`Policy`]): the request path sees only the last. Whoever holds a [`Permit`] was allowed by a
//! rule; only [`Policy::decide`] makes one.

mod check;
mod compiled;
mod decide;
mod glob;
mod identity;
mod matcher;
mod pin;
mod preset;
mod raw;
pub mod when;

#[cfg(test)]
mod tests;

pub use check::{ConfigError, ConfigErrors};
pub use compiled::{
    Audit, ClaimSet, ClientDetail, Detail, Effect, HeaderNames, Issuer, Mode, Policy, Replay, Role,
    Rule,
};
pub use decide::{Denial, Mismatch, Permit, Ruling};
pub use glob::{ClaimGlob, PathGlob};
pub use identity::{Identity, IdentityField};
pub use matcher::ClaimTest;
