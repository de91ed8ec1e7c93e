//! What a configuration that is right becomes. What is said of wrong ones is in the harness's
//! `configurations.yaml`.

use crate::keys::JwksLocation;
use crate::policy::{IdentityField, Issuer, Policy};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

/// The one issuer of a policy, which says `patch` beside an audience.
fn issuer(patch: &Value) -> Issuer {
    let mut issuer = json!({ "audience": "a" });
    for (name, value) in patch.as_object().unwrap() {
        issuer[name] = value.clone();
    }
    let document = json!({ "issuers": [issuer], "rules": [] });
    let mut policy = Policy::from_json(document.to_string().as_bytes())
        .unwrap_or_else(|errors| panic!("{patch}: {errors}"));
    policy.issuers.remove(0)
}

#[test]
fn keys_are_fetched_where_the_policy_says_else_the_preset_else_the_issuers_metadata() {
    const CIRCLECI: &str = "https://oidc.circleci.com/org/9d2dd1d6-6d2b-4a3e-9b0f-0c6ab6d6c0b1";
    let own = |issuer: &str| json!({ "issuer": issuer, "algorithms": ["RS256"] });
    let with = |mut issuer: Value, jwks: Value| {
        issuer["jwks"] = jwks;
        issuer
    };
    for (patch, address, discovers) in [
        (
            json!({ "preset": "gitlab" }),
            "https://gitlab.com/oauth/discovery/keys",
            None,
        ),
        (
            json!({ "preset": "gitlab", "issuer": "https://git.example/" }),
            "https://git.example/oauth/discovery/keys",
            None,
        ),
        (
            json!({ "preset": "github", "issuer": "https://gh.example/_services/token" }),
            "https://gh.example/_services/token/.well-known/jwks",
            None,
        ),
        (
            json!({ "preset": "github", "issuer": "https://token.actions.githubusercontent.com/acme" }),
            "https://token.actions.githubusercontent.com/.well-known/jwks",
            None,
        ),
        (
            json!({ "preset": "circleci", "issuer": CIRCLECI }),
            "https://oidc.circleci.com/org/9d2dd1d6-6d2b-4a3e-9b0f-0c6ab6d6c0b1/.well-known/jwks-pub.json",
            None,
        ),
        (
            with(
                json!({ "preset": "gitlab" }),
                json!({ "uri": "http://keys.example/k" }),
            ),
            "http://keys.example/k",
            None,
        ),
        (
            with(json!({ "preset": "gitlab" }), json!({ "discovery": true })),
            "https://gitlab.com/.well-known/openid-configuration",
            Some("https://gitlab.com"),
        ),
        (
            own("https://ci.example"),
            "https://ci.example/.well-known/openid-configuration",
            Some("https://ci.example"),
        ),
        // The slash is not doubled in the address, and stays in what the metadata must say.
        (
            own("https://ci.example/tenant/"),
            "https://ci.example/tenant/.well-known/openid-configuration",
            Some("https://ci.example/tenant/"),
        ),
        (
            with(
                own("https://ci.example"),
                json!({ "cluster": "c", "discovery": true }),
            ),
            "https://ci.example/.well-known/openid-configuration",
            Some("https://ci.example"),
        ),
        (
            with(
                own("urn:ci"),
                json!({ "uri": "https://ci.example/k", "discovery": false }),
            ),
            "https://ci.example/k",
            None,
        ),
    ] {
        let location = issuer(&patch).jwks.unwrap().location;
        assert_eq!(location.to_string(), address, "{patch}");
        let discovered = match &location {
            JwksLocation::Address(_) => None,
            JwksLocation::Discovery { issuer, .. } => Some(issuer.as_str()),
        };
        assert_eq!(discovered, discovers, "{patch}");
    }
}

#[test]
fn how_long_requests_wait_for_keys_is_two_seconds_unless_it_is_said() {
    let wait = |jwks: Value| {
        let issuer = issuer(&json!({ "preset": "buildkite", "jwks": jwks }));
        issuer.jwks.unwrap().wait
    };
    assert_eq!(wait(json!({})), Duration::from_secs(2));
    assert_eq!(wait(json!({ "wait": "0s" })), Duration::ZERO);
    assert_eq!(wait(json!({ "wait": "10s" })), Duration::from_secs(10));
}

#[test]
fn the_identity_is_the_presets_with_what_is_written_over_it() {
    let identity = |patch: Value| {
        let issuer = issuer(&patch);
        let parts = issuer.identity.into_iter();
        parts
            .map(|(field, claim)| format!("{}={claim}", field.name()))
            .collect::<Vec<_>>()
    };
    let github = identity(json!({ "preset": "github" }));
    assert_eq!(
        github,
        [
            "organization=repository_owner",
            "pipeline=repository",
            "build=run_id",
            "branch=ref",
            "commit=sha",
            "job=check_run_id",
        ]
    );
    let changed = identity(json!({
        "preset": "github", "identity": { "pipeline": "workflow_ref", "agent": "runner/name.x:y" },
    }));
    assert_eq!(changed[1], "pipeline=workflow_ref");
    assert_eq!(changed.last().unwrap(), "agent=runner/name.x:y");
    assert_eq!(changed.len(), github.len() + 1);
    let own = json!({
        "issuer": "https://ci.example", "algorithms": ["RS256"],
        "identity": { "step": "s", "organization": "https://ci.example/org" },
    });
    assert_eq!(
        identity(own),
        ["organization=https://ci.example/org", "step=s"]
    );
    let none = json!({ "issuer": "https://ci.example", "algorithms": ["RS256"] });
    assert!(identity(none).is_empty());
}

#[test]
fn every_preset_has_its_provider_in_it() {
    for (name, issuer_text, organization, hours) in [
        (
            "buildkite",
            "https://agent.buildkite.com",
            "organization_slug",
            2.0,
        ),
        ("gitlab", "https://gitlab.com", "namespace_path", 4.0),
        (
            "github",
            "https://token.actions.githubusercontent.com",
            "repository_owner",
            0.25,
        ),
    ] {
        let issuer = issuer(&json!({ "preset": name }));
        assert_eq!(issuer.issuer, issuer_text);
        assert_eq!(issuer.preset, Some(name));
        assert_eq!(
            issuer.identity[0],
            (IdentityField::Organization, organization.to_owned())
        );
        assert!(
            issuer
                .tenant_claims
                .iter()
                .any(|claim| claim == organization)
        );
        assert!((issuer.max_lifetime.as_secs_f64() / 3_600.0 - hours).abs() < 1e-9);
    }
}

#[test]
fn no_tenant_claims_are_an_empty_list_or_what_kong_makes_of_it() {
    for none in [json!([]), json!({})] {
        let own = json!({ "issuer": "https://ci.example", "algorithms": ["RS256"], "tenant_claims": none });
        assert!(issuer(&own).tenant_claims.is_empty());
    }
    let left_out = json!({ "preset": "gitlab", "issuer": "https://git.example" });
    assert!(!issuer(&left_out).tenant_claims.is_empty());
}

#[test]
fn each_role_comes_after_those_that_it_includes_and_a_cycle_is_named() {
    let policy = |roles: &[(String, Vec<String>)]| {
        let set = |included: &Vec<String>| match included.as_slice() {
            [] => json!({ "claims": { "a": "x" } }),
            _ => json!({ "roles": included }),
        };
        let roles: serde_json::Map<_, _> = roles
            .iter()
            .map(|(name, included)| (name.clone(), set(included)))
            .collect();
        let issuer =
            json!({ "issuer": "https://ci.example", "audience": "a", "algorithms": ["RS256"] });
        let document = json!({ "issuers": [issuer], "roles": roles, "rules": [] });
        Policy::from_json(document.to_string().as_bytes())
    };
    // Each includes the next by name, and the last nothing: the order is the reverse of theirs by name.
    let name = |nth: usize| format!("r{nth:04}");
    let mut chain: Vec<_> = (0..2_000)
        .map(|nth| (name(nth), vec![name(nth + 1)]))
        .collect();
    chain.push((name(2_000), Vec::new()));
    let chained = policy(&chain).unwrap();
    assert!(chained.role_order.iter().rev().copied().eq(0..2_001));

    let roles = |text: &[(&str, &[&str])]| -> Vec<(String, Vec<String>)> {
        let owned = |names: &[&str]| names.iter().copied().map(String::from).collect();
        text.iter()
            .map(|(name, included)| ((*name).into(), owned(included)))
            .collect()
    };
    for (roles, expected) in [
        (
            roles(&[("a", &["a"])]),
            "roles.a: includes itself: a -> a; take one of these out",
        ),
        (
            roles(&[
                ("a", &["d"]),
                ("b", &["d", "c", "c"]),
                ("c", &["e", "b"]),
                ("d", &[]),
                ("e", &["d"]),
            ]),
            "roles.b: includes itself: b -> c -> b; take one of these out",
        ),
        (
            // The first that can't be ordered leads into the cycle and is not in it.
            roles(&[("a", &["c"]), ("b", &["c"]), ("c", &["b"])]),
            "roles.c: includes itself: c -> b -> c; take one of these out",
        ),
    ] {
        assert_eq!(policy(&roles).unwrap_err().to_string(), expected);
    }
}

/// What would be too long to write down there.
#[test]
fn what_is_too_much_is_named_with_its_place_and_the_bound() {
    let document = |member: &str, value: Value| {
        let mut document = json!({
            "issuers": [{ "preset": "buildkite", "audience": "a" }],
            "rules": [{ "id": "r", "claims": { "organization_slug": "acme" } }],
        });
        match member {
            "claim" => document["rules"][0]["claims"]["build_tag"] = value,
            "path" => document["rules"][0]["paths"] = json!([value]),
            other => document[other] = value,
        }
        document.to_string()
    };
    let limit = |nth: u32| json!({ "id": format!("l{nth}"), "key": ["job_id"], "rate": "1/s" });
    for (configuration, expected) in [
        (
            document("claim", json!({ "matches": "x".repeat(1025) })),
            "rules[0].claims.build_tag.matches: the pattern has 1025 bytes; at most 1024 are accepted",
        ),
        (
            document("path", json!(format!("/{}", "x".repeat(1024)))),
            "rules[0].paths[0]: the pattern has 1025 bytes; at most 1024 are accepted",
        ),
        (
            document("claim", json!(1e300)),
            "rules[0].claims.build_tag: the number is too large to be compared exactly",
        ),
        (
            document("claim", json!(null)),
            "rules[0].claims.build_tag: invalid type: null, expected a scalar, or an object of equals, not_equals, in, not_in, matches",
        ),
        (
            document("limits", (0..17).map(limit).collect()),
            "limits: has 17 limits; at most 16 are counted",
        ),
    ] {
        let errors = Policy::from_json(configuration.as_bytes()).unwrap_err();
        assert_eq!(errors.to_string(), expected);
    }
}

proptest! {
    /// Names of few letters, so that many begin with others.
    #[test]
    fn an_issuer_is_the_one_that_a_look_at_each_finds(
        names in proptest::collection::hash_set("[a-b/]{0,4}", 1..12),
        asked in proptest::collection::vec("[a-bA/]{0,4}", 16),
    ) {
        let named = |name: &String| format!("https://ci.example/{name}");
        let issuer = |name: &String| json!({ "issuer": named(name), "audience": "x", "algorithms": ["RS256"] });
        let document = json!({ "issuers": names.iter().map(issuer).collect::<Vec<_>>(), "rules": [] });
        let policy = Policy::from_json(document.to_string().as_bytes());
        // The check may dislike a name; then there is nothing to find.
        prop_assume!(policy.is_ok());
        let policy = policy.unwrap();
        for name in names.iter().chain(&asked).map(named).chain(asked.iter().cloned()) {
            let each = policy.issuers.iter().position(|issuer| issuer.issuer == name);
            prop_assert_eq!(policy.issuer_of(&name), each, "{}", name);
        }
    }
}

fn with_assertion(assertion: &Value) -> Value {
    json!({ "issuers": [{ "preset": "buildkite", "audience": "a" }], "rules": [], "assertion": assertion })
}

const ED25519: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

#[test]
fn an_assertion_has_its_defaults_and_its_header_is_reserved() {
    let own = json!({ "issuer": "i", "audience": "u", "keys": [{ "pem": ED25519 }] });
    let policy = Policy::from_json(with_assertion(&own).to_string().as_bytes()).unwrap();
    let assertion = policy.assertion.as_ref().unwrap();
    assert_eq!(assertion.lifetime, Duration::from_secs(60));
    assert_eq!(assertion.header, "x-jobgate-assertion");
    assert_eq!(assertion.jwks_path, "/.well-known/jobgate/jwks.json");
    assert!(
        policy
            .headers
            .all()
            .any(|name| name == "x-jobgate-assertion")
    );
    // Nothing that is logged of a policy holds the key.
    let debug = format!("{policy:?}");
    assert!(debug.contains("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    for secret in ["nWGxne_9WmC", "J1hsZ3v", "157, 97, 177", "9d61b19d"] {
        assert!(!debug.contains(secret), "{secret} is in {debug}");
    }
}

#[test]
fn a_key_may_be_in_the_environment_and_must_be_where_it_is_used() {
    let own = json!({ "issuer": "i", "audience": "u", "lifetime": "1999ms", "header": "X-Identity", "keys": [{ "env": "KEY" }] });
    let document = with_assertion(&own).to_string();
    let with = |value: Option<&str>| {
        let policy = Policy::from_json_with(document.as_bytes(), &|name| {
            value.filter(|_| name == "KEY").map(str::to_owned)
        });
        policy.map(|policy| policy.assertion.unwrap())
    };
    let assertion = with(Some(ED25519)).unwrap();
    assert_eq!(assertion.keys.len(), 1);
    assert_eq!(assertion.header, "x-identity");
    assert_eq!(assertion.lifetime, Duration::from_secs(1));
    for (value, why) in [
        (None, "is not set here"),
        (Some(""), "neither"),
        (Some("MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v"), "neither"),
        (Some("{\"kty\":\"EC\",\"d\":\"J1hsZ3v\"}"), "crv"),
    ] {
        let errors = with(value).unwrap_err().to_string();
        assert!(errors.contains(why), "{errors}");
        assert!(errors.starts_with("assertion.keys[0].env: "), "{errors}");
        assert!(!errors.contains("J1hsZ3v"), "{errors}");
    }
    // Where nothing is signed it need not be there, and then nothing can be.
    let examined = Policy::examine(document.as_bytes()).unwrap();
    assert!(examined.assertion.unwrap().keys.is_empty());
}
