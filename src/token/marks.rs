//! By what a token is told from others.

use super::compact::Compact;
use super::{Claims, Digest, Jws, VerifiedToken};

/// What revocations look at: a token's claims, its key and its digests, proven or not.
#[derive(Debug, Clone, Copy)]
pub struct Marks<'a> {
    /// Its claims.
    pub claims: &'a Claims,
    /// The `kid` of its header, if it has one.
    pub kid: Option<&'a str>,
    of: Of<'a>,
}

/// Whose marks they are.
#[derive(Debug, Clone, Copy)]
enum Of<'a> {
    Claims,
    Proven(&'a VerifiedToken),
    Presented(&'a Compact<'a>),
}

impl<'a> Marks<'a> {
    /// Those of claims that no token holds.
    #[must_use]
    pub const fn of_claims(claims: &'a Claims) -> Self {
        Self {
            claims,
            kid: None,
            of: Of::Claims,
        }
    }

    /// The digests of the whole and of what is signed; none for claims without a token. They are computed when they are
    /// first asked for.
    #[must_use]
    pub fn digests(&self) -> Option<[&'a Digest; 2]> {
        match self.of {
            Of::Claims => None,
            Of::Proven(token) => Some([token.digest(), token.signed_digest()]),
            Of::Presented(text) => Some([&text.digests().whole, &text.digests().signed]),
        }
    }
}

impl<'a> From<&'a VerifiedToken> for Marks<'a> {
    fn from(token: &'a VerifiedToken) -> Self {
        Self {
            claims: token.claims(),
            kid: token.kid(),
            of: Of::Proven(token),
        }
    }
}

impl<'a> From<&'a Jws<'_>> for Marks<'a> {
    fn from(jws: &'a Jws<'_>) -> Self {
        Self {
            claims: jws.claims(),
            kid: jws.header().kid.as_deref(),
            of: Of::Presented(jws.text()),
        }
    }
}
