use super::{RawPolicy, read};
use crate::policy::check::At;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// A document of the right shape with every member there is.
fn full() -> Value {
    json!({
        "mode": "shadow",
        "issuers": [{
            "preset": "buildkite", "issuer": "https://ci.example", "audience": ["a", "b"],
            "algorithms": ["RS256"], "tenant_claims": ["organization_slug"],
            "claims": { "plan": { "equals": 7, "not_equals": true, "in": [1.5, "x"], "not_in": [-2], "matches": "m*" } },
            "identity": { "branch": "ref" }, "leeway": "1s", "max_lifetime": "1h",
            "jwks": {
                "uri": "https://ci.example/k", "discovery": false, "cluster": "ci", "refresh": "1m", "timeout": "1s",
                "max_stale": "1h", "wait": "1s",
            },
            "keys": { "keys": [{ "kty": "RSA" }] },
        }],
        "token": { "header": "authorization", "forward": true },
        "headers": { "prefix": "x-jobgate-" },
        "roles": { "one": { "roles": ["many"], "claims": { "a": "b" } }, "many": [{ "claims": { "a": 1 } }] },
        "rules": [{
            "id": "r", "effect": "deny", "shadow": true, "routes": ["x"], "hosts": ["h"], "issuer": "buildkite",
            "roles": ["one"], "methods": ["GET"], "paths": ["/**"], "claims": { "a": { "matches": ["b", "c"] } },
            "when": "true",
            "schedule": [{ "days": ["mon"], "from": "09:00", "to": "10:00", "timezone": "UTC", "dates": { "from": "a", "to": "b" } }],
            "client_certificate": { "subject": "CN=a", "uri_san": ["u"], "dns_san": [] }, "replay": "once",
            "exchange": "e", "on_exchange_failure": "pass",
        }],
        "audit": { "detail": "claims", "client": "code", "allowed": { "level": "debug", "sample": 0.5 } },
        "shared_data": true,
        "note_route": true,
        "cache": { "entries": 5, "bytes": "1MiB" },
        "revocations": {
            "entries": [{ "sub": "s" }], "uri": "u", "cluster": "c", "interval": "1m", "timeout": "1s", "max_stale": "1h",
            "unavailable": "deny",
        },
        "limits": [{
            "id": "l", "key": ["sub"], "rules": ["r"], "rate": "1/s", "burst": 3,
            "tiers": [{ "roles": ["one"], "claims": { "a": 1 }, "rate": "2/s", "burst": 4 }],
            "unavailable": "allow", "enforce_by": "gateway",
        }],
        "failed_verifications": { "rate": "60/m", "burst": 5 },
        "assertion": {
            "issuer": "i", "audience": "a", "lifetime": "1s", "header": "h", "jwks_path": "/p", "keys": [{ "env": "E" }],
        },
        "exchange": { "e": { "vault_login": { "uri": "https://vault.example" } } },
        "sessions": { "end": {} },
    })
}

/// What of it must be there.
const NEEDED: [&str; 11] = [
    "/issuers",
    "/rules",
    "/issuers/0/audience",
    "/rules/0/id",
    "/limits/0/id",
    "/limits/0/key",
    "/limits/0/tiers/0/rate",
    "/failed_verifications/rate",
    "/assertion/issuer",
    "/assertion/audience",
    "/assertion/keys",
];

/// What of it is anything, for the check alone to read.
const ANYTHING: [&str; 5] = [
    "/issuers/0/keys",
    "/revocations/entries/0",
    "/assertion/keys",
    "/exchange",
    "/sessions",
];

/// What of it has members of any name.
const NAMED: [&str; 7] = [
    "/issuers/0/claims",
    "/issuers/0/identity",
    "/roles",
    "/roles/one/claims",
    "/roles/many/0/claims",
    "/rules/0/claims",
    "/limits/0/tiers/0/claims",
];

/// What of it may be an object, or a list of such.
const ONE_OR_MANY: [&str; 3] = ["/roles/one", "/roles/many", "/rules/0/schedule"];

fn is_within(place: &str, above: &str) -> bool {
    place
        .strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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

/// A pointer as errors have it.
fn path(pointer: &str) -> String {
    let mut path = String::new();
    for step in pointer.split('/').skip(1) {
        match step.parse::<usize>() {
            Ok(nth) => path += &format!("[{nth}]"),
            Err(_) if path.is_empty() => path += step,
            Err(_) => path += &format!(".{step}"),
        }
    }
    path
}

/// Changes one part of a document. Gives what may not be changed any more, and the path of the error it must make.
fn change(document: &mut Value, pointer: &str, how: u8) -> Option<(String, Option<String>)> {
    let (above, name) = pointer.rsplit_once('/')?;
    let wrong = |document: &mut Value, value: Value| {
        *document.pointer_mut(pointer).unwrap() = value;
        Some((pointer.to_owned(), Some(path(pointer))))
    };
    let target = document.pointer(pointer).unwrap();
    let is_object = target.is_object();
    let may_be_list = ONE_OR_MANY.contains(&pointer) || (is_object && name == "plan");
    match how {
        // Out it goes.
        0 => {
            let error = NEEDED.contains(&pointer).then(|| path(above));
            let members = document.pointer_mut(above)?.as_object_mut()?;
            members.remove(name)?;
            Some((pointer.to_owned(), error))
        }
        // One member more.
        1 if is_object && !NAMED.contains(&pointer) => {
            let members = document.pointer_mut(pointer)?.as_object_mut()?;
            members.insert("zz".into(), true.into());
            let pointer = format!("{pointer}/zz");
            let error = path(&pointer);
            Some((pointer, Some(error)))
        }
        2 => wrong(document, Value::Null),
        3 if is_object && !may_be_list => wrong(document, json!([])),
        3 if target.is_array() && !may_be_list => wrong(document, json!({ "a": 1 })),
        // An object is a condition, which asks for nothing.
        3 if !is_object && !target.is_array() && !above.ends_with("/claims") => {
            wrong(document, json!({}))
        }
        _ => None,
    }
}

fn errors(document: Value) -> Vec<String> {
    let read = read::<RawPolicy>(At::DOCUMENT, document);
    let errors = read.err().unwrap_or_default();
    errors.iter().map(ToString::to_string).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn every_change_is_an_error_at_its_place_and_nothing_else_is(
        changes in prop::collection::vec((any::<Index>(), 0..4u8), 0..6),
    ) {
        let mut all = Vec::new();
        pointers(&full(), "", &mut all);
        all.retain(|place| !ANYTHING.iter().any(|above| is_within(place, above) && place != above));
        let mut document = full();
        let mut changed: Vec<String> = Vec::new();
        let mut expected = Vec::new();
        for (index, how) in changes {
            let place = index.get(&all);
            if changed.iter().any(|other| is_within(place, other) || is_within(other, place))
                || (how != 0 && ANYTHING.contains(&place.as_str()))
            {
                continue;
            }
            if let Some((place, error)) = change(&mut document, place, how) {
                changed.push(place);
                expected.extend(error);
            }
        }
        let said = read::<RawPolicy>(At::DOCUMENT, document).err().unwrap_or_default();
        let mut said: Vec<_> = said.into_iter().map(|error| error.path).collect();
        said.sort();
        expected.sort();
        prop_assert_eq!(said, expected);
    }
}

/// The changes above are ones, and of all there is.
#[test]
fn each_kind_of_change_is_made_and_seen() {
    let mut all = Vec::new();
    pointers(&full(), "", &mut all);
    for needed in NEEDED
        .iter()
        .chain(&ANYTHING)
        .chain(&NAMED)
        .chain(&ONE_OR_MANY)
    {
        assert!(all.iter().any(|place| place == needed), "{needed}");
    }
    // Its members are all there are.
    let text = full().to_string();
    for place in &all {
        let mut document = full();
        if let Some(Value::Object(members)) = document.pointer_mut(place) {
            members.insert("zz".into(), json!({}));
        }
        for error in errors(document) {
            let known = error.split('`').skip(3).step_by(2);
            for name in known.filter(|_| error.contains("unknown field `zz`")) {
                assert!(text.contains(&format!("\"{name}\":")), "{name}");
            }
        }
    }
    let mut made = [0; 4];
    for (how, made) in (0..).zip(&mut made) {
        for place in &all {
            *made += usize::from(change(&mut full(), place, how).is_some());
        }
    }
    assert!(made.iter().all(|made| *made > 20), "{made:?}");
}

#[test]
fn what_is_wrong_is_said_in_the_order_of_the_members() {
    for (pointer, value, expected) in [
        ("", json!([]), &["is a list; write an object"][..]),
        (
            "",
            json!({ "zz": 1, "mode": null }),
            &[
                "mode: invalid type: null, expected a string",
                "missing field `issuers`",
                "missing field `rules`",
                "zz: unknown field `zz`, expected one of `mode`, `issuers`, `token`, `headers`, `roles`, `rules`, `audit`, `shared_data`, `note_route`, `cache`, `revocations`, `limits`, `failed_verifications`, `assertion`, `exchange`, `sessions`",
            ],
        ),
        (
            "/mode",
            json!("dry-run"),
            &["mode: unknown variant `dry-run`, expected `enforce` or `shadow`"],
        ),
        // To serde this is the word.
        (
            "/mode",
            json!({ "enforce": null }),
            &["mode: invalid type: map, expected a string"],
        ),
        (
            "/audit",
            json!({ "allowed": { "sample": "all", "level": "" }, "detail": "all" }),
            &[
                "audit.detail: unknown variant `all`, expected one of `code`, `conditions`, `claims`",
                "audit.allowed.level: unknown variant ``, expected `info` or `debug`",
                "audit.allowed.sample: invalid type: string \"all\", expected a number",
            ],
        ),
        (
            "/cache",
            json!({ "entries": -1, "bytes": 1.5, "more": [] }),
            &[
                "cache.entries: invalid type: integer `-1`, expected a whole number that is not negative",
                "cache.bytes: invalid type: floating point `1.5`, expected a whole number of bytes, or a text like \"2MiB\"",
                "cache.more: unknown field `more`, expected `entries` or `bytes`",
            ],
        ),
        (
            "/headers",
            json!({ "prefixes": 1 }),
            &["headers.prefixes: unknown field `prefixes`, expected `prefix`"],
        ),
        (
            "/issuers/0/audience",
            json!(7),
            &[
                "issuers[0].audience: invalid type: integer `7`, expected one value or a list of them",
            ],
        ),
        // Kong's empty list, which is one here alone.
        ("/issuers/0/tenant_claims", json!({}), &[]),
        (
            "/issuers/0/tenant_claims",
            json!({ "a": 1 }),
            &["issuers[0].tenant_claims: invalid type: map, expected a sequence"],
        ),
        (
            "/rules/0/routes",
            json!({}),
            &["rules[0].routes: invalid type: map, expected a sequence"],
        ),
        (
            "/rules/0/claims",
            json!({ "a": null, "b": ["x"], "c": 1e300, "d": { "in": "x", "matches": [7], "is": 1 }, "e": { "equals": {} }, "f": {} }),
            &[
                "rules[0].claims.a: invalid type: null, expected a scalar, or an object of equals, not_equals, in, not_in, matches",
                "rules[0].claims.b: a list is not a matcher; write {\"in\": [...]}",
                "rules[0].claims.c: the number is too large to be compared exactly",
                "rules[0].claims.d.in: invalid type: string \"x\", expected a sequence",
                "rules[0].claims.d.matches[0]: invalid type: integer `7`, expected a string",
                "rules[0].claims.d.is: unknown field `is`, expected one of `equals`, `not_equals`, `in`, `not_in`, `matches`",
                "rules[0].claims.e.equals: invalid type: map, expected a string, a number or a boolean",
            ],
        ),
        (
            "/limits",
            json!([{ "id": "a", "tiers": [[], { "burst": true }] }, "x"]),
            &[
                "limits[0]: missing field `key`",
                "limits[0].tiers[0]: is a list; write an object",
                "limits[0].tiers[1]: missing field `rate`",
                "limits[0].tiers[1].burst: invalid type: boolean `true`, expected a whole number that is not negative",
                "limits[1]: invalid type: string, expected an object",
            ],
        ),
    ] {
        let mut document = full();
        *document.pointer_mut(pointer).unwrap() = value;
        assert_eq!(errors(document), expected, "{pointer}");
    }
}

#[test]
fn what_may_be_a_secret_is_never_quoted() {
    const SECRET: &str = "-----BEGIN PRIVATE KEY-----";
    let mut all = Vec::new();
    pointers(&full(), "", &mut all);
    let mut said = 0;
    for place in all {
        let may_have_one = ["/assertion", "/exchange", "/sessions", "/issuers/0/keys"];
        let whole = full();
        let is_object = whole.pointer(&place).unwrap().is_object();
        if !is_object && !may_have_one.iter().any(|above| is_within(&place, above)) {
            continue;
        }
        for value in [json!(SECRET), json!([SECRET]), json!({ "zz": SECRET })] {
            let mut document = full();
            *document.pointer_mut(&place).unwrap() = value;
            for error in errors(document) {
                said += 1;
                assert!(!error.contains(SECRET), "{error}");
            }
        }
    }
    assert!(said > 50, "{said}");
}

#[test]
fn of_very_many_errors_some_are_said() {
    let rules: Vec<Value> = (0..10_000).map(|_| json!({ "id": 7 })).collect();
    let errors = errors(json!({ "issuers": [], "rules": rules }));
    assert_eq!(errors.len(), 101);
    assert_eq!(
        errors[99],
        "rules[99].id: invalid type: integer `7`, expected a string"
    );
    assert_eq!(errors[100], "there are more errors like these");
}
