//! A configuration: whatever compiles can be analysed, and denies a request without a token, and one with a
//! forged token.

#![no_main]

use jobgate::policy::Policy;
use jobgate_fuzz::{Gate, issuer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(gate) = Gate::new(data) else { return };
    let again = Gate::new(data).expect("it was a policy a moment ago");
    assert_eq!(gate.digest(), again.digest());
    if let Ok(policy) = Policy::from_json(data) {
        drop(policy.findings_within(1_000_000));
    }
    let forged = forged();
    let bearer = |token: &str| format!("Bearer {token}").into_bytes();
    for headers in [
        vec![],
        vec![("authorization".to_owned(), bearer(&forged))],
        vec![("x-token".to_owned(), bearer(&forged))],
    ] {
        let verdict = gate.judge(&headers, b"GET", b"/");
        assert!(!verdict.allowed, "{verdict:?}");
        assert!(verdict.reason.is_some());
    }
});

/// A token that no key of a configuration signed, whatever keys it holds: its signature is all zeros.
fn forged() -> String {
    let payload = serde_json::Value::Object(issuer::claims(jobgate_fuzz::NOW)).to_string();
    let signed = issuer::sign(&issuer::header(0).to_string(), &payload, 0);
    let end = signed.rfind('.').expect("a token has dots");
    format!("{}.{}", &signed[..end], "A".repeat(86))
}
