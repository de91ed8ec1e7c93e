//! What the gate vouches with. No message here quotes what may be a key.

use super::{At, Checker, NOT_CARRIERS, TAKEN_PREFIXES, is_word, secs};
use crate::assertion::{AssertionPolicy, KeySetDocument, SigningKey};
use crate::policy::compiled::HeaderNames;
use crate::policy::raw::RawAssertion;
use crate::request::NormalPath;
use serde_json::Value;
use std::time::Duration;
use zeroize::Zeroizing;

const DEFAULT_PATH: &str = "/.well-known/jobgate/jwks.json";

/// One signs, one more while it is replaced, and as many again.
const MAX_KEYS: usize = 4;

/// The longest issuer and audience, which every assertion repeats.
const MAX_NAME: usize = 512;

/// Where keys are found that the configuration only names.
#[derive(Clone, Copy)]
pub(in crate::policy) enum Environment<'e> {
    /// Variables by their names.
    Variables(&'e dyn Fn(&str) -> Option<String>),
    /// Nowhere, and nothing will be signed.
    Examined,
}

impl Checker {
    /// The assertion, if there is one; nothing at all after an error. Its header joins the names.
    pub(super) fn assertion(
        &mut self,
        raw: Option<RawAssertion>,
        environment: Environment<'_>,
        carrier: Option<&str>,
        headers: &mut HeaderNames,
    ) -> Option<Option<AssertionPolicy>> {
        let Some(raw) = raw else {
            return Some(None);
        };
        for (path, name) in [
            ("assertion.issuer", &raw.issuer),
            ("assertion.audience", &raw.audience),
        ] {
            if !(1..=MAX_NAME).contains(&name.len()) {
                self.error(path, format!("is not a text of 1 to {MAX_NAME} bytes"));
            }
        }
        let lifetime = self.span(
            "assertion.lifetime",
            raw.lifetime,
            secs(60),
            secs(1)..=secs(600),
        );
        let header = self.assertion_header(raw.header, carrier, headers);
        let jwks_path = self.jwks_path(raw.jwks_path);
        let keys = self.signing_keys(&raw.keys.0, environment)?;
        let header = header?;
        headers.set_assertion(&header);
        Some(Some(AssertionPolicy {
            issuer: raw.issuer,
            audience: raw.audience,
            // A JWT's times are whole seconds.
            lifetime: Duration::from_secs(lifetime?.as_secs()),
            header,
            jwks_path: jwks_path?,
            jwks: KeySetDocument::new(&keys),
            keys,
        }))
    }

    fn assertion_header(
        &mut self,
        raw: Option<String>,
        carrier: Option<&str>,
        headers: &HeaderNames,
    ) -> Option<String> {
        let path = "assertion.header";
        let default = format!("{}assertion", headers.prefix);
        let Some(header) = raw else {
            if headers.all().any(|name| name == default) {
                self.error(
                    path,
                    format!("{default:?} is the header of something else; write another"),
                );
            }
            return Some(default);
        };
        let header = header.to_ascii_lowercase();
        let means_something_else = NOT_CARRIERS.contains(&header.as_str())
            || matches!(header.as_str(), "authorization" | "proxy-authorization")
            || TAKEN_PREFIXES.iter().any(|taken| header.starts_with(taken));
        if header.len() > 64 || !header.split('-').all(is_word) || means_something_else {
            let message = format!("can't carry an assertion; write a header like {default:?}");
            self.error(path, message);
            return None;
        }
        if carrier == Some(&header) || headers.all().any(|name| name == header) {
            let message = format!(
                "{header:?} is the header of something else; write one that nothing else uses"
            );
            self.error(path, message);
            return None;
        }
        Some(header)
    }

    fn jwks_path(&mut self, raw: Option<String>) -> Option<String> {
        self.own_path("assertion.jwks_path", raw, DEFAULT_PATH)
    }

    /// A path at which the gate itself answers.
    pub(super) fn own_path(
        &mut self,
        at: &str,
        raw: Option<String>,
        default: &str,
    ) -> Option<String> {
        let path = raw.unwrap_or_else(|| default.into());
        let is_normal = path.len() <= 256
            && !path.contains(['?', '#', '%'])
            && NormalPath::parse(path.as_bytes()).is_ok_and(|normal| normal.as_str() == path);
        if !is_normal || path == "/" {
            let message = format!(
                "is not a path in its normal form, without query and escapes; write one like {default:?}"
            );
            self.error(at, message);
            return None;
        }
        Some(path)
    }

    fn signing_keys(
        &mut self,
        raw: &Value,
        environment: Environment<'_>,
    ) -> Option<Vec<SigningKey>> {
        let path = At::from("assertion.keys");
        let raw = raw.as_array().map_or(&[][..], Vec::as_slice);
        if !(1..=MAX_KEYS).contains(&raw.len()) {
            let message = format!(
                "is not a list of 1 to {MAX_KEYS} keys; write each as an object with jwk, pem or env"
            );
            self.error(path, message);
            return None;
        }
        let mut keys: Vec<SigningKey> = Vec::with_capacity(raw.len());
        let errors_before = self.errors.len();
        for (nth, raw) in raw.iter().enumerate() {
            let at = path.item(nth);
            match signing_key(raw, environment) {
                Ok(Some(key)) if keys.iter().any(|known| known.kid() == key.kid()) => {
                    self.error(at, "has the kid of a key before it; write each key once");
                }
                Ok(key) => keys.extend(key),
                Err((Some(member), why)) => self.error(at.member(member), why),
                Err((None, why)) => self.error(at, why),
            }
        }
        (self.errors.len() == errors_before).then_some(keys)
    }
}

impl Environment<'_> {
    /// What the variable of this name holds; nothing where it need not be at hand.
    ///
    /// # Errors
    /// It is no name, or there is no such variable.
    fn variable(self, name: &Value) -> Result<Option<Zeroizing<String>>, &'static str> {
        let name = name
            .as_str()
            .filter(|name| is_variable(name))
            .ok_or("is not the name of an environment variable: letters, digits and \"_\"")?;
        match self {
            Self::Examined => Ok(None),
            Self::Variables(variable) => variable(name).map(Zeroizing::new).map(Some).ok_or(
                "names an environment variable that is not set here; on Envoy the VM is given it by vm_config.environment_variables",
            ),
        }
    }

    /// The same for an object `{"env": "NAME"}`; an empty text where it need not be at hand.
    ///
    /// # Errors
    /// As [`Self::variable`], or it is no such object.
    pub(super) fn read(self, raw: &Value) -> Result<Zeroizing<String>, &'static str> {
        let members = raw.as_object().filter(|members| members.len() == 1);
        let name = members
            .and_then(|members| members.get("env"))
            .ok_or("is neither a text nor an object with env")?;
        Ok(self.variable(name)?.unwrap_or_default())
    }
}

/// A key; none where it need not be at hand. Else the member that is wrong, and why.
fn signing_key(
    raw: &Value,
    environment: Environment<'_>,
) -> Result<Option<SigningKey>, (Option<&'static str>, &'static str)> {
    let whole = (None, "is not an object with one of jwk, pem and env");
    let members = raw.as_object().filter(|members| members.len() == 1);
    let (name, value) = members.and_then(|it| it.iter().next()).ok_or(whole)?;
    let text = value.as_str();
    match (name.as_str(), text) {
        ("jwk", _) => SigningKey::from_jwk(value).map_err(|why| (Some("jwk"), why)),
        ("pem", Some(text)) => SigningKey::from_pem(text).map_err(|why| (Some("pem"), why)),
        ("pem", None) => Err((Some("pem"), "is not a text")),
        ("env", _) => {
            let of_env = |why| (Some("env"), why);
            let text = environment.variable(value).map_err(of_env)?;
            let Some(text) = text else { return Ok(None) };
            SigningKey::from_text(&text).map_err(of_env)
        }
        _ => Err(whole),
    }
    .map(Some)
}

fn is_variable(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
