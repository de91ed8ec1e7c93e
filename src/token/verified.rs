//! The proof of a token.

use super::compact::{Compact, Digests};
use super::{Claims, Times};
use crate::assertion::Kept;
use crate::audit::Rendering;
use crate::policy::Issuer;
use crate::reason::Refusal;
use crate::session::Session;
use crate::time::UnixTime;
use std::cell::OnceCell;
use std::rc::Rc;

/// A SHA-256 digest.
pub type Digest = [u8; 32];

/// A token whose signature, issuer, audience and times were checked at the moment of the request.
///
/// Only [`verify`](super::verify()) makes one, and the [cache](super::TokenCache) hands it out again, which
/// checks the times anew. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct VerifiedToken(Rc<Proof>);

#[derive(Debug)]
pub(super) struct Proof {
    pub(super) issuer: usize,
    pub(super) claims: Claims,
    pub(super) kid: Option<Box<str>>,
    pub(super) times: Times,
    /// The token as it was sent.
    pub(super) compact: Box<str>,
    /// Made when they are first asked for: for revocations by digest, and for rules that let tokens through once.
    pub(super) digests: OnceCell<Digests>,
    /// Made when it is first asked for.
    pub(super) rendering: OnceCell<Rendering>,
    /// What the gate said of it to the upstream, where that may serve again.
    pub(super) kept: Kept,
    /// Made when it is first asked for.
    pub(super) session: OnceCell<Session>,
}

impl VerifiedToken {
    pub(super) fn new(proof: Proof) -> Self {
        Self(Rc::new(proof))
    }

    /// The issuer, by its place in the policy.
    #[must_use]
    pub fn issuer(&self) -> usize {
        self.0.issuer
    }

    /// The proven claims.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// The `kid` of the key that signed it, if its header has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.0.kid.as_deref()
    }

    /// Its times.
    #[must_use]
    pub fn times(&self) -> &Times {
        &self.0.times
    }

    /// SHA-256 of the whole compact token.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digests().whole
    }

    /// SHA-256 of what is signed (RFC 7515's JWS Signing Input, `header.payload`).
    ///
    /// Of an ECDSA signature anybody can make a second one that is as good, without the key: then the whole
    /// token's digest is another one, and this one is the same.
    #[must_use]
    pub fn signed_digest(&self) -> &Digest {
        &self.digests().signed
    }

    fn digests(&self) -> &Digests {
        let digests = &self.0.digests;
        digests.get_or_init(|| *Compact::new(&self.0.compact).digests())
    }

    /// The token as it was sent.
    pub(crate) fn compact(&self) -> &str {
        &self.0.compact
    }

    /// The job in the words of headers and records. `issuer` is the token's own.
    #[inline]
    pub(crate) fn rendering(&self, issuer: &Issuer) -> &Rendering {
        let rendering = &self.0.rendering;
        rendering.get_or_init(|| Rendering::new(issuer, &self.0.claims))
    }

    /// The session that it belongs to. `issuer` is the token's own.
    pub(crate) fn session(&self, issuer: &Issuer) -> Session {
        let session = &self.0.session;
        *session.get_or_init(|| Session::of(issuer, self))
    }

    /// What the gate said of it to the upstream. [`TokenCache::keep`](super::TokenCache::keep) adds to it, and counts it.
    pub(crate) fn kept(&self) -> &Kept {
        &self.0.kept
    }

    /// Whether the two are one proof.
    pub(super) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Holds the times against the clock once more.
    ///
    /// # Errors
    /// As when it was verified: `token_expired`, `token_not_yet_valid`, `lifetime_too_long`.
    pub(crate) fn check_times(&self, issuer: &Issuer, now: UnixTime) -> Result<(), Refusal> {
        self.0.times.check(issuer, now)
    }

    /// How many bytes of memory it takes, from above.
    pub(super) fn footprint(&self) -> usize {
        // Two counters stand before what an Rc holds.
        const COUNTERS: usize = 2 * size_of::<usize>();
        super::footprint::block(COUNTERS.saturating_add(size_of::<Proof>()))
            .saturating_add(super::footprint::block(self.0.compact.len()))
            .saturating_add(self.0.claims.footprint())
            .saturating_add(self.0.rendering.get().map_or(0, Rendering::footprint))
            .saturating_add(self.0.kept.footprint())
            .saturating_add(
                self.0
                    .kid
                    .as_ref()
                    .map_or(0, |kid| super::footprint::block(kid.len())),
            )
    }

    /// A token for the tests of what comes after the proof.
    #[cfg(test)]
    pub(crate) fn unproven(claims: Claims) -> Self {
        Self::unproven_with(claims, None, [0; 32])
    }

    /// The same, of the issuer at this place.
    #[cfg(test)]
    pub(crate) fn unproven_of(issuer: usize, claims: Claims) -> Self {
        let mut proof = Rc::into_inner(Self::unproven(claims).0).expect("one");
        proof.issuer = issuer;
        Self::new(proof)
    }

    /// The same with two digests.
    #[cfg(test)]
    pub(crate) fn unproven_with_digests(claims: Claims, digest: Digest, signed: Digest) -> Self {
        let mut proof = Rc::into_inner(Self::unproven_with(claims, None, digest).0).expect("one");
        proof.digests = OnceCell::from(Digests {
            whole: digest,
            signed,
        });
        Self::new(proof)
    }

    /// The same with a text.
    #[cfg(test)]
    pub(crate) fn unproven_as(compact: &str, claims: Claims) -> Self {
        let mut proof = Rc::into_inner(Self::unproven(claims).0).expect("one");
        proof.compact = compact.into();
        Self::new(proof)
    }

    /// The same with a `kid`, the times of its claims if it has them, and a digest for both.
    #[cfg(test)]
    pub(crate) fn unproven_with(claims: Claims, kid: Option<&str>, digest: Digest) -> Self {
        let mut times = serde_json::Map::new();
        for (name, default) in [("iat", 0), ("exp", 300)] {
            let value = claims.get(name).cloned().unwrap_or(default.into());
            times.insert(name.into(), value);
        }
        Self::new(Proof {
            issuer: 0,
            times: Times::read(&Claims::new(times)).expect("they are times"),
            claims,
            kid: kid.map(Into::into),
            compact: "".into(),
            digests: OnceCell::from(Digests {
                whole: digest,
                signed: digest,
            }),
            rendering: OnceCell::new(),
            kept: Kept::default(),
            session: OnceCell::new(),
        })
    }
}
