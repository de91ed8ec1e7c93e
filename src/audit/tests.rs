//! What no request may bring about in a record.

use super::{Answer, answer, record};
use crate::gate::{self, Decision, DecisionId, Request, judge};
use crate::limit::{Standing, State};
use crate::policy::{ClientCertificate, Policy};
use crate::reason::{Reason, Refusal};
use crate::request::HeaderMap;
use crate::shared_data::NoSharedData;
use crate::time::UnixTime;
use crate::token::{Claims, VerifiedToken};
use serde_json::{Value, json};

fn policy(detail: &str) -> Policy {
    let rule = |nth: usize| {
        let claims = json!({
            "organization_slug": "acme",
            "build_branch": { "in": vec!["an-allowed-branch"; 50] },
        });
        json!({ "id": format!("a-rule-with-a-long-name-{nth}"), "claims": claims })
    };
    let role = || json!({ "claims": { "sub": { "not_equals": "x" } } });
    let document = json!({
        "issuers": [{ "preset": "buildkite", "audience": "a", "jwks": { "cluster": "c" } }],
        "roles": (0..100).map(|nth| (format!("a-role-with-a-long-name-{nth}"), role())).collect::<serde_json::Map<_, _>>(),
        "rules": (0..20).map(rule).collect::<Vec<_>>(),
        "audit": { "detail": detail, "client": "conditions" },
    });
    Policy::from_json(document.to_string().as_bytes()).unwrap()
}

/// A refused request in which everything that others choose is as long and as odd as it can be.
fn hostile(policy: &Policy) -> (String, Answer<'_>) {
    let decision = refused(policy);
    let route = odd();
    (record(&decision, Some(&route)), answer(&decision).unwrap())
}

fn odd() -> String {
    "\u{1f9e8}\n\"\\\u{7f}".repeat(3_000)
}

fn refused(policy: &Policy) -> Decision<'_> {
    let odd = odd();
    let headers: HeaderMap = [("authorization".to_owned(), b"Bearer secret-token".to_vec())]
        .into_iter()
        .collect();
    let target = format!("/{}?query=secret-query", "p".repeat(60_000));
    let certificate = ClientCertificate {
        verified: Some(true),
        subject: Some(odd.clone()),
        uri_san: Some(odd.clone()),
        dns_san: Some(odd.clone()),
    };
    let host = ["label-of-a-host"; 15].join(".");
    let request = Request {
        host: Some(host.as_bytes()),
        service: Some(&odd),
        certificate: &certificate,
        ..Request::new(&headers, odd.as_bytes(), target.as_bytes())
    };
    let now = UnixTime::from_secs(1);
    let id = DecisionId::new(now, 1, 1);
    let mut decision = judge(
        policy,
        &mut gate::State::alone(policy),
        &NoSharedData,
        request,
        id,
        now,
    );
    let identity = policy.issuers[0]
        .identity
        .iter()
        .map(|(_, claim)| claim.as_str());
    let claims = identity
        .chain(["sub"])
        .map(|claim| (claim.to_owned(), Value::from(odd.as_str())))
        .collect();
    let token = VerifiedToken::unproven(Claims::new(claims));
    let path = decision.path.as_ref().unwrap();
    let facts = crate::policy::Facts::new(&decision.method, path, now);
    let crate::policy::Ruling::Deny(denial) = policy.decide(&token, &facts) else {
        panic!("it was allowed");
    };
    decision.token = Some(token);
    assert_eq!(denial.roles.len(), policy.roles.len());
    if let Err(refused) = &mut decision.outcome {
        refused.mismatches = denial.mismatches;
        refused.roles = denial.roles;
        refused.shadow = denial.shadow;
    }
    decision
}

#[test]
fn a_record_is_whole_json_on_one_line_that_no_log_cuts_off() {
    for detail in ["code", "conditions", "claims"] {
        let policy = policy(detail);
        let (record, _) = hostile(&policy);
        assert!(record.len() < 4_000, "{detail}: {} bytes", record.len());
        assert!(
            record.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{record}"
        );
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["decision"], "deny");
        assert_eq!(record["failed"].is_array(), detail != "code");
        assert_eq!(record["failed"][0]["value"].is_string(), detail == "claims");
        // There was no room left for them.
        assert_eq!(record["claims_left_out"] == 3, detail == "claims");
    }
}

#[test]
fn a_record_tells_what_the_conditions_looked_at_if_the_policy_says_so() {
    for (detail, expected) in [
        ("code", json!(null)),
        ("conditions", json!(null)),
        (
            "claims",
            json!({ "organization_slug": "acme", "build_branch": ["a", 1] }),
        ),
    ] {
        let policy = policy(detail);
        let refusal = Refusal::new(Reason::NoRuleMatched, "no allow rule matched");
        let now = UnixTime::from_secs(1);
        let mut decision =
            Decision::refuse(Some(&policy), refusal, DecisionId::new(now, 1, 1), now);
        decision.host = Some("deploy.acme.example".into());
        decision.service = Some("deploy".into());
        decision.certificate.verified = Some(true);
        decision.certificate.subject = Some("CN=ci".into());
        let claims = json!({ "organization_slug": "acme", "build_branch": ["a", 1], "other": "x", "sub": null });
        let claims = Claims::new(claims.as_object().unwrap().clone());
        decision.token = Some(VerifiedToken::unproven(claims));
        let record: Value = serde_json::from_str(&record(&decision, None)).unwrap();
        assert_eq!(record["claims"], expected);
        // What else conditions can look at, for replays.
        assert_eq!(record["host"], "deploy.acme.example");
        assert_eq!(record["service"], "deploy");
        assert_eq!(
            record["client_certificate"],
            json!({ "verified": true, "subject": "CN=ci" })
        );
    }
}

#[test]
fn neither_record_nor_answer_holds_the_token_or_the_query() {
    let policy = policy("claims");
    let (record, answer) = hostile(&policy);
    for text in [record, answer.body] {
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn an_answer_is_a_problem_document_with_a_challenge() {
    let policy = policy("code");
    let (_, answer) = hostile(&policy);
    let header = |name: &str| {
        let values: Vec<_> = answer
            .headers
            .iter()
            .filter(|(known, _)| *known == name)
            .collect();
        assert!(values.len() <= 1, "{name}");
        values.first().map(|(_, value)| value.as_str())
    };
    assert_eq!(header("content-type"), Some("application/problem+json"));
    assert_eq!(header("cache-control"), Some("no-store"));
    // The token that was sent is malformed; RFC 6750 has one word for that.
    let challenge = header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer ") && challenge.contains("error=\"invalid_token\""));
    assert_eq!(header("retry-after"), None);
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem["type"], "urn:jobgate:reason:token_malformed");
    assert_eq!(problem["title"], "Unauthorized");
    assert_eq!(problem["status"], 401);
    assert_eq!(
        header("x-jobgate-decision-id"),
        problem["decision_id"].as_str()
    );
    // The policy tells clients which conditions failed, and never on what values.
    let failed = problem["failed"].as_array().unwrap();
    assert!(
        failed
            .iter()
            .any(|line| line.as_str().unwrap().contains(".claims.")),
        "{failed:?}"
    );
    assert!(
        !answer.body.contains("\\ud83e"),
        "a claim's value is in the answer"
    );
}

#[test]
fn a_client_is_told_no_condition_unless_the_policy_says_so() {
    let mut policy = policy("claims");
    policy.audit.client = crate::policy::ClientDetail::Code;
    let (_, answer) = hostile(&policy);
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem.get("failed"), None);
    assert!(!answer.body.contains("a-rule-with"));
}

/// A line that a log cuts off is no JSON, and nobody's alarm: a job with a long branch must not bring that about
/// where the policy's own names are long too.
#[test]
fn long_names_in_the_policy_leave_failed_conditions_out_and_not_the_end_of_the_line() {
    let long = |nth: usize| format!("{}{nth:02}", "n".repeat(62));
    let rule = |nth: usize| {
        let branches = vec!["b".repeat(300); 2];
        let claims = match nth {
            0..10 => json!({ "organization_slug": "acme", "build_branch": { "in": branches } }),
            _ => json!({ "organization_slug": { "matches": "\u{1f9e8}*" } }),
        };
        json!({ "id": long(nth), "shadow": nth >= 10, "claims": claims })
    };
    let roles = (0..9).map(|nth| {
        let any = json!({ "claims": { "sub": { "not_equals": "x" } } });
        (long(nth), any)
    });
    let document = json!({
        "issuers": [{ "preset": "buildkite", "audience": "a", "jwks": { "cluster": "c" } }],
        "roles": roles.collect::<serde_json::Map<_, _>>(),
        "rules": (0..20).map(rule).collect::<Vec<_>>(),
        "limits": (0..9).map(|nth| json!({ "id": long(nth), "key": ["sub"], "rate": "1/d" })).collect::<Vec<_>>(),
        "audit": { "detail": "claims" },
    });
    let policy = Policy::from_json(document.to_string().as_bytes()).unwrap();
    for detail in ["short".to_owned(), "long \u{1f9e8}".repeat(1_000)] {
        let mut decision = refused(&policy);
        if let Err(refused) = &mut decision.outcome {
            refused.refusal.detail = detail.into();
        }
        let route = "r".repeat(300);
        let unlimited = record(&decision, Some(&route));
        let standing = |limit| Standing {
            limit,
            state: State::Unavailable,
        };
        decision.limits = (0..9).map(standing).collect();
        for (line, lists) in [
            (unlimited, "failed"),
            (record(&decision, Some(&route)), "limits"),
        ] {
            assert!(line.len() < 4_000, "{} bytes", line.len());
            let record: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(record["trial"]["decision"], "allow");
            assert!(record[lists][0].is_object(), "{line}");
        }
    }
}
