//! From a parsed token to a proof.
//!
//! Cheap checks come first, so that a flood of wrong tokens costs no cryptography; the signature is
//! checked last, and nothing is believed before it.

use super::{Claims, Jws, malformed};
use crate::keys::{KeyMiss, KeyRing};
use crate::policy::Issuer;
use crate::reason::{Reason, Refusal};
use crate::time::UnixTime;
use serde_json::Value;
use std::time::Duration;

/// A token whose signature, issuer, audience and times were checked at the moment of the request.
///
/// Only [`verify`] makes one.
#[derive(Debug)]
pub struct VerifiedToken {
    issuer: usize,
    claims: Claims,
}

impl VerifiedToken {
    /// The issuer, by its place in the policy.
    #[must_use]
    pub const fn issuer(&self) -> usize {
        self.issuer
    }

    /// A token for the tests of what comes after the proof.
    #[cfg(test)]
    pub(crate) const fn unproven(claims: Claims) -> Self {
        Self { issuer: 0, claims }
    }

    /// The proven claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Proves a token: header, issuer, audience and times, then the signature with the issuer's key.
///
/// `issuers` and `keys` run in parallel. An unknown `kid` is noted in `keys`, which may then want a fetch.
///
/// # Errors
/// The first check that fails, as one of the 401 reasons or `keys_unavailable`.
pub fn verify(
    jws: Jws<'_>,
    issuers: &[Issuer],
    keys: &mut KeyRing,
    now: UnixTime,
) -> Result<VerifiedToken, Refusal> {
    let (place, issuer) = find_issuer(&jws, issuers)?;
    let algorithm = issuer
        .algorithms
        .iter()
        .copied()
        .find(|known| known.name() == jws.header().alg)
        .ok_or_else(|| {
            Refusal::new(
                Reason::AlgorithmNotAllowed,
                "alg is not in the issuer's list",
            )
        })?;
    check_audience(jws.claims(), &issuer.audiences)?;
    check_times(jws.claims(), issuer, now)?;
    let key = keys
        .find(place, jws.header().kid.as_deref(), algorithm, now)
        .map_err(|miss| match miss {
            KeyMiss::Unavailable(why) => Refusal::new(Reason::KeysUnavailable, why),
            KeyMiss::Unknown => Refusal::new(
                Reason::KeyUnknown,
                "no key of the issuer has this kid and algorithm",
            ),
        })?;
    key.verify(jws.compact(), issuer, now)?;
    Ok(VerifiedToken {
        issuer: place,
        claims: jws.into_claims(),
    })
}

fn find_issuer<'i>(jws: &Jws<'_>, issuers: &'i [Issuer]) -> Result<(usize, &'i Issuer), Refusal> {
    let claimed = match jws.claims().get("iss") {
        Some(Value::String(issuer)) => issuer,
        Some(_) => return Err(malformed("iss is not a string")),
        None => return Err(missing("iss")),
    };
    issuers
        .iter()
        .enumerate()
        .find(|(_, issuer)| issuer.issuer == *claimed)
        .ok_or_else(|| Refusal::new(Reason::IssuerUnknown, "iss is no issuer of the policy"))
}

/// RFC 7519, section 4.1.3: a string, or an array of strings of which one must match exactly.
fn check_audience(claims: &Claims, accepted: &[String]) -> Result<(), Refusal> {
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

/// `exp` always; `nbf` and `iat` where they are there. `nbf` need not be near `iat`: GitHub backdates it.
fn check_times(claims: &Claims, issuer: &Issuer, now: UnixTime) -> Result<(), Refusal> {
    let expires = numeric_date(claims, "exp")?.ok_or_else(|| missing("exp"))?;
    let not_before = numeric_date(claims, "nbf")?;
    let issued_at = numeric_date(claims, "iat")?;
    let latest = now.plus(issuer.leeway);
    if expires.plus(issuer.leeway) <= now {
        let detail = format!("exp was {} s ago", now.since(expires).as_secs());
        return Err(Refusal::new(Reason::TokenExpired, detail));
    }
    for (name, moment) in [("nbf", not_before), ("iat", issued_at)] {
        if let Some(moment) = moment.filter(|moment| *moment > latest) {
            let detail = format!("{name} lies {} s ahead", moment.since(now).as_secs());
            return Err(Refusal::new(Reason::TokenNotYetValid, detail));
        }
    }
    let start = issued_at.or(not_before).ok_or_else(|| missing("iat"))?;
    let lifetime = expires.since(start);
    if lifetime > issuer.max_lifetime {
        let detail = format!(
            "it lives {} s; the issuer's max_lifetime is {} s",
            lifetime.as_secs(),
            issuer.max_lifetime.as_secs()
        );
        return Err(Refusal::new(Reason::LifetimeTooLong, detail));
    }
    Ok(())
}

/// A NumericDate (RFC 7519, section 2): seconds since the epoch, with a fraction or without.
fn numeric_date(claims: &Claims, name: &'static str) -> Result<Option<UnixTime>, Refusal> {
    /// The year 9999; what lies beyond is no date that an honest issuer writes.
    const END: f64 = 253_402_300_800.0;
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    value
        .as_f64()
        .filter(|seconds| (0.0..END).contains(seconds))
        .map(|seconds| Some(UnixTime::new(Duration::from_secs_f64(seconds))))
        .ok_or_else(|| malformed(format!("{name} is not a NumericDate")))
}

fn missing(claim: &'static str) -> Refusal {
    Refusal::new(
        Reason::ClaimMissing,
        format!("the claim {claim} is missing"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use serde_json::json;

    const NOW: u64 = 1_800_000_000;

    /// Checks times given in seconds from now, with a leeway of 30 s and a lifetime of an hour.
    fn times(claims: &Value) -> Result<(), Reason> {
        let policy = json!({
            "issuers": [{
                "preset": "buildkite", "audience": "a", "leeway": "30s", "max_lifetime": "1h",
                "jwks": { "cluster": "c" },
            }],
            "rules": [],
        });
        let policy = Policy::from_json(policy.to_string().as_bytes()).unwrap();
        let absolute = claims
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                let absolute = value.as_f64().map_or(value.clone(), |offset| {
                    Value::from(offset + f64::from(u32::try_from(NOW).unwrap()))
                });
                (name.clone(), absolute)
            })
            .collect();
        check_times(
            &Claims::new(absolute),
            &policy.issuers[0],
            UnixTime::from_secs(NOW),
        )
        .map_err(|refusal| refusal.reason)
    }

    #[test]
    fn times_hold_to_the_second() {
        use Reason::{
            ClaimMissing, LifetimeTooLong, TokenExpired, TokenMalformed, TokenNotYetValid,
        };
        for (claims, outcome) in [
            (json!({"iat": 0, "exp": 300}), Ok(())),
            (json!({"iat": -100, "exp": -29}), Ok(())),
            (json!({"iat": -100, "exp": -29.5}), Ok(())),
            (json!({"iat": -100, "exp": -30}), Err(TokenExpired)),
            (json!({"iat": 30, "exp": 300}), Ok(())),
            (json!({"iat": 31, "exp": 300}), Err(TokenNotYetValid)),
            (json!({"iat": 0, "nbf": 30, "exp": 300}), Ok(())),
            (
                json!({"iat": 0, "nbf": 30.5, "exp": 300}),
                Err(TokenNotYetValid),
            ),
            (json!({"iat": 0, "nbf": -600, "exp": 300}), Ok(())),
            (json!({"iat": 0, "exp": 3_600}), Ok(())),
            (json!({"iat": 0, "exp": 3_601}), Err(LifetimeTooLong)),
            (
                json!({"iat": -10, "nbf": 0, "exp": 3_600}),
                Err(LifetimeTooLong),
            ),
            (json!({"nbf": 0, "exp": 3_601}), Err(LifetimeTooLong)),
            (json!({"iat": 0}), Err(ClaimMissing)),
            (json!({"iat": 0, "exp": null}), Err(ClaimMissing)),
            (json!({"exp": 300}), Err(ClaimMissing)),
            (json!({"iat": 0, "exp": "300"}), Err(TokenMalformed)),
            (json!({"iat": 0, "exp": [300]}), Err(TokenMalformed)),
            (json!({"iat": true, "exp": 300}), Err(TokenMalformed)),
            (
                json!({"iat": 0, "exp": -1_800_000_001.0}),
                Err(TokenMalformed),
            ),
            (json!({"iat": 0, "exp": 1e300}), Err(TokenMalformed)),
        ] {
            assert_eq!(times(&claims), outcome, "{claims}");
        }
    }
}
