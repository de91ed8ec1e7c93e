//! The schema and the gate agree: what the gate accepts is valid, and what it refuses for its shape is not.

mod command;

use jobgate::policy::Policy;
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn printed(args: &[&str]) -> Value {
    let ran = command::run(args, "");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    serde_json::from_str(&ran.stdout).expect("it is one JSON document")
}

/// The schema as it is, and as Kong reads it.
fn validators() -> [Validator; 2] {
    let schema = printed(&["schema"]);
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let kong = &printed(&["schema", "--kong"])["config_schema"];
    assert!(jsonschema::draft4::meta::is_valid(kong));
    let build = |draft, schema| {
        jsonschema::options()
            .with_draft(draft)
            .build(schema)
            .expect("it is a schema")
    };
    [
        build(Draft::Draft202012, &schema),
        build(Draft::Draft4, kong),
    ]
}

/// Objects that may be policies, wherever they are in a document.
fn candidates(value: &Value, all: &mut Vec<Value>) {
    match value {
        Value::Object(members) => {
            if members.contains_key("issuers") && members.contains_key("rules") {
                all.push(value.clone());
            }
            members.values().for_each(|member| candidates(member, all));
        }
        Value::Array(items) => items.iter().for_each(|item| candidates(item, all)),
        _ => {}
    }
}

/// Every policy of the cases and the docs.
fn policies() -> Vec<Value> {
    let read = |path: &Path| fs::read_to_string(path).expect("it can be read");
    let mut texts = vec![read(&repository().join("test-harness/configurations.yaml"))];
    for entry in fs::read_dir(repository().join("test-harness/cases")).expect("it is there") {
        texts.push(read(&entry.expect("it is there").path()));
    }
    for (page, fence) in [("docs/policy.md", "```yaml\n"), ("README.md", "```json\n")] {
        let page = read(&repository().join(page));
        let blocks = page.split(fence).skip(1);
        texts.extend(blocks.map(|block| block.split("```").next().unwrap_or_default().to_owned()));
    }
    let mut all = Vec::new();
    for text in texts {
        let text = text
            .replace("{{issuer}}", "https://agent.buildkite.com")
            .replace("{{audience}}", "a")
            .replace("{{jwks_uri}}", "https://agent.buildkite.com/k");
        let document: Value = serde_saphyr::from_str(&text).expect("it is YAML");
        candidates(&document, &mut all);
    }
    all
}

/// A policy with every member there is.
fn everything() -> Value {
    json!({
        "mode": "shadow",
        "issuers": [
            {
                "preset": "github", "audience": "a", "algorithms": ["RS256"], "tenant_claims": ["repository_owner"],
                "claims": { "repository_owner": "acme" }, "identity": { "agent": "runner_environment" },
                "leeway": "10s", "max_lifetime": "10m",
                "jwks": {
                    "uri": "https://k.example/k", "discovery": false, "cluster": "k", "refresh": "1m", "timeout": "1s",
                    "max_stale": "1h", "wait": "1s",
                },
            },
            {
                "issuer": "https://ci.example", "audience": ["a", "b"], "algorithms": ["RS256", "EdDSA"],
                "keys": { "keys": [{
                    "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                }] },
            },
        ],
        "token": { "header": "x-token", "forward": true },
        "headers": { "prefix": "x-gate-" },
        "roles": {
            "one": { "claims": { "a": "b" } },
            "many": [{ "roles": ["one"], "claims": { "a": { "equals": 1, "not_equals": true, "in": ["x", 2], "not_in": [false], "matches": "x*" } } }],
        },
        "rules": [
            {
                "id": "r", "effect": "allow", "shadow": true, "issuer": "github", "routes": ["deploy"], "hosts": ["*.acme.example"],
                "schedule": [{ "days": ["mon"], "from": "08:00", "to": "24:00", "timezone": "UTC", "dates": { "from": "2026-12-20", "to": "2027-01-03" } }],
                "when": "claims.a != \"b\"",
                "client_certificate": { "subject": "CN=ci", "uri_san": ["spiffe://acme/*"], "dns_san": "ci.acme.example" }, "roles": ["one", "many"], "methods": ["GET"],
                "paths": ["/x/**"], "claims": { "c": { "matches": ["a", "b*"] }, "d": 1.5 }, "replay": "once",
            },
            { "id": "d", "effect": "deny", "issuer": ["github", "https://ci.example"] },
        ],
        "audit": { "detail": "claims", "client": "conditions" },
        "shared_data": true,
        "cache": { "entries": 10, "bytes": "1MiB" },
        "revocations": {
            "entries": [
                { "claims": { "a": 1 }, "expires": "2027-01-15T08:00:00Z", "note": "n" },
                { "issuer": "https://ci.example", "kid": "k", "expires": 1_800_000_000 },
                { "token_sha256": "0".repeat(64) },
            ],
            "uri": "https://r.example/r", "cluster": "r", "interval": "1m", "timeout": "1s", "max_stale": "1h",
            "unavailable": "allow",
        },
    })
}

#[test]
fn the_test_has_every_member_that_the_schema_has() {
    let text = everything().to_string();
    let schema = printed(&["schema"]);
    let mut objects = vec![&schema];
    objects.extend(
        schema["$defs"]
            .as_object()
            .expect("it is an object")
            .values(),
    );
    for name in objects
        .iter()
        .filter_map(|each| each["properties"].as_object())
        .flat_map(Map::keys)
    {
        // Parts of the identity that are not written stay the preset's.
        let is_identity = schema["$defs"]["IdentityClaims"]["properties"]
            .get(name)
            .is_some();
        assert!(
            is_identity || text.contains(&format!("\"{name}\":")),
            "{name} is not in everything()"
        );
    }
}

/// Every change of one part of a value.
fn changes(value: &Value) -> Vec<Value> {
    let mut all = vec![
        Value::Null,
        json!(true),
        json!(7),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("x"),
        json!("30s"),
        json!([]),
        json!({}),
        json!(["x"]),
        json!([7]),
        json!([null]),
        json!([{}]),
        json!({ "x": "y" }),
        json!({ "x": null }),
        json!({ "equals": "x" }),
        json!({ "in": [] }),
    ];
    match value {
        Value::Object(members) => {
            let with = |name: &str, value: Value| {
                let mut changed = members.clone();
                changed.insert(name.to_owned(), value);
                Value::Object(changed)
            };
            all.push(with("another", json!("x")));
            for (name, member) in members {
                let mut without = members.clone();
                without.remove(name);
                all.push(without.clone().into());
                without.insert(format!("{name}z"), member.clone());
                all.push(without.into());
                all.extend(
                    changes(member)
                        .into_iter()
                        .map(|changed| with(name, changed)),
                );
            }
        }
        Value::Array(items) => {
            for (nth, item) in items.iter().enumerate() {
                let with = |changed: Value| {
                    let mut items = items.clone();
                    items[nth] = changed;
                    Value::Array(items)
                };
                all.extend(changes(item).into_iter().map(with));
            }
        }
        _ => {}
    }
    all
}

/// Whether the gate refuses it for its shape: serde's own words, and what is said of lists for objects.
fn is_of_shape(message: &str) -> bool {
    let shape = [
        "unknown field",
        "unknown variant",
        "missing field",
        "invalid type",
        "invalid value",
        "is a list; write an object",
        "a list is not a matcher",
        "is no preset",
        "is not a duration",
        "is not a size",
        "has a member that is none of",
    ];
    shape.iter().any(|words| message.contains(words))
}

#[test]
fn the_schema_and_the_gate_agree() {
    let [schema, kong] = validators();
    let mut failures = Vec::new();
    let (mut accepted, mut refused) = (0, 0);
    let mut documents = policies();
    assert!(documents.len() > 20);
    let whole = Policy::from_json(everything().to_string().as_bytes());
    whole.unwrap_or_else(|errors| panic!("{errors}"));
    documents.push(everything());
    documents.extend(changes(&everything()));
    for document in &documents {
        let compiled = Policy::from_json(document.to_string().as_bytes());
        let shape = match &compiled {
            Ok(_) => None,
            Err(errors) => errors.0.iter().find(|error| is_of_shape(&error.message)),
        };
        if compiled.is_ok() {
            accepted += 1;
            for (name, schema) in [("the schema", &schema), ("Kong's schema", &kong)] {
                if let Err(error) = schema.validate(document) {
                    failures.push(format!(
                        "{name} refuses what the gate accepts: {}: {error}",
                        error.instance_path()
                    ));
                }
            }
        }
        if let Some(error) = shape {
            refused += 1;
            if schema.is_valid(document) {
                failures.push(format!("the schema accepts what the gate refuses: {error}"));
            }
        }
    }
    failures.sort();
    failures.dedup();
    assert!(
        failures.is_empty(),
        "{} failures\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(
        accepted > 100 && refused > 1_000,
        "{accepted} accepted, {refused} refused"
    );
}

/// What draft 4 knows: <https://json-schema.org/draft-04/schema>, and no patterns, which Kong reads otherwise.
#[test]
fn kongs_metadata_keeps_to_draft_4() {
    const KEYWORDS: [&str; 12] = [
        "$schema",
        "$ref",
        "definitions",
        "title",
        "description",
        "type",
        "enum",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
    ];
    fn check(schema: &Value, place: &str) {
        let Some(members) = schema.as_object() else {
            assert!(schema.is_boolean(), "{place}");
            return;
        };
        for (name, member) in members {
            let below = format!("{place}/{name}");
            let known = KEYWORDS.contains(&name.as_str())
                || ["oneOf", "minimum", "minProperties"].contains(&name.as_str());
            assert!(known, "{below}");
            match (name.as_str(), member) {
                ("properties" | "definitions", Value::Object(schemas)) => {
                    schemas
                        .iter()
                        .for_each(|(name, schema)| check(schema, &format!("{below}/{name}")));
                }
                ("anyOf" | "oneOf", Value::Array(schemas)) => {
                    schemas
                        .iter()
                        .for_each(|schema| match schema.get("required") {
                            Some(_) if schema.as_object().is_some_and(|only| only.len() == 1) => {}
                            _ => check(schema, &below),
                        });
                }
                ("items" | "additionalProperties", schema) => check(schema, &below),
                _ => {}
            }
        }
    }
    let metadata = printed(&["schema", "--kong"]);
    let members: Vec<_> = metadata
        .as_object()
        .expect("it is an object")
        .keys()
        .collect();
    assert_eq!(members, ["config_schema"]);
    let schema = &metadata["config_schema"];
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-04/schema#");
    check(schema, "");
    assert!(!schema.to_string().contains("$defs") && !schema.to_string().contains("](#"));
}
