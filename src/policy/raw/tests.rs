//! What [`super::read`] makes of documents is what the established wrapper makes of them.

use super::{RawPolicy, read};
use crate::policy::check::lists_for_objects;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// A document with every member there is.
fn full() -> Value {
    json!({
        "mode": "shadow",
        "issuers": [{
            "preset": "buildkite", "issuer": "https://ci.example", "audience": ["a", "b"],
            "algorithms": ["RS256"], "tenant_claims": ["organization_slug"],
            "claims": { "plan": { "equals": 7, "not_equals": true, "in": [1.5, "x"], "not_in": [-2], "matches": "m*" } },
            "identity": { "branch": "ref" }, "leeway": "1s", "max_lifetime": "1h",
            "jwks": { "uri": "https://ci.example/k", "cluster": "ci", "discovery": false },
            "keys": { "keys": [{ "kty": "RSA" }] },
        }],
        "token": { "header": "authorization", "forward": true },
        "headers": { "prefix": "x-jobgate-" },
        "roles": { "one": { "roles": ["many"], "claims": { "a": "b" } }, "many": [{ "claims": { "a": ["c"] } }] },
        "rules": [{
            "id": "r", "effect": "deny", "shadow": true, "routes": ["x"], "hosts": ["h"], "issuer": "buildkite",
            "roles": ["one"], "methods": ["GET"], "paths": ["/**"], "claims": { "a": { "matches": ["b", "c"] } },
            "when": "true",
            "schedule": [{ "days": ["mon"], "from": "09:00", "to": "10:00", "timezone": "UTC", "dates": { "from": "a", "to": "b" } }],
            "client_certificate": { "subject": "CN=a", "uri_san": ["u"], "dns_san": [] }, "replay": "once",
        }],
        "audit": { "detail": "claims", "client": "code", "allowed": { "level": "debug", "sample": 0.5 } },
        "failed_verifications": { "rate": "60/m", "burst": 5 },
        "shared_data": true,
        "note_route": true,
        "cache": { "entries": 5, "bytes": "1MiB" },
        "revocations": { "entries": [{ "sub": "s" }], "uri": "u", "unavailable": "deny" },
        "limits": [{
            "id": "l", "key": ["sub"], "rules": ["r"], "rate": "1/s", "burst": 3,
            "tiers": [{ "roles": ["one"], "claims": { "a": 1 }, "rate": "2/s", "burst": 4 }],
            "unavailable": "allow", "enforce_by": "gateway",
        }],
        "assertion": {
            "issuer": "i", "audience": "a", "lifetime": "1s", "header": "h", "jwks_path": "/p", "keys": [{ "env": "E" }],
        },
    })
}

/// The pointers to all that is in a value.
fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    for (nth, item) in value.as_array().into_iter().flatten().enumerate() {
        pointers(item, &format!("{at}/{nth}"), out);
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        pointers(member, &format!("{at}/{name}"), out);
    }
}

fn bent(changes: &[(Index, Value, u8)]) -> Value {
    let mut document = full();
    for (place, by, how) in changes {
        let mut all = Vec::new();
        pointers(&document, "", &mut all);
        let at: &String = place.get(&all);
        let target = document.pointer_mut(at).unwrap();
        match (how, target) {
            (0, Value::Object(members)) => _ = members.insert("other".into(), by.clone()),
            (1, Value::Object(members)) => members.retain(|name, _| name != "rate" && name != "id"),
            (0 | 1, Value::Array(items)) => items.push(by.clone()),
            (_, target) => *target = by.clone(),
        }
    }
    document
}

fn by() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(2.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("deny"),
        json!([]),
        json!(["a"]),
        json!([{}]),
        json!({}),
        json!({ "allow": null }),
        json!({ "enforce": 1 }),
        json!({ "deny": null, "allow": null }),
        json!({ "in": [] }),
        json!({ "a": "b" }),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_document_is_read_as_by_serde_path_to_error(
        changes in prop::collection::vec((any::<Index>(), by(), 0..4u8), 0..3),
    ) {
        let document = bent(&changes);
        // Those are refused before, and serde would read them.
        prop_assume!(document.is_object() && lists_for_objects(&document).is_empty());
        let ours = read::<RawPolicy>(document.clone());
        let theirs: Result<RawPolicy, _> = serde_path_to_error::deserialize(document);
        let ours = ours.map_err(|error| (error.path(), error.to_string()));
        let theirs = theirs.map_err(|error| {
            let path = error.path().to_string();
            (if path == "." { String::new() } else { path }, error.inner().to_string())
        });
        prop_assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }
}
