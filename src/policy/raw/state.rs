//! What a gate remembers between requests, as the configuration writes it.

use super::{Read, Reader, read_object, read_words};
use crate::policy::check::At;
#[cfg(feature = "schema")]
use crate::policy::schema;
use serde_json::Value;

/// How many proven tokens are remembered.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Cache", deny_unknown_fields)
)]
pub(in crate::policy) struct RawCache {
    /// The most tokens, up to `1000000`; `0` switches the cache off.
    ///
    /// Default: `1000`.
    pub(in crate::policy) entries: Option<u64>,
    /// The most memory, `64KiB` to `512MiB`: a whole number with `KiB` or `MiB`, or of bytes. A token takes
    /// some 2 to 4 KiB.
    ///
    /// Default: `2MiB`.
    pub(in crate::policy) bytes: Option<RawSize>,
}

read_object!(RawCache { entries, bytes });

/// Tokens that are good and are refused all the same.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Revocations", deny_unknown_fields)
)]
pub(in crate::policy) struct RawRevocations {
    // Each is read by [`crate::revocation::Revocation::parse`], as those of fetched documents are.
    /// A list of entries in the configuration.
    #[cfg_attr(
        feature = "schema",
        schemars(default, with = "Vec<schema::Revocation>")
    )]
    pub(in crate::policy) entries: Option<Vec<Value>>,
    /// The address of a document that is fetched again and again.
    pub(in crate::policy) uri: Option<String>,
    /// What the gateway calls that server: on Envoy a cluster's name, on Kong `host:port`.
    ///
    /// Default: the address's `host:port`.
    pub(in crate::policy) cluster: Option<String>,
    /// How often it is fetched, `5s` to `1h`: a revocation is in force within one interval, if fetching it
    /// takes less than a fifth of that. On Envoy a request waits up to 2 s for the first document.
    ///
    /// Default: `30s`.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Span"))]
    pub(in crate::policy) interval: Option<String>,
    /// How long a fetch may take, `100ms` to `1m`.
    ///
    /// Default: `5s`.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Span"))]
    pub(in crate::policy) timeout: Option<String>,
    /// Age up to which the last document counts while fetching fails, up to `30d`.
    ///
    /// Default: `10m`.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Span"))]
    pub(in crate::policy) max_stale: Option<String>,
    /// What becomes of requests while no document counts: `deny` refuses them with 503
    /// `revocations_unavailable`, `allow` lets them pass. What the last document revoked stays revoked
    /// either way, as long as the worker or its shared data has that document.
    ///
    /// Default: `deny`.
    pub(in crate::policy) unavailable: Option<RawUnavailable>,
}

read_object!(RawRevocations {
    entries,
    uri,
    cluster,
    interval,
    timeout,
    max_stale,
    unavailable,
});

#[derive(Debug, Default, Clone, Copy)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "WhenUnavailable", rename_all = "snake_case")
)]
pub(in crate::policy) enum RawUnavailable {
    #[default]
    Deny,
    Allow,
}

read_words!(RawUnavailable {
    Deny = "deny",
    Allow = "allow",
});

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Replay", rename_all = "snake_case")
)]
pub(in crate::policy) enum RawReplay {
    #[default]
    Allow,
    Once,
}

read_words!(RawReplay {
    Allow = "allow",
    Once = "once",
});

/// A size as it is written: a number of bytes, or a text with a unit.
#[derive(Debug)]
pub(in crate::policy) enum RawSize {
    Bytes(u64),
    Text(String),
}

/// It stands for what is none.
impl Default for RawSize {
    fn default() -> Self {
        Self::Bytes(0)
    }
}

impl Read for RawSize {
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        if let Some(bytes) = value.as_u64() {
            return Self::Bytes(bytes);
        }
        match value {
            Value::String(text) => Self::Text(text),
            other => {
                let expected = "a whole number of bytes, or a text like \"2MiB\"";
                reader.unlike(at, &other, expected);
                Self::default()
            }
        }
    }
}
