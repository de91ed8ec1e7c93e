//! The cases that the core, the in-process host and the real gateways are all run through.
//!
//! A case is a policy, a token, a request and what must become of it. In goes a YAML file; out come [`Case`]s in which
//! every name is resolved, every default filled in and every contradiction refused, so that a runner has nothing left
//! to check. Mistakes are reported with the file, the case and the field.
//!
//! ```yaml
//! policies:
//!   acme:                             # the gate's configuration; {{issuer}}, {{audience}}, {{jwks_uri}} are filled in
//!     issuers: [{ issuer: "{{issuer}}", audience: "{{audience}}", jwks: { cluster: issuer } }]
//! cases:
//!   - name: a job of another pipeline is refused
//!     policy: acme
//!     token: { claims: { pipeline_slug: other } }    # a TokenSpec; without it no token is sent
//!     request:
//!       method: POST                                 # GET, if not given
//!       path: /deploy/production
//!       headers: [[x-odd, 'caf\xe9']]                # \xNN is a byte, \\ a backslash
//!       host: deploy.acme.example                    # what the request names; else what the runner does
//!       route: deploy                                # the gateway's names, else any but these; `service` is
//!       service: deployer                            # Envoy's cluster
//!       client_certificate: { verified: { subject: CN=ci } }   # or none, or unverified; else no TLS
//!     keys: available                                # or never_fetched
//!     expect: { status: 403, reason: no_rule_matched, trial: { allow: [rule-on-trial] } }
//!     hosts: { kong: { skip: why it can't be run there } }
//! ```

mod bytes;
mod expect;
mod load;
mod observed;
mod template;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use crate::mint::TokenSpec;
pub use bytes::Bytes;
pub use expect::{Decision, Expect, Outcome};
pub use load::{LoadError, Problem, load, load_all, load_texts};
pub use observed::{Forwarded, Observed};
pub use template::Placeholders;

/// A file of cases.
#[derive(Clone, Debug)]
pub struct CaseFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its name without the extension: with a policy's name it makes one that is unique over all files.
    pub name: String,
    /// The policies that its cases name.
    pub policies: BTreeMap<String, Policy>,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// A configuration of the gate, with placeholders.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy(Value);

impl Policy {
    /// A configuration that is in no case file.
    pub(crate) fn new(configuration: Value) -> Self {
        Self(configuration)
    }

    /// The configuration as it is written.
    pub(crate) fn written(&self) -> &Value {
        &self.0
    }

    /// The configuration with its placeholders filled in.
    pub fn fill(&self, with: &Placeholders) -> Value {
        template::fill_value(&self.0, with)
    }
}

/// One case. Its policy is among those of its file.
#[derive(Clone, Debug)]
pub struct Case {
    /// A sentence that says what holds; unique over all files.
    pub name: String,
    /// The name of its policy.
    pub policy: String,
    token: Option<TokenSpec>,
    /// What the client sends.
    pub request: Request,
    /// What the gate knows of the issuer's keys.
    pub keys: KeyState,
    expect: Outcome,
    hosts: BTreeMap<Host, Outcome>,
}

impl Case {
    /// The token that the client sends, if it has one, with its placeholders filled in.
    pub fn token(&self, with: &Placeholders) -> Option<TokenSpec> {
        self.token
            .as_ref()
            .map(|spec| template::fill_token(spec, with))
    }

    /// What must come of it on `host`.
    pub fn expected_on(&self, host: Host) -> &Outcome {
        self.hosts.get(&host).unwrap_or(&self.expect)
    }
}

/// What a case is run through.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// The core, natively.
    Core,
    /// Kong, or the in-process host that behaves as it does.
    Kong,
    /// Envoy, or the in-process host that behaves as it does.
    Envoy,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Core => "core",
            Self::Kong => "kong",
            Self::Envoy => "envoy",
        })
    }
}

/// What the gate knows of the issuer's keys when the request comes.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It has fetched them.
    #[default]
    Available,
    /// It has never been able to.
    NeverFetched,
}

/// What the client sends.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// The request target.
    pub path: String,
    #[serde(default)]
    headers: Vec<(Bytes, Bytes)>,
    /// The host that it is for; without, it names one that no policy does.
    #[serde(default)]
    pub host: Option<Bytes>,
    /// The gateway's own name for the route; without, it goes by one that no policy names.
    #[serde(default)]
    pub route: Option<String>,
    /// The gateway's own name for the service or cluster behind it, likewise.
    #[serde(default)]
    pub service: Option<String>,
    /// What the client shows of itself.
    #[serde(default)]
    pub client_certificate: ClientCertificate,
}

/// What a client shows of itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificate {
    /// Nothing: its connection has no TLS.
    #[default]
    #[serde(skip)]
    NoTls,
    /// Nothing, over TLS.
    None,
    /// A certificate of the authority that the gateway trusts.
    Verified(CertificateNames),
    /// A certificate of another, where the gateway takes any.
    Unverified(CertificateNames),
}

/// Whom a certificate is for.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields)]
pub struct CertificateNames {
    /// Its subject, as RFC 4514 writes it, of `CN`, `O` and `OU`.
    pub subject: Option<String>,
    /// The URI in its alternative names.
    pub uri_san: Option<String>,
    /// The DNS name there.
    pub dns_san: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// What stands for the token in a header's value.
const TOKEN: &[u8] = b"{{token}}";

impl Request {
    /// The header fields as they are sent, with `token` where `{{token}}` stands.
    ///
    /// Where it stands nowhere, the token comes last, as `authorization: Bearer ...`.
    ///
    /// [`Self::host`] is not among them.
    pub fn headers_with(&self, token: Option<&str>) -> Vec<(Vec<u8>, Vec<u8>)> {
        let token_bytes = token.unwrap_or_default().as_bytes();
        let mut headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (name.0.clone(), value.replace(TOKEN, token_bytes)))
            .collect();
        if let (Some(token), false) = (token, self.places_token()) {
            headers.push((
                b"authorization".to_vec(),
                format!("Bearer {token}").into_bytes(),
            ));
        }
        headers
    }

    fn places_token(&self) -> bool {
        self.headers.iter().any(|(_, value)| value.contains(TOKEN))
    }
}

#[cfg(test)]
mod tests;
