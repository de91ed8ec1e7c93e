//! The issuers' keys: what a JWKS document holds, and when to fetch it again.
//!
//! What enters are documents that someone else fetched and the time; what leaves are keys to verify with
//! and fetches that are wanted. Nothing here does I/O. Each issuer has a state of its own, so that one
//! that is broken does not stop the others.

mod jwk;
mod source;
mod store;

pub use jwk::{JwksError, KeySet, PublicKey, SkippedKey};
pub use source::{JwksSource, JwksUri};
pub use store::{FetchError, FetchReport, KeyMiss, KeyStore, MAX_DOCUMENT_BYTES};

use crate::policy::Issuer;
use crate::time::UnixTime;
use crate::token::Algorithm;

/// One key store for each issuer of a policy, in the policy's order.
#[derive(Debug)]
pub struct KeyRing {
    stores: Vec<KeyStore>,
}

impl KeyRing {
    /// Stores that hold the issuers' inline keys and nothing fetched yet.
    #[must_use]
    pub fn new(issuers: &[Issuer]) -> Self {
        let stores = issuers
            .iter()
            .map(|issuer| KeyStore::new(issuer.inline_keys.clone(), issuer.jwks.clone()))
            .collect();
        Self { stores }
    }

    /// The key with which a token of this issuer must verify.
    ///
    /// # Errors
    /// Why there is none; see [`KeyStore::find`].
    pub fn find(
        &mut self,
        issuer: usize,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: UnixTime,
    ) -> Result<&PublicKey, KeyMiss> {
        match self.stores.get_mut(issuer) {
            Some(store) => store.find(kid, algorithm, now),
            None => Err(KeyMiss::Unavailable("the issuer has no key store")),
        }
    }

    /// The stores, each with its issuer's place in the policy.
    pub fn stores_mut(&mut self) -> impl Iterator<Item = (usize, &mut KeyStore)> {
        self.stores.iter_mut().enumerate()
    }

    /// The store of the issuer at this place.
    pub fn store_mut(&mut self, issuer: usize) -> Option<&mut KeyStore> {
        self.stores.get_mut(issuer)
    }
}
