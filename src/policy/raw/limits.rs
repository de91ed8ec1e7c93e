//! Rate limits, as the configuration writes them.

use super::{RawClaims, RawUnavailable, read_object, read_words};
#[cfg(feature = "schema")]
use crate::policy::schema;

/// How often jobs are let through.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Limit", deny_unknown_fields)
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
    pub(in crate::policy) rules: Option<Vec<String>>,
    /// How fast tokens come back: a whole number, `/` and `s`, `m`, `h` or `d`, like `30/m`; up to 10,000 a second.
    ///
    /// Default: none: required, unless the gateway's limiter counts.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::RateText"))]
    pub(in crate::policy) rate: Option<String>,
    /// How many requests pass at once: the size of the bucket, up to 1,000,000 and 30 days' worth.
    ///
    /// Default: the number in `rate`.
    pub(in crate::policy) burst: Option<u64>,
    /// Another rate for some jobs; the first tier that fits counts. Each has buckets of its own.
    pub(in crate::policy) tiers: Option<Vec<RawTier>>,
    /// What becomes of requests of which cannot be told whether they are within the limit: `deny` refuses them with
    /// 503 `limits_unavailable`, `allow` lets them pass.
    ///
    /// Default: `deny`.
    pub(in crate::policy) unavailable: Option<RawUnavailable>,
    /// Who counts: the `gate`, or the `gateway`'s own limiter, which is told the bucket: see [fleets](#fleets).
    ///
    /// Default: `gate`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(in crate::policy) enforce_by: RawEnforcer,
}

read_object!(RawLimit {
    id: needed,
    key: needed,
    rules,
    rate,
    burst,
    tiers,
    unavailable,
    enforce_by,
});

/// Another rate for some jobs. It names `roles` or `claims` at least.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Tier", deny_unknown_fields)
)]
pub(in crate::policy) struct RawTier {
    /// The job must have one of these.
    pub(in crate::policy) roles: Option<Vec<String>>,
    /// All of these must hold.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(in crate::policy) claims: RawClaims,
    /// As the limit's.
    #[cfg_attr(feature = "schema", schemars(with = "schema::RateText"))]
    pub(in crate::policy) rate: String,
    /// As the limit's.
    ///
    /// Default: the number in `rate`.
    pub(in crate::policy) burst: Option<u64>,
}

read_object!(RawTier {
    roles,
    claims,
    rate: needed,
    burst,
});

/// How many tokens of one source address may fail verification.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "FailedVerifications", deny_unknown_fields)
)]
pub(in crate::policy) struct RawFailedVerifications {
    /// How many may fail in the long run: a whole number, `/` and `s`, `m`, `h` or `d`, like `60/m`; up to 10,000 a
    /// second.
    #[cfg_attr(feature = "schema", schemars(with = "schema::RateText"))]
    pub(in crate::policy) rate: String,
    /// How many may fail at once, up to 1,000,000 and 30 days' worth.
    ///
    /// Default: the number in `rate`.
    pub(in crate::policy) burst: Option<u64>,
}

read_object!(RawFailedVerifications {
    rate: needed,
    burst,
});

/// Who counts the requests of a limit.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Enforcer", rename_all = "snake_case")
)]
pub(in crate::policy) enum RawEnforcer {
    /// This gate, for all workers of its gateway.
    #[default]
    Gate,
    /// The gateway's own limiter, for a whole fleet.
    Gateway,
}

read_words!(RawEnforcer {
    Gate = "gate",
    Gateway = "gateway",
});
