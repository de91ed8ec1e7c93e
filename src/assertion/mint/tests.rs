use super::super::key::tests::{ed25519, p256, verifies};
use super::super::{KeySetDocument, SigningKey};
use super::{Assertion, AssertionPolicy, Job};
use crate::base64url::decode;
use crate::time::UnixTime;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::time::Duration;

pub(in crate::assertion) fn policy(keys: &[Value], lifetime: u64) -> AssertionPolicy {
    let keys: Vec<_> = keys
        .iter()
        .map(|key| SigningKey::from_jwk(key).unwrap())
        .collect();
    AssertionPolicy {
        issuer: "https://gateway.acme.example".into(),
        audience: "https://deploy.internal".into(),
        lifetime: Duration::from_secs(lifetime),
        header: "x-jobgate-assertion".into(),
        jwks_path: "/.well-known/jobgate/jwks.json".into(),
        jwks: KeySetDocument::new(&keys),
        keys,
    }
}

fn job(expires: u64) -> Job<'static> {
    Job {
        subject: Some("organization:acme:\"pipeline\":é"),
        issuer: "https://agent.buildkite.com",
        identity: &[
            ("organization", Cow::Borrowed("acme")),
            ("branch", Cow::Borrowed("main\r\nx")),
        ],
        roles: &["deployer", "other"],
        rule: "deploy",
        decision_id: "0192aaaa-0000-7000-8000-000000000000",
        policy: "sha256:00",
        expires: UnixTime::from_secs(expires),
    }
}

/// Header and claims.
fn parts(assertion: &Assertion) -> [Value; 2] {
    let mut parts = assertion.compact.split('.');
    [(); 2].map(|()| serde_json::from_slice(&decode(parts.next().unwrap()).unwrap()).unwrap())
}

#[test]
fn an_assertion_is_a_jwt_that_the_key_set_verifies() {
    for (keys, algorithm) in [
        ([p256(), ed25519()], "ES256"),
        ([ed25519(), p256()], "EdDSA"),
    ] {
        let policy = policy(&keys, 60);
        let now = UnixTime::new(Duration::from_millis(1_800_000_000_999));
        let assertion = policy.mint(&job(1_800_000_300), now).unwrap();
        let [header, claims] = parts(&assertion);
        let kid = policy.keys[0].kid();
        assert_eq!(header, json!({"alg": algorithm, "typ": "JWT", "kid": kid}));
        assert_eq!(
            claims,
            json!({
                "iss": "https://gateway.acme.example", "aud": "https://deploy.internal",
                "sub": "organization:acme:\"pipeline\":é",
                "iat": 1_800_000_000, "nbf": 1_800_000_000, "exp": 1_800_000_060,
                "jti": "0192aaaa-0000-7000-8000-000000000000",
                "jobgate": {
                    "issuer": "https://agent.buildkite.com", "organization": "acme", "branch": "main\r\nx",
                    "roles": ["deployer", "other"], "rule": "deploy",
                    "decision_id": "0192aaaa-0000-7000-8000-000000000000", "policy": "sha256:00",
                },
            })
        );
        let (signed, signature) = assertion.compact.rsplit_once('.').unwrap();
        let signature = decode(signature).unwrap();
        let set: Value = serde_json::from_str(&policy.jwks.body).unwrap();
        let [first, second] = [0, 1].map(|nth| set["keys"][nth].clone());
        assert_eq!(first["kid"], kid);
        assert!(verifies(&first, signed.as_bytes(), &signature));
        assert!(!verifies(&second, signed.as_bytes(), &signature));
        // A header's value.
        assert!(
            assertion
                .compact
                .bytes()
                .all(|byte| byte.is_ascii_graphic())
        );
    }
}

#[test]
fn without_a_key_nothing_is_minted() {
    let now = UnixTime::from_secs(1);
    assert!(policy(&[], 60).mint(&job(300), now).is_err());
}

#[test]
fn an_assertion_serves_again_while_half_of_its_life_is_left() {
    let policy = policy(&[ed25519()], 60);
    let now = UnixTime::from_secs(1_000);
    let assertion = policy.mint(&job(2_000), now).unwrap();
    let at = |millis| UnixTime::new(Duration::from_millis(millis));
    for (moment, fresh) in [
        (999_999, false),
        (1_000_000, true),
        (1_030_000, true),
        (1_030_001, false),
        (1_060_000, false),
        (9_000_000, false),
    ] {
        assert_eq!(assertion.is_fresh(at(moment)), fresh, "{moment}");
    }
    // Of a token that is within the leeway after its end.
    let ended = policy.mint(&job(990), now).unwrap();
    assert!(!ended.is_fresh(now));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_assertion_outlives_neither_its_lifetime_nor_the_jobs_token(
        millis in 0_u64..4_000_000_000_000, lifetime in 1_u64..=600, left in -100_000_i64..2_000_000,
    ) {
        let now = UnixTime::new(Duration::from_millis(millis));
        let end = UnixTime::new(Duration::from_millis(millis.saturating_add_signed(left)));
        let job = Job { expires: end, ..job(0) };
        let assertion = policy(&[ed25519()], lifetime).mint(&job, now).unwrap();
        let [_, claims] = parts(&assertion);
        let exp = UnixTime::from_secs(claims["exp"].as_u64().unwrap());
        prop_assert_eq!(exp, assertion.expires);
        prop_assert!(exp <= end);
        prop_assert!(exp <= now.plus(Duration::from_secs(lifetime)));
        let begins = [claims["iat"].as_u64().unwrap(), claims["nbf"].as_u64().unwrap()];
        prop_assert_eq!(begins, [now.as_secs(); 2]);
        // As long as it may.
        prop_assert!(exp.plus(Duration::from_secs(1)) > end || exp.as_secs() == now.as_secs() + lifetime);
        if assertion.is_fresh(now) {
            prop_assert!(exp > now);
        }
    }
}
