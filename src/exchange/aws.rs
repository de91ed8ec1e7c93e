//! AWS: a role for the job (`AssumeRoleWithWebIdentity`), and requests signed by that role's keys.

use super::Upstream;
use super::call::{Call, ExchangeError, Reply, Server};
use super::credential::{Credential, Secret, life_until, secret};
use super::form::Form;
use super::template::{Template, is_of_names};
use crate::calendar::Day;
use crate::time::UnixTime;
use crate::token::Claims;
use jobgate_signing::sigv4::{self, Scope, Signer};
use std::time::Duration;
use zeroize::Zeroizing;

/// The headers of a signed request.
pub(super) const HEADERS: [&str; 4] = [
    "authorization",
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
];

/// A role, and what is signed by its keys.
#[derive(Debug)]
pub struct AssumeRole {
    /// `RoleArn`.
    pub role_arn: Template,
    /// `RoleSessionName`.
    pub session_name: Template,
    /// `DurationSeconds`.
    pub duration: Duration,
    /// The service that requests go to, like `s3`.
    pub service: String,
    /// Its region.
    pub region: String,
    /// The host that the service is told, where the gateway tells it another one than the client named.
    pub host: Option<String>,
}

/// Keys that end.
pub(super) struct Keys {
    access_key_id: Zeroizing<String>,
    secret_access_key: Zeroizing<String>,
    session_token: Zeroizing<String>,
}

impl Keys {
    pub(super) fn bytes(&self) -> usize {
        let parts = [
            &self.access_key_id,
            &self.secret_access_key,
            &self.session_token,
        ];
        parts
            .iter()
            .map(|it| it.len())
            .fold(0, usize::saturating_add)
    }
}

impl AssumeRole {
    /// The call that assumes the role. It is not signed: the job's token says who asks.
    ///
    /// # Errors
    /// A parameter can't be filled.
    pub(super) fn call(
        &self,
        server: &Server,
        job_token: &str,
        claims: &Claims,
    ) -> Result<Call, ExchangeError> {
        let role_arn = self.role_arn.fill(claims)?;
        if !(20..=2_048).contains(&role_arn.len()) {
            return Err(ExchangeError::new(
                "the role's ARN is not one of 20 to 2048 characters",
            ));
        }
        let mut form = Form::default();
        form.add("Action", "AssumeRoleWithWebIdentity");
        form.add("Version", "2011-06-15");
        form.add("RoleArn", &role_arn);
        form.add("RoleSessionName", &self.session(claims)?);
        form.add("DurationSeconds", &self.duration.as_secs().to_string());
        form.add("WebIdentityToken", job_token);
        Ok(form.post(server, "text/xml"))
    }

    /// 2 to 64 characters, of which a longer name has the first.
    fn session(&self, claims: &Claims) -> Result<String, ExchangeError> {
        let name = self.session_name.fill_name(claims)?;
        let name: String = name.chars().take(64).collect();
        if name.len() < 2 || !name.bytes().all(is_of_names) {
            return Err(ExchangeError::new(
                "the session's name is no name of a session",
            ));
        }
        Ok(name)
    }

    /// The role's keys.
    ///
    /// # Errors
    /// There are none, or not such as can be used.
    pub(super) fn read(
        reply: &Reply<'_>,
        job_token: &str,
        now: UnixTime,
    ) -> Result<Credential, ExchangeError> {
        let text = str::from_utf8(reply.body).unwrap_or_default();
        if reply.status != 200 {
            return Err(ExchangeError::refused(reply.status, element(text, "Code")));
        }
        let credentials = element(text, "Credentials").unwrap_or_default();
        let part = |name| secret(element(credentials, name), job_token);
        let keys = Keys {
            access_key_id: part("AccessKeyId")?,
            secret_access_key: part("SecretAccessKey")?,
            session_token: part("SessionToken")?,
        };
        if !keys
            .access_key_id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric())
        {
            return Err(ExchangeError::new("the server's answer has no access key"));
        }
        let life = life_until(element(credentials, "Expiration"), now)?;
        Credential::new(Secret::Aws(keys), Some(life), now)
    }

    /// The headers that sign a request.
    ///
    /// # Errors
    /// It can't be signed.
    pub(super) fn sign(
        &self,
        keys: &Keys,
        upstream: &Upstream,
        now: UnixTime,
    ) -> Result<Vec<(String, Zeroizing<String>)>, ExchangeError> {
        let headers = upstream
            .to_sign(self.host.as_deref())
            .map_err(ExchangeError::new)?;
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (&**name, value.clone()))
            .collect();
        let request = sigv4::Request {
            method: &upstream.method,
            path: &upstream.path,
            query: &upstream.query,
            headers: &headers,
            has_body: upstream.has_body,
        };
        let scope = Scope {
            region: &self.region,
            service: &self.service,
        };
        let signer = Signer {
            access_key_id: &keys.access_key_id,
            secret_access_key: &keys.secret_access_key,
            session_token: Some(&keys.session_token),
        };
        let signed = sigv4::sign(request, scope, signer, &stamp(now))
            .map_err(|why| ExchangeError::new(format!("the request can't be signed: {why}")))?;
        Ok(signed
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect())
    }
}

/// The text of the one element of this name.
///
/// AWS's answers are XML that it alone writes, with each element once and no attributes there; whatever is otherwise is
/// not read.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (_, after) = text.split_once(&open)?;
    let (inner, rest) = after.split_once(&close)?;
    (!inner.contains(&open) && !rest.contains(&open)).then_some(inner)
}

/// `20150830T123600Z`
fn stamp(now: UnixTime) -> String {
    let (day, seconds) = Day::at(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    let (year, month, date) = day.date();
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{date:02}T{hour:02}{minute:02}{second:02}Z")
}
