//! Keys as operators write them, against keys and signatures that others made.

use super::SigningKey;
use crate::assertion::KeySetDocument;
use crate::base64url::{decode, encode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde_json::{Value, json};

/// RFC 7515, appendix A.3.
const P256_D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
/// RFC 8037, appendix A.1.
const ED25519_D: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

pub(in crate::assertion) fn p256() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "d": P256_D,
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

pub(in crate::assertion) fn ed25519() -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519", "d": ED25519_D,
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    })
}

fn changed(mut key: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

fn pem(label: &str, der: &[u8]) -> String {
    let digits = STANDARD.encode(der);
    let lines: Vec<_> = digits
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// By a library that has nothing to do with the one that signs.
pub(in crate::assertion) fn verifies(key: &Value, message: &[u8], signature: &[u8]) -> bool {
    let member = |name: &str| decode(key[name].as_str().unwrap()).unwrap();
    match key["kty"].as_str().unwrap() {
        "EC" => UnparsedPublicKey::new(
            &signature::ECDSA_P256_SHA256_FIXED,
            [vec![4], member("x"), member("y")].concat(),
        )
        .verify(message, signature)
        .is_ok(),
        "OKP" => UnparsedPublicKey::new(&signature::ED25519, member("x"))
            .verify(message, signature)
            .is_ok(),
        other => panic!("{other}"),
    }
}

#[test]
fn signatures_are_those_of_the_rfcs() {
    // RFC 6979, appendix A.2.5: ECDSA with SHA-256 over "sample" and "test".
    let key = SigningKey::from_jwk(&json!({
        "kty": "EC", "crv": "P-256",
        "d": encode(crate::hex::unhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721").unwrap()),
        "x": encode(crate::hex::unhex("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6").unwrap()),
        "y": encode(crate::hex::unhex("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299").unwrap()),
    }))
    .unwrap();
    for (message, expected) in [
        (
            "sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
             f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            "test",
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367\
             019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        ),
    ] {
        let signature = key.sign(message.as_bytes()).unwrap();
        assert_eq!(crate::hex::hex(&signature), expected);
    }
    // RFC 8037, appendix A.4.
    let key = SigningKey::from_jwk(&ed25519()).unwrap();
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    assert_eq!(
        encode(key.sign(input.as_bytes()).unwrap()),
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
}

#[test]
fn a_key_without_a_name_has_its_thumbprint() {
    // RFC 8037, appendix A.3.
    let key = SigningKey::from_jwk(&ed25519()).unwrap();
    assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    // As python3 -c 'hashlib.sha256(b"{...}")' has it for the members crv, kty, x and y.
    let key = SigningKey::from_jwk(&p256()).unwrap();
    assert_eq!(key.kid(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    let named = changed(p256(), json!({"kid": "a b"}));
    assert_eq!(SigningKey::from_jwk(&named).unwrap().kid(), "a b");
}

/// Every text that is a part of a private half, in the ways that it could get out.
fn secrets(key: &Value) -> Vec<String> {
    let bytes = decode(key["d"].as_str().unwrap()).unwrap();
    let list = format!("{bytes:?}");
    vec![
        key["d"].as_str().unwrap()[..16].to_owned(),
        crate::hex::hex(&bytes)[..16].to_owned(),
        STANDARD.encode(&bytes)[..16].to_owned(),
        list[1..40].to_owned(),
    ]
}

#[test]
fn a_private_half_is_in_no_key_set_and_in_no_debug() {
    for jwk in [p256(), ed25519()] {
        let key = SigningKey::from_jwk(&jwk).unwrap();
        let keys = [key];
        let document = KeySetDocument::new(&keys);
        let debug = format!("{:?} {:#?}", keys[0], keys[0]);
        for secret in secrets(&jwk) {
            assert!(!document.body.contains(&secret), "{}", document.body);
            assert!(!debug.contains(&secret), "{debug}");
        }
        assert!(debug.contains(keys[0].kid()));
        let set: Value = serde_json::from_str(&document.body).unwrap();
        let published = &set["keys"][0];
        let mut expected = jwk.clone();
        expected.as_object_mut().unwrap().remove("d");
        expected["kid"] = keys[0].kid().into();
        expected["use"] = "sig".into();
        expected["alg"] = keys[0].algorithm().into();
        assert_eq!(*published, expected);
        let signature = keys[0].sign(b"message").unwrap();
        assert!(verifies(published, b"message", &signature));
        assert!(!verifies(published, b"massage", &signature));
    }
}

#[test]
fn the_gate_itself_takes_the_key_set() {
    let keys = [p256(), ed25519()].map(|jwk| SigningKey::from_jwk(&jwk).unwrap());
    let document = KeySetDocument::new(&keys);
    let set = crate::keys::KeySet::parse(document.body.as_bytes()).unwrap();
    assert!(set.skipped.is_empty());
    assert_eq!(set.len(), 2);
    assert!(keys.iter().all(|key| document.body.contains(key.kid())));
}

#[test]
fn what_cannot_sign_is_refused_and_says_why_without_the_key() {
    let without = |mut key: Value, member: &str| {
        key.as_object_mut().unwrap().remove(member);
        key
    };
    let x_of_another = encode([7; 32]);
    let cases = [
        (json!("text"), "not an object"),
        (json!({}), "kty"),
        (json!({"kty": "oct", "k": P256_D}), "symmetric"),
        (json!({"kty": "RSA", "d": P256_D}), "RSA"),
        (changed(p256(), json!({"crv": "P-384"})), "crv"),
        (changed(p256(), json!({"crv": "secp256k1"})), "crv"),
        (changed(ed25519(), json!({"crv": "X25519"})), "crv"),
        (changed(ed25519(), json!({"crv": "Ed448"})), "crv"),
        (without(p256(), "d"), "no d"),
        (without(ed25519(), "d"), "no d"),
        (without(p256(), "x"), "public half"),
        (without(p256(), "y"), "public half"),
        (without(ed25519(), "x"), "public half"),
        (
            changed(p256(), json!({"d": format!("{P256_D}=")})),
            "d is not",
        ),
        (changed(p256(), json!({"d": 7})), "d is not"),
        (changed(p256(), json!({"d": encode([1; 31])})), "32 bytes"),
        (
            changed(ed25519(), json!({"d": encode([1; 33])})),
            "32 bytes",
        ),
        (changed(p256(), json!({"d": encode([0; 32])})), "group"),
        (changed(p256(), json!({"d": encode([0xff; 32])})), "group"),
        (changed(p256(), json!({"d": ED25519_D})), "private half"),
        (changed(ed25519(), json!({"d": P256_D})), "private half"),
        (changed(p256(), json!({"y": x_of_another})), "private half"),
        (changed(p256(), json!({"kid": ""})), "kid"),
        (changed(p256(), json!({"kid": 7})), "kid"),
        (changed(p256(), json!({"kid": "k".repeat(129)})), "kid"),
        (changed(p256(), json!({"use": "enc"})), "use"),
        (changed(p256(), json!({"key_ops": ["verify"]})), "key_ops"),
        (changed(p256(), json!({"alg": "EdDSA"})), "alg"),
        (changed(ed25519(), json!({"alg": "ES256"})), "alg"),
        (changed(p256(), json!({"alg": null})), "alg"),
    ];
    for (key, why) in cases {
        for said in [
            SigningKey::from_jwk(&key).expect_err(&key.to_string()),
            SigningKey::from_text(&key.to_string()).expect_err("it is the same"),
        ] {
            let because = said.contains(why) || !key.is_object();
            assert!(because, "{said} for {key}");
            for part in [P256_D, ED25519_D] {
                assert!(!said.contains(&part[..8]), "{said}");
            }
        }
    }
    for key in [
        changed(
            p256(),
            json!({"use": "sig", "alg": "ES256", "key_ops": ["sign"]}),
        ),
        changed(ed25519(), json!({"use": "sig", "alg": "EdDSA"})),
    ] {
        SigningKey::from_text(&format!("\n {key} ")).unwrap();
    }
}

#[test]
fn a_pem_that_another_library_wrote_is_read() {
    let random = SystemRandom::new();
    for _ in 0..4 {
        let document =
            EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                .unwrap();
        let theirs = EcdsaKeyPair::from_pkcs8(
            &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            document.as_ref(),
            &random,
        )
        .unwrap();
        let key = SigningKey::from_pem(&pem("PRIVATE KEY", document.as_ref())).unwrap();
        let public = key.private.public(false);
        assert_eq!(public, theirs.public_key().as_ref());
        let signature = key.sign(b"m").unwrap();
        UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, public)
            .verify(b"m", &signature)
            .unwrap();
        // Of version 2, with its public half.
        let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let theirs = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let text = pem("PRIVATE KEY", document.as_ref());
        let key = SigningKey::from_text(&text.replace('\n', "\r\n")).unwrap();
        assert_eq!(key.sign(b"m").unwrap(), theirs.sign(b"m").as_ref());
        // With another public half.
        let mut bent = document.as_ref().to_vec();
        *bent.last_mut().unwrap() ^= 1;
        let said = SigningKey::from_pem(&pem("PRIVATE KEY", &bent)).unwrap_err();
        assert!(said.contains("public half"), "{said}");
    }
}

/// What OpenSSL 3 wrote: `genpkey -algorithm ed25519`; `ecparam -genkey -name prime256v1 | pkcs8 -topk8 -nocrypt`.
const OPENSSL: [&str; 2] = [
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n",
    include_str!("p256.pem"),
];

#[test]
fn a_pem_of_openssl_is_read_in_any_layout() {
    let key = SigningKey::from_pem(OPENSSL[0]).unwrap();
    assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    for text in OPENSSL {
        let expected = SigningKey::from_pem(text).unwrap().kid().to_owned();
        for layout in [
            text.replace('\n', " "),
            text.replace('\n', "\r\n"),
            text.trim().to_owned(),
        ] {
            assert_eq!(SigningKey::from_text(&layout).unwrap().kid(), expected);
        }
    }
}

#[test]
fn other_pems_are_refused_and_say_what_to_write() {
    let key = OPENSSL[0];
    let relabelled = |label: &str| key.replace("PRIVATE KEY", label);
    let der = STANDARD.decode(key.lines().nth(1).unwrap()).unwrap();
    let bent = |at: usize, byte: u8| {
        let mut der = der.clone();
        der[at] = byte;
        pem("PRIVATE KEY", &der)
    };
    let rsa = include_str!("../../../test-harness/keys/rsa2048.pem");
    for (text, why) in [
        (relabelled("EC PRIVATE KEY"), "openssl pkcs8"),
        (relabelled("RSA PRIVATE KEY"), "RSA"),
        (relabelled("ENCRYPTED PRIVATE KEY"), "encrypted"),
        (relabelled("PUBLIC KEY"), "public key"),
        (relabelled("CERTIFICATE"), "PRIVATE KEY"),
        (rsa.to_owned(), "RSA"),
        (key.replace("END", "AND"), "END"),
        (format!("{key}{key}"), "base64"),
        (format!("{key}x"), "END"),
        (key.replace("MC4C", "MC4!"), "base64"),
        (pem("PRIVATE KEY", &der[..der.len() - 1]), "PKCS #8"),
        (pem("PRIVATE KEY", &[&der[..], &[0]].concat()), "PKCS #8"),
        (pem("PRIVATE KEY", b""), "PKCS #8"),
        // Another version, X25519, a shorter seed.
        (bent(4, 2), "PKCS #8"),
        (bent(11, 0x6e), "curve"),
        (bent(15, 31), "PKCS #8"),
        ("text".into(), "neither"),
        (String::new(), "neither"),
    ] {
        let said = SigningKey::from_text(&text).expect_err(&text);
        assert!(said.contains(why), "{said} for {text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_text_is_it_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..120), at in 0_usize..138, byte in any::<u8>()) {
        _ = SigningKey::from_text(&pem("PRIVATE KEY", &bytes));
        let document = EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let mut bent = document.as_ref().to_vec();
        if let Some(place) = bent.get_mut(at) {
            *place = byte;
        }
        // Whatever passes is a pair of halves that belong together.
        if let Ok(key) = SigningKey::from_pem(&pem("PRIVATE KEY", &bent)) {
            let signature = key.sign(b"m").unwrap();
            prop_assert!(UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, key.private.public(false)).verify(b"m", &signature).is_ok());
        }
    }
}
