//! What is suggested is a policy, allows what was asked for, and nothing else.

use super::{Any, Base, Options, Suggestion, Survey, yaml};
use crate::records::replay::{Replay, Replayed};
use crate::records::tests::gate::{MONDAY, Sent, issuer, job, records};
use crate::records::{Record, Seen};
use crate::source;
use jobgate::policy::{PathGlob, Policy};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn options(any: &[Any], globs: &[&str]) -> Options {
    Options {
        any: any.to_vec(),
        also: Vec::new(),
        globs: globs
            .iter()
            .map(|glob| PathGlob::parse(glob).unwrap())
            .collect(),
        refused_too: false,
    }
}

fn read(lines: &[String]) -> Vec<Record> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn base() -> Base {
    Base::new(json!({ "issuers": [issuer()], "rules": [] })).unwrap()
}

fn suggest(base: &Base, options: &Options, records: &[Record]) -> Suggestion {
    let mut survey = Survey::new(base, options).unwrap();
    records.iter().for_each(|record| survey.add(record.clone()));
    Suggestion::make(base, options, survey).unwrap()
}

/// The ids of the decisions that a policy allows.
fn allowed(document: &Value, records: &[Record]) -> BTreeSet<String> {
    let policy = Policy::from_json(document.to_string().as_bytes()).unwrap();
    let is_allowed = |record: &&Record| {
        let seen = Seen {
            record,
            issuer: Some(&policy.issuers[0]),
            maker: None,
        };
        let replayed = Replay { policy: &policy }.ask(&seen);
        matches!(replayed, Some(Replayed::Allowed(_)))
    };
    let allowed = records.iter().filter(is_allowed);
    allowed.map(|record| record.decision_id.clone()).collect()
}

/// What can be told of a request.
fn told(record: &Record) -> [String; 4] {
    let identity = |name: &str| record.identity[name].clone();
    [
        identity("pipeline"),
        identity("branch"),
        record.method.clone(),
        record.path.clone().unwrap(),
    ]
}

const PATHS: [&str; 7] = ["/a", "/a/b", "/a/c", "/a/%2A", "/a/*", "/d/b/c", "/d/b"];
const BRANCHES: [&str; 4] = ["main", "feature/x y", "yes", "\u{85}\u{feff}é\"\\\u{1f9e8}"];

fn any_requests() -> impl Strategy<Value = Vec<(usize, usize, usize, usize)>> {
    prop::collection::vec(
        (0..3_usize, 0..BRANCHES.len(), 0..2_usize, 0..PATHS.len()),
        1..30,
    )
}

/// Their records by a gate that allows some, has others on trial or refuses them, and denies some.
fn recorded(requests: &[(usize, usize, usize, usize)], mode: &str) -> Vec<Record> {
    let gate = json!({
        "mode": mode,
        "issuers": [issuer()],
        "rules": [
            { "id": "web", "claims": { "organization_slug": "acme", "pipeline_slug": "web" } },
            { "id": "frozen", "effect": "deny", "paths": ["/d/*"] },
            { "id": "no-deletes", "effect": "deny", "methods": ["DELETE"], "claims": { "step_key": "plan" } },
        ],
    });
    let sent: Vec<_> = requests
        .iter()
        .zip(0..)
        .map(|((pipeline, branch, method, path), nth)| {
            let mut claims = job(["web", "app/web", "app/api"][*pipeline], BRANCHES[*branch]);
            // What no rule can tell apart: see `told`.
            if nth % 3 == 0 {
                claims["step_key"] = "plan".into();
            }
            Sent {
                method: ["GET", "DELETE"][*method],
                target: PATHS[*path],
                route: "deploy",
                at: MONDAY + nth,
                claims,
            }
        })
        .collect();
    read(&records(&gate, &sent))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn it_allows_what_was_asked_for_and_every_rule_is_needed(
        requests in any_requests(),
        mode in prop::sample::select(vec!["enforce", "shadow"]),
    ) {
        let records = recorded(&requests, mode);
        let suggestion = suggest(&base(), &options(&[], &[]), &records);
        let is_asked = |record: &&Record| record.is_allowed() || record.is_on_trial();
        // The model: nothing for a star, and nothing that a refused request is like.
        let refused: BTreeSet<_> =
            records.iter().filter(|record| !is_asked(record)).map(told).collect();
        let expected: BTreeSet<_> = records
            .iter()
            .filter(is_asked)
            .filter(|record| !refused.contains(&told(record)) && !told(record)[3].contains('*'))
            .map(|record| record.decision_id.clone())
            .collect();
        prop_assert_eq!(allowed(&suggestion.policy, &records), expected.clone());
        let asked = records.iter().filter(is_asked).count();
        let left_out: usize = suggestion.left_out.iter().map(|each| each.requests).sum();
        let evidence: usize = suggestion.evidence.values().map(|each| each.requests).sum();
        prop_assert_eq!((asked, evidence), (evidence + left_out, expected.len()));
        prop_assert_eq!(suggestion.also_allows, 0);
        prop_assert_eq!(&suggestion.warnings, &[]);
        each_rule_is_needed(&suggestion.policy, &records)?;
        // The same for the records in any order, but for what is shown as an example.
        let mut turned = records.clone();
        turned.reverse();
        prop_assert_eq!(&suggest(&base(), &options(&[], &[]), &turned).policy, &suggestion.policy);
        // What is printed is what was made.
        let text = yaml(&suggestion);
        let file = std::env::temp_dir().join(format!("jobgate-suggest-{}.yaml", std::process::id()));
        std::fs::write(&file, &text).unwrap();
        let loaded = source::load(&file).unwrap();
        prop_assert_eq!(&loaded.choose(None).unwrap().value, &suggestion.policy, "{}", text);
        prop_assert!(loaded.choose(None).unwrap().doubts.is_empty(), "{text}");
    }

    #[test]
    fn it_generalises_as_it_is_told_and_no_further(
        requests in any_requests(),
        any_branch in any::<bool>(),
        any_pipeline in any::<bool>(),
        any_method in any::<bool>(),
        globs in prop::sample::subsequence(vec!["/a/*", "/a/**", "/**/b"], 0..3),
    ) {
        let records = recorded(&requests, "shadow");
        let any: Vec<_> = [(Any::Branch, any_branch), (Any::Pipeline, any_pipeline), (Any::Method, any_method)]
            .into_iter()
            .filter_map(|(any, is_told)| is_told.then_some(any))
            .collect();
        let options = options(&any, &globs);
        let suggestion = suggest(&base(), &options, &records);
        let is_asked = |record: &&Record| record.is_allowed() || record.is_on_trial();
        let refused: BTreeSet<_> =
            records.iter().filter(|record| !is_asked(record)).map(told).collect();
        let by_glob = |path: &str| options.globs.iter().find(|glob| glob.matches(path));
        let rules: Vec<_> = records
            .iter()
            .filter(is_asked)
            .map(told)
            .filter(|told| !refused.contains(told))
            .filter(|told| by_glob(&told[3]).is_some() || !told[3].contains('*'))
            .collect();
        let covers = |rule: &[String; 4], told: &[String; 4]| {
            (any_pipeline || rule[0] == told[0])
                && (any_branch || rule[1] == told[1])
                && (any_method || rule[2] == told[2])
                && by_glob(&rule[3]).map_or(rule[3] == told[3], |glob| glob.matches(&told[3]))
        };
        let expected: BTreeSet<_> = records
            .iter()
            .filter(|record| rules.iter().any(|rule| covers(rule, &told(record))))
            .map(|record| record.decision_id.clone())
            .collect();
        prop_assert_eq!(allowed(&suggestion.policy, &records), expected);
        each_rule_is_needed(&suggestion.policy, &records)?;
    }
}

fn each_rule_is_needed(document: &Value, records: &[Record]) -> Result<(), TestCaseError> {
    let all = allowed(document, records);
    for nth in 0..document["rules"].as_array().unwrap().len() {
        let mut fewer = document.clone();
        fewer["rules"].as_array_mut().unwrap().remove(nth);
        prop_assert_ne!(&allowed(&fewer, records), &all, "without {}", nth);
    }
    Ok(())
}

/// Of a branch of GitHub's alone it can't be told whose code runs.
#[test]
fn what_check_warns_of_is_told() {
    let document = json!({ "issuers": [{ "preset": "github", "audience": "a" }], "rules": [] });
    let base = Base::new(document).unwrap();
    let record = json!({
        "event": "jobgate.decision", "decision_id": "1", "time_ms": 1, "decision": "allow",
        "issuer": "https://token.actions.githubusercontent.com", "method": "GET", "path": "/a",
        "identity": { "organization": "acme", "pipeline": "acme/web", "branch": "refs/heads/main" },
        "claims": { "event_name": "push" },
    });
    let records = read(&[record.to_string()]);
    let codes = |also: &[&str]| -> Vec<_> {
        let mut options = options(&[], &[]);
        options.also = also.iter().map(|name| name.parse().unwrap()).collect();
        let warnings = suggest(&base, &options, &records).warnings;
        warnings.iter().map(|warning| warning.code).collect()
    };
    assert_eq!(codes(&[]), ["forks-not-excluded"]);
    assert!(codes(&["claims.event_name"]).is_empty());
}

#[test]
fn deny_rules_of_the_policy_stay_and_hold() {
    let document = json!({
        "issuers": [issuer()],
        "rules": [
            { "id": "web-main", "effect": "deny", "paths": ["/d/*"] },
            { "id": "all", "claims": { "organization_slug": "acme" } },
        ],
    });
    let base = Base::new(document).unwrap();
    let records = recorded(&[(0, 0, 0, 0), (0, 0, 0, 6), (0, 0, 0, 5)], "shadow");
    // Another gate allowed what this policy denies.
    let other = json!({
        "issuers": [issuer()],
        "rules": [{ "id": "all", "claims": { "organization_slug": "acme" } }],
    });
    let claims = job("web", "main");
    let frozen = Sent {
        method: "GET",
        target: "/d/x",
        route: "deploy",
        at: MONDAY,
        claims,
    };
    let all: Vec<_> = records
        .into_iter()
        .chain(read(&self::records(&other, &[frozen])))
        .collect();
    let suggestion = suggest(&base, &options(&[], &[]), &all);
    let rules: Vec<_> = suggestion.policy["rules"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    assert_eq!(rules.len(), 2, "{rules:?}");
    assert_eq!(rules[0]["effect"], "deny");
    // The id was taken.
    assert_eq!(rules[1]["id"], "web-main-2");
    assert_eq!(rules[1]["paths"], json!(["/a", "/d/b/c"]));
    assert_eq!(suggestion.left_out.len(), 1);
    assert_eq!(
        suggestion.left_out[0].why,
        "the policy's rule web-main denies it"
    );
}
