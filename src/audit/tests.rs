//! What no request may bring about in a record.

use super::{answer, record};
use crate::gate::{DecisionId, Request, judge};
use crate::keys::KeyRing;
use crate::policy::Policy;
use crate::request::HeaderMap;
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
    let document = json!({
        "issuers": [{ "preset": "buildkite", "audience": "a", "jwks": { "cluster": "c" } }],
        "rules": (0..20).map(rule).collect::<Vec<_>>(),
        "audit": { "detail": detail, "client": "conditions" },
    });
    Policy::from_json(document.to_string().as_bytes()).unwrap()
}

/// A refused request in which everything that others choose is as long and as odd as it can be.
fn hostile(policy: &Policy) -> (String, String) {
    let odd = "\u{1f9e8}\n\"\\\u{7f}".repeat(3_000);
    let headers: HeaderMap = [("authorization".to_owned(), b"Bearer secret-token".to_vec())]
        .into_iter()
        .collect();
    let target = format!("/{}?query=secret-query", "p".repeat(60_000));
    let request = Request {
        headers: &headers,
        method: odd.as_bytes(),
        target: target.as_bytes(),
        path_can_be_rewritten: true,
    };
    let now = UnixTime::from_secs(1);
    let id = DecisionId::new(now, 1, 1);
    let mut decision = judge(policy, &mut KeyRing::new(&policy.issuers), request, id, now);
    let identity = policy.issuers[0].identity.iter().map(|(_, claim)| *claim);
    let claims = identity
        .chain(["sub"])
        .map(|claim| (claim.to_owned(), Value::from(odd.as_str())))
        .collect();
    let token = VerifiedToken::unproven(Claims::new(claims));
    let path = decision.path.as_ref().unwrap();
    let crate::policy::Ruling::Deny(denial) = policy.decide(&token, &decision.method, path) else {
        panic!("it was allowed");
    };
    decision.token = Some(token);
    if let Err(refused) = &mut decision.outcome {
        refused.mismatches = denial.mismatches;
    }
    (
        record(&decision, Some(&odd)),
        answer(&decision).unwrap().body,
    )
}

#[test]
fn a_record_is_whole_json_on_one_line_that_no_log_cuts_off() {
    for detail in ["code", "conditions", "claims"] {
        let (record, _) = hostile(&policy(detail));
        assert!(record.len() < 4_000, "{detail}: {} bytes", record.len());
        assert!(
            record.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{record}"
        );
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["decision"], "deny");
        assert_eq!(record["failed"].is_array(), detail != "code");
        assert_eq!(record["failed"][0]["value"].is_string(), detail == "claims");
    }
}

#[test]
fn neither_record_nor_answer_holds_the_token_or_the_query() {
    let (record, answer) = hostile(&policy("claims"));
    for text in [record, answer] {
        assert!(!text.contains("secret"), "{text}");
    }
}
