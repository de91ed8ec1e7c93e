//! What the upstream gets in the token's place.

use super::{DecisionId, State};
use crate::assertion::{Assertion, Job, Vouched};
use crate::policy::{Permit, Policy};
use crate::reason::{Reason, Refusal};
use crate::time::UnixTime;
use crate::token::VerifiedToken;
use std::rc::Rc;

/// The assertion for a job that a rule lets in, if the policy says that there is one: the last for the same token, rule
/// and roles, or else a new one.
///
/// # Errors
/// `internal_error` if it can't be signed: an upstream that relies on it must not be asked without.
pub(super) fn vouch(
    policy: &Policy,
    state: &mut State,
    token: &VerifiedToken,
    permit: &Permit,
    id: DecisionId,
    now: UnixTime,
) -> Result<Option<Rc<Assertion>>, Refusal> {
    let Some(own) = &policy.assertion else {
        return Ok(None);
    };
    if let Some(known) = token.kept().find(permit.rule(), permit.roles(), now) {
        return Ok(Some(known));
    }
    let unexpected = |detail| Refusal::new(Reason::InternalError, detail);
    let issuer = policy.issuers.get(token.issuer());
    let rule = policy.rules.get(permit.rule());
    let (Some(issuer), Some(rule)) = (issuer, rule) else {
        return Err(unexpected("the permit is another policy's"));
    };
    let claims = token.claims();
    let subject = claims.text("sub");
    let identity: Vec<_> = issuer
        .identity
        .iter()
        .filter_map(|(field, claim)| Some((field.name(), claims.text(claim)?)))
        .collect();
    let roles: Vec<&str> = policy.role_names(permit.roles()).collect();
    let job = Job {
        subject: subject.as_deref(),
        issuer: &issuer.issuer,
        identity: &identity,
        roles: &roles,
        rule: &rule.id,
        decision_id: id.text(),
        policy: &policy.digest,
        expires: token.times().expires(),
    };
    let assertion = Rc::new(own.mint(&job, now).map_err(unexpected)?);
    if assertion.is_fresh(now) {
        let vouched = Vouched {
            rule: permit.rule(),
            roles: permit.roles().into(),
            assertion: Rc::clone(&assertion),
        };
        state.cache.keep(token, vouched, now);
    }
    Ok(Some(assertion))
}
