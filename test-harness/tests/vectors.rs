//! The examples of the JOSE RFCs: what this verifies verifies, and what it does not have is refused.
//!
//! `vectors/rfc.json` names each by its section. Most payloads are no JWTs, so the signature is checked over the
//! JWS's signing input, as the gate does after it has parsed a token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jobgate::keys::{KeySet, PublicKey};
use jobgate::reason::Reason;
use jobgate::token::{Algorithm, Jws};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    expect: Expect,
    #[serde(default)]
    jwk: Option<Value>,
    jws: String,
}

#[derive(Clone, Copy, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Expect {
    /// The signature does.
    Verifies,
    /// Its algorithm is none that there is, and its key is not used.
    NoAlgorithm,
    /// It is no compact JWS with a payload.
    Malformed,
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../vectors/rfc.json");
    serde_json::from_str(text).expect("the vectors are sound")
}

/// The only key that there is, for an algorithm.
fn only_key(jwk: &Value, algorithm: Algorithm) -> Option<PublicKey> {
    let set = KeySet::from_value(&json!({ "keys": [jwk] })).ok()?;
    set.find(None, algorithm).cloned()
}

fn algorithm(jws: &str) -> Option<Algorithm> {
    let header = URL_SAFE_NO_PAD.decode(jws.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    Algorithm::named(header["alg"].as_str()?)
}

fn check(vector: &Vector) {
    match vector.expect {
        Expect::Malformed => {
            let refusal = Jws::parse(&vector.jws).unwrap_err();
            assert_eq!(refusal.reason, Reason::TokenMalformed);
        }
        Expect::NoAlgorithm => {
            assert_eq!(algorithm(&vector.jws), None);
            for algorithm in Algorithm::ALL {
                let key = vector.jwk.as_ref();
                assert!(key.is_none_or(|jwk| only_key(jwk, *algorithm).is_none()));
            }
        }
        Expect::Verifies => {
            let named = algorithm(&vector.jws).expect("its algorithm exists");
            let jwk = vector.jwk.as_ref().expect("it has a key");
            let key = only_key(jwk, named).expect("its key is used");
            let (input, signature) = vector.jws.rsplit_once('.').unwrap();
            let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            for other in Algorithm::ALL {
                let verdict = key.verify(*other, input.as_bytes(), &signature);
                assert_eq!(verdict.is_ok(), *other == named, "{}", other.name());
            }
            let longer = [input.as_bytes(), b"A"].concat();
            assert!(key.verify(named, &longer, &signature).is_err());
            signature[7] ^= 1;
            assert!(key.verify(named, input.as_bytes(), &signature).is_err());
        }
    }
}

#[test]
fn the_rfcs_examples_verify_or_are_refused() {
    let vectors = vectors();
    assert!(vectors.len() >= 17, "only {} vectors", vectors.len());
    for vector in &vectors {
        println!("{}", vector.name);
        check(vector);
    }
    let verified = vectors
        .iter()
        .filter(|vector| vector.expect == Expect::Verifies);
    assert_eq!(verified.count(), 5);
}
