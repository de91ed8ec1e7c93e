//! The credential that the upstream gets for the job's token.

use super::state::issuer_of;
use super::{Decision, DecisionId, State, after};
use crate::exchange::{Call, Credential, Errand, ExchangeError, Target};
use crate::policy::{Mode, Permit, Policy};
use crate::reason::{Reason, Refusal};
use crate::shared_data::SharedData;
use crate::time::UnixTime;
use crate::token::VerifiedToken;
use std::rc::Rc;

/// How it stands with the credential of a request.
#[derive(Debug)]
pub struct Supply {
    /// The target, by its place in the policy.
    pub target: usize,
    /// Whether there is one.
    pub state: SupplyState,
}

/// Whether there is a credential.
#[derive(Debug)]
pub enum SupplyState {
    /// One that was got for an earlier request.
    Kept(Rc<Credential>),
    /// None yet: an errand, and its first call.
    Missing(Box<(Errand, Call)>),
    /// The errand is under way.
    UnderWay,
    /// One that was got for this request.
    Got(Rc<Credential>),
    /// None, and why.
    Failed(ExchangeError),
}

/// What is exchanged for a request that a rule lets in. In shadow mode nothing is: it changes no traffic.
pub(super) fn supply(
    policy: &Policy,
    state: &mut State,
    token: &VerifiedToken,
    permit: &Permit,
    id: DecisionId,
    now: UnixTime,
) -> Option<Supply> {
    let rule = policy.rules.get(permit.rule())?;
    let place = rule
        .exchange
        .filter(|_| policy.mode == Mode::Enforce)?
        .target;
    let target = policy.exchange.get(place)?;
    let kept = state.credentials.find(&(*token.digest(), place), now);
    let state = match kept {
        Some(credential) => SupplyState::Kept(credential),
        None => {
            let signer = policy.assertion.as_ref();
            match Errand::begin(place, target, token, signer, id.text(), now) {
                Ok(errand) => SupplyState::Missing(Box::new(errand)),
                Err(error) => SupplyState::Failed(error),
            }
        }
    };
    Some(Supply {
        target: place,
        state,
    })
}

impl Decision<'_> {
    /// The errand for the credential, if one must be gone on; it is under way from now on.
    pub fn take_errand(&mut self) -> Option<(Errand, Call)> {
        let supply = self.supply.as_mut()?;
        match std::mem::replace(&mut supply.state, SupplyState::UnderWay) {
            SupplyState::Missing(errand) => Some(*errand),
            other => {
                supply.state = other;
                None
            }
        }
    }

    /// Looks again at what may have changed while the request waited: its job may be over, its token revoked or past its
    /// end.
    pub fn look_again(&mut self, state: &mut State, shared: &dyn SharedData, now: UnixTime) {
        let (Ok(permit), Some(token), Some(policy)) = (&self.outcome, &self.token, self.policy)
        else {
            return;
        };
        let still_good = issuer_of(token, policy)
            .and_then(|issuer| token.check_times(issuer, now))
            .and_then(|()| state.check_session(token, policy, shared, now))
            .and_then(|()| state.check_revoked(token, policy, shared, now));
        if let Err(refusal) = still_good {
            self.outcome = Err(after(permit, refusal));
        }
    }

    /// The credential was got.
    pub fn supplied(&mut self, credential: Rc<Credential>) {
        if let Some(supply) = &mut self.supply {
            supply.state = SupplyState::Got(credential);
        }
    }

    /// There is no credential: the request is refused, unless its rule lets it go on without.
    pub fn not_supplied(&mut self, error: ExchangeError) {
        let (Ok(permit), Some(supply)) = (&self.outcome, &mut self.supply) else {
            return;
        };
        let rule = self
            .policy
            .and_then(|policy| policy.rules.get(permit.rule()));
        let may_fail = rule
            .and_then(|rule| rule.exchange)
            .is_some_and(|exchange| exchange.may_fail);
        let refusal = Refusal::new(Reason::ExchangeFailed, error.0.clone());
        supply.state = SupplyState::Failed(error);
        if !may_fail {
            self.outcome = Err(after(permit, refusal));
        }
    }

    /// Another request is on the errand, and this one can't wait for it here.
    pub fn must_come_again(&mut self) {
        if let Ok(permit) = &self.outcome {
            let detail = "another request of the job is getting the credential";
            self.outcome = Err(after(permit, Refusal::new(Reason::ExchangePending, detail)));
        }
    }

    /// Whether the credential is a signature over the request.
    #[must_use]
    pub fn signs(&self) -> bool {
        let supply = self.supply.as_ref();
        let target = supply.and_then(|supply| self.policy?.exchange.get(supply.target));
        target.is_some_and(Target::signs)
    }

    /// The credential, if there is one.
    #[must_use]
    pub fn credential(&self) -> Option<&Rc<Credential>> {
        match &self.supply.as_ref()?.state {
            SupplyState::Kept(credential) | SupplyState::Got(credential) => Some(credential),
            SupplyState::Missing(_) | SupplyState::UnderWay | SupplyState::Failed(_) => None,
        }
    }
}
