//! Each finding and what only looks like one, and findings against the decisions they speak of.

use super::*;
use crate::policy::tests::{Asked, asked, claim_set, claims, policy};
use crate::policy::{ClaimName, Effect, Truth, Verdict};
use crate::token::Claims;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const TABLE: &str = include_str!("tests/findings.json");

fn parse(document: &Value) -> Policy {
    Policy::from_json(document.to_string().as_bytes())
        .unwrap_or_else(|errors| panic!("{errors}\n{document}"))
}

#[test]
fn each_kind_finds_what_it_says_and_nothing_else() {
    let table: Value = serde_json::from_str(TABLE).unwrap();
    let mut failures = Vec::new();
    for kind in table.as_array().unwrap() {
        let code = kind["code"].as_str().unwrap();
        let mut counts = (0, 0);
        for case in kind["cases"].as_array().unwrap() {
            let mut document = case.clone();
            let members = document.as_object_mut().unwrap();
            members.remove("about");
            let expected: Vec<String> =
                serde_json::from_value(members.remove("finds").unwrap()).unwrap();
            members.entry("issuers").or_insert_with(
                || json!([{ "preset": "buildkite", "audience": "https://x.example" }]),
            );
            let found: Vec<String> = parse(&document)
                .findings()
                .iter()
                .filter(|finding| finding.code == code)
                .map(|finding| format!("{}: {finding}", finding.severity.name()))
                .collect();
            match expected.is_empty() {
                true => counts.1 += 1,
                false => counts.0 += 1,
            }
            if found != expected {
                failures.push(format!("{code}: {case}\n  found {found:#?}"));
            }
        }
        assert!(counts.0 > 0 && counts.1 > 0, "{code}: {counts:?}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_policy_page_lists_every_kind() {
    let table: Value = serde_json::from_str(TABLE).unwrap();
    let kinds = table.as_array().unwrap().iter();
    let mut codes: BTreeSet<&str> = kinds.map(|kind| kind["code"].as_str().unwrap()).collect();
    codes.insert("not-compared");
    let page = include_str!("../../../docs/policy.md");
    let (_, section) = page.split_once("## What the analysis finds").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    assert_eq!(listed, codes);
}

#[test]
fn findings_are_in_the_order_of_the_configuration() {
    let rules: Vec<Value> = (0..12)
        .map(|nth| json!({ "id": format!("r{}", 50 - nth), "effect": "deny", "shadow": true, "paths": [format!("/{nth}")] }))
        .collect();
    let document =
        json!({ "issuers": [{ "preset": "buildkite", "audience": "x" }], "rules": rules });
    let paths: Vec<String> = parse(&document)
        .findings()
        .into_iter()
        .map(|finding| finding.path)
        .collect();
    let expected: Vec<String> = (0..12).map(|nth| format!("rules[{nth}].shadow")).collect();
    assert_eq!(paths, expected);
}

#[test]
fn a_large_policy_is_compared_as_far_as_the_steps_go() {
    let rules: Vec<Value> = (0..10_000)
        .map(|nth| {
            json!({
                "id": format!("r{nth}"), "paths": [format!("/deploy/{nth}/**")],
                "claims": { "organization_slug": "acme", "pipeline_slug": format!("p{}", nth % 100) },
            })
        })
        .chain([json!({ "id": "z", "paths": ["/deploy/7/x"], "claims": { "organization_slug": "acme", "pipeline_slug": "p7" } })])
        .collect();
    let document =
        json!({ "issuers": [{ "preset": "buildkite", "audience": "x" }], "rules": rules });
    let policy = parse(&document);
    let codes = |findings: Vec<Finding>| -> BTreeSet<&str> {
        findings.iter().map(|finding| finding.code).collect()
    };
    let all = codes(policy.findings());
    assert!(
        all.contains("rule-swallowed") && !all.contains("not-compared"),
        "{all:?}"
    );
    // Most rules have nothing to be compared with.
    assert_eq!(codes(policy.findings_within(22_000_000)), all);
    // Those with the first ids; `z` is the last.
    let first = codes(policy.findings_within(2_000_000));
    assert!(
        first.contains("not-compared")
            && first.contains("mutable-claim")
            && !first.contains("rule-swallowed"),
        "{first:?}"
    );
    let some = codes(policy.findings_within(10));
    assert!(
        some.contains("not-compared") && !some.contains("rule-swallowed"),
        "{some:?}"
    );
}

#[test]
fn rules_that_nothing_tells_apart_are_compared_as_far_as_the_steps_go() {
    // A rule that lets each token through once can be taken in only by one that comes before it by id. That this is
    // so of half of all pairs costs steps as well, for there may be a hundred million.
    let rule = |nth: usize| json!({ "id": format!("r{nth}"), "replay": "once", "hosts": [format!("h{nth}.example")] });
    let policy = parse(&json!({
        "issuers": [{ "issuer": "https://ci.example", "audience": "a", "algorithms": ["RS256"] }],
        "rules": (0..1_000).map(rule).collect::<Vec<_>>(),
    }));
    let is_whole = |steps| {
        let findings = policy.findings_within(steps);
        findings
            .iter()
            .all(|finding| finding.code != "not-compared")
    };
    let compared = (0..1_000).sum::<u64>() * 2 * 2;
    let looked_at = 1_000 * 1_000;
    let all = looked_at + compared + 1_000 * 1_000;
    assert!(is_whole(all) && !is_whole(looked_at + compared));
}

/// Where the steps don't do for finding the deny rule, nothing is said that it would have answered.
#[test]
fn what_was_not_looked_for_is_not_missed() {
    let pinned = json!({ "repository_owner_id": "1", "ref": "refs/heads/main" });
    // To compare the two takes many steps.
    let events: Vec<_> = (0..100).map(|nth| format!("event-{nth}")).collect();
    let events = [&events[..], &["pull_request_target".into()]].concat();
    let path = format!("/{}", "x".repeat(200));
    let policy = |denies: bool| {
        let deny =
            json!({ "id": "z", "effect": "deny", "claims": { "event_name": { "in": events } } });
        let allow = json!({ "id": "a", "paths": [path], "claims": pinned });
        let rules: Vec<_> = [allow].into_iter().chain(denies.then_some(deny)).collect();
        parse(&json!({ "issuers": [{ "preset": "github", "audience": "x" }], "rules": rules }))
    };
    let finds = |policy: &Policy, steps| {
        let findings = policy.findings_within(steps);
        findings
            .iter()
            .any(|finding| finding.code == "forks-not-excluded")
    };
    assert!(finds(&policy(false), u64::MAX));
    let policy = policy(true);
    for steps in (0..60_000).step_by(500).chain([u64::MAX]) {
        assert!(!finds(&policy, steps), "with {steps} steps");
    }
}

/// Each role includes the one before, so all its tests are the role's too: none of this may grow with their square.
#[test]
fn a_long_chain_of_roles_is_followed_as_far_as_the_steps_go() {
    let roles = (0..2_000).map(|nth| {
        let mut set = json!({ "claims": { (format!("c{nth}")): "x" } });
        if nth > 0 {
            set["roles"] = json!([format!("r{}", nth - 1)]);
        }
        (format!("r{nth}"), set)
    });
    let rules = |nth: usize| json!({ "id": format!("a{nth}"), "roles": [format!("r{nth}")] });
    let policy = parse(&json!({
        "issuers": [{ "issuer": "https://ci.example", "audience": "a", "algorithms": ["RS256"] }],
        "roles": roles.collect::<serde_json::Map<_, _>>(),
        "rules": (0..2_000).map(rules).collect::<Vec<_>>(),
    }));
    let ways = super::Ways::new(&policy);
    for role in 0..2_000 {
        let cases = ways.cases_of_role(&policy, role);
        let tests: usize = cases.iter().map(|case| case.tests.len()).sum();
        assert!(tests <= 512, "{tests} tests");
    }
    let findings = policy.findings_within(10_000);
    assert!(
        findings
            .iter()
            .any(|finding| finding.code == "not-compared")
    );
}

/// A policy in which some rules are others with something changed, so that many take in others.
fn entangled() -> impl Strategy<Value = Value> {
    let change = (any::<prop::sample::Index>(), 0..6_u8, claim_set(1));
    (policy(), proptest::collection::vec(change, 0..4)).prop_map(|(mut policy, changes)| {
        let rules = policy["rules"].as_array_mut().unwrap();
        for (nth, (of, how, claims)) in changes.into_iter().enumerate() {
            if rules.is_empty() {
                break;
            }
            let mut rule = of.get(rules).clone();
            rule["id"] = json!(format!("{}{nth}", if how % 2 == 0 { "a" } else { "x" }));
            match how {
                0 => rule["methods"] = json!(["POST"]),
                1 => rule["paths"] = json!(["/a/x"]),
                2 => {
                    rule["effect"] = json!("deny");
                    rule.as_object_mut().unwrap().remove("replay");
                }
                3 => drop(rule.as_object_mut().unwrap().remove("paths")),
                4 => drop(rule.as_object_mut().unwrap().remove("roles")),
                _ => {
                    let members = claims.as_object().unwrap().clone();
                    rule["claims"].as_object_mut().unwrap().extend(members);
                }
            }
            rules.push(rule);
        }
        policy
    })
}

/// The same with claims that GitLab issues, two of which are scalars and one an array.
fn named_by_gitlab(value: &Value) -> Value {
    let text = value
        .to_string()
        .replace("\"a\":", "\"ref\":")
        .replace("\"b.c\":", "\"sha\":")
        .replace("\"d:e\":", "\"groups_direct\":");
    serde_json::from_str(&text).unwrap()
}

fn scalars_only(mut claims: Value) -> Value {
    let members = claims.as_object_mut().unwrap();
    for name in ["ref", "sha"] {
        if members
            .get(name)
            .is_some_and(|claim| claim.is_array() || claim.is_object())
        {
            members.insert(name.into(), json!("x"));
        }
    }
    claims
}

/// Whether what is found in a policy is true of what it says to requests; gives how often a rule that was found matched.
fn hold(document: &Value, requests: &[(usize, Value, Asked)]) -> Result<usize, TestCaseError> {
    let policy = parse(document);
    let mut checked = 0;
    for finding in policy.findings() {
        let place = finding.path.strip_prefix("rules[");
        let place: Option<usize> =
            place.map(|rest| rest.split(']').next().unwrap().parse().unwrap());
        let Some(place) = place else { continue };
        let nth = policy
            .rules
            .iter()
            .position(|rule| rule.place == place)
            .unwrap();
        let rule = &policy.rules[nth];
        let mut without = document.clone();
        without["rules"].as_array_mut().unwrap().remove(place);
        let without = parse(&without);
        for (issuer, claims, asked) in requests {
            let path = asked.path();
            let facts = asked.facts(&path);
            let claims = Claims::new(claims.as_object().unwrap().clone());
            let required = &policy.issuers[*issuer].required;
            let decides = rule.effect == Effect::Deny || required.first_failing(&claims).is_none();
            let holds = decides && policy.trace(*issuer, &claims, &facts)[nth].holds == Truth::Yes;
            let before = policy.weigh(*issuer, &claims, &facts);
            let after = without.weigh(*issuer, &claims, &facts);
            let is_allowed = |verdict: &Verdict| matches!(verdict, Verdict::Allow { .. });
            let is_superfluous = is_allowed(&before) == is_allowed(&after);
            let is_true = match finding.code {
                "rule-never-matches" => !holds,
                "rule-swallowed" => is_superfluous,
                "once-defeated" => {
                    is_superfluous && !matches!(before, Verdict::Allow { rule, .. } if rule == nth)
                }
                // What is on trial decides nothing, nor does the deny rule that would beat it.
                "allow-always-denied" => {
                    is_superfluous && (rule.shadow || !(holds && is_allowed(&before)))
                }
                _ => continue,
            };
            prop_assert!(is_true, "{finding}\n{claims:?}\n{document}");
            checked += usize::from(holds);
        }
    }
    Ok(checked)
}

/// As [`hold`], for roles: whoever holds one that nobody can hold disproves it.
fn roles_hold(document: &Value, claims: &Value) -> Result<(), TestCaseError> {
    let policy = parse(document);
    let claims = Claims::new(claims.as_object().unwrap().clone());
    let held: Vec<&str> = policy
        .roles_of(&claims)
        .into_iter()
        .map(|role| policy.roles[role].name.as_str())
        .collect();
    for finding in policy.findings() {
        // Of one set of several it can't be told here whether it was the one that was met.
        if finding.code == "role-never-held" && finding.message.contains("meet the role") {
            let name = finding.path.trim_start_matches("roles.");
            let name = name.split(['[', '.']).next().unwrap();
            prop_assert!(!held.contains(&name), "{finding}\n{document}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_found_is_true_of_every_request(
        document in entangled(),
        requests in proptest::collection::vec((0..2_usize, claims(), asked()), 8),
    ) {
        hold(&document, &requests)?;
        roles_hold(&document, &requests[0].1)?;
        let of_a_provider: Vec<_> = requests
            .iter()
            .map(|(_, claims, asked)| (1, scalars_only(named_by_gitlab(claims)), asked.clone()))
            .collect();
        let document = named_by_gitlab(&document);
        hold(&document, &of_a_provider)?;
        roles_hold(&document, &of_a_provider[0].1)?;
    }

    /// The tests of one claim against values, also where it is an array.
    #[test]
    fn what_tests_of_a_claim_imply_is_true_of_every_value(
        sets in (claim_set(2), claim_set(2), claim_set(2)), values in proptest::collection::vec(claims(), 16),
    ) {
        let test = |set: &Value| {
            let document = json!({
                "issuers": [{ "issuer": "https://ci.example", "audience": "a", "algorithms": ["RS256"] }],
                "rules": [{ "id": "a", "claims": { "c": set.as_object().unwrap().values().next().unwrap() } }],
            });
            parse(&document).rules.remove(0).claims.0.remove(0).1
        };
        let [one, other, wanted] = [&sets.0, &sets.1, &sets.2].map(test);
        let name = ClaimName::whole("c");
        for value in values.iter().filter_map(|claims| claims.as_object()?.values().next()) {
            let claims = Claims::new(json!({ "c": value }).as_object().unwrap().clone());
            let value = name.find(&claims);
            let is_scalar = value.is_some_and(|value| !value.is_array() && !value.is_object());
            for is_scalar in [false, is_scalar] {
                let claim = claim::Claim { tests: vec![&one, &other], is_scalar };
                if one.holds(value) && other.holds(value) {
                    prop_assert!(!claim.is_contradiction());
                    prop_assert!(!claim.implies(&wanted) || wanted.holds(value));
                }
            }
        }
    }
}
