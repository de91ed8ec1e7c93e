//! OAuth 2.0 Token Exchange (RFC 8693), with the second step that Google Cloud has: a service account's token for the
//! first one's.

use super::call::{Call, ExchangeError, JSON, Reply, Server};
use super::credential::{Credential, Secret, life_in_seconds, life_until, secret};
use super::form::Form;
use super::template::Template;
use crate::assertion::AssertionPolicy;
use crate::json;
use crate::time::UnixTime;
use crate::token::Claims;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// RFC 7523, section 2.2.
const ASSERTED: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How long an assertion of the gate as a client is good.
const ASSERTION_LIFE: Duration = Duration::from_secs(60);

/// How a token endpoint is asked.
#[derive(Debug)]
pub struct TokenExchange {
    /// `subject_token_type`.
    pub subject_token_type: String,
    /// The other parameters, by their names.
    pub parameters: Vec<(&'static str, Template)>,
    /// Who the gate is to that server, if it must be someone.
    pub client: Option<Client>,
    /// What is asked for with the token that was got, if that is not yet what the upstream takes.
    pub impersonation: Option<Impersonation>,
    /// The header that the upstream gets the credential in.
    pub header: String,
}

/// A client of a token endpoint.
#[derive(Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// How it proves that.
    pub proof: Proof,
}

/// How a client proves who it is (RFC 6749, section 2.3; RFC 7523).
pub enum Proof {
    /// By a secret in the header `authorization`.
    Basic(Zeroizing<String>),
    /// By a secret in the body.
    Post(Zeroizing<String>),
    /// By a JWT that the gate signs as it signs assertions.
    Assertion,
}

/// Says the way alone.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic(_) => "Basic(..)",
            Self::Post(_) => "Post(..)",
            Self::Assertion => "Assertion",
        })
    }
}

/// A service account of Google Cloud, whose token is asked for (`generateAccessToken`).
#[derive(Debug)]
pub struct Impersonation {
    /// Who is asked.
    pub server: Server,
    /// The service account's address.
    pub account: Template,
    /// `scope`.
    pub scopes: Vec<String>,
    /// `lifetime`.
    pub lifetime: Duration,
}

impl TokenExchange {
    /// The call that exchanges a job's token.
    ///
    /// # Errors
    /// A parameter can't be filled, or the gate can't sign.
    pub(super) fn call(
        &self,
        server: &Server,
        job_token: &str,
        claims: &Claims,
        signer: Option<&AssertionPolicy>,
        id: &str,
        now: UnixTime,
    ) -> Result<Call, ExchangeError> {
        let mut form = Form::default();
        form.add("grant_type", GRANT);
        form.add("subject_token", job_token);
        form.add("subject_token_type", &self.subject_token_type);
        for (name, template) in &self.parameters {
            form.add(name, &template.fill(claims)?);
        }
        let mut authorization = None;
        if let Some(client) = &self.client {
            match &client.proof {
                // RFC 6749, section 2.3.1: both are encoded as in a form first.
                Proof::Basic(secret) => {
                    let pair = Zeroizing::new(format!(
                        "{}:{}",
                        Form::encoded(&client.id),
                        Form::encoded(secret)
                    ));
                    authorization = Some(Zeroizing::new(format!(
                        "Basic {}",
                        STANDARD.encode(pair.as_bytes())
                    )));
                }
                Proof::Post(secret) => {
                    form.add("client_id", &client.id);
                    form.add("client_secret", secret);
                }
                Proof::Assertion => {
                    let asserted = signer
                        .ok_or("there is no assertion in the policy")
                        .and_then(|signer| {
                            let audience = server.uri.to_string();
                            signer.mint_as_client(&client.id, &audience, id, now, ASSERTION_LIFE)
                        })
                        .map_err(ExchangeError::new)?;
                    form.add("client_id", &client.id);
                    form.add("client_assertion_type", ASSERTED);
                    form.add("client_assertion", &asserted);
                }
            }
        }
        let mut call = form.post(server, JSON);
        call.headers
            .extend(authorization.map(|value| ("authorization", value)));
        Ok(call)
    }

    /// The credential, in the header that the upstream takes it in.
    pub(super) fn in_header(&self, token: Zeroizing<String>) -> Secret {
        let value = if self.header == "authorization" {
            Zeroizing::new(format!("Bearer {}", *token))
        } else {
            token
        };
        Secret::Header(self.header.clone(), value)
    }
}

/// The token of an answer, and how long it lives if that is said (RFC 8693, section 2.2.1).
///
/// # Errors
/// There is none, or not one to be used.
pub(super) fn granted(
    reply: &Reply<'_>,
    job_token: &str,
) -> Result<(Zeroizing<String>, Option<Duration>), ExchangeError> {
    let answer = json::parse(reply.body).ok();
    let member = |name: &str| answer.as_ref().and_then(|it| it.get(name));
    if reply.status != 200 {
        // RFC 6749, section 5.2.
        let code = member("error").and_then(Value::as_str);
        return Err(ExchangeError::refused(reply.status, code));
    }
    // A token of another type is no bearer token: whoever gets it must prove more than that he has it.
    let kind = member("token_type").and_then(Value::as_str);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("bearer") || kind == "N_A") {
        return Err(ExchangeError::new(
            "the server's answer has no bearer token",
        ));
    }
    let life = member("expires_in")
        .map(|said| life_in_seconds(Some(said)))
        .transpose()?;
    let token = secret(member("access_token").and_then(Value::as_str), job_token)?;
    Ok((token, life))
}

impl Impersonation {
    /// The call that follows, without the token that it needs.
    ///
    /// # Errors
    /// The account can't be told from the claims.
    pub(super) fn call(&self, claims: &Claims) -> Result<Call, ExchangeError> {
        let account = self.account.fill(claims)?;
        let is_one = account.split_once('@').is_some_and(|(name, domain)| {
            !name.is_empty()
                && domain.contains('.')
                && account
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-.@".contains(&byte))
        });
        if !is_one {
            return Err(ExchangeError::new("the service account is no address"));
        }
        let mut scopes = crate::audit::Line::default();
        for scope in &self.scopes {
            scopes.element(scope);
        }
        let mut body = crate::audit::Line::default();
        body.array("scope", &scopes);
        body.text("lifetime", &format!("{}s", self.lifetime.as_secs()));
        let mut call = Call::post(&self.server, JSON, JSON, body.into_object());
        call.path = format!("/v1/projects/-/serviceAccounts/{account}:generateAccessToken");
        Ok(call)
    }
}

/// The service account's token.
///
/// # Errors
/// There is none, or not one to be used.
pub(super) fn impersonated(
    kind: &TokenExchange,
    reply: &Reply<'_>,
    job_token: &str,
    now: UnixTime,
) -> Result<Credential, ExchangeError> {
    let answer = json::parse(reply.body).ok();
    let member = |name: &str| answer.as_ref().and_then(|it| it.get(name));
    if reply.status != 200 {
        let code = member("error").and_then(|error| error.get("status")?.as_str());
        return Err(ExchangeError::refused(reply.status, code));
    }
    let life = life_until(member("expireTime").and_then(Value::as_str), now)?;
    let token = secret(member("accessToken").and_then(Value::as_str), job_token)?;
    Credential::new(kind.in_header(token), Some(life), now)
}
