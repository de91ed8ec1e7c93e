//! What a gate remembers between requests.

use super::{Decision, Pool};
use crate::exchange;
use crate::keys::KeyRing;
use crate::limit::Source;
use crate::policy::{Issuer, Policy};
use crate::reason::{Reason, Refusal};
use crate::revocation::RevocationStore;
use crate::session;
use crate::shared_data::SharedData;
use crate::time::UnixTime;
use crate::token::{Budget, Failures, Prover, TokenCache, VerifiedToken};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What the gate of one policy remembers in one VM: keys, revocations, and tokens that were proven. It serves
/// that policy and no other.
#[derive(Debug)]
pub struct State {
    /// The issuers' keys.
    pub keys: KeyRing,
    /// The document of revocations, if the policy names one.
    pub revocations: Option<Rc<RefCell<RevocationStore>>>,
    /// Tokens that were proven.
    pub cache: TokenCache,
    /// Tokens that failed, and their sources.
    pub failures: Failures,
    /// What tokens were exchanged for.
    pub credentials: exchange::Kept,
    /// The sessions that ended.
    pub ended: Rc<session::Ended>,
}

impl State {
    /// The state of a gate that has proven nothing yet. What is fetched and what the caches may hold it shares
    /// with the other gates of its VM.
    #[must_use]
    pub fn new(policy: &Policy, pool: &mut Pool, budget: &Rc<Budget>) -> Self {
        Self {
            keys: pool.keys(&policy.issuers),
            revocations: pool.revocations(&policy.revocations),
            cache: TokenCache::new(policy.cache, budget),
            failures: pool.failures(policy.failed_verifications),
            credentials: exchange::Kept::default(),
            ended: pool.ended(),
        }
    }

    /// A state that shares nothing with other gates.
    #[must_use]
    pub fn alone(policy: &Policy) -> Self {
        Self::new(policy, &mut Pool::new(0), &Budget::of_a_vm())
    }

    /// How long a request that was refused for this reason may wait for what is being fetched; nothing where
    /// that would not help.
    #[must_use]
    pub fn wait(&self, decision: &Decision<'_>) -> Option<Duration> {
        let refused = decision.outcome.as_ref().err()?;
        match refused.refusal.reason {
            Reason::KeysUnavailable => {
                let claimed = decision.claimed_issuer.as_ref()?;
                let place = decision.policy?.issuer_of(claimed)?;
                self.keys.wait(place, decision.at)
            }
            Reason::RevocationsUnavailable => {
                let store = self.revocations.as_ref()?.try_borrow().ok()?;
                store.wait(decision.at)
            }
            _ => None,
        }
    }

    pub(super) fn prover<'g>(
        &'g mut self,
        policy: &'g Policy,
        shared: &'g dyn SharedData,
        source: &'g dyn Source,
        now: UnixTime,
    ) -> Prover<'g> {
        Prover {
            policy,
            keys: &self.keys,
            cache: &mut self.cache,
            failures: &self.failures,
            shared,
            source,
            now,
        }
    }

    /// Whether the session of a proven token goes on. Of one that has ended nothing is kept that was made for its token.
    pub(super) fn check_session(
        &mut self,
        token: &VerifiedToken,
        policy: &Policy,
        shared: &dyn SharedData,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        if policy.sessions.is_none() {
            return Ok(());
        }
        let issuer = issuer_of(token, policy)?;
        match self.ended.has(shared, token.session(issuer), now) {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.keep_nothing(token, policy);
                let detail = "the session of the token's job was ended";
                Err(Refusal::new(Reason::SessionEnded, detail))
            }
            Err(failed) => Err(Refusal::new(Reason::InternalError, failed.to_string())),
        }
    }

    /// Forgets what was made for a token: assertions, and what it was exchanged for.
    pub(super) fn keep_nothing(&mut self, token: &VerifiedToken, policy: &Policy) {
        self.cache.keep_nothing(token);
        for target in 0..policy.exchange.len() {
            self.credentials.forget(&(*token.digest(), target));
        }
    }

    pub(super) fn check_revoked(
        &self,
        token: &VerifiedToken,
        policy: &Policy,
        shared: &dyn SharedData,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let issuer = issuer_of(token, policy)?;
        let Some(store) = &self.revocations else {
            return policy.revocations.check(None, false, token, issuer, now);
        };
        let mut store = store
            .try_borrow_mut()
            .map_err(|_| Refusal::new(Reason::InternalError, "the revocations are in use"))?;
        let (list, counts) = store.current(now, shared);
        policy.revocations.check(list, counts, token, issuer, now)
    }
}

/// A proven token's issuer.
///
/// # Errors
/// `internal_error`: the token was proven under another policy.
pub(super) fn issuer_of<'p>(
    token: &VerifiedToken,
    policy: &'p Policy,
) -> Result<&'p Issuer, Refusal> {
    let of_another = || Refusal::new(Reason::InternalError, "the token is another policy's");
    let issuer = policy.issuers.get(token.issuer());
    issuer.ok_or_else(of_another)
}
