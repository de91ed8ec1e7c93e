//! The decision against a model of it that reads the configuration as it is written.

mod model;

use self::model::model;
use super::{Facts, Policy, Ruling};
use crate::request::NormalPath;
use crate::time::UnixTime;
use crate::token::{Claims, VerifiedToken};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

fn facts<'a>(method: &'a str, path: &'a NormalPath) -> Facts<'a> {
    Facts::new(method, path, UnixTime::from_secs(1_800_000_000))
}

fn decide(
    configuration: &Value,
    issuer: usize,
    claims: &Value,
    method: &str,
    path: &str,
) -> Result<String, Option<String>> {
    let policy = Policy::from_json(configuration.to_string().as_bytes()).unwrap();
    let claims = Claims::new(claims.as_object().unwrap().clone());
    let token = VerifiedToken::unproven_of(issuer, claims);
    let path = NormalPath::parse(path.as_bytes()).unwrap();
    match policy.decide(&token, &facts(method, &path)) {
        Ruling::Allow(permit) => {
            let rule = &policy.rules[permit.rule()];
            assert_eq!(rule.replay, permit.replay());
            Ok(rule.id.clone())
        }
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

pub(super) fn claim_set(least: usize) -> impl Strategy<Value = Value> {
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
        proptest::option::of(select(vec![
            json!("https://ci.example"),
            json!("gitlab"),
            json!(["https://git.example"]),
            json!(["gitlab", "https://ci.example"]),
        ])),
        select(&["allow", "once"][..]),
    )
        .prop_map(|(effect, methods, paths, roles, claims, issuer, replay)| {
            let mut rule = Map::new();
            rule.extend(issuer.map(|issuer| ("issuer".into(), issuer)));
            if effect == "allow" {
                rule.insert("replay".into(), json!(replay));
            }
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

fn with_rules(required: Option<Value>, roles: &[Value], mut rules: Vec<Value>) -> Value {
    for (nth, rule) in rules.iter_mut().enumerate() {
        if rule.get("id").is_none() {
            rule["id"] = json!(format!("r{nth}"));
        }
    }
    let mut issuers = json!([
        { "issuer": "https://ci.example", "audience": "a", "algorithms": ["RS256"] },
        { "preset": "gitlab", "issuer": "https://git.example", "audience": "a", "tenant_claims": [] },
    ]);
    if let Some(required) = required {
        issuers[1]["claims"] = required;
    }
    json!({
        "issuers": issuers,
        "roles": { "one": [roles[0]], "two": [roles[1], roles[2]], "none": [{ "claims": { "never": "x" } }] },
        "rules": rules,
    })
}

pub(super) fn policy() -> impl Strategy<Value = Value> {
    let role = || claim_set(1).prop_map(|claims| json!({ "claims": claims }));
    (
        proptest::option::of(claim_set(1)),
        proptest::collection::vec(role(), 3),
        proptest::collection::vec(rule(), 0..5),
    )
        .prop_map(|(required, roles, rules)| with_rules(required, &roles, rules))
}

pub(super) fn claims() -> impl Strategy<Value = Value> {
    let claim = prop_oneof![
        4 => scalar(),
        1 => proptest::collection::vec(scalar(), 0..3).prop_map(Value::Array),
        1 => select(vec![json!(null), json!({ "x": "x" }), json!([null]), json!([["x"]])]),
    ];
    proptest::collection::btree_map(select(&CLAIMS[..]), claim, 0..4)
        .prop_map(|claims| json!(claims))
}

pub(super) fn request() -> impl Strategy<Value = (&'static str, &'static str)> {
    (
        select(&["GET", "POST"][..]),
        select(&["/a", "/a/", "/a/x", "/a/x/y", "/b", "/ab", "/"][..]),
    )
}

/// Issuers, one role and rules, in which some claims may pin a tenant.
fn shared_policy() -> impl Strategy<Value = (Value, Value, Value)> {
    let names = &["organization_slug", "namespace_path", "a"][..];
    let claims = move |least| {
        proptest::collection::btree_map(select(names), claim_rule(), least..3)
            .prop_map(|set| json!(set))
    };
    let issuer = |preset: &'static str| {
        proptest::option::of(claims(1)).prop_map(move |required| {
            let mut issuer = json!({ "preset": preset, "audience": "a" });
            if let Some(required) = required {
                issuer["claims"] = required;
            }
            issuer
        })
    };
    let role = claims(1).prop_map(|claims| json!({ "claims": claims }));
    let rule = (
        proptest::option::of(select(&["buildkite", "gitlab"][..])),
        proptest::option::of(Just(json!(["one"]))),
        claims(0),
    )
        .prop_map(|(issuer, roles, claims)| {
            let mut rule = json!({ "id": "a", "claims": claims });
            for (name, part) in [("issuer", issuer.map(Value::from)), ("roles", roles)] {
                if let Some(part) = part {
                    rule[name] = part;
                }
            }
            rule
        });
    (
        (issuer("buildkite"), issuer("gitlab")),
        proptest::collection::vec(role, 1..3),
        rule,
    )
        .prop_map(|((one, other), roles, rule)| (json!([one, other]), json!(roles), json!([rule])))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_decision_is_the_models(policy in policy(), issuer in 0..2_usize, claims in claims(), (method, path) in request()) {
        prop_assert_eq!(
            decide(&policy, issuer, &claims, method, path),
            model(&policy, issuer, &claims, method, path)
        );
    }

    #[test]
    fn the_order_of_rules_never_matters(policy in policy(), issuer in 0..2_usize, claims in claims(), (method, path) in request()) {
        let mut turned = policy.clone();
        turned["rules"].as_array_mut().unwrap().reverse();
        prop_assert_eq!(
            decide(&policy, issuer, &claims, method, path),
            decide(&turned, issuer, &claims, method, path)
        );
    }

    #[test]
    fn a_condition_more_on_an_issuers_tokens_never_allows_more_and_denies_as_before(
        policy in policy(), required in claim_set(1), claims in claims(), (method, path) in request(),
    ) {
        let mut narrowed = policy.clone();
        let mut before = policy;
        before["issuers"][1].as_object_mut().unwrap().remove("claims");
        narrowed["issuers"][1]["claims"] = required;
        let (before, after) = (
            decide(&before, 1, &claims, method, path),
            decide(&narrowed, 1, &claims, method, path),
        );
        match before {
            Ok(_) => prop_assert!(after == before || after == Err(None)),
            Err(_) => prop_assert_eq!(after, before),
        }
    }

    /// Of random policies over two issuers that many customers share, those that are accepted let no stranger in.
    #[test]
    fn pitfall_18_whatever_is_accepted_lets_no_other_customer_in(
        (issuers, roles, rules) in shared_policy(),
        issuer in 0..2_usize,
        claims in claims(),
    ) {
        let document = json!({ "issuers": issuers, "roles": { "one": roles }, "rules": rules });
        let Ok(policy) = Policy::from_json(document.to_string().as_bytes()) else {
            return Ok(());
        };
        let mut claims = claims.as_object().unwrap().clone();
        for tenant in &policy.issuers[issuer].tenant_claims {
            claims.insert(tenant.clone(), json!("a-stranger"));
        }
        let token = VerifiedToken::unproven_of(issuer, Claims::new(claims));
        let path = NormalPath::parse(b"/a").unwrap();
        prop_assert!(matches!(policy.decide(&token, &facts("GET", &path)), Ruling::Deny(_)));
    }

    #[test]
    fn a_deny_more_never_allows_more_and_an_allow_more_never_refuses_more(
        policy in policy(), extra in rule(), issuer in 0..2_usize, claims in claims(), (method, path) in request(),
    ) {
        let mut extra = extra;
        extra["id"] = json!("extra");
        let mut more = policy.clone();
        more["rules"].as_array_mut().unwrap().push(extra.clone());
        let before = decide(&policy, issuer, &claims, method, path).is_ok();
        let after = decide(&more, issuer, &claims, method, path).is_ok();
        if extra["effect"] == "deny" {
            prop_assert!(before || !after);
        } else {
            prop_assert!(after || !before);
        }
    }
}
