//! How sessions end. No message here quotes what may be a secret.

use super::assertion::Environment;
use super::exchange::client_secret;
use super::{At, Checker};
use crate::policy::compiled::Issuer;
use crate::policy::raw::RawHidden;
use crate::session::{EndPolicy, Secret, SessionPolicy, WebhookPolicy, job_claim};
use serde_json::Value;

const DEFAULT_PATH: &str = "/.well-known/jobgate/sessions/end";

impl Checker {
    /// What is said of sessions, if anything is; nothing at all after an error. `taken` is another path of the gate's own.
    pub(super) fn sessions(
        &mut self,
        raw: Option<RawHidden>,
        environment: Environment<'_>,
        issuers: Option<&[Issuer]>,
        taken: Option<&str>,
    ) -> Option<Option<SessionPolicy>> {
        let Some(RawHidden(raw)) = raw else {
            return Some(None);
        };
        let at = At::from("sessions");
        let errors_before = self.errors.len();
        let mut raw = self.members(at, raw)?;
        let end = raw.take("end");
        self.no_others(at, &raw);
        let end = match end {
            None => None,
            Some(raw) => Some(self.end(at.member("end"), raw, environment, issuers, taken)?),
        };
        (self.errors.len() == errors_before).then_some(Some(SessionPolicy { end }))
    }

    fn end(
        &mut self,
        at: At<'_>,
        raw: Value,
        environment: Environment<'_>,
        issuers: Option<&[Issuer]>,
        taken: Option<&str>,
    ) -> Option<EndPolicy> {
        let mut raw = self.members(at, raw)?;
        let path = self.text(at, &mut raw, "path");
        let path_at = String::from(at.member("path"));
        let path = self.own_path(&path_at, path, DEFAULT_PATH);
        if path.is_some() && path.as_deref() == taken {
            self.error(path_at, "is assertion.jwks_path; write another");
        }
        let token = match raw.take("token") {
            None => true,
            Some(Value::Bool(token)) => token,
            Some(_) => {
                self.error(at.member("token"), "is neither true nor false");
                true
            }
        };
        let webhook = raw.take("webhook");
        self.no_others(at, &raw);
        if !token && webhook.is_none() {
            self.error(
                at,
                "lets nobody end a session; write token: true or webhook",
            );
        }
        let webhook = match webhook {
            None => None,
            Some(raw) => Some(self.webhook(at.member("webhook"), raw, environment, issuers)?),
        };
        Some(EndPolicy {
            path: path?,
            token,
            webhook,
        })
    }

    fn webhook(
        &mut self,
        at: At<'_>,
        raw: Value,
        environment: Environment<'_>,
        issuers: Option<&[Issuer]>,
    ) -> Option<WebhookPolicy> {
        let mut raw = self.members(at, raw)?;
        let secret = match raw.take("secret") {
            None => Err("is missing; write the token that the webhook signs with"),
            Some(secret) => client_secret(&secret, environment),
        };
        let secret = self.ok(at.member("secret"), secret.map_err(str::to_owned));
        let name = self.text(at, &mut raw, "issuer");
        self.no_others(at, &raw);
        let at = at.member("issuer");
        // What is wrong with them was said.
        let issuers = issuers?;
        let is_meant = |issuer: &Issuer| match &name {
            None => issuer.preset == Some("buildkite"),
            Some(name) => issuer.issuer == *name || issuer.preset == Some(name.as_str()),
        };
        let mut meant = (0..).zip(issuers).filter(|(_, issuer)| is_meant(issuer));
        let (Some((place, issuer)), None) = (meant.next(), meant.next()) else {
            self.error(
                at,
                "does not name one issuer; write the iss of the one whose jobs the webhook tells of",
            );
            return None;
        };
        if job_claim(issuer).is_none() {
            self.error(at, "names an issuer whose identity has no job");
        }
        Some(WebhookPolicy {
            secret: Secret(secret?),
            issuer: place,
        })
    }
}
