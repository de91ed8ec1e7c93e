//! What the gate vouches with, as the configuration writes it.

use super::{RawHidden, read_object};
#[cfg(feature = "schema")]
use crate::policy::schema;

/// The identity assertion: a short-lived JWT for the upstream, in place of the job's token.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Assertion", deny_unknown_fields)
)]
pub(in crate::policy) struct RawAssertion {
    /// Its `iss`: the gateway, by a name that upstreams know it by.
    pub(in crate::policy) issuer: String,
    /// Its `aud`: the upstream.
    pub(in crate::policy) audience: String,
    /// How long it lives, `1s` to `10m`, and never past the `exp` of the job's token.
    ///
    /// Default: `60s`.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Span"))]
    pub(in crate::policy) lifetime: Option<String>,
    /// The header that carries it, as it is. What a client sends of this name, in any spelling, does not reach the
    /// upstream.
    ///
    /// Default: the prefix and `assertion`.
    pub(in crate::policy) header: Option<String>,
    /// The path at which the gate itself answers with the public keys (a JWK set), without a token.
    ///
    /// Default: `/.well-known/jobgate/jwks.json`.
    pub(in crate::policy) jwks_path: Option<String>,
    /// One to four keys: the first signs, all are published.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<schema::AssertionKey>"))]
    pub(in crate::policy) keys: RawHidden,
}

read_object!(RawAssertion {
    issuer: needed,
    audience: needed,
    lifetime,
    header,
    jwks_path,
    keys: needed,
});
