//! The gate vouches for what it lets in, and for nothing else; what it said serves again while half of its life is left.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jobgate::audit::{record, upstream_headers};
use jobgate::gate::{Decision, State};
use jobgate::policy::Policy;
use jobgate::time::UnixTime;
use jobgate_harness::mint::TokenSpec;
use serde_json::{Value, json};

use crate::world::{NOW, ask, minters, outcome, policy, ready, token};

/// The key of RFC 8037, appendix A.
const D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

pub(crate) fn assertion() -> Value {
    json!({
        "issuer": "https://gateway.example", "audience": "https://upstream.example", "header": "x-identity",
        "keys": [{ "jwk": { "kty": "OKP", "crv": "Ed25519", "d": D, "x": X } }],
    })
}

/// A policy with two rules on two paths, and what is over them.
fn vouching(over: &Value) -> Policy {
    let acme = json!({ "organization_slug": "acme" });
    let mut all = json!({
        "roles": { "deployer": { "claims": acme }, "other": { "claims": acme } },
        "rules": [
            { "id": "one", "claims": acme, "paths": ["/one"] },
            { "id": "two", "claims": acme, "paths": ["/two"] },
        ],
        "assertion": assertion(),
    });
    for (name, value) in over.as_object().expect("it is an object") {
        all[name] = value.clone();
    }
    policy(all)
}

fn at(millis_later: u64) -> UnixTime {
    UnixTime::new(std::time::Duration::from_millis(NOW * 1_000 + millis_later))
}

fn header(decision: &Decision<'_>) -> Option<String> {
    let headers = upstream_headers(decision);
    let found = headers.iter().find(|(name, _)| *name == "x-identity");
    found.map(|(_, value)| value.to_string())
}

/// The claims, after the signature was verified by another library than the gate's.
fn verified(compact: &str) -> Value {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("it is base64url");
    let (signed, signature) = compact.rsplit_once('.').expect("it has three parts");
    let key = ed25519_compact::PublicKey::from_slice(&decode(X)).expect("it is a key");
    let signature =
        ed25519_compact::Signature::from_slice(&decode(signature)).expect("it is a signature");
    key.verify(signed, &signature).expect("it verifies");
    let payload = signed.split('.').nth(1).expect("it has a payload");
    serde_json::from_slice(&decode(payload)).expect("it is JSON")
}

fn send<'p>(
    policy: &'p Policy,
    state: &mut State,
    path: &str,
    token: &str,
    at: UnixTime,
) -> Decision<'p> {
    ask(policy, state, None, path, token, at)
}

#[test]
fn what_is_let_in_is_vouched_for() {
    let policy = vouching(&json!({}));
    let mut state = ready(&policy);
    let token = token(json!({ "claims": { "build_branch": "a,b\r\né" } }));
    let decision = send(&policy, &mut state, "/one", &token, at(999));
    let claims = verified(&header(&decision).expect("it is there"));
    let proven = decision.token.as_ref().expect("it is proven").claims();
    let own = |name: &str| proven.text(name).expect("it is there").into_owned();
    assert_eq!(
        claims,
        json!({
            "iss": "https://gateway.example", "aud": "https://upstream.example", "sub": own("sub"),
            "iat": NOW, "nbf": NOW, "exp": NOW + 60, "jti": decision.id.text(),
            "jobgate": {
                "issuer": "https://ci.example", "organization": "acme", "pipeline": own("pipeline_slug"),
                "build": own("build_number"), "branch": "a,b\r\né", "commit": own("build_commit"),
                "job": own("job_id"), "step": own("step_key"), "agent": own("agent_id"),
                "roles": ["deployer", "other"], "rule": "one", "decision_id": decision.id.text(),
                "policy": policy.digest,
            },
        })
    );
    let record: Value = serde_json::from_str(&record(&decision, None)).expect("it is JSON");
    assert_eq!(record["assertion"], decision.id.text());
}

#[test]
fn what_is_refused_is_not_vouched_for_in_shadow_mode_neither() {
    for mode in ["enforce", "shadow"] {
        let policy = vouching(&json!({ "mode": mode }));
        let mut state = ready(&policy);
        let good = token(json!({}));
        let mut forged = good.clone();
        forged.truncate(forged.len() - 8);
        forged.push_str("AAAAAAAA");
        for (path, token) in [("/three", good.as_str()), ("/one", &forged), ("/one", "x")] {
            let decision = send(&policy, &mut state, path, token, at(0));
            assert!(decision.outcome.is_err());
            assert_eq!(header(&decision), None, "{mode} {path}");
            assert!(decision.assertion.is_none());
            assert!(!record(&decision, None).contains("\"assertion\""));
        }
        let decision = send(&policy, &mut state, "/one", &good, at(0));
        assert!(header(&decision).is_some(), "{mode}");
    }
}

#[test]
fn an_assertion_serves_again_for_the_same_token_and_rule_only() {
    for (cache, kept) in [(json!({}), true), (json!({ "entries": 0 }), false)] {
        let policy = vouching(&json!({ "cache": cache }));
        let mut state = ready(&policy);
        let (a, b) = (
            token(json!({})),
            token(json!({ "claims": { "job_id": "b" } })),
        );
        let mut ask = |path: &str, token: &str, millis| {
            let decision = send(&policy, &mut state, path, token, at(millis));
            let record: Value = serde_json::from_str(&record(&decision, None)).expect("it is JSON");
            let claims = verified(&header(&decision).expect("it is there"));
            assert_eq!(record["assertion"], claims["jti"]);
            assert_eq!(claims["jobgate"]["rule"], path[1..]);
            claims["jti"].as_str().expect("it is text").to_owned()
        };
        let first = ask("/one", &a, 0);
        assert_eq!(ask("/one", &a, 1) == first, kept);
        let two = ask("/two", &a, 2);
        assert_ne!(two, first);
        let other = ask("/one", &b, 3);
        assert!(other != first && other != two);
        assert_eq!(ask("/one", &a, 29_999) == first, kept);
        assert_eq!(ask("/two", &a, 29_999) == two, kept);
        assert_eq!(ask("/one", &a, 30_000) == first, kept);
        // Half of its life is over.
        let second = ask("/one", &a, 30_001);
        assert_ne!(second, first);
        assert_eq!(ask("/one", &a, 30_002) == second, kept);
    }
}

#[test]
fn an_assertion_ends_with_the_token_that_it_stands_for() {
    let policy = vouching(&json!({}));
    let mut state = ready(&policy);
    let short = TokenSpec {
        lifetime: 40,
        ..TokenSpec::default()
    };
    let short = minters()[0].mint(&short, NOW);
    for seconds in [0, 20, 39, 41, 60] {
        let decision = send(&policy, &mut state, "/one", &short, at(seconds * 1_000));
        let claims = verified(&header(&decision).expect("it is there"));
        assert_eq!(claims["exp"], NOW + 40, "after {seconds} s");
    }
}

#[test]
fn without_its_key_a_gate_lets_nothing_in() {
    for mode in ["enforce", "shadow"] {
        let mut document = json!({
            "mode": mode,
            "issuers": [{
                "preset": "buildkite", "issuer": "https://ci.example", "audience": "https://deploy.acme.example",
                "jwks": { "uri": "https://ci.example/jwks" },
            }],
            "rules": [{ "id": "any", "claims": { "organization_slug": "acme" } }],
            "assertion": assertion(),
        });
        document["assertion"]["keys"] = json!([{ "env": "NOT_ASKED" }]);
        let policy = Policy::examine(document.to_string().as_bytes()).expect("it is a policy");
        let mut state = ready(&policy);
        let decision = send(&policy, &mut state, "/", &token(json!({})), at(0));
        assert_eq!(outcome(&decision), "internal_error");
        assert!(decision.blocks() && upstream_headers(&decision).is_empty());
    }
}
