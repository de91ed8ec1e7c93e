//! The configuration as it is written, before any of it was checked for meaning.

mod assertion;
mod claims;
mod exchange;
mod hidden;
mod limits;
mod read;
mod state;
#[cfg(test)]
mod tests;

pub(super) use assertion::RawAssertion;
pub(super) use claims::{RawClaimRule, RawClaims, Scalar};
pub(super) use exchange::RawOnFailure;
pub(super) use hidden::RawHidden;
pub(super) use limits::{RawEnforcer, RawFailedVerifications, RawLimit, RawTier};
pub(super) use read::{Named, Object, OneOrMany, Read, Reader, read, read_object};
pub(super) use state::{RawCache, RawReplay, RawRevocations, RawSize, RawUnavailable};

use super::schedule::RawWindow;
#[cfg(feature = "schema")]
use super::schema;
use read::read_words;
use serde_json::Value;

/// The whole document.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Policy", deny_unknown_fields)
)]
pub(super) struct RawPolicy {
    /// Whether a refusal [blocks the request](#mode).
    ///
    /// Default: `enforce`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) mode: RawMode,
    /// [Who may sign tokens](#issuers), and what is asked of them; at least one.
    pub(super) issuers: Vec<RawIssuer>,
    /// [Where the token is](#token).
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) token: RawToken,
    /// [The headers](#headers) that the upstream gets.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) headers: RawHeaders,
    /// [Names for jobs of a kind](#roles-and-rules): each is a claim set, or a list of claim sets of which one must hold.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) roles: Named<OneOrMany<RawRole>>,
    /// [What is allowed and denied](#roles-and-rules). Nothing is allowed that no rule allows; a deny wins over every allow;
    /// their order never matters.
    #[expect(
        clippy::vec_box,
        reason = "the list of very many must not need as much memory again to grow"
    )]
    pub(super) rules: Vec<Box<RawRule>>,
    /// [What is told to whom](#audit).
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) audit: RawAudit,
    /// Whether the gateway has [shared data](#shared_data), where it can't be asked: `true` on Kong with a zone for it.
    ///
    /// Default: `false`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) shared_data: bool,
    /// Whether the name of the route that was judged is left in Envoy's [filter state](#routes) even where no rule names
    /// `routes` and none has a `when`: `true` for a gate that routes enable.
    ///
    /// Default: `false`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) note_route: bool,
    /// [How many proven tokens](#cache) are remembered.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) cache: RawCache,
    /// [Tokens that are good and are refused all the same](#revocations).
    pub(super) revocations: Option<RawRevocations>,
    /// [How often jobs are let through](#limits); at most 16.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) limits: Vec<RawLimit>,
    /// [How many tokens of one source address](#failed_verifications) may fail verification before more are verified.
    ///
    /// Default: any number.
    pub(super) failed_verifications: Option<RawFailedVerifications>,
    /// [A short-lived JWT](#assertion) that tells the upstream who the job is, in place of its token.
    ///
    /// Default: none.
    pub(super) assertion: Option<RawAssertion>,
    /// [What jobs' tokens are exchanged for](#exchange), by names of which rules name one: credentials for the upstream
    /// that the job never sees.
    ///
    /// Default: none.
    #[cfg_attr(
        feature = "schema",
        schemars(default, with = "Named<schema::Exchange>")
    )]
    pub(super) exchange: Option<RawHidden>,
    /// [A job's access ends with the job](#sessions): who says that a job is over, and that its tokens are refused from
    /// then on.
    ///
    /// Default: nobody.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Sessions"))]
    pub(super) sessions: Option<RawHidden>,
}

read_object!(RawPolicy {
    mode,
    issuers: needed,
    token,
    headers,
    roles,
    rules: needed,
    audit,
    shared_data,
    note_route,
    cache,
    revocations,
    limits,
    failed_verifications,
    assertion,
    exchange,
    sessions,
});

#[derive(Debug, Default, Clone, Copy)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Mode", rename_all = "snake_case")
)]
pub(super) enum RawMode {
    /// A refusal blocks the request.
    #[default]
    Enforce,
    /// A refusal is recorded, and told to the upstream as `x-jobgate-decision: shadow-deny` with
    /// `x-jobgate-reason`; the request goes on.
    Shadow,
}

read_words!(RawMode {
    Enforce = "enforce",
    Shadow = "shadow",
});

/// Who may sign tokens, and what is asked of them.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Issuer", deny_unknown_fields)
)]
pub(super) struct RawIssuer {
    /// `buildkite`, `gitlab`, `github` or `circleci`: [what is known of the provider](#providers).
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::PresetName"))]
    pub(super) preset: Option<String>,
    /// The token's `iss`, byte for byte. On a host of one of these providers it must be spelled as the
    /// provider does.
    ///
    /// Default: the preset's.
    pub(super) issuer: Option<String>,
    /// One audience, or a list of which `aud` must name one.
    pub(super) audience: OneOrMany<String>,
    /// Which `alg` are accepted, of `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`,
    /// `EdDSA` (Ed25519).
    ///
    /// Default: the preset's.
    #[cfg_attr(
        feature = "schema",
        schemars(default, with = "Vec<schema::AlgorithmName>")
    )]
    pub(super) algorithms: Option<Vec<String>>,
    /// Claims of which every allow rule must [pin](#tenant-pins) one; an empty list for an issuer that
    /// serves only you. For the shared issuers of Buildkite, GitHub and GitLab.com, by preset or not, only
    /// the claims that name their customers.
    ///
    /// Default: the preset's.
    pub(super) tenant_claims: Option<Vec<String>>,
    /// Conditions that every token of this issuer must meet before any allow rule can match, as in
    /// [rules](#roles-and-rules). Deny rules match all the same.
    pub(super) claims: Option<RawClaims>,
    /// Which claim tells each part of who the job is: `organization`, `pipeline`, `build`, `branch`,
    /// `commit`, `job`, `step`, `agent`. What is left out stays the preset's.
    ///
    /// Default: the preset's.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::IdentityClaims"))]
    pub(super) identity: Option<Named<String>>,
    /// How far clocks may be apart, up to `10m`.
    ///
    /// Default: `30s`.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Span"))]
    pub(super) leeway: Option<String>,
    /// The longest time from `iat` (or else `nbf`) to `exp`, up to `7d`.
    ///
    /// Default: the preset's, else `1h`.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Span"))]
    pub(super) max_lifetime: Option<String>,
    /// Where the keys are fetched.
    pub(super) jwks: Option<RawJwks>,
    /// A JWKS document in the configuration. Alone: nothing is fetched. Beside `jwks`: it serves until a
    /// set was fetched, and when the last one is too old.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::JwksDocument"))]
    pub(super) keys: Option<Value>,
}

read_object!(RawIssuer {
    preset,
    issuer,
    audience: needed,
    algorithms,
    tenant_claims: empty_list,
    claims,
    identity,
    leeway,
    max_lifetime,
    jwks,
    keys,
});

/// Where an issuer's keys are fetched, and how often.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Jwks", deny_unknown_fields)
)]
pub(super) struct RawJwks {
    /// The address of the key set.
    ///
    /// Default: the preset's, below `issuer`.
    pub(super) uri: Option<String>,
    /// Whether the issuer's metadata tells that address: OpenID Connect Discovery, at
    /// `<issuer>/.well-known/openid-configuration`. The issuer must then be an http(s) address without
    /// query and fragment, and the metadata must name it byte for byte.
    ///
    /// Default: without a preset and `uri`: `true`.
    pub(super) discovery: Option<bool>,
    /// What the gateway calls that server: on Envoy a cluster's name, on Kong `host:port`.
    ///
    /// Default: the address's `host:port`.
    pub(super) cluster: Option<String>,
    /// Age at which the key set is fetched again, `10s` to `1d`.
    ///
    /// Default: `10m`.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Span"))]
    pub(super) refresh: Option<String>,
    /// How long a fetch may take, `100ms` to `1m`.
    ///
    /// Default: `5s`.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Span"))]
    pub(super) timeout: Option<String>,
    /// Age up to which the last good set serves while fetching fails, up to `30d`.
    ///
    /// Default: `24h`.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Span"))]
    pub(super) max_stale: Option<String>,
    /// How long a request may wait for keys that are being fetched, on hosts where that is safe (Envoy), up
    /// to `10s`; `0s` for not at all.
    ///
    /// Default: `2s`.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Span"))]
    pub(super) wait: Option<String>,
}

read_object!(RawJwks {
    uri,
    discovery,
    cluster,
    refresh,
    timeout,
    max_stale,
    wait,
});

/// Where the token is.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Token", deny_unknown_fields)
)]
pub(super) struct RawToken {
    /// The one header that carries the token: there as `Bearer ...`, in another header with the scheme or
    /// without.
    ///
    /// Default: `authorization`.
    pub(super) header: Option<String>,
    /// Whether the upstream gets the token too.
    ///
    /// Default: `false`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) forward: bool,
}

read_object!(RawToken { header, forward });

/// The headers that the upstream gets.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Headers", deny_unknown_fields)
)]
pub(super) struct RawHeaders {
    /// Begins every header to the upstream: two words or more in lower case that end in `-`.
    ///
    /// Default: `x-jobgate-`.
    pub(super) prefix: Option<String>,
}

read_object!(RawHeaders { prefix });

/// Conditions on claims that must all hold.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ClaimSet", deny_unknown_fields)
)]
pub(super) struct RawRole {
    /// The job must have one of these roles too.
    pub(super) roles: Option<Vec<String>>,
    /// Claims by their whole names, in which dots, slashes and colons are part of a name. A name that begins
    /// with `/` is a JSON Pointer to what stands within a claim.
    pub(super) claims: Option<RawClaims>,
}

read_object!(RawRole { roles, claims });

/// A rule: all of its conditions must hold.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Rule", deny_unknown_fields)
)]
pub(super) struct RawRule {
    /// Its name: unique; letters, digits, `-`, `_`, `.`.
    pub(super) id: String,
    /// `allow` or `deny`.
    ///
    /// Default: `allow`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) effect: RawEffect,
    /// Whether the rule is [on trial](#rules-on-trial): it is evaluated and recorded, and decides nothing.
    ///
    /// Default: `false`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) shadow: bool,
    /// The gateway must have chosen one of these for the request: names of [routes](#routes), or of services (on
    /// Envoy clusters).
    pub(super) routes: Option<Vec<String>>,
    /// The request must be for one of these [hosts](#hosts): a name, or `*.` and a name for all below it.
    pub(super) hosts: Option<Vec<String>>,
    /// The token must be of this issuer, or of one of a list: the `iss` or the preset of one of `issuers`.
    pub(super) issuer: Option<OneOrMany<String>>,
    /// The job must have one of these.
    pub(super) roles: Option<Vec<String>>,
    /// The request's method must be one of these, by case; for `effect: deny` in any case.
    pub(super) methods: Option<Vec<String>>,
    /// The request's path must match one of these.
    pub(super) paths: Option<Vec<String>>,
    /// All of these must hold.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) claims: RawClaims,
    /// A [CEL expression](#when) that must be true.
    pub(super) when: Option<String>,
    /// A [window of time](#schedule), or several of which one must hold.
    pub(super) schedule: Option<OneOrMany<RawWindow>>,
    /// The client must have proven itself to the gateway by a [certificate](#client-certificates) like this.
    pub(super) client_certificate: Option<RawCertificate>,
    /// `allow`: a token may come again; `once`: this rule lets each token through once
    /// ([single use](#single-use)).
    ///
    /// Default: `allow`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) replay: RawReplay,
    /// What the job's token is exchanged for: the name of a member of [`exchange`](#exchange).
    pub(super) exchange: Option<String>,
    /// What becomes of a request whose token could not be exchanged.
    ///
    /// Default: `refuse`.
    pub(super) on_exchange_failure: Option<RawOnFailure>,
}

read_object!(RawRule {
    id: needed,
    effect,
    shadow,
    routes,
    hosts,
    issuer,
    roles,
    methods,
    paths,
    claims,
    when,
    schedule,
    client_certificate,
    replay,
    exchange,
    on_exchange_failure,
});

/// What the client's certificate must be; with no member, any that the gateway verified.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ClientCertificate", deny_unknown_fields)
)]
pub(super) struct RawCertificate {
    /// A glob over its subject, or several of which one must match.
    pub(super) subject: Option<OneOrMany<String>>,
    /// The same over its URI among the subject's alternative names, where the gateway tells it.
    pub(super) uri_san: Option<OneOrMany<String>>,
    /// The same over its DNS name there.
    pub(super) dns_san: Option<OneOrMany<String>>,
}

read_object!(RawCertificate {
    subject,
    uri_san,
    dns_san,
});

#[derive(Debug, Default, Clone, Copy)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Effect", rename_all = "snake_case")
)]
pub(super) enum RawEffect {
    #[default]
    Allow,
    Deny,
}

read_words!(RawEffect {
    Allow = "allow",
    Deny = "deny",
});

/// What is told to whom.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Audit", deny_unknown_fields)
)]
pub(super) struct RawAudit {
    /// What decision records hold beside code, rule, roles and identity. `code`: nothing more;
    /// `conditions`: which conditions failed; `claims`: on which values too.
    ///
    /// Default: `conditions`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) detail: RawDetail,
    /// What the refused client is told beside the code and its hint. `code`: nothing; `conditions`: which
    /// conditions failed.
    ///
    /// Default: `code`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) client: RawClient,
    /// How what is allowed goes on record. Refusals, and what rules on trial would refuse, always do.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) allowed: RawAllowed,
}

read_object!(RawAudit {
    detail,
    client,
    allowed,
});

/// How what is allowed goes on record.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Allowed", deny_unknown_fields)
)]
pub(super) struct RawAllowed {
    /// The level at which it is logged: `info` or `debug`.
    ///
    /// Default: `info`.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub(super) level: RawLevel,
    /// The share of it that is recorded, from `0` to `1`: with `0.01` one in a hundred.
    ///
    /// Default: `1`.
    #[cfg_attr(feature = "schema", schemars(default, with = "schema::Share"))]
    pub(super) sample: Option<f64>,
}

read_object!(RawAllowed { level, sample });

#[derive(Debug, Default, Clone, Copy)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Level", rename_all = "snake_case")
)]
pub(super) enum RawLevel {
    #[default]
    Info,
    Debug,
}

read_words!(RawLevel {
    Info = "info",
    Debug = "debug",
});

#[derive(Debug, Default, Clone, Copy)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Detail", rename_all = "snake_case")
)]
pub(super) enum RawDetail {
    Code,
    #[default]
    Conditions,
    Claims,
}

read_words!(RawDetail {
    Code = "code",
    Conditions = "conditions",
    Claims = "claims",
});

#[derive(Debug, Default, Clone, Copy)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "ClientDetail", rename_all = "snake_case")
)]
pub(super) enum RawClient {
    #[default]
    Code,
    Conditions,
}

read_words!(RawClient {
    Code = "code",
    Conditions = "conditions",
});
