//! What a record tells of a token's claims.

use super::record::{Record, whole};
use jobgate::policy::{ClaimName, ClaimTest, Detail, IdentityField, Issuer, Policy};
use jobgate::token::Claims;
use serde_json::Map;

/// A claim, as far as a record tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// It is this.
    Is(serde_json::Value),
    /// It is a scalar with this text.
    Text(String),
    /// It is missing or null.
    Absent,
    /// The record doesn't tell.
    Unknown,
}

/// A record, with what is known of the policy that made it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) record: &'a Record,
    /// The issuer, which tells what the parts of the identity are.
    pub(crate) issuer: Option<&'a Issuer>,
    /// The policy that made the record, if it is at hand: its claims are there, or the token lacks them.
    pub(crate) maker: Option<&'a Policy>,
}

impl Seen<'_> {
    /// A claim.
    pub(crate) fn claim(&self, name: &ClaimName) -> Value {
        let record = self.record;
        if let Some(value) = record.claims.get(name.as_str()) {
            return told(value);
        }
        if !name.is_whole() {
            return self.within(name);
        }
        let claim = name.claim();
        // The same claim by its other name.
        let escaped = format!("/{}", claim.replace('~', "~0").replace('/', "~1"));
        if let Some(value) = record
            .claims
            .get(&escaped)
            .or_else(|| record.claims.get(claim))
        {
            return told(value);
        }
        if let Some(issuer) = record.issuer.as_deref().filter(|_| claim == "iss") {
            return whole(issuer).map_or(Value::Unknown, |iss| Value::Is(iss.into()));
        }
        if let Some(subject) = record.subject.as_deref().filter(|_| claim == "sub") {
            return text(subject);
        }
        if let Some(part) = self.part(claim) {
            return text(part);
        }
        self.unless_absent(name)
    }

    /// What stands within a claim.
    fn within(&self, name: &ClaimName) -> Value {
        match self.claim(&ClaimName::whole(name.claim())) {
            Value::Is(value @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) => {
                let members = Map::from_iter([(name.claim().to_owned(), value)]);
                match name.find(&Claims::new(members)) {
                    Some(value) => Value::Is(value.clone()),
                    None => Value::Absent,
                }
            }
            // A clipped object is told as a text.
            Value::Is(_) | Value::Text(_) | Value::Absent => self.unless_absent(name),
            Value::Unknown => self.unless_absent(name),
        }
    }

    /// A claim that the record doesn't have: absent, if it would have it.
    fn unless_absent(&self, name: &ClaimName) -> Value {
        let would_tell = self.record.claims_left_out == 0
            && self.maker.is_some_and(|policy| {
                policy.audit.detail == Detail::Claims && policy.claims_read.contains(name)
            });
        if would_tell {
            Value::Absent
        } else {
            Value::Unknown
        }
    }

    /// The part of the identity that is this claim.
    fn part(&self, claim: &str) -> Option<&str> {
        let identity = &self.issuer?.identity;
        let (field, _) = identity.iter().find(|(_, name)| name == claim)?;
        self.identity(*field)
    }

    /// A part of the identity, whole or clipped.
    pub(crate) fn identity(&self, field: IdentityField) -> Option<&str> {
        self.record.identity.get(field.name()).map(String::as_str)
    }

    /// Whether a test holds; nothing where the record doesn't tell.
    pub(crate) fn holds(&self, name: &ClaimName, test: &ClaimTest) -> Option<bool> {
        match self.claim(name) {
            Value::Is(value) => Some(test.holds(Some(&value))),
            Value::Absent => Some(false),
            Value::Unknown => None,
            // Globs are for strings only, and it may be a number.
            Value::Text(text) => {
                let as_string = test.holds(Some(&text.as_str().into()));
                match scalar(&text) {
                    Some(other) if test.holds(Some(&other)) != as_string => None,
                    _ => Some(as_string),
                }
            }
        }
    }
}

/// A value of `claims`.
fn told(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::String(text) if whole(text).is_none() => Value::Unknown,
        value => Value::Is(value.clone()),
    }
}

/// A value that is told by its text.
fn text(text: &str) -> Value {
    match whole(text) {
        None => Value::Unknown,
        Some(text) if scalar(text).is_none() => Value::Is(text.into()),
        Some(text) => Value::Text(text.to_owned()),
    }
}

/// The number or the boolean that has this text.
fn scalar(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text)
        .ok()
        .filter(|value: &serde_json::Value| value.is_number() || value.is_boolean())
}

/// Puts a value where a name leads.
pub(crate) fn put(
    members: &mut Map<String, serde_json::Value>,
    name: &ClaimName,
    value: serde_json::Value,
) {
    let mut parts: Vec<String> = match name.as_str().strip_prefix('/') {
        Some(pointer) => pointer
            .split('/')
            .map(|part| part.replace("~1", "/").replace("~0", "~"))
            .collect(),
        None => vec![name.as_str().to_owned()],
    };
    let Some(last) = parts.pop() else { return };
    let mut place = members;
    for part in parts {
        let inner = place
            .entry(part)
            .or_insert_with(|| serde_json::Value::Object(Map::new()));
        let serde_json::Value::Object(inner) = inner else {
            return;
        };
        place = inner;
    }
    place.insert(last, value);
}
