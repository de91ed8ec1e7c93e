//! A token as a request presents it: one that was proven before, one that was found forged before, or one to prove.
//!
//! What is cheap comes first. Of a token that was not proven before, its source's failures are looked at before any
//! of its bytes, then whether it was found forged before, and only then is it parsed.

use super::compact::Compact;
use super::extract::Carried;
use super::failures::{Failures, Refused};
use super::jws::check_size;
use super::rejected::Rejection;
use super::verify::{Checked, check, check_signature, proven};
use super::{Jws, TokenCache, VerifiedToken};
use crate::keys::KeyRing;
use crate::limit::Source;
use crate::policy::{Mode, Policy};
use crate::reason::{Reason, Refusal};
use crate::shared_data::SharedData;
use crate::time::UnixTime;
use std::borrow::Cow;
use std::time::Duration;

/// A token that is not proven for this request yet.
#[derive(Debug)]
pub struct Presented<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    Known(VerifiedToken),
    Rejected(Rejection),
    /// Not looked at, but for the issuer that it claims, where that is asked for.
    Limited(Refused, Option<String>),
    New(Jws<'a>),
}

/// What a token says its issuer is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Claimed {
    /// Nothing, or it was not read.
    #[default]
    Nothing,
    /// The policy's issuer at this place.
    Of(usize),
    /// This one.
    Text(String),
}

impl From<Option<String>> for Claimed {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Nothing, Self::Text)
    }
}

impl Claimed {
    /// Whether it is an issuer of the policy.
    #[must_use]
    pub fn is_of(&self, policy: &Policy) -> bool {
        match self {
            Self::Nothing => false,
            Self::Of(place) => policy.issuers.get(*place).is_some(),
            Self::Text(text) => policy.issuer_of(text).is_some(),
        }
    }

    /// As text.
    #[must_use]
    pub fn into_text(self, policy: &Policy) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Of(place) => Some(policy.issuers.get(place)?.issuer.clone()),
            Self::Text(text) => Some(text),
        }
    }
}

/// What the gate of a policy proves the token of one request with.
#[expect(
    missing_debug_implementations,
    reason = "what workers share has no such form"
)]
pub struct Prover<'g> {
    /// The policy, whose issuers run in parallel to the keys.
    pub policy: &'g Policy,
    /// The issuers' keys.
    pub keys: &'g KeyRing,
    /// Tokens that were proven.
    pub cache: &'g mut TokenCache,
    /// Tokens that failed, and their sources.
    pub failures: &'g Failures,
    /// What all workers share.
    pub shared: &'g dyn SharedData,
    /// Where the request comes from.
    pub source: &'g dyn Source,
    /// The moment of the request.
    pub now: UnixTime,
}

impl Prover<'_> {
    /// Looks a token up among those that were proven or failed before, or parses it.
    ///
    /// # Errors
    /// As [`Carried::text`] and [`Jws::parse`].
    pub fn look_up<'a>(&mut self, carried: Carried<'a>) -> Result<Presented<'a>, Refusal> {
        let (keys, now) = (self.keys, self.now);
        let serving = |issuer| keys.generation(issuer, now);
        if let Some(token) = self.cache.get(carried.bytes(), serving, now) {
            return Ok(Presented(Kind::Known(token)));
        }
        let compact = carried.text()?;
        check_size(compact)?;
        let compact = Compact::new(compact);
        if let Some(refused) = self.failures.refuses(self.source, now) {
            // Shadow mode must know whose token it is to take it out.
            let claimed = match self.policy.mode {
                Mode::Enforce => None,
                Mode::Shadow => Jws::read(compact)
                    .ok()
                    .and_then(|jws| jws.claims().text("iss").map(Cow::into_owned)),
            };
            return Ok(Presented(Kind::Limited(refused, claimed)));
        }
        if let Some(rejection) = self.failures.find(&compact, serving) {
            return Ok(Presented(Kind::Rejected(rejection)));
        }
        Ok(Presented(Kind::New(Jws::read(compact)?)))
    }

    /// Proves a token for this moment, and remembers what came of it.
    ///
    /// # Errors
    /// `rate_limited` if too many tokens of its source failed; else as [`verify`](super::verify()): the same for one
    /// that is remembered and for one that is not.
    pub fn prove(&mut self, token: Presented<'_>) -> Result<VerifiedToken, Refusal> {
        let issuers = &self.policy.issuers;
        let issuer_at = |place: usize| {
            let detail = "what is remembered is another policy's";
            let of_another = || Refusal::new(Reason::InternalError, detail);
            issuers.get(place).ok_or_else(of_another)
        };
        match token.0 {
            Kind::Known(token) => {
                token.check_times(issuer_at(token.issuer())?, self.now)?;
                Ok(token)
            }
            Kind::Rejected(rejection) => {
                let issuer = issuer_at(rejection.issuer)?;
                rejection.times.check(issuer, self.now)?;
                self.failures.count(self.source, self.now);
                Err(Refusal::new(Reason::SignatureInvalid, rejection.detail))
            }
            Kind::Limited(refused, _) => Err(refused.refusal),
            Kind::New(jws) => {
                let checked = check(&jws, self.policy, self.now)?;
                check_signature(&jws, &checked, self.keys, self.shared, self.now)
                    .inspect_err(|refusal| self.remember_failure(&jws, &checked, refusal))?;
                let token = proven(jws, &checked);
                if let Some(generation) = self.keys.generation(checked.place, self.now) {
                    let until = checked.times.expires().plus(checked.issuer.leeway);
                    // It is kept with the token, and counted.
                    token.rendering(checked.issuer);
                    self.cache.insert(token.clone(), generation, until);
                }
                Ok(token)
            }
        }
    }

    fn remember_failure(&self, jws: &Jws<'_>, checked: &Checked<'_>, refusal: &Refusal) {
        // What else can fail there passes, as with keys that are still to be fetched.
        if refusal.reason != Reason::SignatureInvalid {
            return;
        }
        self.failures.count(self.source, self.now);
        let (Some(keys), Cow::Borrowed(detail)) = (
            self.keys.generation(checked.place, self.now),
            &refusal.detail,
        ) else {
            return;
        };
        // While keys from the configuration serve in the place of fetched ones, every look-up of a key may find
        // that these have come.
        if keys == 0 && checked.issuer.jwks.is_some() {
            return;
        }
        let rejection = Rejection {
            issuer: checked.place,
            times: checked.times,
            detail,
        };
        self.failures.remember(jws.text(), keys, rejection);
    }
}

impl Presented<'_> {
    /// Whether its signature was checked for an earlier request, and is not for this one.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        matches!(self.0, Kind::Known(_) | Kind::Rejected(_))
    }

    /// What it says its issuer is, which proves nothing for this request yet.
    #[must_use]
    pub fn claimed_issuer(&self) -> Claimed {
        match &self.0 {
            Kind::Known(token) => Claimed::Of(token.issuer()),
            Kind::Rejected(rejection) => Claimed::Of(rejection.issuer),
            Kind::New(jws) => Claimed::from(jws.claims().text("iss").map(Cow::into_owned)),
            Kind::Limited(_, claimed) => Claimed::from(claimed.clone()),
        }
    }

    /// How long tokens of its source are not verified.
    #[must_use]
    pub const fn retry(&self) -> Option<Duration> {
        match &self.0 {
            Kind::Limited(refused, _) => Some(refused.retry),
            _ => None,
        }
    }
}
