//! What the audit makes of claims: no claim can forge a header, a line of the log, or JSON.
//!
//! The input is a JSON object, whose members become claims of a good token (over its own), signed here; or
//! anything else, which is sent as a token. Either way what comes out must be clean.

#![no_main]

use jobgate_fuzz::{Gate, NOW, Verdict, issuer, json};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

thread_local! {
    static GATES: [Gate; 2] = gates();
}

/// Gates that tell as much as a policy can.
fn gates() -> [Gate; 2] {
    ["enforce", "shadow"].map(|mode| {
        let mut policy = issuer::policy();
        policy["mode"] = json!(mode);
        policy["audit"] = json!({ "detail": "claims", "client": "conditions" });
        policy["rules"] = json!([
            { "id": "any-job", "claims": { "organization_slug": "acme" } },
            { "id": "not-this", "effect": "deny", "claims": { "build_branch": { "matches": "*!*" } } },
        ]);
        policy["roles"] = json!({ "deployer": { "claims": { "organization_slug": "acme" } } });
        Gate::new(policy.to_string().as_bytes()).expect("it is a policy")
    })
}

fuzz_target!(|data: &[u8]| GATES.with(|gates| look(gates, data)));

fn look(gates: &[Gate], data: &[u8]) {
    let members = std::str::from_utf8(data).ok().and_then(json::object);
    for gate in gates {
        let verdict = match &members {
            Some(members) => {
                let mut claims = issuer::claims(NOW);
                claims.extend(members.clone());
                let payload = Value::Object(claims).to_string();
                let token = issuer::sign(&issuer::header(0).to_string(), &payload, 0);
                gate.judge_token(token.as_bytes())
            }
            None => gate.judge(
                &[("authorization".to_owned(), data.to_vec())],
                data.get(..20).unwrap_or_default(),
                data,
            ),
        };
        check(&verdict);
    }
}

fn check(verdict: &Verdict) {
    let record = &verdict.record;
    assert!(
        is_clean(record),
        "the record is no line of ASCII: {record:?}"
    );
    assert!(
        record.len() < 4096,
        "nginx cuts this line: {} bytes",
        record.len()
    );
    let value: Value = serde_json::from_str(record).expect("the record is JSON");
    assert_eq!(value["event"], "jobgate.decision");
    assert!(json::has_no_duplicates(record), "{record}");
    for (name, value) in &verdict.headers {
        assert!(name.starts_with("x-jobgate-"), "{name}");
        assert!(is_clean(value), "{name}: {value:?}");
        assert!(value.trim() == value, "{name}: {value:?}");
    }
    let mut names: Vec<_> = verdict.headers.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), verdict.headers.len(), "a header occurs twice");
    if let Some((headers, body)) = &verdict.answer {
        for (name, value) in headers {
            assert!(is_clean(value), "{name}: {value:?}");
        }
        let problem: Value = serde_json::from_str(body).expect("the answer is JSON");
        assert_eq!(problem["code"], json!(verdict.reason));
    }
    assert_eq!(verdict.blocked, verdict.answer.is_some());
}

/// ASCII without control characters: one line, one header.
fn is_clean(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
