//! A token's checks one by one, for whoever wants to know why it is refused.
//!
//! By the same functions and in the same order as [`verify`](super::verify()), which stops at the first that
//! fails. What comes out are words about a token: it proves nothing.

use super::verify::{check_audience, check_types, find_algorithm, find_issuer, key_unknown};
use super::{Claims, Jws, Times};
use crate::keys::KeySet;
use crate::policy::Policy;
use crate::reason::Refusal;
use crate::time::UnixTime;

/// A check that a parsed token must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// `iss` names an issuer of the policy.
    Issuer,
    /// `alg` is in the issuer's list.
    Algorithm,
    /// The registered claims have the types that they must have.
    Types,
    /// `aud` names the issuer's audience.
    Audience,
    /// `exp`, `nbf` and `iat` fit the clock and the issuer's `max_lifetime`.
    Times,
    /// The issuer's key verifies the signature.
    Signature,
}

impl Check {
    /// Its name in the documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Algorithm => "algorithm",
            Self::Types => "types",
            Self::Audience => "audience",
            Self::Times => "times",
            Self::Signature => "signature",
        }
    }
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The token passes it.
    Passes,
    /// The token is refused for this.
    Fails(Refusal),
    /// It can't be made: another check that failed tells by what, or there are no keys.
    NotMade,
}

/// Every check of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The issuer, by its place in the policy, if it is one of its.
    pub issuer: Option<usize>,
    /// In the order in which the gate makes them.
    pub checks: Vec<(Check, Finding)>,
}

impl Examination {
    /// Why the gate refuses the token: the first check that fails.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.checks.iter().find_map(|(_, finding)| match finding {
            Finding::Fails(refusal) => Some(refusal),
            Finding::Passes | Finding::NotMade => None,
        })
    }
}

/// Makes every check of a token that can be made. The signature is checked if there are keys of its issuer.
#[must_use]
pub fn examine(
    jws: &Jws<'_>,
    policy: &Policy,
    keys: Option<&KeySet>,
    now: UnixTime,
) -> Examination {
    fn finding<T>(outcome: Option<Result<T, Refusal>>) -> (Finding, Option<T>) {
        match outcome {
            None => (Finding::NotMade, None),
            Some(Ok(value)) => (Finding::Passes, Some(value)),
            Some(Err(refusal)) => (Finding::Fails(refusal), None),
        }
    }
    let claims = jws.claims();
    let (found, issuer) = finding(Some(find_issuer(claims, policy)));
    let (place, issuer) = issuer.unzip();
    let (accepted, algorithm) = finding(issuer.map(|issuer| find_algorithm(jws, issuer)));
    let (types, _) = finding(Some(check_types(claims)));
    let (audience, _) = finding(issuer.map(|issuer| check_audience(claims, &issuer.audiences)));
    let times = Times::read(claims);
    let (times, _) = finding(match (times, issuer) {
        (Err(refusal), _) => Some(Err(refusal)),
        (Ok(times), Some(issuer)) => Some(times.check(issuer, now)),
        (Ok(_), None) => None,
    });
    let (signature, _) = finding(algorithm.zip(keys).map(|(algorithm, keys)| {
        let key = keys.find(jws.header().kid.as_deref(), algorithm);
        let key = key.ok_or_else(key_unknown)?;
        key.verify(algorithm, jws.signing_input(), jws.signature())
    }));
    Examination {
        issuer: place,
        checks: vec![
            (Check::Issuer, found),
            (Check::Algorithm, accepted),
            (Check::Types, types),
            (Check::Audience, audience),
            (Check::Times, times),
            (Check::Signature, signature),
        ],
    }
}

/// The issuer that claims name, by its place in the policy.
///
/// # Errors
/// As when a token is verified: `issuer_unknown`, `claim_missing` or `token_malformed`.
pub fn issuer_of(claims: &Claims, policy: &Policy) -> Result<usize, Refusal> {
    find_issuer(claims, policy).map(|(place, _)| place)
}
