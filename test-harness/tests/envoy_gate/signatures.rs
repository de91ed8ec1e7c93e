//! What the real Envoy's `verify_signature` takes for a signature. The gate believes it, so it must be right.

use std::fmt::Write as _;
use std::fs;

use jobgate_harness::envoy::{EnvoyConfig, Listener};
use jobgate_harness::upstream::Upstream;
use p256::ecdsa::signature::Signer as _;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey};
use rsa::sha2::{Digest, Sha256, Sha384, Sha512};
use rsa::signature::{RandomizedSigner as _, SignatureEncoding as _};
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, Pkcs1v15Sign, RsaPrivateKey, pss};
use serde_json::json;

use crate::world::{World, issuer, log_tail, policy, start, wait_for_log};
use jobgate_harness::keys::Algorithm;
use jobgate_harness::mint::{Tamper, TokenSpec};

const MESSAGE: &[u8] = b"header.payload";

/// A call and what must come of it. A key that Envoy cannot read is false too, so what it cannot do is refused.
struct Question {
    what: &'static str,
    hash: &'static str,
    key: Vec<u8>,
    signature: Vec<u8>,
    answer: bool,
}

impl Question {
    fn arguments(&self) -> Vec<u8> {
        let fields = [self.hash.as_bytes(), &self.key, &self.signature, MESSAGE];
        let mut arguments = Vec::new();
        for (number, field) in (1_u8..).zip(fields) {
            arguments.push(number << 3 | 2);
            arguments.extend([field.len() as u8 | 0x80, (field.len() >> 7) as u8]);
            arguments.extend(field);
        }
        arguments
    }
}

/// A module that asks when it is configured, and logs each answer.
fn module(questions: &[Question]) -> Vec<u8> {
    let text = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("\\{byte:02x}"))
            .collect::<String>()
    };
    let name = "verify_signature";
    let (mut data, mut calls) = (String::new(), String::new());
    let mut at = 1024;
    let mut place = |bytes: &[u8]| {
        let start = at;
        writeln!(data, "(data (i32.const {start}) \"{}\")", text(bytes)).unwrap();
        at += bytes.len();
        format!("(i32.const {start}) (i32.const {})", bytes.len())
    };
    let name = place(name.as_bytes());
    for (nth, question) in questions.iter().enumerate() {
        let arguments = place(&question.arguments());
        let [yes, no, error] = ["true", "false", "error"]
            .map(|answer| place(format!("case {nth}: {answer};").as_bytes()));
        writeln!(
            calls,
            "(if (call $foreign {name} {arguments} (i32.const 16) (i32.const 20))
               (then (drop (call $log (i32.const 2) {error})))
               (else (if (i32.eq (i32.load16_u (i32.load (i32.const 16))) (i32.const 0x0108))
                 (then (drop (call $log (i32.const 2) {yes})))
                 (else (drop (call $log (i32.const 2) {no}))))))"
        )
        .unwrap();
    }
    let module = format!(
        r#"(module
          (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
          (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
          (memory (export "memory") 16)
          {data}
          (global $next (mut i32) (i32.const 0x80000))
          (func (export "proxy_abi_version_0_2_1"))
          (func (export "proxy_on_memory_allocate") (param i32) (result i32)
            (global.get $next) (global.set $next (i32.add (global.get $next) (local.get 0))))
          (func (export "proxy_on_context_create") (param i32 i32))
          (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
          (func (export "proxy_on_configure") (param i32 i32) (result i32) {calls} (i32.const 1)))"#
    );
    wat::parse_str(module).expect("it is a module")
}

/// The SubjectPublicKeyInfo of a point on P-256 or P-384 (RFC 5480, section 2).
fn ec_key(point: &[u8]) -> Vec<u8> {
    let curve: &[u8] = match point.len() {
        65 => &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
        _ => &[6, 5, 0x2b, 0x81, 4, 0, 0x22],
    };
    let name = [&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], curve].concat();
    let bits = [&[3, point.len() as u8 + 1, 0], point].concat();
    let all = [&[0x30, name.len() as u8], &name[..], &bits].concat();
    [&[0x30, all.len() as u8], &all[..]].concat()
}

fn rsa_questions(questions: &mut Vec<Question>) {
    let mut rng = StdRng::seed_from_u64(7);
    let private = RsaPrivateKey::from_pkcs8_pem(include_str!("../../keys/rsa2048.pem")).unwrap();
    let long = RsaPrivateKey::from_pkcs8_pem(include_str!("../../keys/rsa8192.pem")).unwrap();
    let odd = RsaPrivateKey::new_with_exp(&mut rng, 2049, &BigUint::from(3_u8)).unwrap();
    let info = |key: &RsaPrivateKey| key.to_public_key().to_public_key_der().unwrap().into_vec();
    let sign = |key: &RsaPrivateKey, hash: &str| {
        match hash {
            "sha256" => key.sign(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(MESSAGE)),
            "sha384" => key.sign(Pkcs1v15Sign::new::<Sha384>(), &Sha384::digest(MESSAGE)),
            _ => key.sign(Pkcs1v15Sign::new::<Sha512>(), &Sha512::digest(MESSAGE)),
        }
        .unwrap()
    };
    let mut ask = |what, hash, key: &RsaPrivateKey, signature, answer| {
        questions.push(Question {
            what,
            hash,
            key: info(key),
            signature,
            answer,
        });
    };
    for hash in ["sha256", "sha384", "sha512"] {
        for key in [&private, &long, &odd] {
            let good = sign(key, hash);
            let bent = |place: usize| {
                let mut bent = good.clone();
                bent[place] ^= 1;
                bent
            };
            ask("RSA", hash, key, good.clone(), true);
            ask("a bit of RSA", hash, key, bent(good.len() - 1), false);
            ask("another bit", hash, key, bent(good.len() / 2), false);
            ask(
                "RSA without its last byte",
                hash,
                key,
                good[..good.len() - 1].to_vec(),
                false,
            );
            ask("nothing", hash, key, Vec::new(), false);
            let more = (BigUint::from_bytes_be(&good) + key.n()).to_bytes_be();
            ask("RSA not below the modulus", hash, key, more, false);
            ask("zeros", hash, key, vec![0; good.len()], false);
        }
    }
    ask(
        "RSA by another key",
        "sha256",
        &private,
        sign(&long, "sha256"),
        false,
    );
    ask(
        "RSA over another hash",
        "sha256",
        &private,
        sign(&private, "sha384"),
        false,
    );
    let pss = pss::SigningKey::<Sha256>::new(private.clone());
    let pss = pss.sign_with_rng(&mut rng, MESSAGE).to_vec();
    ask(
        "PSS, which is not asked for",
        "sha256",
        &private,
        pss,
        false,
    );
    let mut cut = info(&private);
    cut.pop();
    questions.push(Question {
        what: "a key that breaks off",
        hash: "sha256",
        key: cut,
        signature: sign(&private, "sha256"),
        answer: false,
    });
}

fn ecdsa_questions(questions: &mut Vec<Question>) {
    let p256 = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let p384 = p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap();
    let info256 = ec_key(p256.verifying_key().to_sec1_point(false).as_bytes());
    let info384 = ec_key(p384.verifying_key().to_sec1_point(false).as_bytes());
    let good256: p256::ecdsa::Signature = p256.sign(MESSAGE);
    let good384: p384::ecdsa::Signature = p384.sign(MESSAGE);
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|&&byte| byte == 0).count();
        let number = &number[zeros.min(number.len() - 1)..];
        let before: &[u8] = if number[0] >= 0x80 { &[0] } else { &[] };
        [&[2, (before.len() + number.len()) as u8], before, number].concat()
    };
    let pair = |r: &[u8], s: &[u8]| {
        let both = [integer(r), integer(s)].concat();
        [&[0x30, both.len() as u8], &both[..]].concat()
    };
    for (hash, info, good, order) in [
        (
            "sha256",
            &info256,
            good256.to_bytes().to_vec(),
            "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        ),
        (
            "sha384",
            &info384,
            good384.to_bytes().to_vec(),
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        ),
    ] {
        let order = BigUint::parse_bytes(order.as_bytes(), 16).unwrap();
        let (r, s) = good.split_at(good.len() / 2);
        let negated = (&order - BigUint::from_bytes_be(s)).to_bytes_be();
        let raised = (&order + BigUint::from_bytes_be(s)).to_bytes_be();
        let order = order.to_bytes_be();
        let mut bent = s.to_vec();
        bent[9] ^= 1;
        let der = pair(r, s);
        let padded_s = [&[2, s.len() as u8 + 2, 0, 0], s].concat();
        let needless = [integer(r), padded_s].concat();
        let needless = [&[0x30, needless.len() as u8], &needless[..]].concat();
        let mut ask = |what, signature, answer| {
            questions.push(Question {
                what,
                hash,
                key: info.clone(),
                signature,
                answer,
            });
        };
        ask("ECDSA", der.clone(), true);
        // Who has (r, s) has (r, -s) too, and JWS allows both.
        ask("ECDSA, s negated", pair(r, &negated), true);
        ask("a bit of ECDSA", pair(r, &bent), false);
        ask("ECDSA, changed places", pair(s, r), false);
        ask("r = 0", pair(&[0], s), false);
        ask("s = 0", pair(r, &[0]), false);
        ask("r = s = 0", pair(&[0], &[0]), false);
        ask("r = s = 1", pair(&[1], &[1]), false);
        ask("r is the order", pair(&order, s), false);
        ask("s is the order", pair(r, &order), false);
        ask("s past the order", pair(r, &raised), false);
        ask("needless zeros", needless, false);
        ask("a byte behind", [&der[..], &[0]].concat(), false);
        ask("a long length", [&[0x30, 0x81], &der[1..]].concat(), false);
        ask("it breaks off", der[..der.len() - 1].to_vec(), false);
        ask("r and s side by side", good.clone(), false);
        ask("nothing", Vec::new(), false);
    }
    questions.push(Question {
        what: "ECDSA by another key",
        hash: "sha256",
        key: ec_key(
            p256::ecdsa::SigningKey::from_slice(&[8; 32])
                .unwrap()
                .verifying_key()
                .to_sec1_point(false)
                .as_bytes(),
        ),
        signature: good256.to_der().as_bytes().to_vec(),
        answer: false,
    });
    let mut off = info256;
    *off.last_mut().unwrap() ^= 1;
    questions.push(Question {
        what: "a point that is not on the curve",
        hash: "sha256",
        key: off,
        signature: good256.to_der().as_bytes().to_vec(),
        answer: false,
    });
}

#[test]
fn envoys_verify_signature_is_right() {
    let mut questions = Vec::new();
    rsa_questions(&mut questions);
    ecdsa_questions(&mut questions);
    let folder = tempfile::tempdir().unwrap();
    let wasm = folder.path().join("asks.wasm");
    fs::write(&wasm, module(&questions)).unwrap();
    let upstream = Upstream::start().unwrap();
    let mut config = EnvoyConfig::new(upstream.addr(), issuer().addr())
        .listener(Listener::new("asks").jobgate(json!({})));
    config.wasm = wasm;
    let envoy = start(&config);
    wait_for_log(&envoy, &format!("case {}:", questions.len() - 1));
    let log = envoy.log_text();
    for (nth, question) in questions.iter().enumerate() {
        let answer = question.answer;
        assert!(
            log.contains(&format!("case {nth}: {answer};")),
            "{} ({}) is not {answer}:\n{}",
            question.what,
            question.hash,
            log_tail(&envoy)
        );
    }
}

#[test]
fn signatures_of_every_algorithm_count_if_they_are_the_keys() {
    let issuer = issuer();
    issuer.publish_every_algorithm();
    let mut policy = policy(&issuer);
    policy["issuers"][0]["algorithms"] = json!(issuer.minter().algorithms());
    let world = World::start(issuer, policy);
    world.wait_until_it_passes(&world.token());
    for algorithm in Algorithm::ALL {
        let spec = |tamper| TokenSpec {
            algorithm: Some(algorithm),
            tamper,
            ..TokenSpec::default()
        };
        let good = world.issuer.mint(&spec(None));
        assert_eq!(world.refusal(&good), None, "{algorithm:?}");
        for tamper in [
            Tamper::Payload,
            Tamper::Signature,
            Tamper::Header,
            Tamper::TruncateSignature,
        ] {
            let bad = world.issuer.mint(&spec(Some(tamper)));
            let refusal = world.refusal(&bad);
            assert_eq!(
                refusal.as_deref(),
                Some("signature_invalid"),
                "{algorithm:?} {tamper:?}"
            );
        }
    }
}
