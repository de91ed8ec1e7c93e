//! Limits, as parts of whole decisions.

use jobgate::audit::{answer, record, upstream_headers};
use jobgate::gate::Decision;
use jobgate::replay::ensure_pages;
use jobgate::shared_data::SharedData;
use jobgate::time::UnixTime;
use serde_json::{Value, json};

use crate::world::{NOW, Shared, ask, outcome, policy, ready, token};

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(NOW + secs)
}

fn limits() -> Value {
    json!([
        { "id": "per-pipeline", "key": ["organization_slug", "pipeline_slug"], "rate": "30/m", "burst": 2 },
        { "id": "fleet", "key": ["organization_slug"], "enforce_by": "gateway" },
    ])
}

fn header<'a>(headers: &'a [(&str, impl AsRef<str>)], name: &str) -> Option<&'a str> {
    let mut values = headers.iter().filter(|(known, _)| *known == name);
    let value = values.next().map(|(_, value)| value.as_ref());
    assert!(values.next().is_none(), "{name} is there twice");
    value
}

fn limits_on_record(decision: &Decision<'_>) -> Value {
    let record: Value = serde_json::from_str(&record(decision, None)).expect("it is JSON");
    record["limits"].clone()
}

#[test]
fn a_job_that_asks_too_often_is_told_when_to_come_again() {
    let (shared, token) = (Shared::default(), token(json!({})));
    let policy = policy(json!({ "limits": limits() }));
    let mut state = ready(&policy);
    let mut ask = |millis| {
        let now = at(0).plus(std::time::Duration::from_millis(millis));
        ask(&policy, &mut state, Some(&shared), "/", &token, now)
    };
    let first = ask(0);
    assert_eq!(outcome(&first), "allow");
    assert_eq!(
        limits_on_record(&first),
        json!([
            { "id": "fleet", "handed_on": true },
            { "id": "per-pipeline", "remaining": 1 },
        ])
    );
    let last = ask(0);
    assert_eq!(outcome(&last), "allow");
    assert_eq!(
        limits_on_record(&last)[0],
        json!({ "id": "per-pipeline", "remaining": 0, "retry_ms": 2_000 })
    );

    let refused = ask(500);
    assert_eq!(outcome(&refused), "rate_limited");
    assert!(refused.blocks() && upstream_headers(&refused).is_empty());
    let answer = answer(&refused).expect("it is refused");
    assert_eq!(answer.status, 429);
    // Whole seconds, rounded up: who comes after them passes.
    for (name, value) in [
        ("retry-after", Some("2")),
        ("ratelimit", Some("\"per-pipeline\";r=0;t=2")),
        ("ratelimit-policy", Some("\"per-pipeline\";q=2;w=4")),
        ("www-authenticate", None),
    ] {
        assert_eq!(header(&answer.headers, name), value, "{name}");
    }
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem["title"], "Too Many Requests");
    let line: Value = serde_json::from_str(&record(&refused, None)).unwrap();
    assert_eq!(line["reason"], "rate_limited");
    assert_eq!(line["rule"], "any-job");
    assert_eq!(
        line["detail"],
        "the limit \"per-pipeline\" is 30/m and 2 at once; the job's next request passes in 1500 ms"
    );
    assert_eq!(line["limits"][0]["retry_ms"], 1_500);

    let later = ask(2_500);
    assert_eq!(outcome(&later), "allow");
    let headers = upstream_headers(&later);
    let bucket = header(&headers, "x-jobgate-limit-fleet").expect("it is handed on");
    assert!(bucket.len() == 32 && !bucket.contains("acme"));
}

#[test]
fn in_shadow_mode_limits_count_and_block_nothing() {
    let (shared, token) = (Shared::default(), token(json!({})));
    let policy = policy(json!({ "mode": "shadow", "limits": limits() }));
    let mut state = ready(&policy);
    let mut told = Vec::new();
    for _ in 0..4 {
        let decision = ask(&policy, &mut state, Some(&shared), "/", &token, at(0));
        assert!(!decision.blocks() && answer(&decision).is_none());
        let headers = upstream_headers(&decision);
        // What enforcing would have refused is not counted elsewhere either.
        let is_handed_on = header(&headers, "x-jobgate-limit-fleet").is_some();
        assert_eq!(is_handed_on, decision.outcome.is_ok());
        assert_eq!(
            header(&headers, "x-jobgate-reason"),
            decision.outcome.as_ref().err().map(|_| "rate_limited")
        );
        told.push(outcome(&decision));
    }
    assert_eq!(told, ["allow", "allow", "rate_limited", "rate_limited"]);
}

#[test]
fn only_a_request_that_passes_all_else_counts() {
    let once = json!({ "id": "deploy", "claims": { "organization_slug": "acme" }, "paths": ["/deploy"], "replay": "once" });
    let read =
        json!({ "id": "read", "claims": { "organization_slug": "acme" }, "paths": ["/read"] });
    let frozen =
        json!({ "id": "frozen", "effect": "deny", "claims": { "build_branch": "frozen" } });
    let policy = policy(json!({
        "rules": [once, read, frozen],
        "limits": [{ "id": "l", "key": ["organization_slug"], "rate": "1/m", "burst": 3 }],
        "revocations": { "entries": [{ "claims": { "job_id": "revoked" } }] },
    }));
    let mut state = ready(&policy);
    let shared = Shared::default();
    ensure_pages(&shared, UnixTime::from_secs(NOW - 3_600)).unwrap();
    let one = token(json!({ "claims": { "jti": "1" } }));
    let two = token(json!({ "claims": { "jti": "2" } }));
    let frozen = token(json!({ "claims": { "build_branch": "frozen" } }));
    let revoked = token(json!({ "claims": { "job_id": "revoked" } }));
    for (target, token, expected) in [
        ("/deploy", &one, "allow"),
        // A stolen token that was used does not use up the job's share, however often it comes.
        ("/deploy", &one, "replayed"),
        ("/deploy", &one, "replayed"),
        ("/deploy", &one, "replayed"),
        ("/elsewhere", &one, "no_rule_matched"),
        ("/read", &frozen, "denied_by_rule"),
        ("/read", &revoked, "revoked"),
        ("/read", &one, "allow"),
        ("/read", &one, "allow"),
        ("/read", &one, "rate_limited"),
        // A token that came too often is not used up by it.
        ("/deploy", &two, "rate_limited"),
    ] {
        let decision = ask(&policy, &mut state, Some(&shared), target, token, at(0));
        assert_eq!(outcome(&decision), expected, "{target}");
    }
    let decision = ask(&policy, &mut state, Some(&shared), "/deploy", &two, at(60));
    assert_eq!(outcome(&decision), "allow");
}

#[test]
fn without_shared_data_a_limit_says_what_becomes_of_requests() {
    let token = token(json!({}));
    for (unavailable, expected) in [("deny", "limits_unavailable"), ("allow", "allow")] {
        let limit = json!({ "id": "l", "key": ["organization_slug"], "rate": "1/h", "unavailable": unavailable });
        let policy = policy(json!({ "limits": [limit] }));
        let decision = ask(&policy, &mut ready(&policy), None, "/", &token, at(0));
        assert_eq!(outcome(&decision), expected);
        assert_eq!(
            limits_on_record(&decision),
            json!([{ "id": "l", "unavailable": true }])
        );
        if let Some(answer) = answer(&decision) {
            assert_eq!(answer.status, 503);
            assert_eq!(header(&answer.headers, "retry-after"), Some("1"));
            assert_eq!(header(&answer.headers, "ratelimit"), None);
        }
    }
}

#[test]
fn routes_with_the_same_limit_share_its_buckets_and_a_changed_one_begins_anew() {
    let (shared, token) = (Shared::default(), token(json!({})));
    let with = |id: &str, rate: &str| {
        policy(json!({ "limits": [{ "id": id, "key": ["organization_slug"], "rate": rate }] }))
    };
    let shared: &dyn SharedData = &shared;
    for (id, rate, expected) in [
        ("l", "1/h", "allow"),
        ("l", "1/h", "rate_limited"),
        ("m", "1/h", "allow"),
        ("l", "2/h", "allow"),
        ("l", "1/h", "rate_limited"),
    ] {
        let policy = with(id, rate);
        let decision = ask(
            &policy,
            &mut ready(&policy),
            Some(shared),
            "/",
            &token,
            at(0),
        );
        assert_eq!(outcome(&decision), expected, "{id} {rate}");
    }
}
