//! The configuration as it is written, before any of it was checked for meaning.

mod assertion;
mod limits;
mod read;
mod state;
#[cfg(test)]
mod tests;

pub(super) use assertion::RawAssertion;
pub(super) use limits::{RawEnforcer, RawFailedVerifications, RawLimit, RawTier};
pub(super) use read::read;
pub(super) use state::{RawCache, RawReplay, RawRevocations, RawSize, RawUnavailable};

use super::schedule::RawWindow;
#[cfg(feature = "schema")]
use super::schema;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{
    Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// The whole document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Policy")
)]
pub(super) struct RawPolicy {
    /// Whether a refusal [blocks the request](#mode).
    ///
    /// Default: `enforce`.
    #[serde(default)]
    pub(super) mode: RawMode,
    /// [Who may sign tokens](#issuers), and what is asked of them; at least one.
    pub(super) issuers: Vec<RawIssuer>,
    /// [Where the token is](#token).
    #[serde(default)]
    pub(super) token: RawToken,
    /// [The headers](#headers) that the upstream gets.
    #[serde(default)]
    pub(super) headers: RawHeaders,
    /// [Names for jobs of a kind](#roles-and-rules): each is a claim set, or a list of claim sets of which one must hold.
    #[serde(default)]
    pub(super) roles: BTreeMap<String, OneOrMany<RawRole>>,
    /// [What is allowed and denied](#roles-and-rules). Nothing is allowed that no rule allows; a deny wins over every allow;
    /// their order never matters.
    #[expect(
        clippy::vec_box,
        reason = "the list of very many must not need as much memory again to grow"
    )]
    pub(super) rules: Vec<Box<RawRule>>,
    /// [What is told to whom](#audit).
    #[serde(default)]
    pub(super) audit: RawAudit,
    /// Whether the gateway has [shared data](#shared_data), where it can't be asked: `true` on Kong with a zone for it.
    ///
    /// Default: `false`.
    #[serde(default)]
    pub(super) shared_data: bool,
    /// Whether the name of the route that was judged is left in Envoy's [filter state](#routes) even where no rule names
    /// `routes` and none has a `when`: `true` for a gate that routes enable.
    ///
    /// Default: `false`.
    #[serde(default)]
    pub(super) note_route: bool,
    /// [How many proven tokens](#cache) are remembered.
    #[serde(default)]
    pub(super) cache: RawCache,
    /// [Tokens that are good and are refused all the same](#revocations).
    #[serde(default, deserialize_with = "present")]
    pub(super) revocations: Option<RawRevocations>,
    /// [How often jobs are let through](#limits); at most 16.
    #[serde(default)]
    pub(super) limits: Vec<RawLimit>,
    /// [How many tokens of one source address](#failed_verifications) may fail verification before more are verified.
    ///
    /// Default: any number.
    #[serde(default, deserialize_with = "present")]
    pub(super) failed_verifications: Option<RawFailedVerifications>,
    /// [A short-lived JWT](#assertion) that tells the upstream who the job is, in place of its token.
    ///
    /// Default: none.
    #[serde(default, deserialize_with = "present")]
    pub(super) assertion: Option<RawAssertion>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Mode")
)]
pub(super) enum RawMode {
    /// A refusal blocks the request.
    #[default]
    Enforce,
    /// A refusal is recorded, and told to the upstream as `x-jobgate-decision: shadow-deny` with
    /// `x-jobgate-reason`; the request goes on.
    Shadow,
}

/// Who may sign tokens, and what is asked of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Issuer")
)]
pub(super) struct RawIssuer {
    /// `buildkite`, `gitlab`, `github` or `circleci`: [what is known of the provider](#providers).
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::PresetName"))]
    pub(super) preset: Option<String>,
    /// The token's `iss`, byte for byte. On a host of one of these providers it must be spelled as the
    /// provider does.
    ///
    /// Default: the preset's.
    #[serde(default, deserialize_with = "present")]
    pub(super) issuer: Option<String>,
    /// One audience, or a list of which `aud` must name one.
    pub(super) audience: OneOrMany<String>,
    /// Which `alg` are accepted, of `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`,
    /// `EdDSA` (Ed25519).
    ///
    /// Default: the preset's.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<schema::AlgorithmName>"))]
    pub(super) algorithms: Option<Vec<String>>,
    /// Claims of which every allow rule must [pin](#tenant-pins) one; an empty list for an issuer that
    /// serves only you. For the shared issuers of Buildkite, GitHub and GitLab.com, by preset or not, only
    /// the claims that name their customers.
    ///
    /// Default: the preset's.
    #[serde(default, deserialize_with = "present_list")]
    pub(super) tenant_claims: Option<Vec<String>>,
    /// Conditions that every token of this issuer must meet before any allow rule can match, as in
    /// [rules](#roles-and-rules). Deny rules match all the same.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, RawClaimRule>"))]
    pub(super) claims: Option<RawClaims>,
    /// Which claim tells each part of who the job is: `organization`, `pipeline`, `build`, `branch`,
    /// `commit`, `job`, `step`, `agent`. What is left out stays the preset's.
    ///
    /// Default: the preset's.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::IdentityClaims"))]
    pub(super) identity: Option<BTreeMap<String, String>>,
    /// How far clocks may be apart, up to `10m`.
    ///
    /// Default: `30s`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Span"))]
    pub(super) leeway: Option<String>,
    /// The longest time from `iat` (or else `nbf`) to `exp`, up to `7d`.
    ///
    /// Default: the preset's, else `1h`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Span"))]
    pub(super) max_lifetime: Option<String>,
    /// Where the keys are fetched.
    #[serde(default, deserialize_with = "present")]
    pub(super) jwks: Option<RawJwks>,
    /// A JWKS document in the configuration. Alone: nothing is fetched. Beside `jwks`: it serves until a
    /// set was fetched, and when the last one is too old.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::JwksDocument"))]
    pub(super) keys: Option<Value>,
}

/// Where an issuer's keys are fetched, and how often.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Jwks")
)]
pub(super) struct RawJwks {
    /// The address of the key set.
    ///
    /// Default: the preset's, below `issuer`.
    #[serde(default, deserialize_with = "present")]
    pub(super) uri: Option<String>,
    /// Whether the issuer's metadata tells that address: OpenID Connect Discovery, at
    /// `<issuer>/.well-known/openid-configuration`. The issuer must then be an http(s) address without
    /// query and fragment, and the metadata must name it byte for byte.
    ///
    /// Default: without a preset and `uri`: `true`.
    #[serde(default, deserialize_with = "present")]
    pub(super) discovery: Option<bool>,
    /// What the gateway calls that server: on Envoy a cluster's name, on Kong `host:port`.
    ///
    /// Default: the address's `host:port`.
    #[serde(default, deserialize_with = "present")]
    pub(super) cluster: Option<String>,
    /// Age at which the key set is fetched again, `10s` to `1d`.
    ///
    /// Default: `10m`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Span"))]
    pub(super) refresh: Option<String>,
    /// How long a fetch may take, `100ms` to `1m`.
    ///
    /// Default: `5s`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Span"))]
    pub(super) timeout: Option<String>,
    /// Age up to which the last good set serves while fetching fails, up to `30d`.
    ///
    /// Default: `24h`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Span"))]
    pub(super) max_stale: Option<String>,
    /// How long a request may wait for keys that are being fetched, on hosts where that is safe (Envoy), up
    /// to `10s`; `0s` for not at all.
    ///
    /// Default: `2s`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Span"))]
    pub(super) wait: Option<String>,
}

/// Where the token is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Token")
)]
pub(super) struct RawToken {
    /// The one header that carries the token: there as `Bearer ...`, in another header with the scheme or
    /// without.
    ///
    /// Default: `authorization`.
    #[serde(default, deserialize_with = "present")]
    pub(super) header: Option<String>,
    /// Whether the upstream gets the token too.
    ///
    /// Default: `false`.
    #[serde(default)]
    pub(super) forward: bool,
}

/// The headers that the upstream gets.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Headers")
)]
pub(super) struct RawHeaders {
    /// Begins every header to the upstream: two words or more in lower case that end in `-`.
    ///
    /// Default: `x-jobgate-`.
    #[serde(default, deserialize_with = "present")]
    pub(super) prefix: Option<String>,
}

/// Conditions on claims that must all hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ClaimSet")
)]
pub(super) struct RawRole {
    /// The job must have one of these roles too.
    #[serde(default, deserialize_with = "present")]
    pub(super) roles: Option<Vec<String>>,
    /// Claims by their whole names, in which dots, slashes and colons are part of a name. A name that begins
    /// with `/` is a JSON Pointer to what stands within a claim.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, RawClaimRule>"))]
    pub(super) claims: Option<RawClaims>,
}

/// A rule: all of its conditions must hold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Rule")
)]
pub(super) struct RawRule {
    /// Its name: unique; letters, digits, `-`, `_`, `.`.
    pub(super) id: String,
    /// `allow` or `deny`.
    ///
    /// Default: `allow`.
    #[serde(default)]
    pub(super) effect: RawEffect,
    /// Whether the rule is [on trial](#rules-on-trial): it is evaluated and recorded, and decides nothing.
    ///
    /// Default: `false`.
    #[serde(default)]
    pub(super) shadow: bool,
    /// The gateway must have chosen one of these for the request: names of [routes](#routes), or of services (on
    /// Envoy clusters).
    #[serde(default, deserialize_with = "present")]
    pub(super) routes: Option<Vec<String>>,
    /// The request must be for one of these [hosts](#hosts): a name, or `*.` and a name for all below it.
    #[serde(default, deserialize_with = "present")]
    pub(super) hosts: Option<Vec<String>>,
    /// The token must be of this issuer, or of one of a list: the `iss` or the preset of one of `issuers`.
    #[serde(default, deserialize_with = "present")]
    pub(super) issuer: Option<OneOrMany<String>>,
    /// The job must have one of these.
    #[serde(default, deserialize_with = "present")]
    pub(super) roles: Option<Vec<String>>,
    /// The request's method must be one of these, by case; for `effect: deny` in any case.
    #[serde(default, deserialize_with = "present")]
    pub(super) methods: Option<Vec<String>>,
    /// The request's path must match one of these.
    #[serde(default, deserialize_with = "present")]
    pub(super) paths: Option<Vec<String>>,
    /// All of these must hold.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, RawClaimRule>"))]
    pub(super) claims: RawClaims,
    /// A [CEL expression](#when) that must be true.
    #[serde(default, deserialize_with = "present")]
    pub(super) when: Option<String>,
    /// A [window of time](#schedule), or several of which one must hold.
    #[serde(default, deserialize_with = "present")]
    pub(super) schedule: Option<OneOrMany<RawWindow>>,
    /// The client must have proven itself to the gateway by a [certificate](#client-certificates) like this.
    #[serde(default, deserialize_with = "present")]
    pub(super) client_certificate: Option<RawCertificate>,
    /// `allow`: a token may come again; `once`: this rule lets each token through once
    /// ([single use](#single-use)).
    ///
    /// Default: `allow`.
    #[serde(default)]
    pub(super) replay: RawReplay,
}

/// What the client's certificate must be; with no member, any that the gateway verified.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ClientCertificate")
)]
pub(super) struct RawCertificate {
    /// A glob over its subject, or several of which one must match.
    #[serde(default, deserialize_with = "present")]
    pub(super) subject: Option<OneOrMany<String>>,
    /// The same over its URI among the subject's alternative names, where the gateway tells it.
    #[serde(default, deserialize_with = "present")]
    pub(super) uri_san: Option<OneOrMany<String>>,
    /// The same over its DNS name there.
    #[serde(default, deserialize_with = "present")]
    pub(super) dns_san: Option<OneOrMany<String>>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Effect")
)]
pub(super) enum RawEffect {
    #[default]
    Allow,
    Deny,
}

/// What is told to whom.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Audit")
)]
pub(super) struct RawAudit {
    /// What decision records hold beside code, rule, roles and identity. `code`: nothing more;
    /// `conditions`: which conditions failed; `claims`: on which values too.
    ///
    /// Default: `conditions`.
    #[serde(default, deserialize_with = "present")]
    pub(super) detail: Option<RawDetail>,
    /// What the refused client is told beside the code and its hint. `code`: nothing; `conditions`: which
    /// conditions failed.
    ///
    /// Default: `code`.
    #[serde(default, deserialize_with = "present")]
    pub(super) client: Option<RawClient>,
    /// How what is allowed goes on record. Refusals, and what rules on trial would refuse, always do.
    #[serde(default)]
    pub(super) allowed: RawAllowed,
}

/// How what is allowed goes on record.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Allowed")
)]
pub(super) struct RawAllowed {
    /// The level at which it is logged: `info` or `debug`.
    ///
    /// Default: `info`.
    #[serde(default, deserialize_with = "present")]
    pub(super) level: Option<RawLevel>,
    /// The share of it that is recorded, from `0` to `1`: with `0.01` one in a hundred.
    ///
    /// Default: `1`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Share"))]
    pub(super) sample: Option<f64>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Level")
)]
pub(super) enum RawLevel {
    Info,
    Debug,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Detail")
)]
pub(super) enum RawDetail {
    Code,
    Conditions,
    Claims,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ClientDetail")
)]
pub(super) enum RawClient {
    Code,
    Conditions,
}

/// A member that is written. One that is null is an error: taken for one that is left out, it would widen
/// what the author narrowed.
#[inline(never)]
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A list that is written, and may say something by being empty. Kong writes an empty list as an empty object: its
/// Lua can't tell the two apart.
fn present_list<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    struct ListVisitor;

    impl<'de> Visitor<'de> for ListVisitor {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a sequence")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<String>, A::Error> {
            Deserialize::deserialize(SeqAccessDeserializer::new(list))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
            match map.next_key::<IgnoredAny>()? {
                None => Ok(Vec::new()),
                Some(_) => Err(A::Error::invalid_type(Unexpected::Map, &self)),
            }
        }
    }

    deserializer.deserialize_any(ListVisitor).map(Some)
}

/// What is asked of claims by their names, sorted by those: a map of which large policies have very many.
#[derive(Debug, Default)]
pub(super) struct RawClaims(pub(super) Vec<(String, RawClaimRule)>);

impl<'de> Deserialize<'de> for RawClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ClaimsVisitor;

        impl<'de> Visitor<'de> for ClaimsVisitor {
            type Value = RawClaims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawClaims, A::Error> {
                let mut claims = Vec::with_capacity(map.size_hint().unwrap_or_default().min(32));
                while let Some((name, rule)) = map.next_entry::<String, RawClaimRule>()? {
                    let place = claims.partition_point(|(before, _)| *before < name);
                    claims.insert(place, (name, rule));
                }
                Ok(RawClaims(claims))
            }
        }

        deserializer.deserialize_map(ClaimsVisitor)
    }
}

/// What is asked of one claim: a scalar (short for `equals`), or matchers that must all hold.
#[derive(Debug, Default)]
pub(super) struct RawClaimRule {
    pub(super) equals: Option<Scalar>,
    pub(super) not_equals: Option<Scalar>,
    pub(super) one_of: Option<Vec<Scalar>>,
    pub(super) none_of: Option<Vec<Scalar>>,
    pub(super) matches: Option<OneOrMany<String>>,
}

impl<'de> Deserialize<'de> for RawClaimRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Matchers {
            #[serde(default, deserialize_with = "present")]
            equals: Option<Scalar>,
            #[serde(default, deserialize_with = "present")]
            not_equals: Option<Scalar>,
            #[serde(rename = "in")]
            #[serde(default, deserialize_with = "present")]
            one_of: Option<Vec<Scalar>>,
            #[serde(rename = "not_in")]
            #[serde(default, deserialize_with = "present")]
            none_of: Option<Vec<Scalar>>,
            #[serde(default, deserialize_with = "present")]
            matches: Option<OneOrMany<String>>,
        }

        struct ClaimRuleVisitor;

        impl<'de> Visitor<'de> for ClaimRuleVisitor {
            type Value = RawClaimRule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a scalar, or an object of equals, not_equals, in, not_in, matches")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<RawClaimRule, E> {
                equals(ScalarVisitor.visit_bool(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<RawClaimRule, E> {
                equals(ScalarVisitor.visit_u64(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<RawClaimRule, E> {
                equals(ScalarVisitor.visit_i64(value))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<RawClaimRule, E> {
                equals(ScalarVisitor.visit_f64(value))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<RawClaimRule, E> {
                equals(ScalarVisitor.visit_str(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<RawClaimRule, A::Error> {
                Err(A::Error::custom(
                    "a list is not a matcher; write {\"in\": [...]}",
                ))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawClaimRule, A::Error> {
                let Matchers {
                    equals,
                    not_equals,
                    one_of,
                    none_of,
                    matches,
                } = Deserialize::deserialize(MapAccessDeserializer::new(map))?;
                Ok(RawClaimRule {
                    equals,
                    not_equals,
                    one_of,
                    none_of,
                    matches,
                })
            }
        }

        fn equals<E>(scalar: Result<Scalar, E>) -> Result<RawClaimRule, E> {
            Ok(RawClaimRule {
                equals: Some(scalar?),
                ..RawClaimRule::default()
            })
        }

        deserializer.deserialize_any(ClaimRuleVisitor)
    }
}

/// A scalar by its text, as claims are compared (see [`crate::token::scalar_text`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scalar(pub(super) String);

struct ScalarVisitor;

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or a boolean")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
        crate::token::scalar_text(&Value::from(value))
            .map(|text| Scalar(text.into_owned()))
            .ok_or_else(|| E::custom("the number is too large to be compared exactly"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar(value.into()))
    }
}

/// One value, or a list of them.
#[derive(Debug)]
pub(super) struct OneOrMany<T> {
    pub(super) items: Vec<T>,
    /// Whether it was written as a list, which decides how its parts are named in errors.
    pub(super) is_list: bool,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrManyVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one value or a list of them")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<OneOrMany<T>, E> {
                let text: StrDeserializer<'_, E> = value.into_deserializer();
                Ok(OneOrMany {
                    items: vec![T::deserialize(text)?],
                    is_list: false,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMany<T>, A::Error> {
                let item = T::deserialize(MapAccessDeserializer::new(map))?;
                Ok(OneOrMany {
                    items: vec![item],
                    is_list: false,
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(OneOrMany {
                    items,
                    is_list: true,
                })
            }
        }

        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}
