//! By what a token is told from others.

use super::{Claims, Digest, Jws, VerifiedToken};
use crate::sha256::Hash;

/// What revocations look at: a token's claims, its key and its digests, proven or not.
#[derive(Debug, Clone, Copy)]
pub struct Marks<'a> {
    /// Its claims.
    pub claims: &'a Claims,
    /// The `kid` of its header, if it has one.
    pub kid: Option<&'a str>,
    /// The digests of the whole and of what is signed; none for claims without a token.
    pub digests: Option<[Digest; 2]>,
}

impl<'a> Marks<'a> {
    /// Those of claims that no token holds.
    #[must_use]
    pub const fn of_claims(claims: &'a Claims) -> Self {
        Self {
            claims,
            kid: None,
            digests: None,
        }
    }
}

impl<'a> From<&'a VerifiedToken> for Marks<'a> {
    fn from(token: &'a VerifiedToken) -> Self {
        Self {
            claims: token.claims(),
            kid: token.kid(),
            digests: Some([*token.digest(), *token.signed_digest()]),
        }
    }
}

impl<'a> From<&'a Jws<'_>> for Marks<'a> {
    fn from(jws: &'a Jws<'_>) -> Self {
        Self {
            claims: jws.claims(),
            kid: jws.header().kid.as_deref(),
            digests: Some([
                Hash::hash(jws.compact().as_bytes()),
                Hash::hash(jws.signing_input()),
            ]),
        }
    }
}
