//! From what was written to what is decided with: one conversion, which reports every error with its path.

mod assertion;
mod at;
mod cache;
mod exchange;
mod issuers;
mod jwks;
mod limits;
mod members;
mod polling;
mod revocations;
mod roles;
mod rules;
mod sessions;
#[cfg(test)]
mod tests;

use assertion::Environment;
pub(super) use at::At;
use exchange::Around;

use super::claim_name::ClaimName;
use super::compiled::{
    Allowed, Audit, ClientDetail, Detail, HeaderNames, Issuer, Level, Mode, Policy, Role, Rule,
};
use super::index::Index;
use super::raw::{
    self, RawAudit, RawClient, RawDetail, RawHeaders, RawHidden, RawLevel, RawMode, RawPolicy,
    RawToken,
};
use super::share::Share;
use super::when::When;
use crate::hex::hex;
use crate::json;
use crate::sha256::Hash;
use crate::sort::sort_by;
use crate::time::{parse_span, span_text};
use crate::token::Carrier;
use serde_json::{Map, Value};
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
    /// Everything that is wrong with it, or with its shape alone if that is not the right one.
    ///
    /// Keys of [`crate::assertion`] must be in it: there are no environment variables here.
    pub fn from_json(document: &[u8]) -> Result<Self, ConfigErrors> {
        Self::from_json_with(document, &|_| None)
    }

    /// The same, where keys may be in environment variables, which are looked up by their names.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn from_json_with(
        document: &[u8],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigErrors> {
        Self::compile(document, Environment::Variables(environment))
    }

    /// The same for a policy that is only looked at: what its environment variables hold is not asked. A gate with it
    /// that needs one of those keys refuses.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn examine(document: &[u8]) -> Result<Self, ConfigErrors> {
        Self::compile(document, Environment::Examined)
    }

    fn compile(document: &[u8], environment: Environment<'_>) -> Result<Self, ConfigErrors> {
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
        let digest = digest(&value);
        let raw: RawPolicy = raw::read(At::DOCUMENT, value).map_err(ConfigErrors)?;
        let mut checker = Checker { errors: Vec::new() };
        let policy = checker.policy(raw, digest, environment);
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
    #[cold]
    fn error(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(ConfigError {
            path: path.into(),
            message: message.into(),
        });
    }

    fn ok<'a, T>(&mut self, path: impl Into<At<'a>>, result: Result<T, String>) -> Option<T> {
        result
            .map_err(|message| self.error(path.into(), message))
            .ok()
    }

    fn policy(
        &mut self,
        raw: RawPolicy,
        digest: String,
        environment: Environment<'_>,
    ) -> Option<Policy> {
        let issuers = self.issuers(raw.issuers);
        let mut headers = self.headers(raw.headers);
        let carrier = self.carrier(raw.token, &headers.prefix);
        let roles = self.roles(raw.roles);
        let targets = target_names(raw.exchange.as_ref());
        let rules = self.rules(raw.rules, &roles, issuers.as_deref(), &targets);
        let cache = self.cache(raw.cache);
        let revocations = self.revocations(raw.revocations, issuers.as_deref());
        let claims_read = claims_read(issuers.as_deref().unwrap_or_default(), &roles.roles, &rules);
        let limits = self.limits(raw.limits, &roles, &rules, &mut headers);
        // After the limits, whose headers it must not take.
        let carried = carrier.as_ref().map(|carrier| carrier.header.as_str());
        let assertion = self.assertion(raw.assertion, environment, carried, &mut headers);
        let around = Around {
            environment,
            carrier: carrier
                .as_ref()
                .map(|carrier| (&*carrier.header, carrier.forward)),
            signs: assertion.as_ref().is_none_or(Option::is_some),
            enforces: matches!(raw.mode, RawMode::Enforce),
        };
        let exchange = self.exchange(raw.exchange, &around, &mut headers);
        let jwks_path = assertion
            .as_ref()
            .and_then(Option::as_ref)
            .map(|own| own.jwks_path.as_str());
        let sessions = self.sessions(raw.sessions, environment, issuers.as_deref(), jwks_path);
        let audit = self.audit(&raw.audit);
        let failed_verifications = raw
            .failed_verifications
            .and_then(|raw| self.rate("failed_verifications", &raw.rate, raw.burst));
        if !self.errors.is_empty() {
            return None;
        }
        Some(Policy {
            index: Index::new(&rules, &roles.roles, &roles.order),
            mode: match raw.mode {
                RawMode::Enforce => Mode::Enforce,
                RawMode::Shadow => Mode::Shadow,
            },
            issuer_order: in_order(issuers.as_deref().unwrap_or_default()),
            issuers: issuers?,
            carrier: carrier?,
            headers,
            roles: roles.roles,
            role_order: roles.order,
            claims_read,
            rules,
            audit: audit?,
            shared_data: raw.shared_data,
            note_route: raw.note_route,
            digest,
            cache: cache?,
            revocations: revocations?,
            limits: limits?,
            failed_verifications,
            assertion: assertion?,
            exchange: exchange?,
            sessions: sessions?,
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

    fn audit(&mut self, raw: &RawAudit) -> Option<Audit> {
        let sample = match raw.allowed.sample {
            None => Some(Share::ALL),
            Some(part) => self.ok(
                "audit.allowed.sample",
                Share::new(part).ok_or_else(|| {
                    let part = json::decimal(part);
                    format!("{part} is not a share from 0 to 1; write 0.01 for one in a hundred")
                }),
            ),
        };
        Some(Audit {
            detail: match raw.detail {
                RawDetail::Code => Detail::Code,
                RawDetail::Conditions => Detail::Conditions,
                RawDetail::Claims => Detail::Claims,
            },
            client: match raw.client {
                RawClient::Code => ClientDetail::Code,
                RawClient::Conditions => ClientDetail::Conditions,
            },
            allowed: Allowed {
                level: match raw.allowed.level {
                    RawLevel::Info => Level::Info,
                    RawLevel::Debug => Level::Debug,
                },
                sample: sample?,
            },
        })
    }

    fn name<'a>(&mut self, path: impl Into<At<'a>>, name: &str) {
        let fits = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if !fits {
            self.error(
                path.into(),
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

/// The places of issuers, sorted by their names, which are unique.
fn in_order(issuers: &[Issuer]) -> Vec<usize> {
    let names = issuers.iter().map(|issuer| issuer.issuer.as_str());
    let mut order: Vec<(&str, usize)> = names.zip(0..).collect();
    sort_by(&mut order, |a, b| a < b);
    order.into_iter().map(|(_, place)| place).collect()
}

/// What jobs' tokens are exchanged for, by its names in order.
fn target_names(raw: Option<&RawHidden>) -> Vec<&str> {
    let members = raw.and_then(|raw| raw.0.as_object());
    let names = members.into_iter().flat_map(Map::keys);
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    sort_by(&mut names, |a, b| a < b);
    names
}

/// The claims that conditions look at.
fn claims_read(issuers: &[Issuer], roles: &[Role], rules: &[Rule]) -> Vec<ClaimName> {
    let required = issuers.iter().map(|issuer| &issuer.required);
    let of_roles = roles.iter().flat_map(|role| &role.any_of);
    let sets = required
        .chain(of_roles.map(|set| &set.claims))
        .chain(rules.iter().map(|rule| &rule.claims));
    let whens = rules.iter().filter_map(|rule| rule.when.as_ref());
    let in_whens = whens.flat_map(When::claims_read).map(ClaimName::whole);
    let mut names: Vec<ClaimName> = Vec::new();
    let mut add = |name: &ClaimName| {
        if let Err(place) = names.binary_search(name) {
            names.insert(place, name.clone());
        }
    };
    sets.flat_map(|set| &set.0).for_each(|(name, _)| add(name));
    in_whens.for_each(|name| add(&name));
    names
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

/// The digest of the canonical form.
fn digest(document: &Value) -> String {
    /// So much is hashed at a time.
    const BLOCK: usize = 4 * 1024;

    struct Hasher {
        hash: Hash,
        pending: String,
    }
    impl fmt::Write for Hasher {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.pending.push_str(text);
            if self.pending.len() >= BLOCK {
                self.hash.update(&self.pending);
                self.pending.clear();
            }
            Ok(())
        }

        fn write_char(&mut self, character: char) -> fmt::Result {
            // There is room for very many of these behind a block.
            self.pending.push(character);
            Ok(())
        }
    }
    let mut hasher = Hasher {
        hash: Hash::new(),
        pending: String::with_capacity(2 * BLOCK),
    };
    json::canonical(document, &mut hasher);
    hasher.hash.update(&hasher.pending);
    format!("sha256:{}", hex(&hasher.hash.finalize()))
}
