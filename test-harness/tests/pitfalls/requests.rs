//! Rows 8, 9, 10, 22 and 23: what is judged is the request that the upstream serves, and each refusal says why.

use jobgate::audit::{answer, record};
use jobgate::policy::Policy;
use jobgate_harness::keys::Algorithm::Rs256;
use serde_json::{Value, json};

use crate::forge::{claims, header, issued, jwks};
use crate::world::{ask, outcome, policy, ready};

/// `/public` for all, reading anywhere below `/v1` but what two deny rules name.
fn rules() -> Policy {
    let acme = json!({ "organization_slug": "acme" });
    policy(json!({ "rules": [
        { "id": "public", "paths": ["/public/**", "/**/public"], "claims": acme },
        { "id": "v1", "paths": ["/v1/**"], "claims": acme },
        { "id": "no-delete", "effect": "deny", "methods": ["DELETE"] },
        { "id": "no-verbs", "effect": "deny", "paths": ["/v1/jobs:delete", "/v1/a|b*", "/v1/x%2A", "/v1/%40me/**"] },
        { "id": "admin", "paths": ["/admin/**"], "claims": { "organization_slug": "acme", "pipeline_slug": "admin" } },
    ] }))
}

fn bearer(over: Value) -> String {
    format!("Bearer {}", issued(Rs256, &header(Rs256), &claims(over)))
}

#[track_caller]
fn assert_told(method: &str, target: &str, headers: &[(&str, &str)], code: &str) {
    let policy = rules();
    let mut state = ready(&policy, &jwks());
    let bearer = bearer(json!({}));
    let headers = [&[("authorization", bearer.as_str())], headers].concat();
    let decision = ask(&policy, &mut state, (method, target), &headers);
    assert_eq!(outcome(&decision), code, "{method} {target} {headers:?}");
}

#[test]
fn pitfall_08_query_and_fragment_take_no_part() {
    for (target, code) in [
        ("/public/a?x=/admin/x", "allow"),
        ("/admin/x?/public/a", "no_rule_matched"),
        ("/admin/x?a=/public", "no_rule_matched"),
        ("/admin/x??/public", "no_rule_matched"),
        ("/admin/x#/public", "path_ambiguous"),
        ("/admin/x?a#/public", "path_ambiguous"),
        // Whoever decodes first and cuts off afterwards serves /admin/x.
        ("/admin/x%23/public", "path_ambiguous"),
        ("/admin/x%3F/public", "path_ambiguous"),
        ("/admin/x%3fa=/public", "path_ambiguous"),
        ("/admin/x%2523/public", "path_ambiguous"),
        ("/admin/x%253f/public", "path_ambiguous"),
    ] {
        assert_told("GET", target, &[], code);
    }
}

#[test]
fn pitfall_09_headers_that_claim_another_request_are_not_believed() {
    for name in [
        "x-forwarded-uri",
        "x-forwarded-path",
        "x-forwarded-prefix",
        "x-forwarded-method",
        "x-original-url",
        "x-original-uri",
        "x-original-method",
        "x-rewrite-url",
        "x-envoy-original-path",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "forwarded",
    ] {
        for value in ["/public/a", "https://ci.example/public/a", "GET", "DELETE"] {
            assert_told("GET", "/admin/x", &[(name, value)], "no_rule_matched");
            assert_told("GET", "/public/a", &[(name, value)], "allow");
            assert_told("DELETE", "/public/a", &[(name, value)], "denied_by_rule");
        }
    }
}

#[test]
fn pitfall_10_a_403_has_a_code_an_id_and_in_the_record_the_condition() {
    let policy = rules();
    let mut state = ready(&policy, &jwks());
    for (method, target, code, condition) in [
        (
            "GET",
            "/admin/x",
            "no_rule_matched",
            Some("rules.admin.claims.pipeline_slug"),
        ),
        ("DELETE", "/public/a", "denied_by_rule", None),
    ] {
        let bearer = bearer(json!({}));
        let headers = [("authorization", bearer.as_str())];
        let decision = ask(&policy, &mut state, (method, target), &headers);
        let answer = answer(&decision).expect("it is refused");
        let problem: Value = serde_json::from_str(&answer.body).expect("it is JSON");
        let record: Value = serde_json::from_str(&record(&decision, None)).expect("it is JSON");
        assert_eq!(answer.status, 403);
        assert_eq!(problem["code"], code);
        assert_eq!(record["reason"], code);
        assert_eq!(problem["decision_id"], decision.id.to_string());
        assert_eq!(record["decision_id"], problem["decision_id"]);
        match condition {
            Some(condition) => {
                let failed = record["failed"].to_string();
                assert!(
                    failed.contains(condition) && failed.contains("admin"),
                    "{failed}"
                );
                assert!(!answer.body.contains(condition), "{}", answer.body);
            }
            None => assert_eq!(record["rule"], "no-delete"),
        }
    }
}

#[test]
fn pitfall_22_a_target_has_one_reading_or_is_refused() {
    for target in [
        "//v1/a",
        "/v1//a",
        "/v1/./a",
        "/v1/../admin/x",
        "/public/../admin/x",
        "/v1/%2e%2e/admin/x",
        "/v1/.%2E/admin/x",
        "/v1/%2e/a",
        "/v1/a%2fb",
        "/v1/a%2Fb",
        "/v1/a%5cb",
        "/v1/a\\b",
        "/v1/..\\admin",
        "/v1/a;b",
        "/v1/..;/admin/x",
        "/v1/a%3bb",
        "/v1/%61",
        "/v1/%7e",
        "/v1/%c3%a9",
        "/v1/%C0%AE",
        "/v1/%00",
        "/v1/a%0d%0aX:1",
        "/v1/%",
        "/v1/%u002e",
        "/v1/%252e%252e/admin",
        "/v1/a%252fb",
        "/v1/jobs%253Adelete",
        "/v1/%2540me/a",
        "/../v1",
        "/v1/a b",
        "http://ci.example/v1/a",
        "https://ci.example",
        "ci.example:443",
        "*",
        "",
        "v1/a",
        "\\v1",
        "?/v1/a",
    ] {
        for method in ["GET", "OPTIONS", "CONNECT"] {
            assert_told(method, target, &[], "path_ambiguous");
        }
    }
    // A deny rule covers every spelling of the characters it is written in, and no others.
    for target in [
        "/v1/jobs:delete",
        "/v1/jobs%3Adelete",
        "/v1/a|bc",
        "/v1/a%7Cb",
        "/v1/x*",
        "/v1/x%2A",
        "/v1/@me/a",
        "/v1/%40me/a",
    ] {
        assert_told("GET", target, &[], "denied_by_rule");
    }
    for target in ["/v1/jobs:deleted", "/v1/xa", "/v1/x%2Aa"] {
        assert_told("GET", target, &[], "allow");
    }
    // Case tells paths apart, and methods where a rule allows.
    assert_told("GET", "/PUBLIC/a", &[], "no_rule_matched");
    for method in ["DELETE", "delete", "DeLeTe"] {
        assert_told(method, "/public/a", &[], "denied_by_rule");
    }
}

#[test]
fn pitfall_23_two_tokens_are_one_too_many() {
    let (one, other) = (bearer(json!({})), bearer(json!({ "build_number": 43 })));
    let token = other.trim_start_matches("Bearer ");
    let policy = rules();
    let mut state = ready(&policy, &jwks());
    let mut told = |target: &str, headers: &[(&str, &str)]| {
        outcome(&ask(&policy, &mut state, ("GET", target), headers))
    };
    assert_eq!(told("/public/a", &[("authorization", &one)]), "allow");
    let in_query = format!("/public/a?x=1&access_token={token}");
    let escaped = in_query
        .replace("access_token", "access%5ftoken")
        .replace('.', "%2E");
    let joined = [
        format!("{one},{other}"),
        format!("{one}, {other}"),
        format!("{one},"),
        format!("{one},{token}"),
    ];
    for (target, headers) in [
        (
            "/public/a",
            vec![("authorization", one.as_str()), ("authorization", &other)],
        ),
        (
            "/public/a",
            vec![("authorization", &one), ("authorization", &one)],
        ),
        (
            "/public/a",
            vec![("authorization", &one), ("Authorization", &other)],
        ),
        (
            "/public/a",
            vec![("authorization", &one), ("authorization", "")],
        ),
        (
            "/public/a",
            vec![("authorization", ""), ("authorization", &one)],
        ),
        (
            "/public/a",
            vec![("authorization", &one), ("authorization", "Basic YTpi")],
        ),
        ("/public/a", vec![("authorization", &joined[0])]),
        ("/public/a", vec![("authorization", &joined[1])]),
        ("/public/a", vec![("authorization", &joined[2])]),
        ("/public/a", vec![("authorization", &joined[3])]),
        (&in_query, vec![("authorization", &one)]),
        (&escaped, vec![("authorization", &one)]),
    ] {
        assert_eq!(
            told(target, &headers),
            "token_ambiguous",
            "{target} {headers:?}"
        );
    }
}
