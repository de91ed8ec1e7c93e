//! What jobs' tokens are exchanged for. No message here quotes what may be a secret.

use super::assertion::Environment;
use super::members::Members;
use super::{At, Checker, NOT_CARRIERS, TAKEN_PREFIXES, is_word, secs};
use crate::exchange::{
    AssumeRole, Client, Impersonation, Kind, Proof, Server, Target, Template, TokenExchange,
    VaultLogin,
};
use crate::fetch::HttpUri;
use crate::policy::compiled::HeaderNames;
use crate::policy::raw::RawHidden;
use crate::sort::sort_by;
use serde_json::Value;
use std::time::Duration;
use zeroize::Zeroizing;

/// The most targets of a policy.
const MAX_TARGETS: usize = 64;

const TOKEN_TYPES: &str = "urn:ietf:params:oauth:token-type:";

const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// What else the targets depend on.
pub(super) struct Around<'a> {
    pub(super) environment: Environment<'a>,
    /// The header of the job's token, and whether the upstream gets it too.
    pub(super) carrier: Option<(&'a str, bool)>,
    /// Whether the gate signs assertions.
    pub(super) signs: bool,
    /// Whether the policy is in force: in shadow mode a client's headers are left alone.
    pub(super) enforces: bool,
}

impl Checker {
    /// The targets, sorted by name; nothing at all after an error. Their headers join the names.
    pub(super) fn exchange(
        &mut self,
        raw: Option<RawHidden>,
        around: &Around<'_>,
        headers: &mut HeaderNames,
    ) -> Option<Vec<Target>> {
        let Some(RawHidden(raw)) = raw else {
            return Some(Vec::new());
        };
        let list = At::from("exchange");
        let errors_before = self.errors.len();
        let Value::Object(raw) = raw else {
            self.error(
                list,
                "is not an object; write what is exchanged for by names",
            );
            return None;
        };
        if raw.len() > MAX_TARGETS {
            self.error(list, format!("has more than {MAX_TARGETS} members"));
        }
        let mut targets = Vec::with_capacity(raw.len());
        for (name, raw) in raw {
            let at = list.member(&name);
            self.name(at, &name);
            let Some((server, kind)) = self.target(at, raw, around, headers) else {
                continue;
            };
            let target = Target {
                name: name.clone(),
                server,
                kind,
            };
            for header in target.headers() {
                match around.carrier {
                    Some((carrier, true)) if carrier == header => {
                        self.error(at, format!("needs the header {header:?}, in which token.forward hands on the job's token; write another token.header"));
                    }
                    // It is taken care of as the token's.
                    Some((carrier, false)) if carrier == header => {}
                    _ if around.enforces => headers.add_credential(header),
                    _ => {}
                }
            }
            targets.push(target);
        }
        sort_by(&mut targets, |a, b| a.name < b.name);
        (self.errors.len() == errors_before).then_some(targets)
    }

    fn target(
        &mut self,
        at: At<'_>,
        raw: Value,
        around: &Around<'_>,
        headers: &HeaderNames,
    ) -> Option<(Server, Kind)> {
        let kinds = ["token_exchange", "assume_role", "vault_login"];
        let only = match raw {
            Value::Object(members) if members.len() == 1 => members.into_iter().next(),
            _ => None,
        };
        let only = only.filter(|(kind, _)| kinds.contains(&kind.as_str()));
        let Some((kind, raw)) = only else {
            self.error(
                at,
                "is not an object with exactly one of token_exchange, assume_role and vault_login",
            );
            return None;
        };
        let at = at.member(&kind);
        let errors_before = self.errors.len();
        let raw = self.members(at, raw)?;
        let target = match kind.as_str() {
            "token_exchange" => self.token_exchange(at, raw, around, headers),
            "assume_role" => self.assume_role(at, raw),
            _ => self.vault_login(at, raw),
        };
        target.filter(|_| self.errors.len() == errors_before)
    }

    fn token_exchange(
        &mut self,
        at: At<'_>,
        mut raw: Members,
        around: &Around<'_>,
        headers: &HeaderNames,
    ) -> Option<(Server, Kind)> {
        let uri = self.needed_text(at, &mut raw, "uri");
        let server = self.server(at, &mut raw, uri);
        let mut token_type = |checker: &mut Self, name| {
            let written = checker.text(at, &mut raw, name)?;
            Some(if written.contains(':') {
                written
            } else {
                format!("{TOKEN_TYPES}{written}")
            })
        };
        let subject_token_type = token_type(self, "subject_token_type");
        let requested_token_type = token_type(self, "requested_token_type");
        let mut parameters = Vec::new();
        for name in ["audience", "resource", "scope"] {
            let written = self.text(at, &mut raw, name);
            parameters.extend(self.template(at, name, written).map(|it| (name, it)));
        }
        let requested = self.template(at, "requested_token_type", requested_token_type);
        parameters.extend(requested.map(|it| ("requested_token_type", it)));
        let client = raw.take("client");
        let client = client.map(|raw| self.client(at.member("client"), raw, around));
        let impersonation = raw.take("impersonate");
        let timeout = server.as_ref().map(|server| server.timeout);
        let impersonation = impersonation.map(|raw| {
            let at = at.member("impersonate");
            let members = self.members(at, raw)?;
            self.impersonation(at, members, timeout)
        });
        let header = self.text(at, &mut raw, "header");
        let header = self.credential_header(at.member("header"), header, headers);
        self.no_others(at, &raw);
        let kind = TokenExchange {
            subject_token_type: subject_token_type.unwrap_or_else(|| format!("{TOKEN_TYPES}jwt")),
            parameters,
            client: all_or(client)?,
            impersonation: all_or(impersonation)?,
            header: header?,
        };
        Some((server?, Kind::TokenExchange(kind)))
    }

    fn impersonation(
        &mut self,
        at: At<'_>,
        mut raw: Members,
        timeout: Option<Duration>,
    ) -> Option<Impersonation> {
        let account = self.needed_text(at, &mut raw, "service_account");
        let account = self.template(at, "service_account", account);
        let uri = self.text(at, &mut raw, "uri");
        let uri = uri.unwrap_or_else(|| "https://iamcredentials.googleapis.com".into());
        let cluster = self.text(at, &mut raw, "cluster");
        let server = self.server_within(at, Some(uri), cluster, timeout);
        let lifetime = self.text(at, &mut raw, "lifetime");
        let lifetime = self.life(at.member("lifetime"), lifetime, 300);
        let scopes = match raw.take("scopes") {
            None => Some(vec![CLOUD_PLATFORM.to_owned()]),
            Some(Value::Array(scopes)) if !scopes.is_empty() => {
                let scopes = scopes.iter().map(|it| it.as_str().map(str::to_owned));
                scopes.collect()
            }
            Some(_) => None,
        };
        if scopes.is_none() {
            self.error(
                at.member("scopes"),
                "is not a list of texts, or is empty; list one, or leave it out",
            );
        }
        self.no_others(at, &raw);
        Some(Impersonation {
            server: server?,
            account: account?,
            scopes: scopes?,
            lifetime: lifetime?,
        })
    }

    fn assume_role(&mut self, at: At<'_>, mut raw: Members) -> Option<(Server, Kind)> {
        let is_name = |text: &str| (1..=64).contains(&text.len()) && text.split('-').all(is_word);
        let mut name = |checker: &mut Self, name| {
            let text = checker.needed_text(at, &mut raw, name)?;
            if !is_name(&text) {
                checker.error(
                    at.member(name),
                    "is not a name of AWS; write one like \"s3\" or \"eu-central-1\"",
                );
            }
            Some(text)
        };
        let service = name(self, "service");
        let region = name(self, "region")?;
        let uri = self.text(at, &mut raw, "uri");
        let uri = uri.unwrap_or_else(|| format!("https://sts.{region}.amazonaws.com"));
        let server = self.server(at, &mut raw, Some(uri));
        let duration = self.text(at, &mut raw, "duration");
        let duration = self.life(at.member("duration"), duration, 900);
        let role_arn = self.needed_text(at, &mut raw, "role_arn");
        let is_role = |arn: &String| arn.starts_with("arn:") && arn.contains(":role/");
        if !role_arn.as_ref().is_none_or(is_role) {
            self.error(
                at.member("role_arn"),
                "is not a role's; write one like \"arn:aws:iam::123456789012:role/deploy\"",
            );
        }
        let role_arn = self.template(at, "role_arn", role_arn);
        let session_name = self.text(at, &mut raw, "session_name");
        let session_name = session_name.unwrap_or_else(|| "{claims.sub}".into());
        let session_name = self.template(at, "session_name", Some(session_name));
        let host = self.text(at, &mut raw, "host");
        if let Some(host) = &host
            && HttpUri::parse(&format!("https://{host}"))
                .map(|uri| uri.authority)
                .as_ref()
                != Ok(host)
        {
            self.error(
                at.member("host"),
                "is not a host; write one like \"bucket.s3.eu-central-1.amazonaws.com\"",
            );
        }
        self.no_others(at, &raw);
        let kind = AssumeRole {
            role_arn: role_arn?,
            session_name: session_name?,
            duration: duration?,
            service: service?,
            region,
            host,
        };
        Some((server?, Kind::AssumeRole(kind)))
    }

    fn vault_login(&mut self, at: At<'_>, mut raw: Members) -> Option<(Server, Kind)> {
        let uri = self.needed_text(at, &mut raw, "uri");
        let server = self.server(at, &mut raw, uri);
        let is_path = |text: &str| {
            (1..=128).contains(&text.len())
                && text.split('/').all(|part| {
                    !matches!(part, "" | "." | "..")
                        && part
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                })
        };
        let mut path = |checker: &mut Self, name| {
            let text = checker.text(at, &mut raw, name)?;
            if !is_path(&text) {
                checker.error(
                    at.member(name),
                    "is not a path of Vault; write one like \"jwt\", without slashes around it",
                );
            }
            Some(text)
        };
        let mount = path(self, "mount").unwrap_or_else(|| "jwt".into());
        let namespace = path(self, "namespace");
        let role = self.text(at, &mut raw, "role");
        let role = self.template(at, "role", role);
        self.no_others(at, &raw);
        let mut server = server?;
        if server.uri.path != "/" {
            self.error(at.member("uri"), "has a path; write Vault's address alone");
        }
        server.uri.path = format!("/v1/auth/{mount}/login");
        Some((server, Kind::VaultLogin(VaultLogin { role, namespace })))
    }

    fn template(
        &mut self,
        at: At<'_>,
        name: &'static str,
        written: Option<String>,
    ) -> Option<Template> {
        self.ok(at.member(name), Template::parse(&written?))
    }

    /// How long a credential lives: from so many seconds to twelve hours, and an hour if nothing is written.
    fn life(&mut self, at: At<'_>, written: Option<String>, least: u64) -> Option<Duration> {
        let accepted = secs(least)..=secs(12 * 3_600);
        self.span(&String::from(at), written, secs(3_600), accepted)
    }

    fn server(&mut self, at: At<'_>, raw: &mut Members, uri: Option<String>) -> Option<Server> {
        let cluster = self.text(at, raw, "cluster");
        let timeout = self.text(at, raw, "timeout");
        let timeout = self.span(
            &String::from(at.member("timeout")),
            timeout,
            secs(5),
            Duration::from_millis(100)..=secs(30),
        );
        self.server_within(at, uri, cluster, timeout)
    }

    #[inline(never)]
    fn server_within(
        &mut self,
        at: At<'_>,
        uri: Option<String>,
        cluster: Option<String>,
        timeout: Option<Duration>,
    ) -> Option<Server> {
        self.cluster(&String::from(at.member("cluster")), cluster.as_deref());
        let uri = self.ok(at.member("uri"), HttpUri::parse(&uri?))?;
        Some(Server {
            cluster: cluster.unwrap_or_else(|| uri.host_and_port()),
            uri,
            timeout: timeout?,
        })
    }

    /// Who the gate is to a token endpoint.
    fn client(&mut self, at: At<'_>, raw: Value, around: &Around<'_>) -> Option<Client> {
        let mut raw = self.members(at, raw)?;
        let id = self.needed_text(at, &mut raw, "id");
        if id.as_ref().is_some_and(String::is_empty) {
            self.error(at.member("id"), "is empty");
        }
        let (secret, assertion) = (raw.take("secret"), raw.take("assertion"));
        let method = self.text(at, &mut raw, "method");
        self.no_others(at, &raw);
        let proof = match (secret, &method, assertion) {
            (None, None, Some(Value::Bool(true))) => {
                if !around.signs {
                    self.error(
                        at.member("assertion"),
                        "needs keys to sign with; write the policy's assertion",
                    );
                }
                Proof::Assertion
            }
            (Some(secret), method, None) => {
                let secret = client_secret(&secret, around.environment);
                let secret = match secret {
                    Ok(secret) => secret,
                    Err(why) => {
                        self.error(at.member("secret"), why);
                        return None;
                    }
                };
                match method.as_deref() {
                    None | Some("basic") => Proof::Basic(secret),
                    Some("post") => Proof::Post(secret),
                    Some(_) => {
                        self.error(at.member("method"), "is neither basic nor post");
                        return None;
                    }
                }
            }
            _ => {
                self.error(
                    at,
                    "needs either secret, with method basic or post, or assertion: true",
                );
                return None;
            }
        };
        Some(Client { id: id?, proof })
    }

    fn credential_header(
        &mut self,
        path: At<'_>,
        raw: Option<String>,
        headers: &HeaderNames,
    ) -> Option<String> {
        let header = raw
            .unwrap_or_else(|| "authorization".into())
            .to_ascii_lowercase();
        let means_something_else = NOT_CARRIERS.contains(&header.as_str())
            || TAKEN_PREFIXES.iter().any(|taken| header.starts_with(taken))
            || header.starts_with(&headers.prefix)
            || headers.assertion.as_ref() == Some(&header);
        if header.len() > 64 || !header.split('-').all(is_word) || means_something_else {
            self.error(
                path,
                "can't carry a credential; write a header like \"authorization\"",
            );
            return None;
        }
        Some(header)
    }
}

/// What is not written is no error; what is wrong with it was said.
fn all_or<T>(checked: Option<Option<T>>) -> Option<Option<T>> {
    match checked {
        None => Some(None),
        Some(checked) => checked.map(Some),
    }
}

/// A text, or `{"env": "NAME"}`.
pub(super) fn client_secret(
    raw: &Value,
    environment: Environment<'_>,
) -> Result<Zeroizing<String>, &'static str> {
    let text = match raw {
        Value::String(text) => Zeroizing::new(text.clone()),
        _ => environment.read(raw)?,
    };
    // Where a policy is only looked at, there may be none.
    if text.len() > 1_024 || (text.is_empty() && raw.is_string()) {
        return Err("is not a text of 1 to 1024 bytes");
    }
    Ok(text)
}
