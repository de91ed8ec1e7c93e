//! Calls to the gate itself that end a job's session.

use super::State;
use crate::policy::{Issuer, Policy};
use crate::reason::{Reason, Refusal};
use crate::session::webhook::{Signature, finished_job};
use crate::session::{EndPolicy, Session, Way, job_claim, job_of};
use crate::shared_data::SharedData;
use crate::time::UnixTime;
use crate::token::{Digest, VerifiedToken};

/// A call that ends a session, and what came of it.
#[derive(Debug)]
pub struct Call {
    /// Who said so.
    pub way: Way,
    /// What came of it.
    pub ending: Ending,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// It was refused, for the decision's reason.
    Refused,
    /// The CI told of something else than the end of a job.
    Ignored,
    /// A session ended.
    Ended(Box<Over>),
}

/// A session that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Over {
    /// The issuer, by its place in the policy.
    pub issuer: usize,
    /// What ended.
    pub what: What,
    /// When no token of it lives any more: after so much, and the issuer's leeway, it is forgotten.
    pub expires: UnixTime,
    /// Whether another session made way for it before its time.
    pub has_dropped: bool,
}

/// What a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The claim that names the job, and the job.
    Job(String, String),
    /// The token alone, by the digest of what is signed, where it names no job.
    Token(Digest),
}

impl Call {
    /// One that nothing came of yet.
    #[must_use]
    pub const fn refused(way: Way) -> Self {
        Self {
            way,
            ending: Ending::Refused,
        }
    }

    /// Whether it was taken.
    #[must_use]
    pub const fn is_taken(&self) -> bool {
        !matches!(self.ending, Ending::Refused)
    }

    /// What ended.
    #[must_use]
    pub fn over(&self) -> Option<&Over> {
        match &self.ending {
            Ending::Ended(over) => Some(over),
            Ending::Refused | Ending::Ignored => None,
        }
    }

    pub(super) const fn label(&self) -> &'static str {
        match self.ending {
            Ending::Refused => "deny",
            Ending::Ignored => "ignore",
            Ending::Ended(_) => "end",
        }
    }
}

/// Ends the session of a proven token. What keeps the request from going on: why the session did not end, or that it did.
#[inline(never)]
pub(super) fn end_by_token(
    policy: &Policy,
    state: &mut State,
    shared: &dyn SharedData,
    token: &VerifiedToken,
    now: UnixTime,
    call: &mut Call,
) -> Refusal {
    let Some(issuer) = policy.issuers.get(token.issuer()) else {
        return of_another_policy();
    };
    if issuer.required.first_failing(token.claims()).is_some() {
        let detail = "the token does not meet its issuer's claims";
        return Refusal::new(Reason::NoRuleMatched, detail);
    }
    let (what, expires) = match job_of(issuer, token) {
        Some((claim, job)) => (What::Job(claim.to_owned(), job), last_of(issuer, now)),
        None => (What::Token(*token.signed_digest()), token.times().expires()),
    };
    let over = Over {
        issuer: token.issuer(),
        what,
        expires,
        has_dropped: false,
    };
    state.keep_nothing(token, policy);
    match end(state, shared, token.session(issuer), issuer, over, now) {
        Ok(ending) => call.ending = ending,
        Err(refusal) => return refusal,
    }
    Refusal::new(Reason::SessionEnded, "the session was ended")
}

/// Ends the session of the job that the CI says is over. The signature was [read](Signature::read) from the call's
/// headers, and is verified here.
///
/// # Errors
/// `webhook_signature_invalid`, `webhook_malformed`; `internal_error` if other workers could not be told.
#[inline(never)]
pub fn end_by_webhook(
    policy: &Policy,
    own: &EndPolicy,
    state: &State,
    shared: &dyn SharedData,
    (signature, body): (&Signature, &[u8]),
    now: UnixTime,
) -> Result<Ending, Refusal> {
    let own = own.webhook.as_ref().ok_or_else(of_another_policy)?;
    signature.verify(&own.secret, body)?;
    let Some(job) = finished_job(body)? else {
        return Ok(Ending::Ignored);
    };
    let issuer = policy.issuers.get(own.issuer);
    let (issuer, claim) = issuer
        .and_then(|issuer| Some((issuer, job_claim(issuer)?)))
        .ok_or_else(of_another_policy)?;
    let session = Session::of_job(issuer, &job);
    let over = Over {
        issuer: own.issuer,
        what: What::Job(claim.to_owned(), job),
        expires: last_of(issuer, now),
        has_dropped: false,
    };
    end(state, shared, session, issuer, over, now)
}

#[cold]
fn of_another_policy() -> Refusal {
    Refusal::new(Reason::InternalError, "the call is another policy's")
}

/// When the last token that was issued by now has expired: one by a clock that is ahead, with all the lifetime there is.
fn last_of(issuer: &Issuer, now: UnixTime) -> UnixTime {
    now.plus(issuer.leeway).plus(issuer.max_lifetime)
}

#[inline(never)]
fn end(
    state: &State,
    shared: &dyn SharedData,
    session: Session,
    issuer: &Issuer,
    mut over: Over,
    now: UnixTime,
) -> Result<Ending, Refusal> {
    let until = over.expires.plus(issuer.leeway);
    match state.ended.end(shared, session, until, now) {
        Ok(has_dropped) => {
            over.has_dropped = has_dropped;
            Ok(Ending::Ended(Box::new(over)))
        }
        Err(failed) => Err(Refusal::new(Reason::InternalError, failed.0)),
    }
}
