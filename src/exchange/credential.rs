//! What a token was exchanged for.

use super::{ExchangeError, Upstream, aws};
use crate::revocation::date_time;
use crate::time::UnixTime;
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// The most bytes of a secret: what servers take in a header.
const MAX_BYTES: usize = 8 * 1024;

/// How long one serves that does not say when it ends.
const UNTOLD: Duration = Duration::from_secs(60);

/// How long one serves at most, whatever its server says.
const LONGEST: Duration = Duration::from_secs(12 * 3_600);

/// So long before its end it serves no more, or a quarter of its life if that is shorter.
const MARGIN: Duration = Duration::from_secs(60);

/// A credential for the upstream.
pub struct Credential {
    pub(super) secret: Secret,
    begin: UnixTime,
    end: UnixTime,
}

/// What it consists of. All of it is overwritten when it goes.
pub(super) enum Secret {
    /// One header, as it is.
    Header(String, Zeroizing<String>),
    /// What signs requests to AWS.
    Aws(aws::Keys),
}

impl Credential {
    /// A credential that was got now. `life` is for how long, if its server says so.
    ///
    /// # Errors
    /// It has ended before it began.
    pub(super) fn new(
        secret: Secret,
        life: Option<Duration>,
        now: UnixTime,
    ) -> Result<Self, ExchangeError> {
        let life = life.unwrap_or(UNTOLD).min(LONGEST);
        if life.is_zero() {
            return Err(ExchangeError::new(
                "what the server answered has ended already",
            ));
        }
        Ok(Self {
            secret,
            begin: now,
            end: now.plus(life),
        })
    }

    /// Whether it serves: it ends some time later, and the clock did not go back to before it was got.
    #[must_use]
    pub fn serves(&self, now: UnixTime) -> bool {
        let life = self.end.since(self.begin);
        let left = self.end.since(now);
        now >= self.begin && (left > MARGIN || left.saturating_mul(4) > life)
    }

    /// The headers that the upstream gets: names in lower case. `upstream` is there for a target that
    /// [signs](super::Target::signs).
    ///
    /// # Errors
    /// The request can't be signed.
    pub fn headers(
        &self,
        target: &super::Target,
        upstream: Option<&Upstream>,
        now: UnixTime,
    ) -> Result<Vec<(String, Zeroizing<String>)>, ExchangeError> {
        match (&self.secret, &target.kind, upstream) {
            (Secret::Header(name, value), ..) => Ok(vec![(name.clone(), value.clone())]),
            (Secret::Aws(keys), super::Kind::AssumeRole(role), Some(upstream)) => {
                role.sign(keys, upstream, now)
            }
            (Secret::Aws(_), ..) => Err(ExchangeError::new("the credential is another target's")),
        }
    }

    /// How many bytes of secrets it has.
    pub(super) fn bytes(&self) -> usize {
        match &self.secret {
            Secret::Header(name, value) => name.len().saturating_add(value.len()),
            Secret::Aws(keys) => keys.bytes(),
        }
    }
}

/// Says when it ends, and nothing else.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential(until {})", self.end.as_secs())
    }
}

/// How long a credential lives, by a number of seconds.
///
/// # Errors
/// It is none.
pub(super) fn life_in_seconds(said: Option<&Value>) -> Result<Duration, ExchangeError> {
    let seconds = said.and_then(Value::as_u64).map(Duration::from_secs);
    seconds.ok_or_else(|| {
        ExchangeError::new("the server's answer does not say in seconds how long it is good for")
    })
}

/// The same by the moment of its end.
///
/// # Errors
/// It is none.
pub(super) fn life_until(end: Option<&str>, now: UnixTime) -> Result<Duration, ExchangeError> {
    let end = end.and_then(date_time);
    let end =
        end.ok_or_else(|| ExchangeError::new("the server's answer does not say when it ends"))?;
    Ok(end.since(now))
}

/// A secret out of a server's answer, if it is one that a header can carry: visible ASCII, and not the job's own token,
/// which is nobody else's.
///
/// # Errors
/// Why not.
pub(super) fn secret(
    text: Option<&str>,
    job_token: &str,
) -> Result<Zeroizing<String>, ExchangeError> {
    let text =
        text.ok_or_else(|| ExchangeError::new("the server's answer lacks the credential"))?;
    if !(1..=MAX_BYTES).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ExchangeError::new(
            "the server's answer has a credential that no header can carry",
        ));
    }
    if text.contains(job_token) {
        return Err(ExchangeError::new(
            "the server answered with the job's own token",
        ));
    }
    Ok(Zeroizing::new(text.to_owned()))
}
