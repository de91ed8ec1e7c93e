//! The gate vouches for jobs: the header that the upstream gets, and the key set by which it is verified.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jobgate_harness::mint::TokenSpec;
use jobgate_wasm_host::{Exchange, Gateway, Options, Profile, Request};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::common::{
    BOTH, assert_passed, assert_refused, gateway, gateway_with, give_keys, good_token, lines,
    minter, options, policy, ready, send_good, unix, with_token,
};

const PATH: &str = "/.well-known/jobgate/jwks.json";

/// The key of RFC 7515, appendix A.3.
fn p256() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "2027-01",
        "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

/// The key of RFC 8037, appendix A.1, as OpenSSL writes it.
const ED25519_PEM: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

/// Parts of the private halves, in the ways that they could get out.
const SECRETS: [&str; 7] = [
    "jpsQnnGQmL",
    "nWGxne_9WmC",
    "IJ1hsZ3v",
    "9d61b19d",
    "8e9b109e",
    "142, 155, 16",
    "157, 97, 177",
];

fn vouching(profile: Profile, keys: &Value) -> Value {
    let mut policy = policy(profile);
    policy["assertion"] = json!({
        "issuer": "https://gateway.example", "audience": "https://upstream.example", "keys": keys,
    });
    policy
}

fn key_set(gateway: &mut Gateway) -> Value {
    let exchange = gateway.request(0, Request::get(PATH));
    let answer = exchange.local().expect("the gate answers");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.all("content-type"), ["application/json"]);
    assert_eq!(answer.all("cache-control"), ["public, max-age=300"]);
    serde_json::from_str(&answer.text()).expect("it is JSON")
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("it is base64url")
}

/// The claims of the one assertion that the upstream got, after its signature was verified by the served key that it
/// names.
fn verified(exchange: &Exchange, set: &Value, header: &str) -> Value {
    assert_passed(exchange);
    let values = exchange.upstream().expect("it passed").all(header);
    let [compact] = values.as_slice() else {
        panic!("one header: {values:?}");
    };
    let parts: Vec<_> = compact.split('.').collect();
    let protected: Value = serde_json::from_slice(&decode(parts[0])).expect("it is JSON");
    assert_eq!(protected["typ"], "JWT");
    let keys = set["keys"].as_array().expect("it is a list");
    let key = keys
        .iter()
        .find(|key| key["kid"] == protected["kid"])
        .expect("its key is published");
    assert_eq!(key["alg"], protected["alg"]);
    let member = |name: &str| decode(key[name].as_str().expect("it is text"));
    let message = format!("{}.{}", parts[0], parts[1]);
    let signature = decode(parts[2]);
    let verdict = match key["kty"].as_str() {
        Some("EC") => {
            let point = [vec![4], member("x"), member("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(message.as_bytes(), &signature)
        }
        _ => UnparsedPublicKey::new(&ED25519, member("x")).verify(message.as_bytes(), &signature),
    };
    verdict.expect("the signature verifies");
    serde_json::from_slice(&decode(parts[1])).expect("it is JSON")
}

#[test]
fn the_upstream_gets_what_the_served_keys_verify() {
    for profile in BOTH {
        for (keys, algorithm) in [
            (json!([{ "jwk": p256() }, { "pem": ED25519_PEM }]), "ES256"),
            (json!([{ "pem": ED25519_PEM }, { "jwk": p256() }]), "EdDSA"),
        ] {
            let mut gateway = ready(profile, &vouching(profile, &keys));
            let set = key_set(&mut gateway);
            assert_eq!(set["keys"].as_array().map(Vec::len), Some(2));
            assert_eq!(set["keys"][0]["alg"], algorithm);
            let now = unix(&gateway);
            let exchange = send_good(&mut gateway);
            let claims = verified(&exchange, &set, "x-jobgate-assertion");
            assert_eq!(claims["iss"], "https://gateway.example");
            assert_eq!(claims["aud"], "https://upstream.example");
            assert_eq!(claims["jobgate"]["organization"], "acme");
            assert_eq!(claims["jobgate"]["rule"], "any-job");
            assert_eq!(
                [&claims["iat"], &claims["exp"]],
                [&json!(now), &json!(now + 60)]
            );
            let upstream = exchange.upstream().expect("it passed");
            assert_eq!(
                upstream.all("x-jobgate-decision-id"),
                [claims["jti"].as_str().unwrap()]
            );
            let records = lines(&gateway, "jobgate.decision");
            assert_eq!(records.len(), 1, "the key set's request has none");
            let record: Value = serde_json::from_str(&records[0].1).expect("it is JSON");
            assert_eq!(record["assertion"], claims["jti"]);
        }
    }
}

#[test]
fn an_assertion_serves_again_and_is_made_anew_when_half_of_its_life_is_over() {
    for profile in BOTH {
        let keys = json!([{ "jwk": p256() }]);
        let mut gateway = ready(profile, &vouching(profile, &keys));
        let set = key_set(&mut gateway);
        let token = good_token(&gateway);
        let ask = |gateway: &mut Gateway| {
            let exchange = gateway.request(0, with_token(&token));
            verified(&exchange, &set, "x-jobgate-assertion")
        };
        let first = ask(&mut gateway);
        assert_eq!(ask(&mut gateway), first);
        gateway.advance(Duration::from_secs(20));
        assert_eq!(ask(&mut gateway), first);
        gateway.advance(Duration::from_secs(20));
        let second = ask(&mut gateway);
        assert_ne!(second["jti"], first["jti"]);
        assert_eq!(ask(&mut gateway), second);
        // Another token of the same job is another token.
        let spec = TokenSpec {
            claims: json!({ "job_id": "another" }).as_object().unwrap().clone(),
            ..TokenSpec::default()
        };
        let other = minter().mint(&spec, unix(&gateway));
        let exchange = gateway.request(0, with_token(&other));
        assert_ne!(
            verified(&exchange, &set, "x-jobgate-assertion")["jti"],
            second["jti"]
        );
    }
}

#[test]
fn what_a_client_sends_in_its_place_does_not_reach_the_upstream() {
    for header in ["x-jobgate-assertion", "x-identity"] {
        for profile in BOTH {
            let keys = json!([{ "jwk": p256() }]);
            let mut policy = vouching(profile, &keys);
            policy["assertion"]["header"] = json!(header);
            let mut gateway = ready(profile, &policy);
            let set = key_set(&mut gateway);
            let token = good_token(&gateway);
            let forged = |names: &[&str]| {
                names.iter().fold(with_token(&token), |request, name| {
                    request.header(name, "forged")
                })
            };
            let upper = header.to_ascii_uppercase();
            let underscored = header.replace('-', "_");
            let dotted = header.replacen('-', ".", 1);
            // One in its own spelling is overwritten or removed.
            for name in [header, &upper] {
                let exchange = gateway.request(0, forged(&[name]));
                verified(&exchange, &set, header);
            }
            for names in [
                &[underscored.as_str()][..],
                &[dotted.as_str()],
                &[header, header],
                &[header, upper.as_str()],
                &[underscored.as_str(), header],
            ] {
                let exchange = gateway.request(0, forged(names));
                // Kong itself drops a name with `_` or `.` in it.
                let is_dropped = !names.iter().all(|name| name.eq_ignore_ascii_case(header));
                if profile == Profile::Kong && !(is_dropped && exchange.upstream().is_some()) {
                    assert_refused(&exchange, "header_reserved");
                    continue;
                }
                verified(&exchange, &set, header);
                let upstream = exchange.upstream().expect("it passed");
                let values = upstream.headers.iter().map(|(_, value)| value);
                assert!(
                    values.into_iter().all(|value| value != b"forged"),
                    "{names:?}"
                );
            }
            // Nor in shadow mode, where what is refused goes on without one.
            policy["mode"] = json!("shadow");
            policy["rules"] = json!([]);
            let mut gateway = ready(profile, &policy);
            let exchange = gateway.request(0, forged(&[header]));
            assert_passed(&exchange);
            let upstream = exchange.upstream().expect("it passed");
            let left = upstream.all(header);
            assert!(left.iter().all(String::is_empty), "{left:?}");
        }
    }
}

#[test]
fn the_key_set_is_served_without_a_token_whatever_else_is_decided() {
    for profile in BOTH {
        let keys = json!([{ "jwk": p256() }, { "pem": ED25519_PEM }]);
        // Without the issuer's keys, and with a rule that denies everything.
        let mut policy = vouching(profile, &keys);
        policy["rules"] = json!([{ "id": "no", "effect": "deny", "paths": ["/**"] }]);
        let mut gateway = gateway(profile, &policy);
        let set = key_set(&mut gateway);
        for key in set["keys"].as_array().unwrap() {
            assert!(key.get("d").is_none(), "{key}");
        }
        let head = gateway.request(0, Request::new("HEAD", PATH));
        let answer = head.local().expect("the gate answers");
        assert_eq!(answer.status, 200);
        let etag = answer.all("etag");
        assert_eq!(etag.len(), 1);
        let again = Request::get(PATH).header("if-none-match", &etag[0]);
        let again = gateway.request(0, again);
        assert_eq!(
            again
                .local()
                .map(|answer| (answer.status, answer.body.len())),
            Some((304, 0))
        );
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let other = gateway.request(0, Request::new(method, PATH));
            let answer = other.local().expect("the gate answers");
            assert_eq!(
                (answer.status, answer.all("allow")),
                (405, vec!["GET, HEAD".to_owned()])
            );
        }
        assert!(lines(&gateway, "jobgate.decision").is_empty());
        // Any other spelling is decided as any other path.
        for path in [
            "/.well-known/jobgate/jwks%2Ejson",
            "/.well-known/jobgate//jwks.json",
            "/.well-known/jobgate/jwks.json/",
        ] {
            let other = gateway.request(0, Request::get(path));
            assert_ne!(other.refused_with(), Some(200), "{path}");
            assert!(other.upstream().is_none(), "{path}");
        }
    }
}

#[test]
fn a_policy_without_assertions_serves_and_sends_nothing() {
    for profile in BOTH {
        let mut gateway = ready(profile, &policy(profile));
        assert_refused(&gateway.request(0, Request::get(PATH)), "token_missing");
        let exchange = send_good(&mut gateway);
        assert_passed(&exchange);
        assert!(
            exchange
                .upstream()
                .unwrap()
                .all("x-jobgate-assertion")
                .is_empty()
        );
    }
}

#[test]
fn a_key_comes_from_the_vms_environment_where_there_is_one() {
    let keys = json!([{ "env": "JOBGATE_SIGNING_KEY" }]);
    for value in [p256().to_string(), ED25519_PEM.to_owned()] {
        for profile in BOTH {
            let options = Options {
                environment: [("OTHER", "x"), ("JOBGATE_SIGNING_KEY", &value)]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
                ..options()
            };
            let document = vouching(profile, &keys).to_string();
            let mut gateway = gateway_with(profile, options, &document);
            give_keys(&mut gateway, &minter().jwks());
            match profile {
                Profile::Envoy => {
                    let set = key_set(&mut gateway);
                    let exchange = send_good(&mut gateway);
                    verified(&exchange, &set, "x-jobgate-assertion");
                }
                // It hands none on, and says so.
                Profile::Kong => {
                    assert_refused(&send_good(&mut gateway), "config_invalid");
                    assert_eq!(
                        lines(&gateway, "assertion.keys[0].env: names an environment").len(),
                        1
                    );
                }
            }
            for secret in SECRETS {
                assert!(lines(&gateway, secret).is_empty(), "{secret}");
            }
        }
    }
}

#[test]
fn no_part_of_a_private_half_is_logged_or_answered() {
    for profile in BOTH {
        let good = json!([{ "jwk": p256() }, { "pem": ED25519_PEM }]);
        let mut wrong = p256();
        wrong["y"] = wrong["x"].clone();
        let others = [
            json!([{ "jwk": wrong }]),
            json!([{ "jwk": p256(), "pem": ED25519_PEM }]),
            json!([{ "pem": p256().to_string() }]),
            json!([{ "env": ED25519_PEM }]),
            json!([p256(), ED25519_PEM]),
            json!(ED25519_PEM),
            json!({ "jwk": p256() }),
        ];
        let mut documents: Vec<_> = [good]
            .iter()
            .chain(&others)
            .map(|keys| vouching(profile, keys))
            .collect();
        let mut text = policy(profile);
        text["assertion"] = ED25519_PEM.into();
        documents.push(text);
        for (nth, document) in documents.iter().enumerate() {
            let mut gateway = ready(profile, document);
            let served = gateway.request(0, Request::get(PATH));
            let passed = send_good(&mut gateway);
            assert_eq!(passed.upstream().is_some(), nth == 0, "{document}");
            let told = format!(
                "{:?} {:?} {:?}",
                served.local().map(|answer| answer.text()),
                passed.upstream().map(|request| request
                    .headers
                    .iter()
                    .map(|(name, value)| format!(
                        "{}: {}",
                        String::from_utf8_lossy(name),
                        String::from_utf8_lossy(value)
                    ))
                    .collect::<Vec<_>>()),
                passed.local().map(|answer| answer.text()),
            );
            for secret in SECRETS {
                assert!(
                    lines(&gateway, secret).is_empty(),
                    "{secret} is logged for {document}"
                );
                assert!(!told.contains(secret), "{secret} is told for {document}");
            }
        }
    }
}
