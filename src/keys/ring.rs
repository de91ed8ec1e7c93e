//! The keys of all issuers of a policy; what is fetched may be shared with other policies.

use super::{BuiltIn, JwksSource, KeyMiss, KeySet, KeyStore, PublicKey, SignatureVerifier};
use crate::policy::Issuer;
use crate::shared_data::SharedData;
use crate::time::UnixTime;
use crate::token::Algorithm;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
struct IssuerKeys {
    /// They serve while none have been fetched.
    inline: Option<KeySet>,
    store: Option<Rc<RefCell<KeyStore>>>,
}

/// The keys of each issuer of a policy, in the policy's order.
#[derive(Debug)]
pub struct KeyRing {
    issuers: Vec<IssuerKeys>,
    verifier: &'static dyn SignatureVerifier,
}

impl KeyRing {
    /// The ring of these issuers. `store` gives the store of an issuer, by its name and where its keys are
    /// fetched.
    pub fn new(
        issuers: &[Issuer],
        mut store: impl FnMut(&str, &JwksSource) -> Rc<RefCell<KeyStore>>,
    ) -> Self {
        let issuers = issuers
            .iter()
            .map(|issuer| IssuerKeys {
                inline: issuer.inline_keys.clone(),
                store: issuer
                    .jwks
                    .as_ref()
                    .map(|source| store(&issuer.issuer, source)),
            })
            .collect();
        Self {
            issuers,
            verifier: &BuiltIn,
        }
    }

    /// The same ring, whose keys this one may verify by.
    #[must_use]
    pub fn verifying_by(self, verifier: &'static dyn SignatureVerifier) -> Self {
        Self { verifier, ..self }
    }

    /// Who verifies by these keys.
    #[must_use]
    pub const fn verifier(&self) -> &'static dyn SignatureVerifier {
        self.verifier
    }

    /// The key with which a token of this issuer must verify.
    ///
    /// # Errors
    /// [`KeyMiss::Unavailable`] while no set serves, or none that was asked for after this `kid` was first
    /// seen; [`KeyMiss::Unknown`] once such a set lacks it. Either asks for an early fetch.
    pub fn find(
        &self,
        issuer: usize,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: UnixTime,
        shared: &dyn SharedData,
    ) -> Result<Arc<PublicKey>, KeyMiss> {
        let Some(keys) = self.issuers.get(issuer) else {
            return Err(KeyMiss::Unavailable("the issuer has no keys"));
        };
        let inline = || {
            let set = keys.inline.as_ref();
            set.and_then(|set| set.find_shared(kid, algorithm)).cloned()
        };
        let Some(store) = &keys.store else {
            return inline().ok_or(KeyMiss::Unknown);
        };
        let Ok(mut store) = store.try_borrow_mut() else {
            return Err(KeyMiss::Unavailable("the keys are in use"));
        };
        let found = store.find(kid, algorithm, now, shared);
        // What was fetched serves alone: a key that the issuer took back must not live on in the
        // configuration.
        if found.is_err() && !store.serves(now) {
            return inline().ok_or(KeyMiss::Unavailable(
                "no key set has been fetched, or the last one is too old",
            ));
        }
        found
    }

    /// A number that changes with the set of keys that serves an issuer now; nothing where none does.
    ///
    /// What was verified with one generation is proven for as long as it serves.
    #[must_use]
    pub fn generation(&self, issuer: usize, now: UnixTime) -> Option<u64> {
        let keys = self.issuers.get(issuer)?;
        if let Some(store) = &keys.store {
            let store = store.try_borrow().ok()?;
            if store.serves(now) {
                return Some(store.generation());
            }
        }
        keys.inline.as_ref().map(|_| 0)
    }

    /// How long a request may wait for this issuer's keys; nothing where none will come in that time, or the
    /// policy says not to wait.
    #[must_use]
    pub fn wait(&self, issuer: usize, now: UnixTime) -> Option<Duration> {
        let store = self.issuers.get(issuer)?.store.as_ref()?;
        store.try_borrow().ok()?.wait(now)
    }

    /// What is fetched, for whoever sends the requests.
    pub fn stores(&self) -> impl Iterator<Item = &Rc<RefCell<KeyStore>>> {
        self.issuers.iter().filter_map(|keys| keys.store.as_ref())
    }
}
