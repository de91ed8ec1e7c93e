//! What [`exchange`](crate::exchange) is configured with, as its check reads it.

use super::{ClientMethod, ClientSecret, Span};
use schemars::JsonSchema;

/// Something that jobs' tokens are exchanged for: exactly one of these members.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
#[expect(dead_code, reason = "its members are read by the derive")]
pub(in crate::policy) struct Exchange {
    /// A token endpoint by OAuth 2.0 Token Exchange (RFC 8693), Google's STS among them.
    token_exchange: Option<TokenExchange>,
    /// A role of AWS, whose keys sign the request (Signature Version 4).
    assume_role: Option<AssumeRole>,
    /// A token of HashiCorp Vault, by its JWT auth method, in `X-Vault-Token`.
    vault_login: Option<VaultLogin>,
}

/// A token endpoint.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its members are read by the derive")]
pub(in crate::policy) struct TokenExchange {
    /// Its address: `https`, or `http` where nobody listens.
    uri: String,
    /// What the gateway calls that server: on Envoy a cluster's name, on Kong `host:port`.
    ///
    /// Default: the address's `host:port`.
    cluster: Option<String>,
    /// How long an answer may take, `100ms` to `30s`.
    ///
    /// Default: `5s`.
    timeout: Option<Span>,
    /// What the job's token is said to be: `jwt`, `id_token`, or a URI.
    ///
    /// Default: `jwt`.
    subject_token_type: Option<String>,
    /// What is asked for: `access_token`, `jwt`, or a URI.
    requested_token_type: Option<String>,
    /// The service that the new token is for, by its name; may have [claims](#claims-in-parameters).
    audience: Option<String>,
    /// The same by its address; may have claims.
    resource: Option<String>,
    /// Scopes with spaces between them; may have claims, each within one scope.
    scope: Option<String>,
    /// Who the gate is to that server, if it must be someone.
    client: Option<ExchangeClient>,
    /// A service account of Google Cloud whose token is asked for with the one that was got.
    impersonate: Option<Impersonation>,
    /// The header that the upstream gets the token in: `authorization` with the scheme `Bearer`, another one as it is.
    ///
    /// Default: `authorization`.
    header: Option<String>,
}

/// A service account of Google Cloud, by `generateAccessToken` of the IAM Service Account Credentials API.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its members are read by the derive")]
pub(in crate::policy) struct Impersonation {
    /// Its address, like `deploy@project.iam.gserviceaccount.com`; may have claims.
    service_account: String,
    /// The scopes of its token.
    ///
    /// Default: `https://www.googleapis.com/auth/cloud-platform`.
    scopes: Option<Vec<String>>,
    /// How long its token lives, `5m` to `12h`.
    ///
    /// Default: `1h`.
    lifetime: Option<Span>,
    /// The API's address.
    ///
    /// Default: `https://iamcredentials.googleapis.com`.
    uri: Option<String>,
    /// As above.
    cluster: Option<String>,
}

/// A role of AWS, and the service whose requests its keys sign.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its members are read by the derive")]
pub(in crate::policy) struct AssumeRole {
    /// The role, like `arn:aws:iam::123456789012:role/deploy`; may have claims.
    role_arn: String,
    /// What the session is called in AWS's own logs; may have claims, of which each character that AWS does not take
    /// becomes `-`. Of a longer name AWS gets the first 64 characters.
    ///
    /// Default: `{claims.sub}`.
    session_name: Option<String>,
    /// How long the keys live, `15m` to `12h`.
    ///
    /// Default: `1h`.
    duration: Option<Span>,
    /// The service that the upstream is, as signatures name it: `s3`, `execute-api`, `lambda`.
    service: String,
    /// Its region, like `eu-central-1`.
    region: String,
    /// The host that the upstream is told, where the gateway rewrites it: signatures name it.
    ///
    /// Default: the request's.
    host: Option<String>,
    /// The address of AWS's Security Token Service.
    ///
    /// Default: `https://sts.REGION.amazonaws.com`.
    uri: Option<String>,
    /// As for `token_exchange`.
    cluster: Option<String>,
    /// As for `token_exchange`.
    timeout: Option<Span>,
}

/// A login to HashiCorp Vault.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its members are read by the derive")]
pub(in crate::policy) struct VaultLogin {
    /// Vault's address, like `https://vault.example:8200`.
    uri: String,
    /// As for `token_exchange`.
    cluster: Option<String>,
    /// As for `token_exchange`.
    timeout: Option<Span>,
    /// Where the JWT auth method is mounted.
    ///
    /// Default: `jwt`.
    mount: Option<String>,
    /// The role to log in as; may have claims.
    ///
    /// Default: the method's own.
    role: Option<String>,
    /// The namespace that the method is in.
    namespace: Option<String>,
}

/// Who the gate is to a token endpoint: with `secret`, or with `assertion: true`.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its members are read by the derive")]
pub(in crate::policy) struct ExchangeClient {
    /// `client_id`.
    id: String,
    /// `client_secret`: a text of 1 to 1024 bytes, or `{"env": "NAME"}` for what the environment variable of that name
    /// of the gateway's Wasm VM holds.
    secret: Option<ClientSecret>,
    /// Where the secret is sent: `basic` in the header `authorization`, `post` in the body.
    ///
    /// Default: `basic`.
    method: Option<ClientMethod>,
    /// `true`: the gate proves who it is by a JWT (RFC 7523) that the first key of [`assertion`](#assertion) signs.
    assertion: Option<bool>,
}
