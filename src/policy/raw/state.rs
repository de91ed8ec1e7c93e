//! What a gate remembers between requests, as the configuration writes it.

use super::present;
#[cfg(feature = "schema")]
use crate::policy::schema;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::Value;
use std::fmt;

/// How many proven tokens are remembered.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Cache")
)]
pub(in crate::policy) struct RawCache {
    /// The most tokens, up to `1000000`; `0` switches the cache off.
    ///
    /// Default: `1000`.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) entries: Option<u64>,
    /// The most memory, `64KiB` to `512MiB`: a whole number with `KiB` or `MiB`, or of bytes. A token takes
    /// some 2 to 4 KiB.
    ///
    /// Default: `2MiB`.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) bytes: Option<RawSize>,
}

/// Tokens that are good and are refused all the same.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Revocations")
)]
pub(in crate::policy) struct RawRevocations {
    // Each is read by [`crate::revocation::Revocation::parse`], as those of fetched documents are.
    /// A list of entries in the configuration.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<schema::Revocation>"))]
    pub(in crate::policy) entries: Option<Vec<Value>>,
    /// The address of a document that is fetched again and again.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) uri: Option<String>,
    /// What the gateway calls that server: on Envoy a cluster's name, on Kong `host:port`.
    ///
    /// Default: the address's `host:port`.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) cluster: Option<String>,
    /// How often it is fetched, `5s` to `1h`: a revocation is in force within one interval, if fetching it
    /// takes less than a fifth of that. On Envoy a request waits up to 2 s for the first document.
    ///
    /// Default: `30s`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Span"))]
    pub(in crate::policy) interval: Option<String>,
    /// How long a fetch may take, `100ms` to `1m`.
    ///
    /// Default: `5s`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Span"))]
    pub(in crate::policy) timeout: Option<String>,
    /// Age up to which the last document counts while fetching fails, up to `30d`.
    ///
    /// Default: `10m`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Span"))]
    pub(in crate::policy) max_stale: Option<String>,
    /// What becomes of requests while no document counts: `deny` refuses them with 503
    /// `revocations_unavailable`, `allow` lets them pass. What the last document revoked stays revoked
    /// either way, as long as the worker or its shared data has that document.
    ///
    /// Default: `deny`.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) unavailable: Option<RawUnavailable>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WhenUnavailable")
)]
pub(in crate::policy) enum RawUnavailable {
    Deny,
    Allow,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Replay")
)]
pub(in crate::policy) enum RawReplay {
    #[default]
    Allow,
    Once,
}

/// A size as it is written: a number of bytes, or a text with a unit.
#[derive(Debug)]
pub(in crate::policy) enum RawSize {
    Bytes(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for RawSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;

        impl Visitor<'_> for SizeVisitor {
            type Value = RawSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of bytes, or a text like \"2MiB\"")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<RawSize, E> {
                Ok(RawSize::Bytes(value))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<RawSize, E> {
                Ok(RawSize::Text(value.into()))
            }
        }

        deserializer.deserialize_any(SizeVisitor)
    }
}
