//! What the gates of a VM fetch and share.

use crate::fetch::Remote;
use crate::keys::{BuiltIn, JwksSource, KeyRing, KeyStore, SignatureVerifier};
use crate::limit::Rate;
use crate::policy::Issuer;
use crate::revocation::{RevocationPolicy, RevocationSource, RevocationStore};
use crate::session::Ended;
use crate::token::{FailureTables, Failures};
use std::cell::RefCell;
use std::rc::{Rc, Weak};

/// The stores of a VM: one for each document and way of fetching it, however many policies name it.
#[derive(Debug)]
pub struct Pool {
    /// Random for this VM; each store has a number of its own made of it.
    owner: u64,
    verifier: &'static dyn SignatureVerifier,
    keys: Shelf<(String, JwksSource), KeyStore>,
    revocations: Shelf<RevocationSource, RevocationStore>,
    failures: Rc<FailureTables>,
    ended: Rc<Ended>,
    gates: u64,
}

impl Pool {
    /// A pool without stores. `owner` is a random number for this VM.
    #[must_use]
    pub fn new(owner: u64) -> Self {
        Self {
            owner,
            verifier: &BuiltIn,
            keys: Shelf(Vec::new()),
            revocations: Shelf(Vec::new()),
            failures: Rc::default(),
            ended: Rc::default(),
            gates: 0,
        }
    }

    /// What the gate of a policy keeps of tokens that fail. Each call is for a gate of its own: two of one policy
    /// may have other keys.
    pub fn failures(&mut self, limit: Option<Rate>) -> Failures {
        self.gates = self.gates.wrapping_add(1);
        Failures::new(Rc::clone(&self.failures), self.gates, limit)
    }

    /// The sessions that ended, as this VM knows: the same for all gates, as shared data is.
    #[must_use]
    pub fn ended(&self) -> Rc<Ended> {
        Rc::clone(&self.ended)
    }

    /// The same pool, for whose keys this one may verify.
    #[must_use]
    pub fn verifying_by(self, verifier: &'static dyn SignatureVerifier) -> Self {
        Self { verifier, ..self }
    }

    /// The keys of these issuers.
    pub fn keys(&mut self, issuers: &[Issuer]) -> KeyRing {
        KeyRing::new(issuers, |name, source| {
            let place = (name.to_owned(), source.clone());
            let owner = self.next_owner();
            self.keys
                .get(place, || KeyStore::new(name, source.clone(), owner))
        })
        .verifying_by(self.verifier)
    }

    /// The document of revocations that a policy names, if it names one.
    pub fn revocations(
        &mut self,
        policy: &RevocationPolicy,
    ) -> Option<Rc<RefCell<RevocationStore>>> {
        let source = policy.source.as_ref()?;
        let owner = self.next_owner();
        let store = self.revocations.get(source.clone(), || {
            RevocationStore::new(source.clone(), owner)
        });
        Some(store)
    }
}

impl Pool {
    /// Two stores of one VM that share a place in shared data (they differ in how often they fetch, say) must not
    /// take each other's turn for their own.
    const fn next_owner(&mut self) -> u64 {
        self.owner = self
            .owner
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(1);
        self.owner
    }
}

/// Stores by what they hold, for as long as someone uses them.
#[derive(Debug)]
struct Shelf<P, S>(Vec<(P, Weak<RefCell<S>>)>);

impl<P: PartialEq, S: Remote> Shelf<P, S> {
    fn get(&mut self, place: P, make: impl FnOnce() -> S) -> Rc<RefCell<S>> {
        self.0.retain(|(_, store)| store.strong_count() > 0);
        let known = self.0.iter().find(|(of, _)| *of == place);
        if let Some(store) = known.and_then(|(_, store)| store.upgrade()) {
            return store;
        }
        let store = Rc::new(RefCell::new(make()));
        self.0.push((place, Rc::downgrade(&store)));
        store
    }
}
