//! The times of a token: read once, and held against the clock on every request.

use super::{Claims, malformed};
use crate::policy::Issuer;
use crate::reason::{Reason, Refusal};
use crate::time::UnixTime;
use std::time::Duration;

/// When a token begins and ends, as its claims say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    expires: UnixTime,
    not_before: Option<UnixTime>,
    issued_at: Option<UnixTime>,
    start: UnixTime,
}

impl Times {
    /// Reads `exp`, and `iat` and `nbf` where they are there; one of these must be.
    ///
    /// # Errors
    /// `claim_missing`, or `token_malformed` for what is no NumericDate.
    pub fn read(claims: &Claims) -> Result<Self, Refusal> {
        let expires = numeric_date(claims, "exp")?.ok_or_else(|| missing("exp"))?;
        let not_before = numeric_date(claims, "nbf")?;
        let issued_at = numeric_date(claims, "iat")?;
        Ok(Self {
            expires,
            not_before,
            issued_at,
            start: issued_at.or(not_before).ok_or_else(|| missing("iat"))?,
        })
    }

    /// `exp`.
    #[must_use]
    pub const fn expires(&self) -> UnixTime {
        self.expires
    }

    /// `iat`, or else `nbf`: what the lifetime is counted from.
    #[must_use]
    pub const fn start(&self) -> UnixTime {
        self.start
    }

    /// Holds the times against the clock. `nbf` need not be near `iat`: GitHub backdates it.
    ///
    /// # Errors
    /// `token_expired`, `token_not_yet_valid` or `lifetime_too_long`.
    pub(super) fn check(&self, issuer: &Issuer, now: UnixTime) -> Result<(), Refusal> {
        let latest = now.plus(issuer.leeway);
        if self.expires.plus(issuer.leeway) <= now {
            let detail = format!("exp was {} s ago", now.since(self.expires).as_secs());
            return Err(Refusal::new(Reason::TokenExpired, detail));
        }
        for (name, moment) in [("nbf", self.not_before), ("iat", self.issued_at)] {
            if let Some(moment) = moment.filter(|moment| *moment > latest) {
                let detail = format!("{name} lies {} s ahead", moment.since(now).as_secs());
                return Err(Refusal::new(Reason::TokenNotYetValid, detail));
            }
        }
        let lifetime = self.expires.since(self.start);
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
}

/// A NumericDate (RFC 7519, section 2): seconds since the epoch, with a fraction or without.
fn numeric_date(claims: &Claims, name: &'static str) -> Result<Option<UnixTime>, Refusal> {
    /// The year 10000; what lies beyond is no date that an honest issuer writes.
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

/// The refusal for a claim that every token must have.
pub(super) fn missing(claim: &'static str) -> Refusal {
    Refusal::new(
        Reason::ClaimMissing,
        format!("the claim {claim} is missing"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;
    use serde_json::{Value, json};

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
        Times::read(&Claims::new(absolute))
            .and_then(|times| times.check(&policy.issuers[0], UnixTime::from_secs(NOW)))
            .map_err(|refusal| refusal.reason)
    }

    #[test]
    fn pitfall_12_times_hold_to_the_second() {
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
