//! Parameters that may name claims: `{claims.pipeline_slug}`.

use super::ExchangeError;
use crate::policy::ClaimName;
use crate::token::{Claims, scalar_text};

/// The most bytes that a parameter has once its claims are in it.
const MAX_BYTES: usize = 2_048;

/// A text in which claims are put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Claim(ClaimName),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// What is wrong with it, and the remedy.
    pub fn parse(written: &str) -> Result<Self, String> {
        let remedy = "write a text in which {claims.NAME} stands for a claim of the job's token";
        let mut parts = Vec::new();
        let mut rest = written;
        while let Some((text, after)) = rest.split_once('{') {
            let (named, after) = after
                .split_once('}')
                .ok_or_else(|| format!("has a brace that nothing closes; {remedy}"))?;
            let name = named
                .strip_prefix("claims.")
                .ok_or_else(|| format!("has {{{named}}}, which is no claim; {remedy}"))?;
            parts.push(Part::Text(text.to_owned()));
            parts.push(Part::Claim(ClaimName::parse(name)?));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        let is_plain = |part: &Part| match part {
            Part::Text(text) => {
                !text.contains('}') && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
            }
            Part::Claim(_) => true,
        };
        if parts.is_empty() || !parts.iter().all(is_plain) || written.len() > MAX_BYTES {
            return Err(format!(
                "is empty, longer than {MAX_BYTES} bytes or has a character that is not printable ASCII; {remedy}"
            ));
        }
        Ok(Self(parts))
    }

    /// The text with the values of claims in it.
    ///
    /// A value may have letters, digits and `_+=,.@-`: the name of an ARN, a scope or a path ends nowhere within it.
    ///
    /// # Errors
    /// A claim is not there, or has another value.
    pub(super) fn fill(&self, claims: &Claims) -> Result<String, ExchangeError> {
        self.filled(claims, |value| {
            value.bytes().all(is_of_names).then(|| value.to_owned())
        })
    }

    /// The same for what only names: each character of a value that it may not have becomes a hyphen.
    ///
    /// # Errors
    /// A claim is not there, or is no text.
    pub(super) fn fill_name(&self, claims: &Claims) -> Result<String, ExchangeError> {
        self.filled(claims, |value| {
            let fit = |it: char| {
                if it.is_ascii() && is_of_names(it as u8) {
                    it
                } else {
                    '-'
                }
            };
            Some(value.chars().map(fit).collect())
        })
    }

    fn filled(
        &self,
        claims: &Claims,
        escape: impl Fn(&str) -> Option<String>,
    ) -> Result<String, ExchangeError> {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Claim(name) => {
                    let value = name.find(claims).and_then(scalar_text);
                    let value = value.filter(|value| !value.is_empty()).ok_or_else(|| {
                        ExchangeError::new(format!(
                            "the token has no text in its claim {}",
                            name.as_str()
                        ))
                    })?;
                    out.push_str(&escape(&value).ok_or_else(|| {
                        ExchangeError::new(format!(
                            "the claim {} has a character other than letters, digits and _+=,.@-",
                            name.as_str()
                        ))
                    })?);
                }
            }
        }
        if out.len() > MAX_BYTES {
            return Err(ExchangeError::new(
                "a parameter is too long with its claims",
            ));
        }
        Ok(out)
    }
}

/// What AWS takes in the names of roles and sessions, and nothing takes for a separator.
pub(super) const fn is_of_names(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'=' | b',' | b'.' | b'@' | b'-')
}
