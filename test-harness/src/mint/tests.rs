use std::sync::LazyLock;

use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::sha2::Sha256;
use rsa::signature::Verifier;

use super::*;

const NOW: u64 = 1_800_000_000;

/// One key for all tests of this module: what they check doesn't depend on which it is.
static MINTER: LazyLock<Minter> =
    LazyLock::new(|| Minter::new("https://agent.buildkite.com", "https://deploy.acme.example"));

fn spec(yaml: &str) -> TokenSpec {
    serde_saphyr::from_str(yaml).unwrap()
}

fn mint(yaml: &str) -> String {
    MINTER.mint(&spec(yaml), NOW)
}

fn parts(token: &str) -> [Vec<u8>; 3] {
    let parts: Vec<_> = token
        .split('.')
        .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap())
        .collect();
    parts.try_into().unwrap()
}

fn header(token: &str) -> Value {
    serde_json::from_slice(&parts(token)[0]).unwrap()
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&parts(token)[1]).unwrap()
}

/// The `rsa` crate's own verification, with the key as the JWK set publishes it.
fn verifies(token: &str) -> bool {
    let jwk = &MINTER.jwks()["keys"][0];
    let uint = |name: &str| {
        let text = jwk[name].as_str().unwrap();
        rsa::BigUint::from_bytes_be(&URL_SAFE_NO_PAD.decode(text).unwrap())
    };
    let key = rsa::RsaPublicKey::new(uint("n"), uint("e")).unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    Signature::try_from(signature.as_slice()).is_ok_and(|signature| {
        VerifyingKey::<Sha256>::new(key)
            .verify(input.as_bytes(), &signature)
            .is_ok()
    })
}

#[test]
fn the_default_token_is_the_one_a_buildkite_job_gets() {
    let token = mint("{}");
    assert!(verifies(&token));
    assert_eq!(
        header(&token),
        json!({"alg": "RS256", "typ": "JWT", "kid": MINTER.current_key().kid()})
    );
    assert_eq!(
        claims(&token),
        json!({
            "iss": "https://agent.buildkite.com",
            "aud": "https://deploy.acme.example",
            "sub": "organization:acme:pipeline:deploy-web:ref:refs/heads/main\
                    :commit:9f3182061f1e2cca4702c368cbc039b7dc9d4485:step:deploy",
            "iat": NOW, "nbf": NOW, "exp": NOW + 300,
            "organization_slug": "acme",
            "pipeline_slug": "deploy-web",
            "build_number": 42,
            "build_branch": "main",
            "build_commit": "9f3182061f1e2cca4702c368cbc039b7dc9d4485",
            "step_key": "deploy",
            "job_id": "0190046e-e199-453b-a302-a21a4d649d31",
            "agent_id": "0190046d-2b9e-4a3b-8f42-6a3f1d7f6a55",
            "build_source": "webhook",
            "runner_environment": "self-hosted",
        })
    );
}

#[test]
fn the_same_spec_at_the_same_time_gives_the_same_token() {
    assert_eq!(mint("{pad: 10}"), mint("{pad: 10}"));
}

#[test]
fn the_subject_follows_the_claims_it_is_made_of() {
    let changed = claims(&mint("{claims: {build_branch: topic, step_key: null}}"));
    assert_eq!(
        changed["sub"],
        "organization:acme:pipeline:deploy-web:ref:refs/heads/topic\
         :commit:9f3182061f1e2cca4702c368cbc039b7dc9d4485:step:"
    );
    assert_eq!(changed["step_key"], Value::Null);
    let own = claims(&mint("{claims: {build_branch: topic, sub: mine}}"));
    assert_eq!(own["sub"], "mine");
}

#[test]
fn members_can_be_added_and_left_out() {
    let token = mint(
        "{claims: {queue_key: q}, without: [aud, sub], header: {crit: [x]}, without_header: [kid]}",
    );
    let (header, claims) = (header(&token), claims(&token));
    assert_eq!(claims["queue_key"], "q");
    assert_eq!(header["crit"], json!(["x"]));
    assert_eq!(header.get("kid"), None);
    assert_eq!((claims.get("aud"), claims.get("sub")), (None, None));
    assert!(verifies(&token));
}

#[test]
fn times_are_relative_to_now() {
    let times = |yaml| {
        let claims = claims(&mint(yaml));
        ["iat", "nbf", "exp"].map(|name| claims[name].as_i64().unwrap() - NOW as i64)
    };
    assert_eq!(times("{age: 100}"), [-100, -100, 200]);
    assert_eq!(times("{age: -60, lifetime: 10}"), [60, 60, 70]);
    assert_eq!(times("{nbf_in: 40, exp_in: -1}"), [0, 40, -1]);
    assert_eq!(times("{provider: github, age: 5}"), [-5, -605, 295]);
    assert_eq!(times("{provider: gitlab, lifetime: 3600}"), [0, -5, 3600]);
    assert!(claims(&mint("{provider: circleci}")).get("nbf").is_none());
}

#[test]
fn each_providers_token_has_its_claims_and_its_subject() {
    for (provider, subject) in [
        (
            "gitlab",
            "project_path:acme/platform/web:ref_type:branch:ref:topic",
        ),
        ("github", "repo:acme@123456/web@456789:ref:topic"),
    ] {
        let claims = claims(&mint(&format!(
            "{{provider: {provider}, claims: {{ref: topic}}}}"
        )));
        assert_eq!(claims["sub"], subject);
        assert_eq!(claims.get("build_branch"), None);
    }
    let circleci = claims(&mint("{provider: circleci}"));
    assert_eq!(circleci["oidc.circleci.com/ssh-rerun"], false);
    assert!(
        circleci["sub"]
            .as_str()
            .unwrap()
            .starts_with("org/9d2dd1d6-")
    );
}

#[test]
fn every_way_to_tamper_breaks_the_signature() {
    let good = mint("{}");
    for tamper in [
        "payload",
        "signature",
        "header",
        "truncate_signature",
        "signature_trailing_byte",
        "signature_leading_zero",
        "zero_signature",
    ] {
        let token = mint(&format!("{{tamper: {tamper}}}"));
        assert_ne!(token, good, "{tamper}");
        assert!(!verifies(&token), "{tamper}");
    }
    assert_eq!(claims(&mint("{tamper: payload}"))["build_number"], 43);
    assert_eq!(parts(&mint("{tamper: truncate_signature}"))[2].len(), 255);
    assert_eq!(
        parts(&mint("{tamper: signature_trailing_byte}"))[2].len(),
        257
    );
}

#[test]
fn a_payload_that_is_no_object_can_be_tampered_with_too() {
    let token = mint("{raw_payload: '[]', tamper: payload}");
    assert_eq!(parts(&token)[1], b"[] ");
    assert!(!verifies(&token));
}

#[test]
fn a_forger_signs_under_the_published_kid() {
    let token = mint("{sign_with: unpublished}");
    assert_eq!(header(&token)["kid"], MINTER.current_key().kid());
    assert_eq!(parts(&token)[2].len(), 256);
    assert!(!verifies(&token));
    assert_eq!(MINTER.jwks()["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn a_token_signed_with_nothing_ends_in_its_dot() {
    let token = mint("{sign_with: nothing, header: {alg: none}}");
    assert!(token.ends_with('.'));
    assert_eq!(header(&token)["alg"], "none");
}

#[test]
fn the_confused_token_is_an_hmac_under_the_public_key() {
    let token = mint("{sign_with: hmac_public_key}");
    assert_eq!(header(&token)["alg"], "HS256");
    let (input, _) = token.rsplit_once('.').unwrap();
    let pem = MINTER.current_key().public_text();
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    assert_eq!(parts(&token)[2], hmac_sha256::HMAC::mac(input, pem));
}

#[test]
fn raw_texts_are_taken_as_they_are() {
    let twice = r#"{"iss":"a","iss":"b"}"#;
    let token = mint(&format!(
        "{{raw_header: 'no json', raw_payload: '{twice}'}}"
    ));
    assert_eq!(parts(&token)[0], b"no json");
    assert_eq!(parts(&token)[1], twice.as_bytes());
    assert!(verifies(&token));
    assert_eq!(mint("{raw: not.a.token, pad: 3}"), "not.a.token");
}

#[test]
fn padding_lengthens_the_token() {
    assert!(mint("{pad: 9000}").len() > 12_000);
}

#[test]
fn a_field_nobody_knows_is_refused() {
    let error = serde_saphyr::from_str::<TokenSpec>("{claim: {}}").unwrap_err();
    assert!(
        error.to_string().contains("unknown field `claim`"),
        "{error}"
    );
}

#[test]
fn rotation_changes_the_key_and_can_withdraw_the_old_one() {
    let mut minter = MINTER.clone();
    let first = minter.current_key().kid().to_owned();
    let (second, third) = (SigningKey::generate(), SigningKey::generate());
    let published = |minter: &Minter| -> Vec<String> {
        let jwks = minter.jwks();
        let keys = jwks["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    };

    minter.rotate(second.clone(), true);
    assert_eq!(published(&minter), [second.kid(), first.as_str()]);
    assert_eq!(
        header(&minter.mint(&TokenSpec::default(), NOW))["kid"],
        second.kid()
    );

    minter.rotate(third.clone(), false);
    assert_eq!(published(&minter), [third.kid()]);
}

#[test]
fn a_spec_may_name_the_algorithm_and_its_key_is_published_on_request() {
    let mut minter = MINTER.clone();
    minter.publish_every_algorithm();
    let jwks = minter.jwks();
    let keys = jwks["keys"].as_array().unwrap();
    assert_eq!(keys.len(), Algorithm::ALL.len());
    for algorithm in Algorithm::ALL {
        let token = mint(&format!("{{algorithm: {}}}", algorithm.name()));
        let header = header(&token);
        assert_eq!(header["alg"], algorithm.name());
        let published = keys.iter().find(|key| key["kid"] == header["kid"]);
        assert_eq!(published.unwrap()["alg"], algorithm.name());
    }
}

#[test]
fn signatures_of_curves_can_be_written_as_they_must_not_be() {
    let signature = |yaml: &str| parts(&mint(yaml))[2].clone();
    let der = signature("{algorithm: ES256, tamper: der_signature}");
    assert!(der.len() >= 68 && der[0] == 0x30 && usize::from(der[1]) == der.len() - 2);
    let good = signature("{algorithm: EdDSA}");
    let unreduced = signature("{algorithm: EdDSA, tamper: unreduced_signature}");
    assert_eq!(unreduced[..32], good[..32]);
    // The order's lowest byte is 0xed, its highest 0x10.
    assert_eq!(unreduced[32], good[32].wrapping_add(0xed));
    assert!(unreduced[63] - good[63] >= 0x10);
    let order = signature("{algorithm: ES384, tamper: unreduced_signature}");
    assert_eq!((order[48], order[95]), (0xff, 0x73));
}
