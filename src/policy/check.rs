//! From what was written to what is decided with: one conversion, which reports every error with its path.

use super::compiled::{
    Audit, ClaimSet, ClientDetail, Detail, Effect, HeaderNames, Issuer, Mode, Policy, Role, Rule,
};
use super::glob::{ClaimGlob, PathGlob};
use super::matcher::ClaimTest;
use super::pin::is_pinned;
use super::preset::{Preset, shared_tenants};
use super::raw::{
    OneOrMany, RawAudit, RawClaimRule, RawClient, RawDetail, RawEffect, RawHeaders, RawIssuer,
    RawJwks, RawMode, RawPolicy, RawRole, RawRule, RawToken, Scalar,
};
use crate::json;
use crate::keys::{JwksSource, JwksUri, KeySet};
use crate::time::{parse_span, span_text};
use crate::token::{Algorithm, Carrier};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

const DEFAULT_PREFIX: &str = "x-jobgate-";

/// One thing wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Where: `rules[2].claims.build_branch`; empty for the document as a whole.
    pub path: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "{path}: {}", self.message),
        }
    }
}

/// All that is wrong with a configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl Policy {
    /// Compiles a configuration document (JSON).
    ///
    /// # Errors
    /// Everything that is wrong with it: the first error if it is not of the right shape, else all there are.
    pub fn from_json(document: &[u8]) -> Result<Self, ConfigErrors> {
        let one = |path: String, message: String| ConfigErrors(vec![ConfigError { path, message }]);
        if document.is_empty() {
            return Err(one(
                String::new(),
                "there is no configuration; write issuers and rules".into(),
            ));
        }
        let value = json::parse(document).map_err(|error| {
            one(
                String::new(),
                format!("the configuration is not JSON that can be read in one way only: {error}"),
            )
        })?;
        if !value.is_object() {
            return Err(one(
                String::new(),
                "the configuration is not a JSON object".into(),
            ));
        }
        let mut canonical = String::new();
        json::canonical(&value, &mut canonical);
        let raw: RawPolicy = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = match error.path().to_string() {
                root if root == "." => String::new(),
                path => path,
            };
            one(path, error.inner().to_string())
        })?;
        let mut checker = Checker { errors: Vec::new() };
        let policy = checker.policy(raw, &canonical);
        match (policy, checker.errors.is_empty()) {
            (Some(policy), true) => Ok(policy),
            _ => Err(ConfigErrors(checker.errors)),
        }
    }
}

/// Collects errors. Each method returns what it could make, or nothing after having reported why; so a
/// `None` on the way never goes without an error.
struct Checker {
    errors: Vec<ConfigError>,
}

impl Checker {
    fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(ConfigError {
            path: path.into(),
            message: message.into(),
        });
    }

    fn ok<T>(&mut self, path: &str, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.error(path, message)).ok()
    }

    fn policy(&mut self, raw: RawPolicy, canonical: &str) -> Option<Policy> {
        let issuers = self.issuers(raw.issuers);
        let headers = self.headers(raw.headers);
        let carrier = self.carrier(raw.token, &headers.prefix);
        let roles = self.roles(raw.roles);
        let rules = self.rules(raw.rules, &roles, &issuers);
        Some(Policy {
            mode: match raw.mode {
                RawMode::Enforce => Mode::Enforce,
                RawMode::Shadow => Mode::Shadow,
            },
            issuers,
            carrier: carrier?,
            headers,
            roles,
            rules,
            audit: audit(&raw.audit),
            digest: digest(canonical),
        })
    }

    fn issuers(&mut self, raw: Vec<RawIssuer>) -> Vec<Issuer> {
        if raw.is_empty() {
            self.error("issuers", "no issuer is trusted; name at least one");
        }
        let mut issuers: Vec<Issuer> = Vec::new();
        for (nth, raw) in raw.into_iter().enumerate() {
            let path = format!("issuers[{nth}]");
            let Some(issuer) = self.issuer(&path, raw) else {
                continue;
            };
            if issuers.iter().any(|other| other.issuer == issuer.issuer) {
                let message = format!(
                    "{:?} is named twice; give one issuer both audiences",
                    issuer.issuer
                );
                self.error(format!("{path}.issuer"), message);
            }
            issuers.push(issuer);
        }
        issuers
    }

    fn issuer(&mut self, path: &str, raw: RawIssuer) -> Option<Issuer> {
        let at = |field: &str| format!("{path}.{field}");
        let preset = match raw.preset.as_deref() {
            None => None,
            Some(name) => match Preset::named(name) {
                Some(preset) => Some(preset),
                None => {
                    let known: Vec<_> = Preset::ALL.iter().map(|preset| preset.name).collect();
                    self.error(
                        at("preset"),
                        format!("{name:?} is no preset; there is {known:?}"),
                    );
                    return None;
                }
            },
        };
        let issuer = raw
            .issuer
            .clone()
            .or_else(|| preset.map(|preset| preset.issuer.into()));
        if issuer.as_deref().is_none_or(str::is_empty) {
            self.error(
                at("issuer"),
                "is missing; write the token's `iss`, or name a preset",
            );
        }
        let is_presets_own = preset.is_some_and(|preset| issuer.as_deref() == Some(preset.issuer));
        let audiences = self.audiences(&at("audience"), raw.audience);
        let algorithms = self.algorithms(&at("algorithms"), raw.algorithms, preset);
        let tenant_claims = self.tenant_claims(
            &at("tenant_claims"),
            raw.tenant_claims,
            issuer.as_deref(),
            preset,
        )?;
        let leeway = self.span(&at("leeway"), raw.leeway, secs(30), secs(0)..=secs(600));
        let default = preset.map_or(secs(3_600), |preset| preset.max_lifetime);
        let max_lifetime = self.span(
            &at("max_lifetime"),
            raw.max_lifetime,
            default,
            secs(1)..=secs(7 * 86_400),
        );
        let inline_keys = match raw.keys {
            None => None,
            Some(document) => {
                let path = at("keys");
                let set = KeySet::from_value(&document)
                    .map_err(|error| format!("{error}; paste the issuer's JWKS document"));
                Some(self.ok(&path, set)?)
            }
        };
        let jwks = match (raw.jwks, inline_keys.is_some()) {
            (None, true) => None,
            (raw, _) => {
                // Another issuer than the preset's must not be proven with the preset's keys.
                let default = preset
                    .filter(|_| is_presets_own)
                    .map(|preset| preset.jwks_uri);
                Some(self.jwks(&at("jwks"), raw.unwrap_or_default(), default)?)
            }
        };
        Some(Issuer {
            issuer: issuer?,
            audiences: audiences?,
            algorithms: algorithms?,
            tenant_claims,
            leeway: leeway?,
            max_lifetime: max_lifetime?,
            jwks,
            inline_keys,
            identity: preset.map_or(&[], |preset| preset.identity),
        })
    }

    /// A provider's own issuer signs for all of its customers, whether its preset was named or not: its
    /// tenants can be pinned by fewer claims than the preset's, but by no others and not by none.
    fn tenant_claims(
        &mut self,
        path: &str,
        raw: Option<Vec<String>>,
        issuer: Option<&str>,
        preset: Option<&Preset>,
    ) -> Option<Vec<String>> {
        let shared = issuer.and_then(shared_tenants);
        let of_preset = preset.map(|preset| preset.tenant_claims);
        let known = shared.or(of_preset).unwrap_or_default();
        let Some(claims) = raw else {
            return Some(known.iter().copied().map(String::from).collect());
        };
        let pins_tenants =
            !claims.is_empty() && claims.iter().all(|claim| known.contains(&claim.as_str()));
        if shared.is_some() && !pins_tenants {
            let message = format!(
                "this issuer signs for all of its customers, and only {known:?} tell them apart; leave this out"
            );
            self.error(path, message);
            return None;
        }
        Some(claims)
    }

    fn audiences(&mut self, path: &str, raw: OneOrMany<String>) -> Option<Vec<String>> {
        if raw.items.is_empty() || raw.items.iter().any(String::is_empty) {
            self.error(
                path,
                "is empty; write the audience that jobs ask their token for",
            );
            return None;
        }
        Some(raw.items)
    }

    fn algorithms(
        &mut self,
        path: &str,
        raw: Option<Vec<String>>,
        preset: Option<&Preset>,
    ) -> Option<Vec<Algorithm>> {
        let known: Vec<_> = Algorithm::ALL
            .iter()
            .map(|algorithm| algorithm.name())
            .collect();
        let Some(names) = raw else {
            let defaults = preset.map(|preset| preset.algorithms.to_vec());
            if defaults.is_none() {
                self.error(
                    path,
                    format!("is missing; list what the issuer signs with, of {known:?}"),
                );
            }
            return defaults;
        };
        if names.is_empty() {
            self.error(
                path,
                format!("is empty; list what the issuer signs with, of {known:?}"),
            );
            return None;
        }
        let mut algorithms = Vec::new();
        for (nth, name) in names.iter().enumerate() {
            match Algorithm::ALL
                .iter()
                .find(|algorithm| algorithm.name() == name)
            {
                Some(algorithm) => algorithms.push(*algorithm),
                None => {
                    let message = format!("{name:?} is not supported; supported are {known:?}");
                    self.error(format!("{path}[{nth}]"), message);
                }
            }
        }
        (algorithms.len() == names.len()).then_some(algorithms)
    }

    fn jwks(&mut self, path: &str, raw: RawJwks, default: Option<&str>) -> Option<JwksSource> {
        let at = |field: &str| format!("{path}.{field}");
        let uri = match raw.uri.as_deref().or(default) {
            Some(uri) => self.ok(&at("uri"), JwksUri::parse(uri)),
            None => {
                self.error(
                    at("uri"),
                    "is missing; write the address of the issuer's key set",
                );
                None
            }
        };
        let refresh = self.span(
            &at("refresh"),
            raw.refresh,
            secs(600),
            secs(10)..=secs(86_400),
        );
        let timeout = self.span(
            &at("timeout"),
            raw.timeout,
            secs(5),
            Duration::from_millis(100)..=secs(60),
        );
        let max_stale = self.span(
            &at("max_stale"),
            raw.max_stale,
            secs(86_400),
            secs(10)..=secs(30 * 86_400),
        );
        let (uri, refresh, max_stale) = (uri?, refresh?, max_stale?);
        if max_stale < refresh {
            self.error(
                at("max_stale"),
                "is shorter than refresh, so keys would be dropped before the next fetch",
            );
        }
        let cluster = raw.cluster.unwrap_or_else(|| uri.host_and_port());
        if cluster.is_empty()
            || cluster.contains("://")
            || !cluster.bytes().all(|byte| byte.is_ascii_graphic())
        {
            self.error(
                at("cluster"),
                format!(
                    "{cluster:?} is no server; write Envoy's cluster name, or host:port on Kong"
                ),
            );
        }
        Some(JwksSource {
            cluster,
            uri,
            refresh,
            timeout: timeout?,
            max_stale,
        })
    }

    fn headers(&mut self, raw: RawHeaders) -> HeaderNames {
        let prefix = raw.prefix.unwrap_or_else(|| DEFAULT_PREFIX.into());
        let well_formed = prefix.len() <= 32
            && prefix.strip_suffix('-').is_some_and(|words| {
                words.split('-').count() >= 2 && words.split('-').all(is_word)
            });
        if !well_formed || TAKEN_PREFIXES.contains(&prefix.as_str()) {
            let message = format!(
                "{prefix:?} is not a prefix of its own; write two words or more in lower case that end in \"-\", like {DEFAULT_PREFIX:?}"
            );
            self.error("headers.prefix", message);
        }
        HeaderNames::new(&prefix)
    }

    fn carrier(&mut self, raw: RawToken, prefix: &str) -> Option<Carrier> {
        let header = raw
            .header
            .unwrap_or_else(|| "authorization".into())
            .to_ascii_lowercase();
        if !header.split('-').all(is_word) || NOT_CARRIERS.contains(&header.as_str()) {
            let message =
                format!("{header:?} can't carry a token; write a header like \"authorization\"");
            self.error("token.header", message);
            return None;
        }
        if header.starts_with(prefix) {
            self.error(
                "token.header",
                format!("begins with {prefix:?}, which only the gate may set"),
            );
            return None;
        }
        Some(Carrier {
            header,
            forward: raw.forward,
        })
    }

    fn roles(&mut self, raw: BTreeMap<String, OneOrMany<RawRole>>) -> Vec<Role> {
        let mut roles = Vec::new();
        for (name, sets) in raw {
            let path = format!("roles.{name}");
            self.name(&path, &name);
            if sets.items.is_empty() {
                self.error(&path, "has no claim set, so no job ever has it");
            }
            let mut any_of = Vec::new();
            for (nth, set) in sets.items.into_iter().enumerate() {
                let path = if sets.is_list {
                    format!("{path}[{nth}]")
                } else {
                    path.clone()
                };
                if set.claims.is_empty() {
                    self.error(
                        format!("{path}.claims"),
                        "is empty, so every job would have the role; name a claim",
                    );
                }
                any_of.push(self.claims(&format!("{path}.claims"), set.claims));
            }
            roles.push(Role { name, any_of });
        }
        roles
    }

    fn rules(&mut self, raw: Vec<RawRule>, roles: &[Role], issuers: &[Issuer]) -> Vec<Rule> {
        let mut rules: Vec<Rule> = Vec::new();
        for (nth, raw) in raw.into_iter().enumerate() {
            let path = format!("rules[{nth}]");
            self.name(&format!("{path}.id"), &raw.id);
            if rules.iter().any(|rule| rule.id == raw.id) {
                self.error(
                    format!("{path}.id"),
                    format!("{:?} is the id of two rules; ids are unique", raw.id),
                );
            }
            let errors_before = self.errors.len();
            let rule = self.rule(&path, raw, roles);
            // A rule with errors may look unpinned only because of them.
            if self.errors.len() == errors_before {
                self.require_pins(&path, &rule, roles, issuers);
            }
            rules.push(rule);
        }
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        rules
    }

    fn rule(&mut self, path: &str, raw: RawRule, roles: &[Role]) -> Rule {
        let at = |field: &str| format!("{path}.{field}");
        let mut places = Vec::new();
        for (nth, name) in self
            .non_empty(&at("roles"), raw.roles)
            .into_iter()
            .enumerate()
        {
            match roles.iter().position(|role| role.name == name) {
                Some(place) => places.push(place),
                None => {
                    let known: Vec<_> = roles.iter().map(|role| &role.name).collect();
                    self.error(
                        format!("{path}.roles[{nth}]"),
                        format!("{name:?} is no role; there are {known:?}"),
                    );
                }
            }
        }
        let methods = self.non_empty(&at("methods"), raw.methods);
        for (nth, method) in methods.iter().enumerate() {
            if method.is_empty()
                || !method
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
            {
                let message =
                    format!("{method:?} is no method; they are in upper case, like \"POST\"");
                self.error(format!("{path}.methods[{nth}]"), message);
            }
        }
        let mut paths = Vec::new();
        for (nth, text) in self.non_empty(&at("paths"), raw.paths).iter().enumerate() {
            paths.extend(self.ok(&format!("{path}.paths[{nth}]"), PathGlob::parse(text)));
        }
        let effect = match raw.effect {
            RawEffect::Allow => Effect::Allow,
            RawEffect::Deny => Effect::Deny,
        };
        let claims = self.claims(&at("claims"), raw.claims);
        Rule {
            id: raw.id,
            effect,
            roles: places,
            methods,
            paths,
            claims,
        }
    }

    /// A list that, where it is written, must not be empty: is an empty one "any" or "none"?
    fn non_empty(&mut self, path: &str, list: Option<Vec<String>>) -> Vec<String> {
        if list.as_ref().is_some_and(Vec::is_empty) {
            self.error(
                path,
                "is empty, which matches nothing; name one, or leave the list out for any",
            );
        }
        list.unwrap_or_default()
    }

    fn require_pins(&mut self, path: &str, rule: &Rule, roles: &[Role], issuers: &[Issuer]) {
        for issuer in issuers {
            if !is_pinned(rule, roles, issuer) {
                let message = format!(
                    "any customer of {} could meet this rule; pin the tenant in its claims or in each of its roles: {} by equals, in, or matches without a leading wildcard",
                    issuer.issuer,
                    issuer.tenant_claims.join(" or ")
                );
                self.error(path, message);
            }
        }
    }

    fn claims(&mut self, path: &str, raw: BTreeMap<String, RawClaimRule>) -> ClaimSet {
        let tests = raw
            .into_iter()
            .map(|(name, raw)| {
                let test = self.claim(&format!("{path}.{name}"), raw);
                (name, test)
            })
            .collect();
        ClaimSet(tests)
    }

    fn claim(&mut self, path: &str, raw: RawClaimRule) -> ClaimTest {
        let texts = |list: Vec<Scalar>| list.into_iter().map(|scalar| scalar.0).collect::<Vec<_>>();
        let lists_nothing = [
            ("in", raw.one_of.as_ref().is_some_and(Vec::is_empty)),
            ("not_in", raw.none_of.as_ref().is_some_and(Vec::is_empty)),
            (
                "matches",
                raw.matches
                    .as_ref()
                    .is_some_and(|globs| globs.items.is_empty()),
            ),
        ];
        for (name, _) in lists_nothing.into_iter().filter(|(_, empty)| *empty) {
            self.error(
                format!("{path}.{name}"),
                "is empty; list at least one value",
            );
        }
        let matches = raw.matches.map(|globs| {
            let path = format!("{path}.matches");
            globs
                .items
                .iter()
                .filter_map(|text| self.ok(&path, ClaimGlob::parse(text)))
                .collect()
        });
        let test = ClaimTest {
            equals: raw.equals.map(|scalar| scalar.0),
            not_equals: raw.not_equals.map(|scalar| scalar.0),
            one_of: raw.one_of.map(texts),
            none_of: raw.none_of.map(texts),
            matches,
        };
        if test == ClaimTest::default() {
            self.error(path, "asks for nothing; write a value, or one of equals, not_equals, in, not_in, matches");
        }
        test
    }

    fn name(&mut self, path: &str, name: &str) {
        let fits = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if !fits {
            self.error(
                path,
                format!(
                    "{name:?} is not a name of 1 to 64 letters, digits, \"-\", \"_\" and \".\""
                ),
            );
        }
    }

    fn span(
        &mut self,
        path: &str,
        raw: Option<String>,
        default: Duration,
        accepted: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let Some(text) = raw else {
            return Some(default);
        };
        let span = self.ok(path, parse_span(&text))?;
        if !accepted.contains(&span) {
            let (least, most) = (span_text(*accepted.start()), span_text(*accepted.end()));
            self.error(path, format!("{text:?} is not between {least} and {most}"));
            return None;
        }
        Some(span)
    }
}

/// Prefixes under which gateways and upstreams have headers of their own.
const TAKEN_PREFIXES: [&str; 7] = [
    "x-forwarded-",
    "x-real-",
    "x-envoy-",
    "x-kong-",
    "x-request-",
    "sec-fetch-",
    "access-control-",
];

/// Headers that mean something else to the host, or that it may change on its own.
const NOT_CARRIERS: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
];

fn is_word(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn audit(raw: &RawAudit) -> Audit {
    Audit {
        detail: match raw.detail {
            Some(RawDetail::Code) => Detail::Code,
            None | Some(RawDetail::Conditions) => Detail::Conditions,
            Some(RawDetail::Claims) => Detail::Claims,
        },
        client: match raw.client {
            None | Some(RawClient::Code) => ClientDetail::Code,
            Some(RawClient::Conditions) => ClientDetail::Conditions,
        },
    }
}

fn digest(canonical: &str) -> String {
    use fmt::Write;
    let mut text = String::from("sha256:");
    for byte in hmac_sha256::Hash::hash(canonical.as_bytes()) {
        // Writing to a String cannot fail.
        _ = write!(text, "{byte:02x}");
    }
    text
}
