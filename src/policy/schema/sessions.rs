//! What [`sessions`](crate::session) are configured with, as their check reads it.

use super::ClientSecret;
use schemars::JsonSchema;

/// Jobs whose sessions have ended are refused.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its members are read by the derive")]
pub(in crate::policy) struct Sessions {
    /// Where calls are taken that end a session. Without it this gate takes none, and refuses what others of its node
    /// were told of.
    end: Option<SessionEnd>,
}

/// Where calls are taken that end a session.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its members are read by the derive")]
pub(in crate::policy) struct SessionEnd {
    /// The path of these calls, which is the gate's own: none of them reaches the upstream.
    ///
    /// Default: `/.well-known/jobgate/sessions/end`.
    path: Option<String>,
    /// Whether a job ends its own session, by a `POST` with its token where tokens are always.
    ///
    /// Default: `true`.
    token: Option<bool>,
    /// Buildkite's webhook, by which the CI ends a job's session. On Envoy alone.
    webhook: Option<SessionWebhook>,
}

/// Buildkite's webhook.
#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its members are read by the derive")]
pub(in crate::policy) struct SessionWebhook {
    /// The webhook's token, which it signs with: a text of 1 to 1024 bytes, or `{"env": "NAME"}` for what the
    /// environment variable of that name of the gateway's Wasm VM holds.
    secret: ClientSecret,
    /// The issuer whose jobs it tells of: the `iss` or the preset of one of `issuers`.
    ///
    /// Default: the only one with the preset `buildkite`.
    issuer: Option<String>,
}
