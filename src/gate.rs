//! The gate: one request in, one [`Decision`] out.
//!
//! Nothing here talks to a host or reads a clock. The shell carries the decision out; [`crate::audit`] puts
//! it into words.

mod pool;
mod session;
mod state;
mod supply;
mod vouch;

pub use pool::Pool;
pub use session::{Call, Ending, Over, What, end_by_webhook};
pub use state::State;
pub use supply::{Supply, SupplyState};

use crate::assertion::Assertion;
use crate::audit::Rendering;
use crate::limit::{self, NoSource, Source, Standing, Taken};
use crate::policy::{
    ClientCertificate, Facts, Mismatch, Mode, Permit, Policy, Replay, Ruling, normalise_host,
};
use crate::reason::{Reason, Refusal};
use crate::replay::{self, Claim};
use crate::request::{HeaderMap, NormalPath, PathAmbiguous, cuts_a_segment};
use crate::session::Way;
use crate::shared_data::SharedData;
use crate::time::UnixTime;
use crate::token::{self, Carried, Presented, VerifiedToken};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// A request as the host tells it. Only what the host says of it is believed: no `X-Forwarded-Uri`, no
/// `X-Original-URL`.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The method.
    pub method: &'a [u8],
    /// The raw request target.
    pub target: &'a [u8],
    /// What the gateway cuts off the target's beginning before it hands the request on.
    pub cut: &'a [u8],
    /// The host that it is for: `:authority`, or else the `Host` header.
    pub host: Option<&'a [u8]>,
    /// The gateway's own name for the route, if it has one.
    pub route: Option<&'a str>,
    /// The gateway's own name for the service or cluster, if it has one and the policy [needs](Policy::needs) it.
    pub service: Option<&'a str>,
    /// What the connection's client has proven, if the policy [needs](Policy::needs) it.
    pub certificate: &'a ClientCertificate,
    /// Where it comes from; asked only if the policy limits [failed
    /// verifications](Policy::failed_verifications), and then mostly of clients whose tokens fail.
    pub source: &'a dyn Source,
}

impl<'a> Request<'a> {
    /// A request of which the gateway tells no more than this.
    #[must_use]
    pub const fn new(headers: &'a HeaderMap, method: &'a [u8], target: &'a [u8]) -> Self {
        Self {
            headers,
            method,
            target,
            cut: b"",
            host: None,
            route: None,
            service: None,
            certificate: ClientCertificate::NOT_TOLD,
            source: &NoSource,
        }
    }
}

/// A decision's unique name: a UUID of version 7 (RFC 9562), so ids sort by time.
///
/// It is put into words once: headers, record and answer all say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionId {
    number: u128,
    text: [u8; 36],
}

impl DecisionId {
    /// An id for this moment, from a number that is random for each route in a VM and one that is new for each decision.
    #[must_use]
    pub fn new(now: UnixTime, vm: u64, nth: u64) -> Self {
        let millis = u128::from(now.as_millis() & 0xffff_ffff_ffff);
        // 12 bits of the counter keep ids of one millisecond in order; the other 62 are the random number
        // and the counter, mixed.
        let mixed = (vm ^ nth.wrapping_mul(0x9e37_79b9_7f4a_7c15)) & 0x3fff_ffff_ffff_ffff;
        let number = millis << 80
            | 0x7 << 76
            | u128::from(nth & 0xfff) << 64
            | 0b10 << 62
            | u128::from(mixed);
        Self {
            number,
            text: uuid_text(number),
        }
    }

    /// The id's text, of 36 characters.
    #[must_use]
    #[inline]
    pub fn text(&self) -> &str {
        // Digits and hyphens are text.
        str::from_utf8(&self.text).unwrap_or_default()
    }

    /// A number that is spread evenly over the ids of a route in a VM, one after the other.
    #[must_use]
    pub const fn spread(self) -> u32 {
        // The upper bits of what the counter was mixed to.
        (self.number >> 30 & 0xffff_ffff) as u32
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// RFC 9562, section 4.
fn uuid_text(number: u128) -> [u8; 36] {
    /// Where the digits of each byte stand.
    const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
    let mut text = [b'-'; 36];
    for (place, byte) in PLACES.into_iter().zip(number.to_be_bytes()) {
        if let Some(digits) = text
            .get_mut(place..)
            .and_then(|rest| rest.first_chunk_mut())
        {
            *digits = [digit(byte >> 4), digit(byte & 0xf)];
        }
    }
    text
}

/// What was decided, and everything that explains it.
#[derive(Debug)]
pub struct Decision<'p> {
    /// Its id.
    pub id: DecisionId,
    /// When.
    pub at: UnixTime,
    /// By which policy; none where the configuration was not one.
    pub policy: Option<&'p Policy>,
    /// The request's method.
    pub method: String,
    /// The request's path, if it has one normal form.
    pub path: Result<NormalPath, PathAmbiguous>,
    /// The host that it is for, in its normal form, if it has one.
    pub host: Option<String>,
    /// The gateway's own name for the service or cluster, as [`Request::service`].
    pub service: Option<String>,
    /// What the connection's client has proven, as [`Request::certificate`].
    pub certificate: ClientCertificate,
    /// The proven token.
    pub token: Option<VerifiedToken>,
    /// What the token says its issuer is, where that was not proven.
    pub claimed_issuer: Option<String>,
    /// The permit, or why there is none.
    pub outcome: Result<Permit, Refused>,
    /// How the request stands with each limit that is for it, as far as that was looked at.
    pub limits: Vec<Standing>,
    /// How long no token of the client's address is verified, since too many failed, where that is why it was
    /// refused.
    pub retry: Option<Duration>,
    /// What the gate vouches with, where it lets the request in and the policy says so.
    pub assertion: Option<Rc<Assertion>>,
    /// How it stands with the credential that its token is exchanged for, where the rule says so.
    pub supply: Option<Supply>,
    /// Whether the token must be taken out of what goes upstream.
    pub strip_token: bool,
    /// Whether the token's signature was checked for an earlier request, and not for this one.
    pub cached: bool,
    /// What came of it, where it was a call to the gate itself that ends a session: such a one never goes on.
    pub call: Option<Call>,
}

/// Why a request was refused, with what explains it.
#[derive(Debug)]
pub struct Refused {
    /// The code and its detail.
    pub refusal: Refusal,
    /// The rule that refuses, by its place in the policy: a deny rule that matched, or an allow rule whose
    /// permit did not count, for a limit or because it lets a token through once.
    pub rule: Option<usize>,
    /// The job's roles, by their places in the policy, where the token was proven.
    pub roles: Vec<usize>,
    /// The allow rules on trial that would have let it through, by their places in the policy.
    pub shadow: Vec<usize>,
    /// What kept rules from matching.
    pub mismatches: Vec<Mismatch>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            rule: None,
            roles: Vec::new(),
            shadow: Vec::new(),
            mismatches: Vec::new(),
        }
    }
}

impl<'p> Decision<'p> {
    /// A refusal for a reason that lies outside of the policy's rules.
    #[must_use]
    pub fn refuse(
        policy: Option<&'p Policy>,
        refusal: Refusal,
        id: DecisionId,
        at: UnixTime,
    ) -> Self {
        Self {
            id,
            at,
            policy,
            method: String::new(),
            path: Err(PathAmbiguous("there is no request")),
            host: None,
            service: None,
            certificate: ClientCertificate::default(),
            token: None,
            claimed_issuer: None,
            outcome: Err(refusal.into()),
            limits: Vec::new(),
            retry: None,
            assertion: None,
            supply: None,
            strip_token: true,
            cached: false,
            call: None,
        }
    }

    /// The same decision with what the record says of the request.
    #[must_use]
    pub fn about(mut self, request: Request<'_>) -> Self {
        self.method = String::from_utf8_lossy(request.method).into_owned();
        self.path = if cuts_a_segment(request.target, request.cut) {
            Err(PathAmbiguous(
                "the gateway's route cuts it within a segment",
            ))
        } else {
            NormalPath::parse(request.target)
        };
        self.host = request.host.and_then(normalise_host);
        self.service = request.service.map(str::to_owned);
        self.certificate = request.certificate.clone();
        self
    }

    /// The same decision without its policy, to be kept.
    #[must_use]
    #[inline]
    pub fn detached(self) -> Decision<'static> {
        self.attached(None)
    }

    /// The same decision with its policy, or another lifetime of it.
    #[must_use]
    pub fn attached<'q>(self, policy: Option<&'q Policy>) -> Decision<'q> {
        Decision {
            id: self.id,
            at: self.at,
            policy,
            method: self.method,
            path: self.path,
            host: self.host,
            service: self.service,
            certificate: self.certificate,
            token: self.token,
            claimed_issuer: self.claimed_issuer,
            outcome: self.outcome,
            limits: self.limits,
            retry: self.retry,
            assertion: self.assertion,
            supply: self.supply,
            strip_token: self.strip_token,
            cached: self.cached,
            call: self.call,
        }
    }

    /// Whether the request must not reach the upstream.
    ///
    /// Shadow mode lets what the policy refuses pass. It does not let pass what would deceive the upstream
    /// or was not decided: a reserved header that cannot be taken away, a configuration that is none.
    #[must_use]
    #[inline]
    pub fn blocks(&self) -> bool {
        match (&self.outcome, self.policy.map(|policy| policy.mode)) {
            (Ok(_), _) => false,
            (Err(refused), Some(Mode::Shadow)) if self.call.is_none() => matches!(
                refused.refusal.reason,
                Reason::HeaderReserved | Reason::ConfigInvalid | Reason::InternalError
            ),
            (Err(_), _) => true,
        }
    }

    /// The job in words, where the token was proven.
    #[must_use]
    pub fn rendering(&self) -> Option<&Rendering> {
        let token = self.token.as_ref()?;
        let issuer = self.policy?.issuers.get(token.issuer())?;
        Some(token.rendering(issuer))
    }

    /// Whether the decision goes on record: all but what is allowed do, and of that the share that the policy says.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        let share = self.policy.map(|policy| policy.audit.allowed.sample);
        match (&self.outcome, share) {
            (Ok(_), Some(share)) => self.trial().is_some() || share.takes(self.id.spread()),
            _ => true,
        }
    }

    /// Why it was refused, if it was.
    #[must_use]
    pub fn refused(&self) -> Option<&Refused> {
        let is_taken = self.call.as_ref().is_some_and(Call::is_taken);
        self.outcome.as_ref().err().filter(|_| !is_taken)
    }

    /// Whether a session that ended before was forgotten for one that ended by this call.
    #[must_use]
    pub fn has_dropped(&self) -> bool {
        let over = self.call.as_ref().and_then(Call::over);
        over.is_some_and(|over| over.has_dropped)
    }

    /// `allow`, `deny` or `shadow-deny`; of a call that ends a session `end`, `ignore` or `deny`.
    #[must_use]
    #[inline]
    pub fn label(&self) -> &'static str {
        if let Some(call) = &self.call {
            return call.label();
        }
        match (&self.outcome, self.blocks()) {
            (Ok(_), _) => "allow",
            (Err(_), true) => "deny",
            (Err(_), false) => "shadow-deny",
        }
    }

    /// What it would be if the rules on trial were in force, `allow` or `deny`, and the rules that would make it
    /// that, by their places in the policy; none if it would be the same.
    #[must_use]
    pub fn trial(&self) -> Option<(&'static str, &[usize])> {
        let (label, rules) = match &self.outcome {
            Ok(permit) => ("deny", permit.shadow()),
            Err(refused) => ("allow", refused.shadow.as_slice()),
        };
        (!rules.is_empty()).then_some((label, rules))
    }
}

/// Decides a request. The request's reserved headers are taken care of before and apart from this.
///
/// `state` is what the gate of this policy remembers. `shared` is what all workers share, where the host
/// has it: without, a rule with `replay: once` lets nothing through, nor does a limit that is not told to. Only a
/// request that passes all else counts towards its limits and uses its token up; in shadow mode it does so too, so
/// that the next is told what it would have been told.
#[must_use]
#[inline]
pub fn judge<'p>(
    policy: &'p Policy,
    state: &mut State,
    shared: &dyn SharedData,
    request: Request<'_>,
    id: DecisionId,
    now: UnixTime,
) -> Decision<'p> {
    decide(policy, state, shared, request, (id, now), None)
}

/// Ends the session of the job that the request's token names. Any token counts that is proven and meets what its
/// issuer's `claims` ask of all tokens, whatever the rules say of its job: `no_rule_matched` for one that does not.
///
/// The decision never lets the request go on. Its [`call`](Decision::call) says whether a session ended.
#[must_use]
#[inline]
pub fn end_by_token<'p>(
    policy: &'p Policy,
    state: &mut State,
    shared: &dyn SharedData,
    request: Request<'_>,
    id: DecisionId,
    now: UnixTime,
) -> Decision<'p> {
    let call = Some(Call::refused(Way::Token));
    decide(policy, state, shared, request, (id, now), call)
}

#[inline(never)]
fn decide<'p>(
    policy: &'p Policy,
    state: &mut State,
    shared: &dyn SharedData,
    request: Request<'_>,
    (id, now): (DecisionId, UnixTime),
    mut call: Option<Call>,
) -> Decision<'p> {
    let undecided = Refusal::new(Reason::InternalError, "nothing was decided");
    let mut decision = Decision::refuse(Some(policy), undecided, id, now).about(request);
    // The token first, whatever the path is: shadow mode must know whose it is to take it out.
    let mut prover = state.prover(policy, shared, request.source, now);
    let presented = find_token(policy, request).and_then(|carried| prover.look_up(carried));
    let claimed_issuer = presented
        .as_ref()
        .map(Presented::claimed_issuer)
        .unwrap_or_default();
    decision.retry = presented.as_ref().ok().and_then(Presented::retry);
    decision.cached = presented.as_ref().is_ok_and(Presented::is_known);
    let path = decision
        .path
        .as_ref()
        .map_err(|why| Refusal::new(Reason::PathAmbiguous, why.0));
    let proof = path.and_then(|path| Ok((prover.prove(presented?)?, path)));
    let (outcome, token) = match proof {
        Ok((token, _)) if let Some(call) = &mut call => {
            let outcome = session::end_by_token(policy, state, shared, &token, now, call);
            (Err(outcome.into()), Some(token))
        }
        Ok((token, path)) => {
            let outcome = state
                .check_session(&token, policy, shared, now)
                .and_then(|()| state.check_revoked(&token, policy, shared, now))
                .map_err(Refused::from)
                .and_then(|()| {
                    let facts = Facts {
                        method: &decision.method,
                        path,
                        host: decision.host.as_deref(),
                        route: request.route,
                        service: request.service,
                        certificate: request.certificate,
                        now,
                    };
                    rule(policy, &token, &facts)
                })
                .and_then(|permit| {
                    // The limits first: a request that they refuse must not use its token up.
                    let standings = &mut decision.limits;
                    let (permit, taken) =
                        keep_within_limits(policy, shared, &token, permit, now, standings)?;
                    use_up(policy, shared, &token, permit, now)
                        .inspect_err(|_| taken.give_back(shared, now))
                })
                .and_then(|permit| {
                    // Last, since it is what costs most.
                    match vouch::vouch(policy, state, &token, &permit, id, now) {
                        Ok(assertion) => decision.assertion = assertion,
                        Err(refusal) => return Err(after(&permit, refusal)),
                    }
                    decision.supply = supply::supply(policy, state, &token, &permit, id, now);
                    Ok(permit)
                });
            (outcome, Some(token))
        }
        Err(refusal) => (Err(refusal.into()), None),
    };
    decision.outcome = outcome;
    decision.call = call;
    // Shadow mode changes nothing for traffic that is not the gate's: only tokens of its own issuers are
    // kept from the upstream.
    decision.strip_token =
        !policy.carrier.forward && (policy.mode == Mode::Enforce || claimed_issuer.is_of(policy));
    if token.is_none() {
        decision.claimed_issuer = claimed_issuer.into_text(policy);
    }
    decision.token = token;
    if let Some(Supply {
        state: SupplyState::Failed(error),
        ..
    }) = &decision.supply
    {
        let error = error.clone();
        decision.not_supplied(error);
    }
    decision
}

/// What stands in the place of the request's one token.
fn find_token<'a>(policy: &Policy, request: Request<'a>) -> Result<Carried<'a>, Refusal> {
    let query = request.target.splitn(2, |&byte| byte == b'?').nth(1);
    token::extract(&policy.carrier, request.headers, query)
}

fn rule(policy: &Policy, token: &VerifiedToken, facts: &Facts<'_>) -> Result<Permit, Refused> {
    match policy.decide(token, facts) {
        Ruling::Allow(permit) => Ok(permit),
        Ruling::Deny(denial) => Err(Refused {
            refusal: denial.refusal(),
            rule: denial.rule,
            roles: denial.roles,
            shadow: denial.shadow,
            mismatches: denial.mismatches,
        }),
    }
}

/// A permit counts only if each limit that is for it has room.
fn keep_within_limits(
    policy: &Policy,
    shared: &dyn SharedData,
    token: &VerifiedToken,
    permit: Permit,
    now: UnixTime,
    standings: &mut Vec<Standing>,
) -> Result<(Permit, Taken), Refused> {
    let taken = state::issuer_of(token, policy).and_then(|issuer| {
        let (limits, claims) = (&policy.limits, token.claims());
        limit::take(shared, limits, &permit, issuer, claims, now, standings)
    });
    match taken {
        Ok(taken) => Ok((permit, taken)),
        Err(refusal) => Err(after(&permit, refusal)),
    }
}

/// A permit for a single use counts only if the token could be claimed.
fn use_up(
    policy: &Policy,
    shared: &dyn SharedData,
    token: &VerifiedToken,
    permit: Permit,
    now: UnixTime,
) -> Result<Permit, Refused> {
    if permit.replay() == Replay::Allow {
        return Ok(permit);
    }
    let rule = policy.rules.get(permit.rule());
    let claimed = match (rule, policy.issuers.get(token.issuer())) {
        (Some(rule), Some(issuer)) => {
            replay::claim(shared, &Claim::new(&rule.id, token, issuer), now)
        }
        _ => Err(of_another_policy()),
    };
    match claimed {
        Ok(()) => Ok(permit),
        Err(refusal) => Err(after(&permit, refusal)),
    }
}

/// The refusal of a request that a rule let through.
fn after(permit: &Permit, refusal: Refusal) -> Refused {
    Refused {
        refusal,
        rule: Some(permit.rule()),
        roles: permit.roles().to_vec(),
        shadow: Vec::new(),
        mismatches: Vec::new(),
    }
}

fn of_another_policy() -> Refusal {
    Refusal::new(Reason::InternalError, "the permit is another policy's")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decision_ids_are_uuids_of_version_7_that_sort_by_time() {
        let id = |millis, nth| {
            let now = UnixTime::new(std::time::Duration::from_millis(millis));
            DecisionId::new(now, 0x0123_4567_89ab_cdef, nth).to_string()
        };
        let ids: Vec<_> = (0..5000)
            .map(|nth| id(1_800_000_000_000 + nth / 1000, nth))
            .collect();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(
            ids.iter().collect::<std::collections::HashSet<_>>().len(),
            ids.len()
        );
        assert!(id(1, 0) < id(2, 0));
        let parts: Vec<_> = ids[7].split('-').collect();
        assert_eq!(
            parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12]
        );
        assert!(
            parts[2].starts_with('7') && "89ab".contains(&parts[3][..1]),
            "{}",
            ids[7]
        );
    }
}
