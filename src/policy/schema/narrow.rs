//! What the types leave open: how a text looks, and which lists and objects may be empty.
//!
//! Each of these is also said by [`crate::policy::Policy::from_json`], which has the better words. Here it lets
//! tools tell early, Kong among them, which checks a configuration by this schema before the filter sees it.
//!
//! Patterns keep to what is the same in ECMA 262, PCRE and Rust's engines.

use serde_json::{Value, json};

/// The whole policy, among definitions.
const POLICY: &str = "";

/// The names of rules, roles and limits.
const NAME: &str = "^[A-Za-z0-9._-]{1,64}$";
/// An address of keys or revocations.
const ADDRESS: &str = "^https?://.";
/// What the gateway calls a server.
const SERVER: &str = "^(?!.*://)[!-~]+$";
/// Words with hyphens between them.
const WORDS: &str = "^[a-z0-9]+(-[a-z0-9]+)*$";
/// A path of Vault's.
const MOUNT: &str = "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$";
const DATE: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";

/// How the texts of a member look, whether it is one or a list: definition, member, pattern.
const TEXTS: &[(&str, &str, &str)] = &[
    ("Assertion", "audience", "."),
    ("Assertion", "header", "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$"),
    ("Assertion", "issuer", "."),
    ("Assertion", "jwks_path", "^/[^?#%]+$"),
    ("AssertionKey", "env", "^[A-Za-z_][A-Za-z0-9_]{0,127}$"),
    ("AssertionKey", "pem", "."),
    ("AssumeRole", "cluster", SERVER),
    ("AssumeRole", "region", WORDS),
    ("AssumeRole", "role_arn", "^arn:.*:role/"),
    ("AssumeRole", "service", WORDS),
    ("AssumeRole", "session_name", "."),
    ("AssumeRole", "uri", ADDRESS),
    ("ClientCertificate", "dns_san", "."),
    ("ClientCertificate", "subject", "."),
    ("ClientCertificate", "uri_san", "."),
    ("Dates", "from", DATE),
    ("Dates", "to", DATE),
    ("ExchangeClient", "id", "."),
    ("Headers", "prefix", "^([a-z0-9]+-){2,}$"),
    ("IdentityClaims", "agent", "."),
    ("IdentityClaims", "branch", "."),
    ("IdentityClaims", "build", "."),
    ("IdentityClaims", "commit", "."),
    ("IdentityClaims", "job", "."),
    ("IdentityClaims", "organization", "."),
    ("IdentityClaims", "pipeline", "."),
    ("IdentityClaims", "step", "."),
    ("Impersonation", "cluster", SERVER),
    ("Impersonation", "service_account", "."),
    ("Impersonation", "uri", ADDRESS),
    ("Issuer", "audience", "."),
    ("Issuer", "issuer", "."),
    ("Jwks", "cluster", SERVER),
    ("Jwks", "uri", ADDRESS),
    ("Limit", "id", NAME),
    ("Limit", "key", "."),
    ("Matchers", "matches", "."),
    ("Revocation", "kid", "."),
    (
        "Revocation",
        "token_sha256",
        "^([0-9A-Fa-f]{64}|[A-Za-z0-9_-]{43})$",
    ),
    ("Revocations", "cluster", SERVER),
    ("Revocations", "uri", ADDRESS),
    ("Rule", "hosts", r"^(\*\.)?[^*/]+$"),
    ("Rule", "id", NAME),
    ("Rule", "methods", "^[A-Z-]+$"),
    ("Rule", "paths", "^/[^?]*$"),
    ("Rule", "routes", "."),
    ("Rule", "when", "."),
    ("SessionEnd", "path", "^/[^?#%]+$"),
    ("SessionWebhook", "issuer", "."),
    ("Token", "header", "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$"),
    ("WindowMembers", "days", "^(mon|tue|wed|thu|fri|sat|sun)$"),
    ("WindowMembers", "from", "^([01][0-9]|2[0-3]):[0-5][0-9]$"),
    (
        "WindowMembers",
        "to",
        "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
    ),
    ("TokenExchange", "audience", "."),
    ("TokenExchange", "cluster", SERVER),
    ("TokenExchange", "header", "^[A-Za-z0-9]+(-[A-Za-z0-9]+)*$"),
    ("TokenExchange", "resource", "."),
    ("TokenExchange", "scope", "."),
    ("TokenExchange", "uri", ADDRESS),
    ("VaultLogin", "cluster", SERVER),
    ("VaultLogin", "mount", MOUNT),
    ("VaultLogin", "namespace", MOUNT),
    ("VaultLogin", "role", "."),
    ("VaultLogin", "uri", ADDRESS),
];

/// The lists that say something when they are empty. What an empty list means anywhere else, nothing or
/// anything, would be a guess.
const MAY_BE_EMPTY: &[(&str, &str)] = &[
    (POLICY, "limits"),
    (POLICY, "rules"),
    ("Issuer", "tenant_claims"),
    ("Limit", "tiers"),
    ("Revocations", "entries"),
];

/// Adds all that to a schema, and tells which of the members above it does not have.
pub(super) fn narrow(schema: &mut Value) -> Vec<String> {
    let mut missing = Vec::new();
    each_list(schema, &mut |list| list["minItems"] = 1.into());
    for (definition, member) in MAY_BE_EMPTY {
        match member_of(schema, definition, member) {
            Some(Value::Object(list)) => {
                list.remove("minItems");
            }
            _ => missing.push(format!("{definition}.{member}")),
        }
    }
    for (definition, member, pattern) in TEXTS {
        match member_of(schema, definition, member) {
            Some(member) => each_text(member, pattern),
            None => missing.push(format!("{definition}.{member}")),
        }
    }
    let others = [
        ("Assertion", "keys", json!({ "maxItems": 4 })),
        ("Cache", "entries", json!({ "maximum": 1_000_000 })),
        (
            "FailedVerifications",
            "burst",
            json!({ "minimum": 1, "maximum": 1_000_000 }),
        ),
        ("Headers", "prefix", json!({ "maxLength": 32 })),
        ("Issuer", "claims", json!({ "minProperties": 1 })),
        (POLICY, "limits", json!({ "maxItems": 16 })),
        (
            "Limit",
            "burst",
            json!({ "minimum": 1, "maximum": 1_000_000 }),
        ),
        (
            "Limit",
            "key",
            json!({ "maxItems": 8, "uniqueItems": true }),
        ),
        ("Revocation", "claims", json!({ "minProperties": 1 })),
        ("Revocation", "note", json!({ "maxLength": 200 })),
        (
            "Tier",
            "burst",
            json!({ "minimum": 1, "maximum": 1_000_000 }),
        ),
    ];
    for (definition, member, keywords) in others {
        match member_of(schema, definition, member) {
            Some(member) => extend(member, keywords),
            None => missing.push(format!("{definition}.{member}")),
        }
    }
    for (definition, keywords) in [
        ("ClaimSet", json!({ "minProperties": 1 })),
        ("Dates", json!({ "minProperties": 1 })),
        (
            "Issuer",
            json!({ "anyOf": [{ "required": ["preset"] }, { "required": ["issuer"] }] }),
        ),
        (
            "WindowMembers",
            json!({ "minProperties": 2, "required": ["timezone"] }),
        ),
    ] {
        match schema.pointer_mut(&format!("/$defs/{definition}")) {
            Some(definition) => extend(definition, keywords),
            None => missing.push(definition.into()),
        }
    }
    match member_of(schema, POLICY, "roles").and_then(Value::as_object_mut) {
        Some(roles) => {
            let role = roles.insert("additionalProperties".into(), false.into());
            roles.insert("patternProperties".into(), json!({ NAME: role }));
        }
        None => missing.push("roles".into()),
    }
    missing
}

fn member_of<'s>(schema: &'s mut Value, definition: &str, member: &str) -> Option<&'s mut Value> {
    let members = match definition {
        POLICY => "/properties".to_owned(),
        name => format!("/$defs/{name}/properties"),
    };
    schema.pointer_mut(&members)?.get_mut(member)
}

fn extend(schema: &mut Value, keywords: Value) {
    if let (Value::Object(schema), Value::Object(keywords)) = (schema, keywords) {
        schema.extend(keywords);
    }
}

/// Every schema of a list within a schema.
fn each_list(schema: &mut Value, change: &mut impl FnMut(&mut Value)) {
    if schema.get("type").is_some_and(|name| name == "array") {
        change(schema);
    }
    match schema {
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| each_list(member, change)),
        Value::Array(items) => items.iter_mut().for_each(|item| each_list(item, change)),
        _ => {}
    }
}

/// Gives the pattern to a member that is a text, a list of texts, or either.
fn each_text(schema: &mut Value, pattern: &str) {
    if schema.get("type").is_some_and(|name| name == "string") {
        match pattern {
            // The same, in the word that validators have a better message for.
            "." => extend(schema, json!({ "minLength": 1 })),
            pattern => extend(schema, json!({ "pattern": pattern })),
        }
    }
    if let Some(items) = schema.get_mut("items") {
        each_text(items, pattern);
    }
    let either = schema.get_mut("anyOf").and_then(Value::as_array_mut);
    for schema in either.into_iter().flatten() {
        each_text(schema, pattern);
    }
}
