//! HashiCorp Vault: the login of its JWT auth method.

use super::call::{Call, ExchangeError, JSON, Reply, Server};
use super::credential::{Credential, Secret, life_in_seconds, secret};
use super::template::Template;
use crate::audit::Line;
use crate::json;
use crate::time::UnixTime;
use crate::token::Claims;
use serde_json::Value;
use zeroize::Zeroizing;

/// The header that Vault takes tokens in.
pub(super) const HEADER: &str = "x-vault-token";

/// How Vault is asked.
#[derive(Debug)]
pub struct VaultLogin {
    /// The role to log in as; the method's default if none is named.
    pub role: Option<Template>,
    /// The namespace that the method is in.
    pub namespace: Option<String>,
}

impl VaultLogin {
    /// The call that logs a job in.
    ///
    /// # Errors
    /// The role can't be told from the claims.
    pub(super) fn call(
        &self,
        server: &Server,
        job_token: &str,
        claims: &Claims,
    ) -> Result<Call, ExchangeError> {
        let mut body = Line::with_capacity(job_token.len().saturating_add(64));
        body.word("jwt", job_token);
        if let Some(role) = &self.role {
            body.text("role", &role.fill(claims)?);
        }
        let mut call = Call::post(server, JSON, JSON, body.into_object());
        // Without it Vault takes no request where it asks for proof that no browser was tricked into one.
        call.headers
            .push(("x-vault-request", Zeroizing::new("true".into())));
        let namespace = self.namespace.clone().map(Zeroizing::new);
        call.headers
            .extend(namespace.map(|it| ("x-vault-namespace", it)));
        Ok(call)
    }

    /// Vault's token.
    ///
    /// # Errors
    /// There is none, or not one to be used.
    pub(super) fn read(
        reply: &Reply<'_>,
        job_token: &str,
        now: UnixTime,
    ) -> Result<Credential, ExchangeError> {
        if reply.status != 200 {
            return Err(ExchangeError::refused(reply.status, None));
        }
        let answer = json::parse(reply.body).ok();
        let member = |name: &str| answer.as_ref().and_then(|it| it.get("auth")?.get(name));
        let life = life_in_seconds(member("lease_duration"))?;
        let token = secret(member("client_token").and_then(Value::as_str), job_token)?;
        // A token without an end has a lease of zero seconds.
        let life = Some(life).filter(|life| !life.is_zero());
        Credential::new(Secret::Header(HEADER.into(), token), life, now)
    }
}
