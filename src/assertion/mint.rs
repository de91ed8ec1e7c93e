//! One assertion.

use super::AssertionPolicy;
use crate::audit::Line;
use crate::base64url;
use crate::time::UnixTime;
use std::borrow::Cow;
use std::time::Duration;

/// What an assertion says of a job that was let in.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The subject of its token, if that has one.
    pub subject: Option<&'a str>,
    /// The issuer of its token.
    pub issuer: &'a str,
    /// The parts of its identity, by name.
    pub identity: &'a [(&'static str, Cow<'a, str>)],
    /// Its roles.
    pub roles: &'a [&'a str],
    /// The rule that let it in.
    pub rule: &'a str,
    /// The id of the decision that did.
    pub decision_id: &'a str,
    /// The digest of the policy that was decided with.
    pub policy: &'a str,
    /// When its token ends: `exp`, without leeway.
    pub expires: UnixTime,
}

/// A signed assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// Its compact form.
    pub compact: String,
    /// Its `jti`: the id of the decision that it was made for.
    pub id: String,
    /// Its `iat` and `nbf`.
    pub issued_at: UnixTime,
    /// Its `exp`.
    pub expires: UnixTime,
}

impl Assertion {
    /// Whether another request may have it: at least half of its life is left. A clock that went back to before it
    /// began does not count.
    #[must_use]
    pub fn is_fresh(&self, now: UnixTime) -> bool {
        let life = self.expires.since(self.issued_at);
        let left = self.expires.since(now);
        now >= self.issued_at && !left.is_zero() && left.saturating_mul(2) >= life
    }
}

impl AssertionPolicy {
    /// Vouches for a job, from now on until the lifetime is over or its own token ends, whichever is first.
    ///
    /// A job that was let in within the leeway after its token's end gets an assertion that ended then, too: how far
    /// clocks may be apart is for the upstream to say.
    ///
    /// # Errors
    /// There is no key to sign with.
    pub fn mint(&self, job: &Job<'_>, now: UnixTime) -> Result<Assertion, &'static str> {
        // Whole seconds throughout, so that what is written is what is meant.
        let issued_at = UnixTime::from_secs(now.as_secs());
        let expires = issued_at
            .plus(self.lifetime)
            .min(UnixTime::from_secs(job.expires.as_secs()));
        let payload = self.claims(job, issued_at, expires);
        Ok(Assertion {
            compact: self.sign(payload)?,
            id: job.decision_id.to_owned(),
            issued_at,
            expires,
        })
    }

    /// A JWT by which the gate proves to a server which client of it the gate is (RFC 7523, section 3). `id` is its
    /// `jti`.
    ///
    /// # Errors
    /// There is no key to sign with.
    pub(crate) fn mint_as_client(
        &self,
        client: &str,
        audience: &str,
        id: &str,
        now: UnixTime,
        life: Duration,
    ) -> Result<String, &'static str> {
        let mut claims = Line::default();
        claims.text("iss", client);
        claims.text("sub", client);
        claims.text("aud", audience);
        claims.number("iat", now.as_secs());
        claims.number("exp", now.plus(life).as_secs());
        claims.word("jti", id);
        self.sign(claims.into_object())
    }

    /// A payload's JWS in compact form, by the first key.
    fn sign(&self, payload: String) -> Result<String, &'static str> {
        let key = self
            .keys
            .first()
            .ok_or("there is no key to sign the assertion with")?;
        let mut header = Line::default();
        header.word("alg", key.algorithm());
        header.word("typ", "JWT");
        header.text("kid", key.kid());
        let mut compact = base64url::encode(header.into_object());
        compact.push('.');
        compact.push_str(&base64url::encode(payload));
        let signature = key.sign(compact.as_bytes())?;
        compact.push('.');
        compact.push_str(&base64url::encode(signature));
        Ok(compact)
    }

    fn claims(&self, job: &Job<'_>, issued_at: UnixTime, expires: UnixTime) -> String {
        let mut claims = Line::with_capacity(1_024);
        claims.text("iss", &self.issuer);
        claims.text("aud", &self.audience);
        if let Some(subject) = job.subject {
            claims.text("sub", subject);
        }
        claims.number("iat", issued_at.as_secs());
        claims.number("nbf", issued_at.as_secs());
        claims.number("exp", expires.as_secs());
        claims.word("jti", job.decision_id);
        let mut about = Line::with_capacity(768);
        about.text("issuer", job.issuer);
        for (name, value) in job.identity {
            about.text(name, value);
        }
        let mut roles = Line::default();
        for role in job.roles {
            roles.element(role);
        }
        about.array("roles", &roles);
        about.text("rule", job.rule);
        about.word("decision_id", job.decision_id);
        about.word("policy", job.policy);
        claims.object("jobgate", &about);
        claims.into_object()
    }
}

#[cfg(test)]
pub(super) mod tests;
