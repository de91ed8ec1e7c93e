//! From a parsed token to a proof.
//!
//! Cheap checks come first, so that a flood of wrong tokens costs no cryptography; the signature is
//! checked last, and nothing is believed before it.

use super::times::missing;
use super::verified::Proof;
use super::{Algorithm, Claims, Jws, Times, VerifiedToken, malformed};
use crate::assertion::Kept;
use crate::keys::{KeyMiss, KeyRing};
use crate::policy::{Issuer, Policy};
use crate::reason::{Reason, Refusal};
use crate::shared_data::SharedData;
use crate::time::UnixTime;
use serde_json::Value;
use std::cell::OnceCell;

/// Proves a token: header, issuer, audience and times, then the signature with the issuer's key.
///
/// The policy's issuers and `keys` run in parallel. An unknown `kid` is noted in `keys`, which may then want a fetch.
///
/// # Errors
/// The first check that fails, as one of the 401 reasons or `keys_unavailable`.
pub fn verify(
    jws: Jws<'_>,
    policy: &Policy,
    keys: &KeyRing,
    shared: &dyn SharedData,
    now: UnixTime,
) -> Result<VerifiedToken, Refusal> {
    let checked = check(&jws, policy, now)?;
    check_signature(&jws, &checked, keys, shared, now)?;
    Ok(proven(jws, &checked))
}

/// What of a token is checked before its signature.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked<'i> {
    /// The issuer, by its place in the policy.
    pub(super) place: usize,
    pub(super) issuer: &'i Issuer,
    algorithm: Algorithm,
    pub(super) times: Times,
}

/// Checks everything but the signature.
pub(super) fn check<'i>(
    jws: &Jws<'_>,
    policy: &'i Policy,
    now: UnixTime,
) -> Result<Checked<'i>, Refusal> {
    let (place, issuer) = find_issuer(jws.claims(), policy)?;
    let algorithm = find_algorithm(jws, issuer)?;
    check_types(jws.claims())?;
    check_audience(jws.claims(), &issuer.audiences)?;
    let times = Times::read(jws.claims())?;
    times.check(issuer, now)?;
    Ok(Checked {
        place,
        issuer,
        algorithm,
        times,
    })
}

/// Checks the signature, and nothing else.
pub(super) fn check_signature(
    jws: &Jws<'_>,
    checked: &Checked<'_>,
    keys: &KeyRing,
    shared: &dyn SharedData,
    now: UnixTime,
) -> Result<(), Refusal> {
    let (place, algorithm) = (checked.place, checked.algorithm);
    let key = keys
        .find(place, jws.header().kid.as_deref(), algorithm, now, shared)
        .map_err(|miss| match miss {
            KeyMiss::Unavailable(why) => Refusal::new(Reason::KeysUnavailable, why),
            KeyMiss::Unknown => key_unknown(),
        })?;
    key.verify_by(
        keys.verifier(),
        algorithm,
        jws.signing_input(),
        jws.signature(),
    )
}

/// The proof of a token that passed both.
pub(super) fn proven(jws: Jws<'_>, checked: &Checked<'_>) -> VerifiedToken {
    VerifiedToken::new(Proof {
        issuer: checked.place,
        kid: jws.header().kid.as_deref().map(Into::into),
        times: checked.times,
        compact: jws.compact().into(),
        digests: jws.text().known_digests(),
        claims: jws.into_claims(),
        rendering: OnceCell::new(),
        kept: Kept::default(),
        session: OnceCell::new(),
    })
}

pub(super) fn key_unknown() -> Refusal {
    let detail = "no key of the issuer has this kid and algorithm";
    Refusal::new(Reason::KeyUnknown, detail)
}

pub(super) fn find_issuer<'i>(
    claims: &Claims,
    policy: &'i Policy,
) -> Result<(usize, &'i Issuer), Refusal> {
    let claimed = match claims.get("iss") {
        Some(Value::String(issuer)) => issuer,
        Some(_) => return Err(malformed("iss is not a string")),
        None => return Err(missing("iss")),
    };
    policy
        .issuer_of(claimed)
        .and_then(|place| Some((place, policy.issuers.get(place)?)))
        .ok_or_else(|| Refusal::new(Reason::IssuerUnknown, "iss is no issuer of the policy"))
}

pub(super) fn find_algorithm(jws: &Jws<'_>, issuer: &Issuer) -> Result<Algorithm, Refusal> {
    let mut accepted = issuer.algorithms.iter().copied();
    accepted
        .find(|known| known.name() == jws.header().alg)
        .ok_or_else(|| {
            let detail = "alg is not in the issuer's list";
            Refusal::new(Reason::AlgorithmNotAllowed, detail)
        })
}

/// The registered claims that no other check looks at, and OpenID Connect's `nonce`, have the type that they
/// must have: what comes behind the gate may take it for granted.
pub(super) fn check_types(claims: &Claims) -> Result<(), Refusal> {
    for name in ["sub", "jti", "nonce"] {
        if claims.get(name).is_some_and(|value| !value.is_string()) {
            return Err(malformed(format!("{name} is not a string")));
        }
    }
    // Elsewhere null counts as not there; a date that was meant to limit the token must not vanish so.
    for name in ["nbf", "iat"] {
        if claims.is_null(name) {
            return Err(malformed(format!("{name} is not a NumericDate")));
        }
    }
    Ok(())
}

/// RFC 7519, section 4.1.3: a string, or an array of strings of which one must match exactly.
pub(super) fn check_audience(claims: &Claims, accepted: &[String]) -> Result<(), Refusal> {
    let is_ours = |audience: &str| accepted.iter().any(|ours| ours == audience);
    let matched = match claims.get("aud") {
        None => return Err(missing("aud")),
        Some(Value::String(audience)) => is_ours(audience),
        Some(Value::Array(audiences)) => {
            let mut matched = false;
            for audience in audiences {
                let Value::String(audience) = audience else {
                    return Err(malformed("aud holds something else than strings"));
                };
                matched |= is_ours(audience);
            }
            matched
        }
        Some(_) => return Err(malformed("aud is neither a string nor an array")),
    };
    if matched {
        Ok(())
    } else {
        Err(Refusal::new(
            Reason::AudienceMismatch,
            "aud does not name the issuer's audience",
        ))
    }
}
