//! Rows 11, 13 and 24: audiences, lifetimes and clocks, each as the policy has it for the issuer.

use jobgate::policy::Policy;
use jobgate_harness::keys::Algorithm::Rs256;
use serde_json::{Value, json};

use crate::forge::{claims, header, issued, jwks, with};
use crate::world::{AUDIENCE, ISSUER, NOW, policy, ready, told};

fn with_claims(over: Value) -> String {
    issued(Rs256, &header(Rs256), &claims(over))
}

#[test]
fn pitfall_11_an_audience_is_mandatory_and_compared_whole() {
    let mut issuer = json!({ "preset": "buildkite", "jwks": { "cluster": "c" } });
    for audience in [Value::Null, json!(""), json!([]), json!([""])] {
        if !audience.is_null() {
            issuer["audience"] = audience.clone();
        }
        let rules = json!([{ "id": "a", "claims": { "organization_slug": "acme" } }]);
        let document = json!({ "issuers": [issuer], "rules": rules }).to_string();
        assert!(
            Policy::from_json(document.as_bytes()).is_err(),
            "{audience}"
        );
    }

    let policy = policy(json!({}));
    let mut state = ready(&policy, &jwks());
    let other = "https://other.example";
    for (audience, code) in [
        (json!(AUDIENCE), "allow"),
        (json!([other, AUDIENCE]), "allow"),
        (json!(other), "audience_mismatch"),
        (json!([other]), "audience_mismatch"),
        (json!([]), "audience_mismatch"),
        (json!(""), "audience_mismatch"),
        (json!("*"), "audience_mismatch"),
        (json!(ISSUER), "audience_mismatch"),
        (json!(format!("{AUDIENCE}/")), "audience_mismatch"),
        (json!(format!("{AUDIENCE} {other}")), "audience_mismatch"),
        (json!(AUDIENCE.to_uppercase()), "audience_mismatch"),
        (json!(&AUDIENCE[..20]), "audience_mismatch"),
        (json!([[AUDIENCE]]), "token_malformed"),
        (json!({ "a": AUDIENCE }), "token_malformed"),
        (Value::Null, "claim_missing"),
    ] {
        let token = with_claims(json!({ "aud": audience }));
        assert_eq!(told(&policy, &mut state, &token), code, "{audience}");
    }
}

#[test]
fn pitfall_13_the_cap_on_lifetimes_is_the_issuers_own() {
    let issuer = |preset: &str, issuer: &str, over: Value| {
        let keys = json!({ "cluster": "c", "uri": format!("{issuer}/jwks") });
        let own = json!({ "preset": preset, "issuer": issuer, "audience": AUDIENCE, "jwks": keys });
        with(own, over)
    };
    let gitlab = "https://gitlab.acme.example";
    let policy = policy(json!({
        "issuers": [
            issuer("buildkite", ISSUER, json!({})),
            issuer("gitlab", gitlab, json!({ "max_lifetime": "12h", "tenant_claims": [] })),
        ],
    }));
    let mut state = ready(&policy, &jwks());
    for (issuer, hours, code) in [
        (ISSUER, 2, "allow"),
        (ISSUER, 3, "lifetime_too_long"),
        (gitlab, 12, "allow"),
        (gitlab, 13, "lifetime_too_long"),
    ] {
        let token = with_claims(json!({ "iss": issuer, "exp": NOW + hours * 3_600 }));
        assert_eq!(
            told(&policy, &mut state, &token),
            code,
            "{issuer}: {hours} h"
        );
    }
}

#[test]
fn pitfall_24_no_drift_and_no_size_is_tolerated_that_the_policy_does_not_name() {
    let policy = policy(json!({}));
    let mut state = ready(&policy, &jwks());
    for (what, over, code) in [
        (
            "expired 14 minutes ago",
            json!({ "iat": NOW - 1_000, "exp": NOW - 840 }),
            "token_expired",
        ),
        (
            "expired 30 s ago",
            json!({ "iat": NOW - 1_000, "exp": NOW - 30 }),
            "token_expired",
        ),
        (
            "expired 29 s ago",
            json!({ "iat": NOW - 1_000, "exp": NOW - 29 }),
            "allow",
        ),
        (
            "issued 14 minutes ahead",
            json!({ "iat": NOW + 840, "exp": NOW + 900 }),
            "token_not_yet_valid",
        ),
        (
            "valid in 14 minutes",
            json!({ "nbf": NOW + 840, "exp": NOW + 900 }),
            "token_not_yet_valid",
        ),
        (
            "valid in 31 s",
            json!({ "nbf": NOW + 31, "exp": NOW + 900 }),
            "token_not_yet_valid",
        ),
        (
            "valid in 30 s",
            json!({ "nbf": NOW + 30, "exp": NOW + 900 }),
            "allow",
        ),
        (
            "backdated by 10 minutes, as GitHub does",
            json!({ "nbf": NOW - 600 }),
            "allow",
        ),
    ] {
        let token = with_claims(over);
        assert_eq!(told(&policy, &mut state, &token), code, "{what}");
    }
    for (kib, code) in [
        (8, "allow"),
        (13, "token_too_large"),
        (1_000, "token_too_large"),
    ] {
        let token = with_claims(json!({ "x": "x".repeat(kib * 1024) }));
        assert_eq!(told(&policy, &mut state, &token), code, "{kib} KiB");
    }
}
