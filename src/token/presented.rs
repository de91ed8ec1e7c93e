//! A token as a request presents it: one that was proven before, or one to prove.

use super::jws::check_size;
use super::{Claims, Jws, TokenCache, VerifiedToken, verify};
use crate::keys::KeyRing;
use crate::policy::Issuer;
use crate::reason::{Reason, Refusal};
use crate::shared_data::SharedData;
use crate::time::UnixTime;

/// A token that is not proven for this request yet.
#[derive(Debug)]
pub struct Presented<'a>(Kind<'a>);

#[derive(Debug)]
enum Kind<'a> {
    Known(VerifiedToken),
    New(Jws<'a>),
}

impl<'a> Presented<'a> {
    /// Looks a compact token up in the cache, or parses it.
    ///
    /// # Errors
    /// As [`Jws::parse`].
    pub fn new(
        compact: &'a str,
        cache: &mut TokenCache,
        keys: &KeyRing,
        now: UnixTime,
    ) -> Result<Self, Refusal> {
        check_size(compact)?;
        if let Some(token) = cache.get(compact, |issuer| keys.generation(issuer, now), now) {
            return Ok(Self(Kind::Known(token)));
        }
        Ok(Self(Kind::New(Jws::parse(compact)?)))
    }
}

impl Presented<'_> {
    /// Whether its signature was checked for an earlier request.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        matches!(self.0, Kind::Known(_))
    }

    /// Its claims, which prove nothing for this request yet.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        match &self.0 {
            Kind::Known(token) => token.claims(),
            Kind::New(jws) => jws.claims(),
        }
    }

    /// Proves it for this moment, and keeps the proof in the cache. `issuers` and `keys` run in parallel.
    ///
    /// # Errors
    /// As [`verify`]: the same from the cache and without.
    pub fn prove(
        self,
        issuers: &[Issuer],
        keys: &KeyRing,
        cache: &mut TokenCache,
        shared: &dyn SharedData,
        now: UnixTime,
    ) -> Result<VerifiedToken, Refusal> {
        let issuer_of = |token: &VerifiedToken| issuers.get(token.issuer());
        match self.0 {
            Kind::Known(token) => {
                let Some(issuer) = issuer_of(&token) else {
                    let detail = "the cache is another policy's";
                    return Err(Refusal::new(Reason::InternalError, detail));
                };
                token.check_times(issuer, now)?;
                Ok(token)
            }
            Kind::New(jws) => {
                let compact = jws.compact();
                let token = verify(jws, issuers, keys, shared, now)?;
                if let (Some(issuer), Some(generation)) =
                    (issuer_of(&token), keys.generation(token.issuer(), now))
                {
                    let until = token.times().expires().plus(issuer.leeway);
                    // It is kept with the token, and counted.
                    token.rendering(issuer);
                    cache.insert(compact, token.clone(), generation, until);
                }
                Ok(token)
            }
        }
    }
}
