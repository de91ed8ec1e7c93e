//! A suggestion as YAML, with what its rules come from in comments.

use super::Suggestion;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The order in which members are written; others come after these, by name.
const ORDER: &[&str] = &[
    "id",
    "preset",
    "mode",
    "effect",
    "shadow",
    "issuer",
    "issuers",
    "audience",
    "token",
    "headers",
    "roles",
    "routes",
    "hosts",
    "methods",
    "paths",
    "claims",
    "when",
    "schedule",
    "client_certificate",
    "replay",
    "audit",
    "cache",
    "revocations",
    "rules",
];

/// The policy, in YAML that every parser reads alike.
pub(crate) fn yaml(suggestion: &Suggestion) -> String {
    let mut text = String::new();
    let empty = Map::new();
    for (name, value) in ordered(suggestion.policy.as_object().unwrap_or(&empty)) {
        match value {
            Value::Array(rules) if name == "rules" && !rules.is_empty() => {
                text += "rules:\n";
                for rule in rules {
                    comment(&mut text, suggestion, rule);
                    item(&mut text, rule, 1);
                }
            }
            value => member(&mut text, name, value, 0),
        }
    }
    text
}

fn comment(text: &mut String, suggestion: &Suggestion, rule: &Value) {
    let id = rule["id"].as_str().unwrap_or_default();
    if let Some(evidence) = suggestion.evidence.get(id) {
        let requests = if evidence.requests == 1 {
            "request"
        } else {
            "requests"
        };
        // Ids of decisions come from a log: what is none is not written.
        let is_id = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        };
        let example = match evidence.example.as_str() {
            id if is_id(id) && !id.is_empty() => format!(", such as {id}"),
            _ => String::new(),
        };
        _ = writeln!(
            text,
            "  # {} {requests}, {} to {}{example}",
            evidence.requests, evidence.first, evidence.last
        );
    }
}

fn ordered(members: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let mut ordered: Vec<_> = members
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let place = |name: &str| {
        ORDER
            .iter()
            .position(|known| *known == name)
            .unwrap_or(ORDER.len() - 1)
    };
    ordered.sort_by_key(|(name, _)| (place(name), *name));
    ordered
}

fn member(text: &mut String, name: &str, value: &Value, depth: usize) {
    *text += &"  ".repeat(depth);
    *text += &scalar(name);
    text.push(':');
    match value {
        Value::Object(members) if !members.is_empty() && !is_short(value) => {
            text.push('\n');
            for (name, value) in ordered(members) {
                member(text, name, value, depth + 1);
            }
        }
        Value::Array(items) if items.iter().any(|each| each.is_object() && !is_short(each)) => {
            text.push('\n');
            for each in items {
                item(text, each, depth + 1);
            }
        }
        value => {
            text.push(' ');
            *text += &flow(value);
            text.push('\n');
        }
    }
}

/// An item of a list. Its first member stands beside the dash.
fn item(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            let mut inner = String::new();
            for (name, value) in ordered(members) {
                member(&mut inner, name, value, depth + 1);
            }
            *text += &indent;
            *text += "- ";
            *text += inner.trim_start();
        }
        value => {
            *text += &indent;
            *text += "- ";
            *text += &flow(value);
            text.push('\n');
        }
    }
}

/// Whether it fits on a line with its name.
fn is_short(value: &Value) -> bool {
    flow(value).len() <= 72
}

fn flow(value: &Value) -> String {
    let list =
        |items: Vec<String>, open: &str, close: &str| format!("{open}{}{close}", items.join(", "));
    match value {
        Value::Array(items) => list(items.iter().map(flow).collect(), "[", "]"),
        Value::Object(members) if members.is_empty() => "{}".into(),
        Value::Object(members) => {
            let members = ordered(members).into_iter();
            let member =
                |(name, value): (&str, &Value)| format!("{}: {}", scalar(name), flow(value));
            list(members.map(member).collect(), "{ ", " }")
        }
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A text: plain where that can be read in no other way, else in double quotes, with JSON's escapes, which are
/// YAML's too.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let mut characters = text.chars();
    let begins_plain = characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, '/' | '_'));
    let is_plain =
        |each: char| each.is_ascii_alphanumeric() || matches!(each, '_' | '-' | '.' | '/');
    if begins_plain
        && characters.all(is_plain)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
    {
        return text.to_owned();
    }
    let mut quoted = String::new();
    for character in Value::from(text).to_string().chars() {
        match character {
            // What YAML takes for no character, for a line break, or for a mark.
            '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            other => quoted.push(other),
        }
    }
    quoted
}
