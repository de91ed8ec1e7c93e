//! Placeholders: what a case file can't know because it is decided when the issuer starts.

use serde_json::{Map, Value};

use crate::issuer::Issuer;
use crate::mint::TokenSpec;

/// What `{{issuer}}`, `{{audience}}` and `{{jwks_uri}}` stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholders {
    /// The issuer's name, as `iss` has it.
    pub issuer: String,
    /// The audience of its tokens.
    pub audience: String,
    /// Where its key set is.
    pub jwks_uri: String,
}

impl From<&Issuer> for Placeholders {
    fn from(issuer: &Issuer) -> Self {
        Self {
            issuer: issuer.base_url(),
            audience: issuer.audience(),
            jwks_uri: issuer.jwks_uri(),
        }
    }
}

impl Placeholders {
    /// The names, for the check of what a file uses.
    const NAMES: [&str; 3] = ["issuer", "audience", "jwks_uri"];

    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "issuer" => Some(&self.issuer),
            "audience" => Some(&self.audience),
            "jwks_uri" => Some(&self.jwks_uri),
            _ => None,
        }
    }
}

/// A placeholder found in a text.
struct Found<'a> {
    before: &'a str,
    name: &'a str,
    after: &'a str,
}

/// The first placeholder of a text: a word of lower case letters and underscores in double braces.
fn find(text: &str) -> Option<Found<'_>> {
    let mut from = 0;
    while let Some(open) = text[from..].find("{{") {
        let start = from + open;
        let inner = &text[start + 2..];
        let length = inner
            .find(|c: char| !c.is_ascii_lowercase() && c != '_')
            .unwrap_or(inner.len());
        if length > 0 && inner[length..].starts_with("}}") {
            return Some(Found {
                before: &text[..start],
                name: &inner[..length],
                after: &inner[length + 2..],
            });
        }
        from = start + 1;
    }
    None
}

/// A placeholder in `value` that nothing stands for.
pub(super) fn unknown_in(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let mut rest = text.as_str();
            while let Some(found) = find(rest) {
                if !Placeholders::NAMES.contains(&found.name) {
                    return Some(found.name.to_owned());
                }
                rest = found.after;
            }
            None
        }
        Value::Array(items) => items.iter().find_map(unknown_in),
        Value::Object(members) => members.values().find_map(unknown_in),
        _ => None,
    }
}

pub(super) fn fill_text(text: &str, with: &Placeholders) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = find(rest) {
        filled.push_str(found.before);
        match with.get(found.name) {
            Some(value) => filled.push_str(value),
            // Can't be: the loader has refused it.
            None => filled.extend(["{{", found.name, "}}"]),
        }
        rest = found.after;
    }
    filled.push_str(rest);
    filled
}

pub(super) fn fill_value(value: &Value, with: &Placeholders) -> Value {
    match value {
        Value::String(text) => Value::String(fill_text(text, with)),
        Value::Array(items) => items.iter().map(|item| fill_value(item, with)).collect(),
        Value::Object(members) => Value::Object(fill_map(members, with)),
        other => other.clone(),
    }
}

fn fill_map(members: &Map<String, Value>, with: &Placeholders) -> Map<String, Value> {
    members
        .iter()
        .map(|(name, value)| (name.clone(), fill_value(value, with)))
        .collect()
}

pub(super) fn fill_token(spec: &TokenSpec, with: &Placeholders) -> TokenSpec {
    let text = |raw: &Option<String>| raw.as_ref().map(|raw| fill_text(raw, with));
    TokenSpec {
        claims: fill_map(&spec.claims, with),
        header: fill_map(&spec.header, with),
        raw_header: text(&spec.raw_header),
        raw_payload: text(&spec.raw_payload),
        raw: text(&spec.raw),
        ..spec.clone()
    }
}
