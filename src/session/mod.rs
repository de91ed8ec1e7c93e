//! Sessions: a job's access ends with the job.
//!
//! A token outlives its job, by minutes or hours. So whoever knows that a job is over says so: the job itself, with its
//! token, or the CI, by a [webhook]. From then on no token of that job is taken.
//!
//! **What a session is.** Issuer and job, by the claim that the issuer's `identity` names; so all tokens that the job ever
//! asked for are of one session. A token without such a claim is a session of its own, by the digest of what is signed:
//! of an ECDSA signature anybody can make a second one that is as good.
//!
//! **What is recorded**, and where, is said in [`store`].

mod policy;
mod store;
pub mod webhook;

pub use policy::{EndPolicy, Secret, SessionPolicy, Way, WebhookPolicy};
pub use store::{Ended, PAGES};

use crate::limit::page::Key;
use crate::policy::{IdentityField, Issuer};
use crate::sha256::Hash;
use crate::token::VerifiedToken;

/// What is known of a session: a digest, from which no token and no job can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    page: u8,
    key: Key,
}

impl Session {
    /// The session of a token of this issuer.
    #[must_use]
    pub fn of(issuer: &Issuer, token: &VerifiedToken) -> Self {
        match job_of(issuer, token) {
            Some((_, job)) => Self::of_job(issuer, &job),
            None => Self::named(issuer, b"signed", token.signed_digest()),
        }
    }

    /// The session of the job of this name.
    #[must_use]
    pub fn of_job(issuer: &Issuer, job: &str) -> Self {
        Self::named(issuer, b"job", job.as_bytes())
    }

    fn named(issuer: &Issuer, kind: &[u8], name: &[u8]) -> Self {
        let mut hash = Hash::new();
        for part in [
            b"jobgate session".as_slice(),
            issuer.issuer.as_bytes(),
            kind,
            name,
        ] {
            // Each with its length, so that no two lists of parts read the same.
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut key = Key::default();
        key.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self {
            // The last byte is not part of the key.
            page: digest.last().map_or(0, |byte| byte % PAGES),
            key,
        }
    }
}

/// The claim that tells the jobs of an issuer apart, if there is one.
#[must_use]
pub fn job_claim(issuer: &Issuer) -> Option<&str> {
    let mut parts = issuer.identity.iter();
    let (_, claim) = parts.find(|(field, _)| *field == IdentityField::Job)?;
    Some(claim)
}

/// The claim that names the token's job, and the job.
#[must_use]
pub fn job_of<'a>(issuer: &'a Issuer, token: &VerifiedToken) -> Option<(&'a str, String)> {
    let claim = job_claim(issuer)?;
    let job = token.claims().text(claim)?.into_owned();
    (!job.is_empty()).then_some((claim, job))
}

#[cfg(test)]
mod tests;
