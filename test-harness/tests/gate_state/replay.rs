//! Rules that let a token through once.

use jobgate::replay::{SLACK, ensure_pages};
use jobgate::shared_data::SharedData;
use jobgate::time::UnixTime;
use serde_json::{Value, json};

use crate::world::{NOW, Shared, ask, outcome, policy, ready, token};

fn rules() -> Value {
    let acme = json!({ "organization_slug": "acme" });
    json!([
        { "id": "a-deploy", "claims": acme, "paths": ["/deploy", "/both"], "replay": "once" },
        { "id": "b-read", "claims": acme, "paths": ["/read", "/both"] },
        { "id": "c-other", "claims": acme, "paths": ["/other"], "replay": "once" },
        { "id": "d-frozen", "effect": "deny", "paths": ["/deploy"], "claims": { "build_branch": "frozen" } },
    ])
}

/// A record that began long ago.
fn shared() -> Shared {
    let shared = Shared::default();
    ensure_pages(&shared, UnixTime::from_secs(NOW - 3_600)).unwrap();
    shared
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(NOW + secs)
}

#[test]
fn a_token_is_used_up_by_the_request_that_passes_and_by_no_other() {
    let shared = shared();
    let good = token(json!({}));
    let frozen = token(json!({ "claims": { "build_branch": "frozen" } }));
    let revoked = token(json!({ "claims": { "job_id": "revoked" } }));
    for mode in ["enforce", "shadow"] {
        let shared = if mode == "enforce" {
            &shared
        } else {
            &self::shared()
        };
        let policy = policy(json!({
            "mode": mode, "rules": rules(),
            "revocations": { "entries": [{ "claims": { "job_id": "revoked" } }] },
        }));
        let mut state = ready(&policy);
        for (target, token, expected, rule) in [
            ("/read", &good, "allow", Some("b-read")),
            ("/elsewhere", &good, "no_rule_matched", None),
            ("/a/../deploy", &good, "path_ambiguous", None),
            // A rule that asks for less decides, and uses nothing up.
            ("/both", &good, "allow", Some("b-read")),
            ("/deploy", &good, "allow", Some("a-deploy")),
            ("/deploy", &good, "replayed", Some("a-deploy")),
            ("/both", &good, "allow", Some("b-read")),
            ("/read", &good, "allow", Some("b-read")),
            // Once for each rule.
            ("/other", &good, "allow", Some("c-other")),
            ("/other", &good, "replayed", Some("c-other")),
            ("/deploy", &frozen, "denied_by_rule", Some("d-frozen")),
            ("/other", &frozen, "allow", Some("c-other")),
            ("/deploy", &revoked, "revoked", None),
        ] {
            let decision = ask(&policy, &mut state, Some(shared), target, token, at(0));
            assert_eq!(outcome(&decision), expected, "{mode} {target}");
            let decided = match &decision.outcome {
                Ok(permit) => Some(permit.rule()),
                Err(refused) => refused.rule,
            };
            let decided = decided.map(|rule| policy.rules[rule].id.as_str());
            assert_eq!(decided, rule, "{mode} {target}");
            assert_eq!(decision.blocks(), expected != "allow" && mode == "enforce");
        }
    }
}

#[test]
fn workers_and_routes_share_one_record() {
    let shared = shared();
    let policies = [(); 2].map(|()| policy(json!({ "rules": rules() })));
    let mut states = policies.each_ref().map(ready);
    let token = token(json!({}));
    let told: Vec<_> = policies
        .iter()
        .zip(&mut states)
        .map(|(policy, state)| {
            outcome(&ask(policy, state, Some(&shared), "/deploy", &token, at(0)))
        })
        .collect();
    assert_eq!(told, ["allow", "replayed"]);
}

#[test]
fn a_token_without_an_id_of_its_own_is_told_by_its_content() {
    let shared = shared();
    let policy = policy(json!({ "rules": rules() }));
    let mut state = ready(&policy);
    let mut told = |spec| {
        let token = token(spec);
        outcome(&ask(
            &policy,
            &mut state,
            Some(&shared),
            "/deploy",
            &token,
            at(0),
        ))
    };
    assert_eq!(told(json!({ "claims": { "build_number": 1 } })), "allow");
    assert_eq!(told(json!({ "claims": { "build_number": 1 } })), "replayed");
    assert_eq!(told(json!({ "claims": { "build_number": 2 } })), "allow");
    assert_eq!(
        told(json!({ "claims": { "jti": "1", "build_number": 3 } })),
        "allow"
    );
    assert_eq!(
        told(json!({ "claims": { "jti": "1", "build_number": 4 } })),
        "replayed"
    );
}

#[test]
fn without_a_record_or_before_it_begins_nothing_passes() {
    let policy = policy(json!({ "rules": rules() }));
    let mut state = ready(&policy);
    let fresh = Shared::default();
    let leeway = 30;
    let wait = SLACK.as_secs() + leeway;
    let mut told = |shared: Option<&dyn SharedData>, age: u64, secs| {
        let age = -i64::try_from(age).unwrap();
        let token = token(json!({ "age": age }));
        outcome(&ask(
            &policy,
            &mut state,
            shared,
            "/deploy",
            &token,
            at(secs),
        ))
    };
    assert_eq!(told(None, 0, 0), "replay_unavailable");
    ensure_pages(&fresh, at(0)).unwrap();
    assert_eq!(told(Some(&fresh), 0, 0), "replay_unavailable");
    assert_eq!(told(Some(&fresh), wait - 1, wait), "replay_unavailable");
    assert_eq!(told(Some(&fresh), wait, wait), "allow");
    assert_eq!(told(Some(&fresh), wait, wait), "replayed");
}
