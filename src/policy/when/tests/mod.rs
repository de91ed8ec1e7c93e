//! Conditions: a table, bounds, and a comparison with the library's own interpreter.

mod bounds;
mod model;

use super::*;
use crate::token::Claims;
use serde_json::{Map, Value};

/// An environment with these claims and `roles`, and everything else fixed.
fn with_claims<T>(
    claims: &Map<String, Value>,
    bare: bool,
    run: impl FnOnce(&Environment<'_>) -> T,
) -> T {
    let claims = Claims::new(claims.clone());
    let named = |name: &'static str| (!bare).then_some(name);
    run(&Environment {
        claims: &claims,
        roles: if bare { &[] } else { &["deployer", "reader"] },
        method: "POST",
        path: "/deploy/production/web",
        host: named("deploy.acme.example"),
        route: named("deploy"),
        service: named("web"),
        // 2027-01-15T08:00:00Z and a half
        now: UnixTime::new(std::time::Duration::from_millis(1_800_000_000_500)),
    })
}

fn eval(source: &str, claims: &Map<String, Value>, bare: bool) -> Result<bool, WhenError> {
    let when = When::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    with_claims(claims, bare, |environment| when.eval(environment))
}

#[test]
fn expressions_have_the_values_of_the_table() {
    let table: Value = serde_json::from_str(include_str!("cases.json")).unwrap();
    let environments = table["environments"].as_object().unwrap();
    let mut rows = 0;
    for group in table["groups"].as_array().unwrap() {
        let environment = group["environment"].as_str().unwrap();
        let claims = environments[environment].as_object().unwrap();
        for (expected, sources) in group["expressions"].as_object().unwrap() {
            for source in sources.as_array().unwrap() {
                let source = source.as_str().unwrap();
                let found = match eval(source, claims, environment == "bare") {
                    Ok(value) => value.to_string(),
                    Err(error) => error.to_string(),
                };
                assert_eq!(&found, expected, "{source} with {environment}");
                rows += 1;
            }
        }
    }
    assert!(rows > 150, "{rows}");
}

#[test]
fn what_can_never_be_evaluated_is_refused_with_its_place_and_a_remedy() {
    let table: Value = serde_json::from_str(include_str!("refused.json")).unwrap();
    for row in table.as_array().unwrap() {
        let [source, expected] = [0, 1].map(|column| row[column].as_str().unwrap());
        match When::compile(source) {
            Ok(_) => panic!("{source} compiles"),
            Err(error) => assert_eq!(error, expected, "{source}"),
        }
    }
}

#[test]
fn the_claims_that_are_read_are_told() {
    for (source, claims) in [
        (r#"claims.a == 1 || has(claims.b.c)"#, "a b"),
        (
            r#"claims["x/y"] == 1 && "z" in claims && claims.a.b == claims.a.c"#,
            "a x/y z",
        ),
        (r#"roles.exists(r, claims.a[r] == claims[r])"#, "a"),
        (r#"claims.`a.b` == "claims.no""#, "a.b"),
        ("request.method == \"GET\"", ""),
    ] {
        let when = When::compile(source).unwrap();
        let read: Vec<_> = when.claims_read().collect();
        assert_eq!(read.join(" "), claims, "{source}");
        assert_eq!(when.source(), source);
    }
}

#[test]
fn the_conditions_of_the_policy_reference_compile() {
    let page = include_str!("../../../../docs/policy.md");
    let blocks = page.split("```cel\n").skip(1);
    let lines: Vec<_> = blocks
        .flat_map(|block| block.split("```").next().unwrap().lines())
        .collect();
    assert!(!lines.is_empty());
    for line in lines {
        assert!(When::compile(line).is_ok(), "{line}");
    }
}
