//! The schema and the gate agree: what the gate accepts is valid, and what it refuses for its shape is not.

mod command;
mod through_kong;

use jobgate::policy::Policy;
use jobgate_harness::repository;
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use through_kong::through_kong;

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
                "exchange": "sts", "on_exchange_failure": "pass",
            },
            { "id": "d", "effect": "deny", "issuer": ["github", "https://ci.example"] },
        ],
        "audit": {
            "detail": "claims", "client": "conditions",
            "allowed": { "level": "debug", "sample": 0.25 },
        },
        "failed_verifications": { "rate": "60/m", "burst": 20 },
        "shared_data": true,
        "note_route": true,
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
        "limits": [
            {
                "id": "l", "key": ["a", "/b/c"], "rules": ["r"], "rate": "30/m", "burst": 10, "unavailable": "allow",
                "tiers": [{ "roles": ["one"], "claims": { "a": "b" }, "rate": "1/s", "burst": 2 }],
            },
            { "id": "fleet", "key": ["a"], "enforce_by": "gateway" },
        ],
        "assertion": {
            "issuer": "https://gateway.example", "audience": "https://deploy.example", "lifetime": "30s",
            "header": "x-identity", "jwks_path": "/keys",
            "keys": [
                { "jwk": {
                    "kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                } },
                { "pem": include_str!("../../src/assertion/key/p256.pem") },
                { "env": "KEY" },
            ],
        },
        "exchange": {
            "sts": { "token_exchange": {
                "uri": "https://sts.example/token", "cluster": "sts", "timeout": "1s", "subject_token_type": "id_token",
                "requested_token_type": "access_token", "audience": "a", "resource": "https://a.example", "scope": "a b",
                "client": { "id": "gate", "secret": "hush-hush", "method": "post" },
                "impersonate": {
                    "service_account": "a@b.iam.gserviceaccount.com", "scopes": ["s"], "lifetime": "10m",
                    "uri": "https://iam.example", "cluster": "iam",
                },
                "header": "x-credential",
            } },
            "signed": { "token_exchange": {
                "uri": "https://sts.example/token", "client": { "id": "gate", "assertion": true },
            } },
            "named": { "token_exchange": {
                "uri": "https://sts.example/token", "client": { "id": "gate", "secret": { "env": "SECRET" } },
            } },
            "aws": { "assume_role": {
                "role_arn": "arn:aws:iam::123456789012:role/{claims.pipeline_slug}", "session_name": "s", "duration": "15m",
                "service": "s3", "region": "eu-central-1", "host": "b.example", "uri": "https://sts.example", "cluster": "sts",
                "timeout": "1s",
            } },
            "vault": { "vault_login": {
                "uri": "https://vault.example", "cluster": "vault", "timeout": "1s", "mount": "ci/jwt", "role": "r",
                "namespace": "ci",
            } },
        },
        "sessions": { "end": {
            "path": "/ended", "token": false,
            "webhook": { "secret": { "env": "SECRET" }, "issuer": "github" },
        } },
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

/// Puts the empty list where the filter takes an empty object for one.
fn fill_in_lists(policy: &mut Value) {
    let issuers = policy.get_mut("issuers").and_then(Value::as_array_mut);
    for issuer in issuers.into_iter().flatten() {
        if issuer["tenant_claims"] == json!({}) {
            issuer["tenant_claims"] = json!([]);
        }
    }
}

/// Whether the gate refuses it for its shape.
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
        "is not a rate",
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
    let whole = Policy::examine(everything().to_string().as_bytes());
    whole.unwrap_or_else(|errors| panic!("{errors}"));
    documents.push(everything());
    documents.extend(changes(&everything()));
    for document in &mut documents {
        let as_objects = through_kong(document);
        let through_kong = Policy::examine(as_objects.to_string().as_bytes());
        let compiled = Policy::examine(document.to_string().as_bytes());
        // Nobody is to write what Kong makes of an empty list.
        fill_in_lists(document);
        // To Kong an empty list is an object too.
        let by_kong = match kong.is_valid(&as_objects) {
            true => Ok(()),
            false => kong.validate(document),
        };
        for (name, valid, compiled) in [
            ("the schema", schema.validate(document), &compiled),
            ("Kong's schema", by_kong, &through_kong),
        ] {
            let Err(errors) = compiled else {
                accepted += 1;
                if let Err(error) = valid {
                    failures.push(format!(
                        "{name} refuses what the gate accepts: {}: {error}",
                        error.instance_path()
                    ));
                }
                continue;
            };
            if let Some(error) = errors.0.iter().find(|error| is_of_shape(&error.message)) {
                refused += 1;
                if valid.is_ok() {
                    failures.push(format!("{name} accepts what the gate refuses: {error}"));
                }
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
        accepted > 200 && refused > 2_000,
        "{accepted} accepted, {refused} refused"
    );
}

/// What draft 4 knows, and Kong's validator: <https://json-schema.org/draft-04/schema>.
#[test]
fn kongs_metadata_keeps_to_draft_4() {
    const OF_SCHEMAS: [&str; 3] = ["properties", "patternProperties", "definitions"];
    const OTHERS: [&str; 18] = [
        "$schema",
        "$ref",
        "title",
        "description",
        "type",
        "enum",
        "pattern",
        "required",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minLength",
        "maxLength",
        "minProperties",
        "maxProperties",
        "minimum",
        "maximum",
        "additionalProperties",
    ];
    fn check(schema: &Value, place: &str) {
        let members = schema.as_object().unwrap_or_else(|| panic!("{place}"));
        for (name, member) in members {
            let below = format!("{place}/{name}");
            match (name.as_str(), member) {
                (name, Value::Object(schemas)) if OF_SCHEMAS.contains(&name) => {
                    for (name, schema) in schemas {
                        check(schema, &format!("{below}/{name}"));
                    }
                }
                ("anyOf", Value::Array(schemas)) => {
                    schemas.iter().for_each(|schema| check(schema, &below));
                }
                ("items" | "additionalProperties", schema @ Value::Object(_)) => {
                    check(schema, &below);
                }
                (name, _) => assert!(OTHERS.contains(&name), "{below}"),
            }
        }
        let is_list = schema["type"] == "array";
        assert!(
            !is_list || !schema["minItems"].is_null() || place.ends_with("/tenant_claims"),
            "{place} may be empty, which the filter would read as an object"
        );
    }
    let metadata = printed(&["schema", "--kong"]);
    let members: Vec<_> = metadata
        .as_object()
        .expect("it is an object")
        .keys()
        .collect();
    assert_eq!(members, ["config_schema", "metrics"]);
    let schema = &metadata["config_schema"];
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-04/schema#");
    check(schema, "");
    assert!(!schema.to_string().contains("$defs") && !schema.to_string().contains("](#"));
}
