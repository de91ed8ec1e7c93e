//! The decision against a model of it that reads the configuration as it is written.

use super::{Policy, Ruling};
use crate::request::NormalPath;
use crate::token::{Claims, VerifiedToken};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

/// The text of a scalar, by the policy page's words.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn listed(list: &Value, item: &str) -> bool {
    list.as_array()
        .unwrap()
        .iter()
        .any(|each| text(each).as_deref() == Some(item))
}

/// A glob of which the tests use only a trailing star.
fn glob(pattern: &str, item: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => item.starts_with(prefix),
        None => item == pattern,
    }
}

fn claim_holds(rule: &Value, claim: Option<&Value>) -> bool {
    let Some(claim) = claim.filter(|claim| !claim.is_null()) else {
        return false;
    };
    let elements: Vec<&Value> = match claim {
        Value::Array(items) => items.iter().collect(),
        scalar => vec![scalar],
    };
    let some = |test: &dyn Fn(&str) -> bool| {
        elements
            .iter()
            .any(|element| text(element).is_some_and(|text| test(&text)))
    };
    let every = |test: &dyn Fn(&str) -> bool| {
        elements
            .iter()
            .all(|element| text(element).is_some_and(|text| test(&text)))
    };
    let Value::Object(matchers) = rule else {
        return some(&|item| Some(item) == text(rule).as_deref());
    };
    matchers.iter().all(|(name, wanted)| match name.as_str() {
        "equals" => some(&|item| Some(item) == text(wanted).as_deref()),
        "not_equals" => every(&|item| Some(item) != text(wanted).as_deref()),
        "in" => some(&|item| listed(wanted, item)),
        "not_in" => every(&|item| !listed(wanted, item)),
        "matches" => elements.iter().any(|element| {
            element
                .as_str()
                .is_some_and(|item| glob(wanted.as_str().unwrap(), item))
        }),
        other => panic!("{other}"),
    })
}

fn claims_hold(set: &Value, claims: &Value) -> bool {
    set.as_object()
        .into_iter()
        .flatten()
        .all(|(name, rule)| claim_holds(rule, claims.get(name)))
}

fn path_covered(pattern: &str, path: &str) -> bool {
    match (pattern.strip_suffix("/**"), pattern.strip_suffix("/*")) {
        (Some(base), _) => path
            .strip_prefix(base)
            .is_some_and(|rest| rest.starts_with('/')),
        (_, Some(base)) => path
            .strip_prefix(base)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|rest| !rest.contains('/')),
        _ => path == pattern,
    }
}

fn rule_matches(policy: &Value, rule: &Value, claims: &Value, method: &str, path: &str) -> bool {
    let any = |name: &str, test: &dyn Fn(&str) -> bool| {
        rule.get(name)
            .and_then(Value::as_array)
            .is_none_or(|items| items.iter().any(|item| test(item.as_str().unwrap())))
    };
    any("methods", &|covered| covered == method)
        && any("paths", &|pattern| path_covered(pattern, path))
        && any("roles", &|role| {
            let sets = policy["roles"][role].as_array().unwrap();
            sets.iter().any(|set| claims_hold(&set["claims"], claims))
        })
        && claims_hold(&rule["claims"], claims)
}

/// Allowed, or the first deny rule by id, or nothing.
fn model(
    policy: &Value,
    claims: &Value,
    method: &str,
    path: &str,
) -> Result<String, Option<String>> {
    let matching = |effect: &str| {
        policy["rules"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|rule| rule["effect"] == effect)
            .filter(|rule| rule_matches(policy, rule, claims, method, path))
            .map(|rule| rule["id"].as_str().unwrap().to_owned())
            .min()
    };
    match matching("deny") {
        Some(id) => Err(Some(id)),
        None => matching("allow").ok_or(None),
    }
}

fn decide(
    configuration: &Value,
    claims: &Value,
    method: &str,
    path: &str,
) -> Result<String, Option<String>> {
    let policy = Policy::from_json(configuration.to_string().as_bytes()).unwrap();
    let token = VerifiedToken::unproven(Claims::new(claims.as_object().unwrap().clone()));
    let path = NormalPath::parse(path.as_bytes()).unwrap();
    match policy.decide(&token, method, &path) {
        Ruling::Allow(permit) => Ok(policy.rules[permit.rule()].id.clone()),
        Ruling::Deny(denial) => Err(denial.rule.map(|rule| policy.rules[rule].id.clone())),
    }
}

fn scalar() -> impl Strategy<Value = Value> {
    select(vec![
        json!("x"),
        json!("xy"),
        json!("42"),
        json!(42),
        json!(true),
        json!("true"),
        json!(""),
    ])
}

fn claim_rule() -> impl Strategy<Value = Value> {
    let list = || proptest::collection::vec(scalar(), 1..3);
    prop_oneof![
        scalar(),
        scalar().prop_map(|value| json!({ "equals": value })),
        scalar().prop_map(|value| json!({ "not_equals": value })),
        list().prop_map(|values| json!({ "in": values })),
        list().prop_map(|values| json!({ "not_in": values })),
        select(vec!["x*", "*", "42", "xy"]).prop_map(|glob| json!({ "matches": glob })),
        (scalar(), scalar())
            .prop_map(|(a, b)| json!({ "matches": "*", "not_equals": a, "not_in": [b] })),
    ]
}

const CLAIMS: [&str; 3] = ["a", "b.c", "d:e"];

fn claim_set(least: usize) -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(select(&CLAIMS[..]), claim_rule(), least..3)
        .prop_map(|set| json!(set))
}

fn rule() -> impl Strategy<Value = Value> {
    let part =
        |items: &'static [&'static str]| proptest::option::of(subsequence(items, 1..items.len()));
    (
        select(&["allow", "allow", "deny"][..]),
        part(&["GET", "POST", "PUT"]),
        part(&["/a", "/a/*", "/a/**", "/**", "/b"]),
        part(&["one", "two", "none"]),
        claim_set(0),
    )
        .prop_map(|(effect, methods, paths, roles, claims)| {
            let mut rule = Map::new();
            rule.insert("effect".into(), json!(effect));
            rule.insert("claims".into(), claims);
            for (name, list) in [("methods", methods), ("paths", paths), ("roles", roles)] {
                if let Some(list) = list {
                    rule.insert(name.into(), json!(list));
                }
            }
            Value::Object(rule)
        })
}

fn with_rules(roles: &[Value], mut rules: Vec<Value>) -> Value {
    for (nth, rule) in rules.iter_mut().enumerate() {
        if rule.get("id").is_none() {
            rule["id"] = json!(format!("r{nth}"));
        }
    }
    json!({
        "issuers": [{
            "issuer": "https://ci.example", "audience": "a", "algorithms": ["RS256"],
            "jwks": { "uri": "https://ci.example/jwks" },
        }],
        "roles": { "one": [roles[0]], "two": [roles[1], roles[2]], "none": [{ "claims": { "never": "x" } }] },
        "rules": rules,
    })
}

fn policy() -> impl Strategy<Value = Value> {
    let role = || claim_set(1).prop_map(|claims| json!({ "claims": claims }));
    (
        proptest::collection::vec(role(), 3),
        proptest::collection::vec(rule(), 0..5),
    )
        .prop_map(|(roles, rules)| with_rules(&roles, rules))
}

fn claims() -> impl Strategy<Value = Value> {
    let claim = prop_oneof![
        4 => scalar(),
        1 => proptest::collection::vec(scalar(), 0..3).prop_map(Value::Array),
        1 => select(vec![json!(null), json!({ "x": "x" }), json!([null]), json!([["x"]])]),
    ];
    proptest::collection::btree_map(select(&CLAIMS[..]), claim, 0..4)
        .prop_map(|claims| json!(claims))
}

fn request() -> impl Strategy<Value = (&'static str, &'static str)> {
    (
        select(&["GET", "POST"][..]),
        select(&["/a", "/a/", "/a/x", "/a/x/y", "/b", "/ab", "/"][..]),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_decision_is_the_models(policy in policy(), claims in claims(), (method, path) in request()) {
        prop_assert_eq!(
            decide(&policy, &claims, method, path),
            model(&policy, &claims, method, path)
        );
    }

    #[test]
    fn the_order_of_rules_never_matters(policy in policy(), claims in claims(), (method, path) in request()) {
        let mut turned = policy.clone();
        turned["rules"].as_array_mut().unwrap().reverse();
        prop_assert_eq!(
            decide(&policy, &claims, method, path),
            decide(&turned, &claims, method, path)
        );
    }

    #[test]
    fn a_deny_more_never_allows_more_and_an_allow_more_never_refuses_more(
        policy in policy(), extra in rule(), claims in claims(), (method, path) in request(),
    ) {
        let mut extra = extra;
        extra["id"] = json!("extra");
        let mut more = policy.clone();
        more["rules"].as_array_mut().unwrap().push(extra.clone());
        let before = decide(&policy, &claims, method, path).is_ok();
        let after = decide(&more, &claims, method, path).is_ok();
        if extra["effect"] == "deny" {
            prop_assert!(before || !after);
        } else {
            prop_assert!(after || !before);
        }
    }
}
