//! The tables of docs/policy.md, from the schema's descriptions.
//!
//! In the page a table stands between `<!-- generated: NAME -->` and `<!-- end -->`. `make docs` writes them,
//! and a test tells when one is not true any more.

use serde_json::Value;

/// A table of the page.
pub(super) struct Section {
    /// As in the page's marker.
    pub(super) name: &'static str,
    /// The definitions whose members are its rows (none for the whole policy), each with what their names begin
    /// with.
    parts: &'static [(&'static str, &'static str)],
    /// The heads of the columns of names and meanings.
    heads: (&'static str, &'static str),
    /// The order of the rows; those that are not named here come last. A schema's members have none.
    order: &'static [&'static str],
}

pub(super) const SECTIONS: &[Section] = &[
    Section {
        name: "policy",
        parts: &[("", "")],
        heads: ("member", "meaning"),
        order: &[
            "mode",
            "issuers",
            "token",
            "headers",
            "roles",
            "rules",
            "audit",
            "shared_data",
            "cache",
            "revocations",
            "limits",
            "failed_verifications",
            "assertion",
            "exchange",
            "sessions",
        ],
    },
    Section {
        name: "mode",
        parts: &[("Mode", "")],
        heads: ("value", "meaning"),
        order: &["enforce", "shadow"],
    },
    Section {
        name: "issuers",
        parts: &[("Issuer", ""), ("Jwks", "jwks.")],
        heads: ("member", "meaning"),
        order: &[
            "preset",
            "issuer",
            "audience",
            "algorithms",
            "tenant_claims",
            "claims",
            "identity",
            "leeway",
            "max_lifetime",
            "jwks.uri",
            "jwks.discovery",
            "jwks.cluster",
            "jwks.refresh",
            "jwks.timeout",
            "jwks.max_stale",
            "jwks.wait",
            "keys",
        ],
    },
    Section {
        name: "token",
        parts: &[("Token", "")],
        heads: ("member", "meaning"),
        order: &["header", "forward"],
    },
    Section {
        name: "rules",
        parts: &[("Rule", "")],
        heads: ("member of a rule", "meaning"),
        order: &[
            "id",
            "effect",
            "shadow",
            "issuer",
            "routes",
            "hosts",
            "methods",
            "paths",
            "roles",
            "claims",
            "schedule",
            "when",
            "client_certificate",
            "replay",
            "exchange",
            "on_exchange_failure",
        ],
    },
    Section {
        name: "matchers",
        parts: &[("Matchers", "")],
        heads: ("matcher", "holds if the claim's text"),
        order: &["equals", "not_equals", "in", "not_in", "matches"],
    },
    Section {
        name: "audit",
        parts: &[("Audit", "")],
        heads: ("member", "meaning"),
        order: &["detail", "client"],
    },
    Section {
        name: "cache",
        parts: &[("Cache", "")],
        heads: ("member", "meaning"),
        order: &["entries", "bytes"],
    },
    Section {
        name: "revocations",
        parts: &[("Revocations", "")],
        heads: ("member", "meaning"),
        order: &[
            "entries",
            "uri",
            "cluster",
            "interval",
            "timeout",
            "max_stale",
            "unavailable",
        ],
    },
    Section {
        name: "revocation-entries",
        parts: &[("Revocation", "")],
        heads: ("member of an entry", "meaning"),
        order: &["issuer", "claims", "kid", "token_sha256", "expires", "note"],
    },
    Section {
        name: "limits",
        parts: &[("Limit", "")],
        heads: ("member", "meaning"),
        order: &[
            "id",
            "key",
            "rules",
            "rate",
            "burst",
            "tiers",
            "unavailable",
            "enforce_by",
        ],
    },
    Section {
        name: "tiers",
        parts: &[("Tier", "")],
        heads: ("member of a tier", "meaning"),
        order: &["roles", "claims", "rate", "burst"],
    },
    Section {
        name: "failed_verifications",
        parts: &[("FailedVerifications", "")],
        heads: ("member", "meaning"),
        order: &["rate", "burst"],
    },
    Section {
        name: "assertion",
        parts: &[("Assertion", ""), ("AssertionKey", "keys[].")],
        heads: ("member", "meaning"),
        order: &[
            "issuer",
            "audience",
            "lifetime",
            "header",
            "jwks_path",
            "keys",
            "keys[].jwk",
            "keys[].pem",
            "keys[].env",
        ],
    },
    Section {
        name: "token_exchange",
        parts: &[
            ("TokenExchange", ""),
            ("ExchangeClient", "client."),
            ("Impersonation", "impersonate."),
        ],
        heads: ("member", "meaning"),
        order: &[
            "uri",
            "cluster",
            "timeout",
            "subject_token_type",
            "requested_token_type",
            "audience",
            "resource",
            "scope",
            "client.id",
            "client.secret",
            "client.method",
            "client.assertion",
            "impersonate.service_account",
            "impersonate.scopes",
            "impersonate.lifetime",
            "impersonate.uri",
            "impersonate.cluster",
            "header",
        ],
    },
    Section {
        name: "assume_role",
        parts: &[("AssumeRole", "")],
        heads: ("member", "meaning"),
        order: &[
            "role_arn",
            "session_name",
            "duration",
            "service",
            "region",
            "host",
            "uri",
            "cluster",
            "timeout",
        ],
    },
    Section {
        name: "vault_login",
        parts: &[("VaultLogin", "")],
        heads: ("member", "meaning"),
        order: &["uri", "cluster", "timeout", "mount", "role", "namespace"],
    },
    Section {
        name: "sessions",
        parts: &[
            ("Sessions", ""),
            ("SessionEnd", "end."),
            ("SessionWebhook", "end.webhook."),
        ],
        heads: ("member", "meaning"),
        order: &[
            "end",
            "end.path",
            "end.token",
            "end.webhook",
            "end.webhook.secret",
            "end.webhook.issuer",
        ],
    },
];

/// A member, or a value of an enumeration.
struct Row {
    name: String,
    default: Option<String>,
    meaning: String,
}

/// The table of a section, if there is one of that name.
pub(super) fn table(schema: &Value, section: &str) -> Option<String> {
    let section = SECTIONS.iter().find(|known| known.name == section)?;
    let mut rows = Vec::new();
    for (definition, prefix) in section.parts {
        let definition = match *definition {
            "" => schema,
            name => &schema["$defs"][name],
        };
        rows.extend(rows_of(definition, prefix));
    }
    // Members that the same table has the members of.
    let is_parent = |row: &Row| {
        let below = format!("{}.", row.name);
        section.parts.iter().any(|(_, prefix)| *prefix == below)
    };
    rows.retain(|row| !is_parent(row));
    let place = |name: &str| section.order.iter().position(|known| *known == name);
    rows.sort_by_key(|row| place(&row.name).unwrap_or(usize::MAX));
    let (names, meanings) = section.heads;
    let has_defaults = rows.iter().any(|row| row.default.is_some());
    let mut lines = if has_defaults {
        vec![
            format!("| {names} | default | {meanings} |"),
            "|---|---|---|".into(),
        ]
    } else {
        vec![format!("| {names} | {meanings} |"), "|---|---|".into()]
    };
    lines.extend(rows.iter().map(
        |Row {
             name,
             default,
             meaning,
         }| {
            match (has_defaults, default) {
                (false, _) => format!("| `{name}` | {meaning} |"),
                (true, None) => format!("| `{name}` | | {meaning} |"),
                (true, Some(default)) => format!("| `{name}` | {default} | {meaning} |"),
            }
        },
    ));
    Some(lines.join("\n") + "\n")
}

/// The members of an object, or the values of an enumeration.
fn rows_of(definition: &Value, prefix: &str) -> Vec<Row> {
    let members = definition["properties"].as_object().into_iter().flatten();
    let members = members.map(|(name, member)| {
        let mut row = row(format!("{prefix}{name}"), member);
        let required = definition["required"].as_array();
        if required.is_some_and(|required| required.iter().any(|member| member == name)) {
            row.default = Some("required".into());
        }
        row
    });
    let values = definition["oneOf"].as_array().into_iter().flatten();
    let values = values.filter_map(|value| Some(row(value["const"].as_str()?.to_owned(), value)));
    members.chain(values).collect()
}

fn row(name: String, schema: &Value) -> Row {
    let description = schema["description"].as_str().unwrap_or_default();
    let (meaning, default) = match description.split_once("\n\nDefault: ") {
        Some((meaning, default)) => (meaning, Some(cell(default))),
        None => (description, None),
    };
    Row {
        name,
        default,
        meaning: cell(meaning),
    }
}

/// A cell: without the capital at its beginning and the stop at its end.
fn cell(text: &str) -> String {
    let text = text.strip_suffix('.').unwrap_or(text).replace('|', "\\|");
    let word = text
        .split([' ', '\'', '['])
        .find(|word| !word.is_empty())
        .unwrap_or_default();
    let is_name = word.len() > 1 && word.chars().all(char::is_uppercase);
    if is_name {
        return text;
    }
    // Also within a link: `[Who may sign](#issuers)`.
    let first = text.find(|first| first != '[').unwrap_or_default();
    let mut chars = text.chars();
    let before: String = chars.by_ref().take(first).collect();
    let lower = chars.next().into_iter().flat_map(char::to_lowercase);
    before.chars().chain(lower).chain(chars.clone()).collect()
}
