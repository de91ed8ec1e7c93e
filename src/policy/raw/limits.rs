//! Rate limits, as the configuration writes them.

#[cfg(feature = "schema")]
use super::RawClaimRule;
use super::{RawClaims, RawUnavailable, present};
#[cfg(feature = "schema")]
use crate::policy::schema;
use serde::Deserialize;
#[cfg(feature = "schema")]
use std::collections::BTreeMap;

/// How often jobs are let through.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Limit")
)]
pub(in crate::policy) struct RawLimit {
    /// Its name: unique; letters, digits, `-`, `_`, `.`.
    pub(in crate::policy) id: String,
    /// The claims whose values make the bucket, one to eight: jobs of one issuer that agree in all of them share
    /// one.
    pub(in crate::policy) key: Vec<String>,
    /// Only requests that one of these allow rules lets through: of several that match, the one that decides.
    ///
    /// Default: all.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) rules: Option<Vec<String>>,
    /// How fast tokens come back: a whole number, `/` and `s`, `m`, `h` or `d`, like `30/m`; up to 10,000 a second.
    ///
    /// Default: none: required, unless the gateway's limiter counts.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::RateText"))]
    pub(in crate::policy) rate: Option<String>,
    /// How many requests pass at once: the size of the bucket, up to 1,000,000 and 30 days' worth.
    ///
    /// Default: the number in `rate`.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) burst: Option<u64>,
    /// Another rate for some jobs; the first tier that fits counts. Each has buckets of its own.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) tiers: Option<Vec<RawTier>>,
    /// What becomes of requests of which cannot be told whether they are within the limit: `deny` refuses them with
    /// 503 `limits_unavailable`, `allow` lets them pass.
    ///
    /// Default: `deny`.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) unavailable: Option<RawUnavailable>,
    /// Who counts: the `gate`, or the `gateway`'s own limiter, which is told the bucket: see [fleets](#fleets).
    ///
    /// Default: `gate`.
    #[serde(default)]
    pub(in crate::policy) enforce_by: RawEnforcer,
}

/// Another rate for some jobs. It names `roles` or `claims` at least.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Tier")
)]
pub(in crate::policy) struct RawTier {
    /// The job must have one of these.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) roles: Option<Vec<String>>,
    /// All of these must hold.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, RawClaimRule>"))]
    pub(in crate::policy) claims: RawClaims,
    /// As the limit's.
    #[cfg_attr(feature = "schema", schemars(with = "schema::RateText"))]
    pub(in crate::policy) rate: String,
    /// As the limit's.
    ///
    /// Default: the number in `rate`.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) burst: Option<u64>,
}

/// How many tokens of one source address may fail verification.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "FailedVerifications")
)]
pub(in crate::policy) struct RawFailedVerifications {
    /// How many may fail in the long run: a whole number, `/` and `s`, `m`, `h` or `d`, like `60/m`; up to 10,000 a
    /// second.
    #[cfg_attr(feature = "schema", schemars(with = "schema::RateText"))]
    pub(in crate::policy) rate: String,
    /// How many may fail at once, up to 1,000,000 and 30 days' worth.
    ///
    /// Default: the number in `rate`.
    #[serde(default, deserialize_with = "present")]
    pub(in crate::policy) burst: Option<u64>,
}

/// Who counts the requests of a limit.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Enforcer")
)]
pub(in crate::policy) enum RawEnforcer {
    /// This gate, for all workers of its gateway.
    #[default]
    Gate,
    /// The gateway's own limiter, for a whole fleet.
    Gateway,
}
