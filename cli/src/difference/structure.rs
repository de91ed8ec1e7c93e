//! What differs between two policies as they are written.

use jobgate::assertion::{KeySetDocument, SigningKey};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A part of a policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// A member of the whole policy: `mode`.
    Setting(String),
    /// An issuer, by its name or its preset.
    Issuer(String),
    /// A role, by its name.
    Role(String),
    /// A rule, by its id.
    Rule(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Added,
    Removed,
    Changed,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// A part that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) part: Part,
    pub(crate) kind: Kind,
    /// Of a part that changed, which of its members did.
    pub(crate) members: Vec<String>,
}

impl Part {
    /// As a path below the policy.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Setting(name) => name.clone(),
            Self::Issuer(name) => format!("issuers.{name}"),
            Self::Role(name) => format!("roles.{name}"),
            Self::Rule(id) => format!("rules.{id}"),
        }
    }
}

/// The parts of a policy, each in a form in which what means the same is the same.
pub(crate) fn parts(policy: &Value) -> BTreeMap<Part, Value> {
    let mut parts = BTreeMap::new();
    let empty = Map::new();
    for (name, value) in policy.as_object().unwrap_or(&empty) {
        match (name.as_str(), value) {
            ("rules", Value::Array(rules)) => parts.extend(rules.iter().map(|rule| {
                let id = rule["id"].as_str().unwrap_or_default();
                (Part::Rule(id.to_owned()), alike(rule))
            })),
            ("issuers", Value::Array(issuers)) => parts.extend(issuers.iter().map(|issuer| {
                let name = issuer["issuer"].as_str().or(issuer["preset"].as_str());
                (
                    Part::Issuer(name.unwrap_or_default().to_owned()),
                    alike(issuer),
                )
            })),
            ("roles", Value::Object(roles)) => parts.extend(roles.iter().map(|(name, role)| {
                let sets = match role {
                    Value::Array(sets) => sets.iter().map(alike).collect(),
                    set => vec![alike(set)],
                };
                (Part::Role(name.clone()), sorted(sets))
            })),
            ("assertion", Value::Object(assertion)) => {
                parts.insert(Part::Setting(name.clone()), without_secrets(assertion));
            }
            _ => {
                parts.insert(Part::Setting(name.clone()), value.clone());
            }
        }
    }
    parts
}

/// What the gate vouches with, its keys by their public halves: what differs is shown.
fn without_secrets(assertion: &Map<String, Value>) -> Value {
    let mut shown = assertion.clone();
    let keys = shown.get_mut("keys").and_then(Value::as_array_mut);
    for key in keys.into_iter().flatten() {
        let read = match (key.get("jwk"), key.get("pem").and_then(Value::as_str)) {
            (Some(jwk), _) => SigningKey::from_jwk(jwk),
            (None, Some(pem)) => SigningKey::from_pem(pem),
            // Only the name of a variable.
            (None, None) => continue,
        };
        *key = read.map_or(Value::Null, |read| {
            let public = KeySetDocument::new(&[read]).body;
            serde_json::from_str(&public).unwrap_or_default()
        });
    }
    shown.into()
}

/// What is added, removed or changed, by part.
pub(crate) fn changes(old: &Value, new: &Value) -> Vec<Change> {
    let (old, new) = (parts(old), parts(new));
    let all: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    all.into_iter()
        .filter_map(|part| {
            let (kind, members) = match (old.get(part), new.get(part)) {
                (Some(old), Some(new)) if old == new => return None,
                (Some(old), Some(new)) => (Kind::Changed, differing(old, new)),
                (None, Some(_)) => (Kind::Added, Vec::new()),
                (Some(_), None) => (Kind::Removed, Vec::new()),
                (None, None) => return None,
            };
            Some(Change {
                part: part.clone(),
                kind,
                members,
            })
        })
        .collect()
}

/// The members that differ, by name.
fn differing(old: &Value, new: &Value) -> Vec<String> {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return Vec::new();
    };
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .flat_map(|name| match (old.get(name), new.get(name)) {
            (Some(Value::Object(a)), Some(Value::Object(b))) if name == "claims" => {
                let inner: BTreeSet<_> = a.keys().chain(b.keys()).collect();
                let differ = inner
                    .into_iter()
                    .filter(|claim| a.get(*claim) != b.get(*claim));
                differ.map(|claim| format!("claims.{claim}")).collect()
            }
            _ => vec![name.clone()],
        })
        .collect()
}

/// A rule, a claim set or an issuer, without what makes no difference: the order of lists, a list around a
/// single item, the short form of `equals`, and defaults.
fn alike(part: &Value) -> Value {
    let Value::Object(members) = part else {
        return part.clone();
    };
    let mut out = Map::new();
    for (name, value) in members {
        let value = match (name.as_str(), value) {
            ("effect", Value::String(effect)) if effect == "allow" => continue,
            ("replay", Value::String(replay)) if replay == "allow" => continue,
            ("shadow", Value::Bool(false)) => continue,
            ("claims", Value::Object(claims)) if claims.is_empty() => continue,
            ("claims", Value::Object(claims)) => claims
                .iter()
                .map(|(claim, test)| (claim.clone(), alike_test(test)))
                .collect(),
            (
                "methods" | "paths" | "hosts" | "routes" | "roles" | "audience" | "algorithms"
                | "issuer" | "tenant_claims" | "schedule",
                value,
            ) => match value {
                Value::Array(items) => sorted(items.clone()),
                one => json!([one]),
            },
            (_, value) => value.clone(),
        };
        out.insert(name.clone(), value);
    }
    Value::Object(out)
}

fn alike_test(test: &Value) -> Value {
    let Value::Object(matchers) = test else {
        return json!({ "equals": text(test) });
    };
    matchers
        .iter()
        .map(|(matcher, value)| {
            let value = match value {
                Value::Array(items) => sorted(items.iter().map(text).collect()),
                one if matcher == "matches" => json!([one]),
                one => text(one),
            };
            (matcher.clone(), value)
        })
        .collect()
}

/// Scalars compare by their text.
fn text(scalar: &Value) -> Value {
    match scalar {
        Value::Number(_) | Value::Bool(_) => scalar.to_string().into(),
        other => other.clone(),
    }
}

fn sorted(mut items: Vec<Value>) -> Value {
    items.sort_by_cached_key(Value::to_string);
    items.dedup();
    Value::Array(items)
}

/// The old policy with this one part as the new one has it, and the roles that only the new one has: a role
/// that no rule names changes nothing.
pub(crate) fn with(old: &Value, new: &Value, part: &Part) -> Value {
    let mut policy = old.clone();
    let empty = Map::new();
    for (name, role) in new["roles"].as_object().unwrap_or(&empty) {
        if old["roles"].get(name).is_none() {
            policy["roles"][name] = role.clone();
        }
    }
    let listed = |list: &str, is_meant: &dyn Fn(&Value) -> bool| {
        let items = |policy: &Value| policy[list].as_array().cloned().unwrap_or_default();
        let (mut of_old, of_new) = (items(old), items(new));
        let replacement = of_new.into_iter().find(|item| is_meant(item));
        match (of_old.iter().position(is_meant), replacement) {
            (Some(place), Some(item)) => of_old[place] = item,
            (Some(place), None) => drop(of_old.remove(place)),
            (None, Some(item)) => of_old.push(item),
            (None, None) => {}
        }
        Value::Array(of_old)
    };
    match part {
        Part::Setting(name) => match new.get(name) {
            Some(value) => policy[name] = value.clone(),
            None => {
                policy.as_object_mut().map(|members| members.remove(name));
            }
        },
        Part::Role(name) => match new["roles"].get(name) {
            Some(role) => policy["roles"][name] = role.clone(),
            None => {
                policy["roles"]
                    .as_object_mut()
                    .map(|roles| roles.remove(name));
            }
        },
        Part::Rule(id) => policy["rules"] = listed("rules", &|rule| rule["id"] == id.as_str()),
        Part::Issuer(name) => {
            policy["issuers"] = listed("issuers", &|issuer| {
                issuer["issuer"].as_str().or(issuer["preset"].as_str()) == Some(name)
            });
        }
    }
    policy
}
