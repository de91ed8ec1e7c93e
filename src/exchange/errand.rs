//! The way to one credential: a call, and for some targets a second one.

use super::call::{Call, ExchangeError, Reply};
use super::credential::Credential;
use super::{AssumeRole, Key, Kind, Target, VaultLogin, oauth};
use crate::assertion::AssertionPolicy;
use crate::time::UnixTime;
use crate::token::VerifiedToken;
use std::fmt;
use zeroize::Zeroizing;

/// A credential that is being got.
pub struct Errand {
    key: Key,
    job_token: Zeroizing<String>,
    /// The call that follows, which lacks what the first one brings.
    then: Option<Call>,
    is_second: bool,
}

/// What comes of an answer.
pub enum Turn {
    /// Another call.
    Call(Call),
    /// The credential.
    Done(Credential),
}

impl Errand {
    /// Sets out to exchange a token at the target of this place. `id` is unique to the request.
    ///
    /// # Errors
    /// What must be asked can't be said with the token's claims.
    pub fn begin(
        place: usize,
        target: &Target,
        token: &VerifiedToken,
        signer: Option<&AssertionPolicy>,
        id: &str,
        now: UnixTime,
    ) -> Result<(Self, Call), ExchangeError> {
        let (server, compact, claims) = (&target.server, token.compact(), token.claims());
        let mut then = None;
        let call = match &target.kind {
            Kind::TokenExchange(kind) => {
                let next = kind.impersonation.as_ref();
                then = next.map(|it| it.call(claims)).transpose()?;
                kind.call(server, compact, claims, signer, id, now)?
            }
            Kind::AssumeRole(kind) => kind.call(server, compact, claims)?,
            Kind::VaultLogin(kind) => kind.call(server, compact, claims)?,
        };
        let errand = Self {
            key: (*token.digest(), place),
            job_token: Zeroizing::new(compact.to_owned()),
            then,
            is_second: false,
        };
        Ok((errand, call))
    }

    /// Whose credential it is for, and for what.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// Takes an answer. `target` is the one that it began with.
    ///
    /// # Errors
    /// There will be no credential.
    pub fn take(
        &mut self,
        target: &Target,
        reply: &Reply<'_>,
        now: UnixTime,
    ) -> Result<Turn, ExchangeError> {
        let job_token = &*self.job_token;
        match &target.kind {
            Kind::TokenExchange(kind) if self.is_second => {
                oauth::impersonated(kind, reply, job_token, now).map(Turn::Done)
            }
            Kind::TokenExchange(kind) => {
                let (token, life) = oauth::granted(reply, job_token)?;
                let Some(mut call) = self.then.take() else {
                    return Credential::new(kind.in_header(token), life, now).map(Turn::Done);
                };
                self.is_second = true;
                let bearer = Zeroizing::new(format!("Bearer {}", *token));
                call.headers.push(("authorization", bearer));
                Ok(Turn::Call(call))
            }
            Kind::AssumeRole(_) => AssumeRole::read(reply, job_token, now).map(Turn::Done),
            Kind::VaultLogin(_) => VaultLogin::read(reply, job_token, now).map(Turn::Done),
        }
    }
}

/// Says nothing of the token.
impl fmt::Debug for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Errand(target {})", self.key.1)
    }
}
