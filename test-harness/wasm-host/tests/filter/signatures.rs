//! Who verifies: Envoy where it can, the filter itself on Kong and wherever Envoy's answer says nothing.

use jobgate_harness::keys::{Algorithm, RsaSize, SigningKey};
use jobgate_harness::mint::{Minter, Tamper, TokenSpec};
use jobgate_wasm_host::{Fault, Gateway, HostCall, Profile, Status};
use serde_json::{Value, json};

use crate::common::{
    AUDIENCE, BOTH, ISSUER, assert_passed, assert_refused, give_keys, policy, unix, with_token,
};

/// An issuer that signs with this key.
fn minter(key: SigningKey) -> Minter {
    Minter::with_key(ISSUER, AUDIENCE, key)
}

/// A gateway that has the issuer's key and takes what it signs with.
fn ready(profile: Profile, minter: &Minter) -> Gateway {
    let mut policy = policy(profile);
    policy["issuers"][0]["algorithms"] = json!(minter.algorithms());
    let mut gateway = crate::common::gateway(profile, &policy);
    give_keys(&mut gateway, &minter.jwks());
    gateway
}

/// A token that is new to the gateway.
fn token(gateway: &Gateway, minter: &Minter, nth: usize, tamper: Option<Tamper>) -> String {
    let spec = TokenSpec {
        claims: [("jti".to_owned(), Value::from(nth.to_string()))]
            .into_iter()
            .collect(),
        tamper,
        ..TokenSpec::default()
    };
    minter.mint(&spec, unix(gateway))
}

/// How often Envoy was asked.
fn asked(gateway: &Gateway) -> u64 {
    let calls = gateway.host_calls();
    let asked = calls.get(&HostCall::CallForeignFunction);
    asked.copied().unwrap_or_default()
}

/// One of every algorithm, of all sizes of RSA.
fn keys() -> Vec<SigningKey> {
    let longest = SigningKey::fixed_rsa(Algorithm::Rs512, RsaSize::Bits8192);
    let fixed = Algorithm::ALL.map(SigningKey::fixed);
    fixed.into_iter().chain([longest]).collect()
}

#[test]
fn a_signature_counts_on_either_host_if_it_is_the_keys() {
    for key in keys() {
        let (kid, algorithm) = (key.kid().to_owned(), key.algorithm());
        let minter = minter(key);
        // What a key in X.509's form does not say, the filter does itself.
        let is_told = !matches!(
            algorithm,
            Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 | Algorithm::EdDsa
        );
        for profile in BOTH {
            let mut gateway = ready(profile, &minter);
            gateway.reset_host_calls();
            let good = token(&gateway, &minter, 0, None);
            assert_passed(&gateway.request(0, with_token(&good)));
            let expected = u64::from(is_told && profile == Profile::Envoy);
            assert_eq!(asked(&gateway), expected, "{profile:?} {kid}");
            assert_passed(&gateway.request(0, with_token(&good)));
            assert_eq!(
                asked(&gateway),
                expected,
                "{profile:?} {kid}: from the cache"
            );
            for (nth, tamper) in [
                Tamper::Payload,
                Tamper::Signature,
                Tamper::Header,
                Tamper::TruncateSignature,
            ]
            .into_iter()
            .enumerate()
            {
                let bad = token(&gateway, &minter, nth + 1, Some(tamper));
                let exchange = gateway.request(0, with_token(&bad));
                assert_refused(&exchange, "signature_invalid");
            }
            if profile == Profile::Kong {
                assert_eq!(asked(&gateway), 0, "it traps there");
            }
        }
    }
}

#[test]
fn envoys_answer_counts_if_it_is_one() {
    let minter = minter(SigningKey::fixed(Algorithm::Rs256));
    let mut gateway = ready(Profile::Envoy, &minter);
    let mut nth = 0;
    // Whether a good and a bad signature pass, by the answer.
    let mut check = |answer: Option<&[u8]>, good: bool, bad: bool| {
        for (tamper, passes) in [(None, good), (Some(Tamper::Signature), bad)] {
            nth += 1;
            gateway.set_signature_answer(answer.map(<[u8]>::to_vec));
            gateway.reset_host_calls();
            let token = token(&gateway, &minter, nth, tamper);
            let exchange = gateway.request(0, with_token(&token));
            assert_eq!(asked(&gateway), 1);
            if passes {
                assert_passed(&exchange);
            } else {
                assert_refused(&exchange, "signature_invalid");
            }
        }
    };
    let refusal = [&[0x12, 5], &b"wrong"[..]].concat();
    let long = [&[0x12, 0xac, 2], &[b'x'; 300][..]].concat();
    // Its own opinion; then a yes and a no that are none of its own.
    check(None, true, false);
    check(Some(&[8, 1]), true, true);
    check(Some(&refusal), false, false);
    check(Some(&long), false, false);
    // What is neither: the filter verifies itself.
    for nonsense in [
        &b""[..],
        &[8],
        &[8, 0],
        &[8, 2],
        &[8, 1, 0],
        &[8, 1, 0x12, 1, b'x'],
        &[0x12],
        &[0x12, 0],
        &[0x12, 5, b'x'],
        &[0x12, 1, b'x', b'y'],
        &[0x12, 0x81, 0x80, 1],
        &[0x1a, 1, 1],
        &[0xff; 40],
    ] {
        check(Some(nonsense), true, false);
    }
}

#[test]
fn an_envoy_that_lacks_the_function_is_asked_once() {
    let minter = minter(SigningKey::fixed(Algorithm::Rs256));
    for status in [
        Status::NotFound,
        Status::BadArgument,
        Status::SerializationFailure,
        Status::InternalFailure,
    ] {
        let mut gateway = ready(Profile::Envoy, &minter);
        // What it would answer is no opinion of its own: that must not count where there is an error.
        gateway.set_signature_answer(Some(vec![8, 1]));
        gateway.set_fault(HostCall::CallForeignFunction, 1, Fault::Status(status));
        gateway.reset_host_calls();
        for (nth, tamper) in (0..).zip([None, Some(Tamper::Signature), None]) {
            let token = token(&gateway, &minter, nth, tamper);
            let exchange = gateway.request(0, with_token(&token));
            match tamper {
                None => assert_passed(&exchange),
                Some(_) => assert_refused(&exchange, "signature_invalid"),
            }
        }
        assert_eq!(asked(&gateway), 1);
    }
}
