//! What a limit is, and which bucket of it a request draws from.

use super::page::Key;
use super::rate::Rate;
use crate::hex::hex;
use crate::policy::{ClaimName, ClaimSet, Issuer, Permit};
use crate::reason::{Reason, Refusal};
use crate::sha256::Hash;
use crate::token::{Claims, scalar_text};

/// A limit on how often jobs are let through.
#[derive(Debug)]
pub struct Limit {
    /// Its unique name.
    pub id: String,
    /// The claims whose values make the bucket, sorted; at least one.
    pub key: Vec<ClaimName>,
    /// Places in [`Policy::rules`](crate::policy::Policy::rules): it is for what these let through. Empty: for all.
    pub rules: Vec<usize>,
    /// Who counts.
    pub enforcer: Enforcer,
}

impl Limit {
    /// The other rates that it has for some jobs.
    pub(crate) fn tiers(&self) -> &[Tier] {
        match &self.enforcer {
            Enforcer::Gate { tiers, .. } => tiers,
            Enforcer::Gateway { .. } => &[],
        }
    }
}

/// Who counts the requests of a limit.
#[derive(Debug)]
pub enum Enforcer {
    /// This gate, in the host's shared data.
    Gate {
        /// The rate of jobs that no tier is for.
        rate: Rate,
        /// Other rates; the first that fits counts.
        tiers: Vec<Tier>,
        /// What becomes of a request of which can't be told whether it is within the limit.
        unavailable: WhenUnavailable,
    },
    /// The gateway's own limiter, which is told the bucket in a header.
    Gateway {
        /// The header's name.
        header: String,
    },
}

/// Another rate for some jobs.
#[derive(Debug)]
pub struct Tier {
    /// Places in [`Policy::roles`](crate::policy::Policy::roles), of which the job must have one. Empty: any job.
    pub roles: Vec<usize>,
    /// Conditions on the job's claims.
    pub claims: ClaimSet,
    /// Their rate.
    pub rate: Rate,
}

/// What becomes of a request of which can't be told whether it is within a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenUnavailable {
    /// It is refused.
    Deny,
    /// It passes.
    Allow,
}

impl Limit {
    /// Whether it is for a request with this permit.
    pub(super) fn is_for(&self, permit: &Permit) -> bool {
        self.rules.is_empty() || self.rules.contains(&permit.rule())
    }

    /// The rate of a job, and its tier: 0 where none fits, else its number.
    pub(super) fn rate_of(
        base: Rate,
        tiers: &[Tier],
        permit: &Permit,
        claims: &Claims,
    ) -> (Rate, u64) {
        (1..)
            .zip(tiers)
            .find(|(_, tier)| {
                let has_role = tier.roles.iter().any(|role| permit.roles().contains(role));
                (tier.roles.is_empty() || has_role) && tier.claims.first_failing(claims).is_none()
            })
            .map_or((base, 0), |(number, tier)| (tier.rate, number))
    }

    /// The digest that all buckets of a job's have in common: limit, issuer, and the claims by name and value.
    /// Each part with its length, so that no two lists of parts read the same.
    ///
    /// # Errors
    /// `claim_missing`, if the token lacks a claim of the key or it has no text: to count such jobs as one would let
    /// them use up each other's share, and not to count them would be a way around the limit.
    pub(super) fn job(&self, issuer: &Issuer, claims: &Claims) -> Result<Hash, Refusal> {
        let mut hash = Hash::new();
        part(&mut hash, b"jobgate limit");
        part(&mut hash, self.id.as_bytes());
        part(&mut hash, issuer.issuer.as_bytes());
        for name in &self.key {
            let Some(value) = name.find(claims).and_then(scalar_text) else {
                let detail = format!(
                    "the limit {:?} counts by the claim {:?}, which is not there or has not one value",
                    self.id,
                    name.as_str()
                );
                return Err(Refusal::new(Reason::ClaimMissing, detail));
            };
            part(&mut hash, name.as_str().as_bytes());
            part(&mut hash, value.as_bytes());
        }
        Ok(hash)
    }
}

/// A bucket's name and place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) page: u8,
    pub(super) key: Key,
}

impl Place {
    /// The bucket of a job at a rate. The rate is part of it, so that a bucket is never read with another one than it
    /// was written with: two routes may have limits of the same name, and a limit can be changed.
    pub(super) fn new(mut job: Hash, rate: &Rate, tier: u64) -> Self {
        part(&mut job, &tier.to_be_bytes());
        for number in rate.bytes() {
            part(&mut job, &number);
        }
        let digest = job.finalize();
        Self {
            // The last byte is not part of the key.
            page: digest.last().map_or(0, |byte| byte % super::PAGES),
            key: half(&digest),
        }
    }
}

/// What the gateway's own limiter is told: 32 hex digits, which tell jobs apart and nothing of their claims.
pub(super) fn name_of(job: Hash) -> String {
    hex(&half(&job.finalize()))
}

/// The first half of a digest.
fn half(digest: &[u8; 32]) -> Key {
    let mut key = Key::default();
    key.iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = *from);
    key
}

// The module of the filter stays small if this is there once.
#[inline(never)]
fn part(hash: &mut Hash, bytes: &[u8]) {
    hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
    hash.update(bytes);
}
