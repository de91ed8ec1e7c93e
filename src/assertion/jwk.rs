//! A private JWK (RFC 7517; RFC 7518, section 6.2.2; RFC 8037, section 2).

use super::key::{NO_RSA, SigningKey, belong_together};
use crate::base64url;
use jobgate_signing::PrivateKey;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// The longest name of a key: every assertion repeats it.
const MAX_KID: usize = 128;

/// The key that this is. The public half must be there, and belong to the private one: a key set with another half
/// would make every assertion worthless.
///
/// # Errors
/// Why it can't sign.
pub(super) fn private_key(key: &Value) -> Result<SigningKey, &'static str> {
    let Value::Object(key) = key else {
        return Err("it is not an object");
    };
    let kid = match key.get("kid") {
        None => None,
        Some(Value::String(kid)) if (1..=MAX_KID).contains(&kid.len()) => Some(kid.clone()),
        Some(_) => return Err("its kid is not a text of 1 to 128 bytes"),
    };
    if key.get("use").is_some_and(|usage| usage != "sig") {
        return Err("its use is not sig");
    }
    let signs = |ops: &Value| {
        ops.as_array()
            .is_some_and(|ops| ops.iter().any(|op| op == "sign"))
    };
    if key.get("key_ops").is_some_and(|ops| !signs(ops)) {
        return Err("its key_ops do not hold sign");
    }
    let text = |name| key.get(name).and_then(Value::as_str);
    let (private, public, algorithm) = match (text("kty"), text("crv")) {
        (Some("EC"), Some("P-256")) => {
            let private = PrivateKey::p256(&secret(key)?)?;
            let (x, y) = (coordinate(key, "x")?, coordinate(key, "y")?);
            (private, [&[4], x.as_slice(), &y].concat(), "ES256")
        }
        (Some("OKP"), Some("Ed25519")) => {
            let private = PrivateKey::ed25519(&secret(key)?)?;
            (private, coordinate(key, "x")?, "EdDSA")
        }
        (Some("RSA"), _) => {
            return Err(NO_RSA);
        }
        (Some("oct"), _) => {
            return Err(
                "it is symmetric, so whoever verifies could sign too; write a key on P-256 or Ed25519",
            );
        }
        (Some("EC"), _) => return Err("its crv is not P-256"),
        (Some("OKP"), _) => return Err("its crv is not Ed25519"),
        (_, _) => return Err("its kty is not EC or OKP"),
    };
    if !belong_together(&private, &public) {
        return Err("its public half is not that of its private half");
    }
    if key.get("alg").is_some_and(|alg| alg != algorithm) {
        return Err("its alg is not that of its type: ES256 for P-256, EdDSA for Ed25519");
    }
    Ok(SigningKey::new(private, kid))
}

/// The private half.
fn secret(key: &Map<String, Value>) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    match key.get("d") {
        None => Err("it has no d, which is its private half"),
        Some(d) => bytes(d).map(Zeroizing::new).ok_or("its d is not base64url"),
    }
}

fn coordinate(key: &Map<String, Value>, name: &str) -> Result<Vec<u8>, &'static str> {
    key.get(name)
        .and_then(bytes)
        .ok_or("its public half (x, and y on P-256) is missing or not base64url")
}

fn bytes(text: &Value) -> Option<Vec<u8>> {
    base64url::decode(text.as_str()?)
}
