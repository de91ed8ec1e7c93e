//! What a gate remembers between requests, as the configuration writes it.

use super::present;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::Value;
use std::fmt;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(in crate::policy) struct RawCache {
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) entries: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) bytes: Option<RawSize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(in crate::policy) struct RawRevocations {
    /// Each is read by [`crate::revocation::Revocation::parse`], as those of fetched documents are.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) entries: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) uri: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) cluster: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) interval: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) timeout: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) max_stale: Option<String>,
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) unavailable: Option<RawUnavailable>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::policy) enum RawUnavailable {
    Deny,
    Allow,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
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
