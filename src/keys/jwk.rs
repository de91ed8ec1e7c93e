//! One JSON Web Key (RFC 7517, section 4; RFC 7518, section 6; RFC 8037, section 2).
//!
//! `x5c`, `x5u` and their kin are not looked at: an issuer's keys are what its key set says they are.

use super::public_key::PublicKey;
use super::signature::{Ed25519Key, P256Key, P384Key, RsaKey, VerifyingKey, der};
use crate::base64url;
use crate::token::Algorithm;
use serde_json::{Map, Value};

/// The members that only private keys have (RFC 7518, sections 6.2.2 and 6.3.2; RFC 8037, section 2).
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];

/// The key that this is.
///
/// # Errors
/// Why it can't be used.
pub(super) fn public_key(key: &Value) -> Result<PublicKey, &'static str> {
    let Value::Object(key) = key else {
        return Err("it is not an object");
    };
    let kid = match key.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.clone()),
        Some(_) => return Err("its kid is not a string"),
    };
    // Whoever can read the key set can sign with it.
    if PRIVATE.iter().any(|member| key.contains_key(*member)) {
        return Err("it holds a private key, which is thereby compromised");
    }
    if key.get("use").is_some_and(|usage| usage != "sig") {
        return Err("its use is not sig");
    }
    if key.get("key_ops").is_some_and(|ops| !lists(ops, "verify")) {
        return Err("its key_ops do not hold verify");
    }
    let (verifying, info) = verifying_key(key)?;
    let only = match key.get("alg") {
        None => None,
        Some(name) => {
            let algorithm = name.as_str().and_then(Algorithm::named);
            let able = algorithm.filter(|&algorithm| verifying.can(algorithm));
            Some(able.ok_or("its alg is none that its type can verify")?)
        }
    };
    Ok(PublicKey {
        kid,
        only,
        key: verifying,
        info,
    })
}

/// The key, and its SubjectPublicKeyInfo.
fn verifying_key(
    key: &Map<String, Value>,
) -> Result<(VerifyingKey, Option<Vec<u8>>), &'static str> {
    let text = |name| key.get(name).and_then(Value::as_str);
    match (text("kty"), text("crv")) {
        (Some("RSA"), _) => {
            let modulus = bytes(key, "n").ok_or("its n is not base64url")?;
            let exponent = bytes(key, "e").ok_or("its e is not base64url")?;
            let verifying = VerifyingKey::Rsa(RsaKey::new(&modulus, &exponent)?);
            Ok((verifying, Some(der::rsa_key(&modulus, &exponent))))
        }
        (Some("EC"), Some(curve @ ("P-256" | "P-384"))) => {
            let x = bytes(key, "x").ok_or("its x is not base64url")?;
            let y = bytes(key, "y").ok_or("its y is not base64url")?;
            let (verifying, curve) = if curve == "P-256" {
                (VerifyingKey::P256(P256Key::new(&x, &y)?), der::P256)
            } else {
                (VerifyingKey::P384(P384Key::new(&x, &y)?), der::P384)
            };
            Ok((verifying, Some(der::ec_key(curve, &x, &y))))
        }
        (Some("OKP"), Some("Ed25519")) => {
            let x = bytes(key, "x").ok_or("its x is not base64url")?;
            Ok((VerifyingKey::Ed25519(Ed25519Key::new(&x)?), None))
        }
        (Some("EC"), _) => Err("its crv is not P-256 or P-384"),
        (Some("OKP"), _) => Err("its crv is not Ed25519"),
        (Some(_), _) => Err("its kty is not RSA, EC or OKP"),
        (None, _) => Err("it has no kty"),
    }
}

fn lists(array: &Value, wanted: &str) -> bool {
    array
        .as_array()
        .is_some_and(|items| items.iter().any(|item| item == wanted))
}

fn bytes(key: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let text = key.get(name)?.as_str()?;
    base64url::decode(text).filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ct_codecs::{Base64UrlSafeNoPadding, Decoder as _, Encoder as _};
    use serde_json::json;

    /// The modulus of RFC 7515, appendix A.2.
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    /// The point of RFC 7515, appendix A.3.
    const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
    /// The key of RFC 8037, appendix A.2.
    const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn changed(mut key: Value, changes: Value) -> Value {
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    }

    pub(in crate::keys) fn key(changes: Value) -> Value {
        let key =
            json!({"kty": "RSA", "kid": "a", "use": "sig", "alg": "RS256", "n": N, "e": "AQAB"});
        changed(key, changes)
    }

    pub(in crate::keys) fn p256(changes: Value) -> Value {
        let key = json!({"kty": "EC", "kid": "a", "crv": "P-256", "x": P256_X, "y": P256_Y});
        changed(key, changes)
    }

    pub(in crate::keys) fn okp(changes: Value) -> Value {
        changed(
            json!({"kty": "OKP", "kid": "a", "crv": "Ed25519", "x": ED25519_X}),
            changes,
        )
    }

    fn text(bytes: &[u8]) -> String {
        Base64UrlSafeNoPadding::encode_to_string(bytes).unwrap()
    }

    fn raw(text: &str) -> Vec<u8> {
        Base64UrlSafeNoPadding::decode_to_vec(text, None).unwrap()
    }

    /// An odd number of this many bits.
    fn odd(bits: usize) -> String {
        let mut bytes = vec![0xff; bits.div_ceil(8)];
        bytes[0] >>= (8 - bits % 8) % 8;
        text(&bytes)
    }

    #[test]
    fn keys_that_are_not_for_this_are_skipped_and_say_why() {
        let mut even = raw(N);
        *even.last_mut().unwrap() &= 0xfe;
        let cases = [
            (json!("not an object"), "object"),
            (key(json!({"kty": "oct"})), "kty"),
            (key(json!({"kty": "rsa"})), "kty"),
            (key(json!({"kty": null})), "kty"),
            (key(json!({"kid": 7})), "kid"),
            (key(json!({"use": "enc"})), "use"),
            (key(json!({"use": null})), "use"),
            (key(json!({"key_ops": ["sign"]})), "key_ops"),
            (key(json!({"key_ops": "verify"})), "key_ops"),
            (key(json!({"alg": "ES256"})), "alg"),
            (key(json!({"alg": "rs256"})), "alg"),
            (key(json!({"alg": "RSA-OAEP"})), "alg"),
            (key(json!({"alg": "none"})), "alg"),
            (key(json!({"alg": null})), "alg"),
            (key(json!({"d": "AQAB"})), "private"),
            (key(json!({"p": "AQAB"})), "private"),
            (key(json!({"n": ""})), "n is not"),
            (key(json!({"n": "a+b"})), "n is not"),
            (key(json!({"n": "AQAB"})), "2048"),
            (key(json!({"n": odd(2047)})), "2048"),
            (key(json!({"n": odd(8193)})), "8192"),
            (key(json!({"n": text(&even)})), "even"),
            (key(json!({"e": "AQ"})), "less than 3"),
            (key(json!({"e": "AA"})), "less than 3"),
            (key(json!({"e": "AAAC"})), "less than 3"),
            (key(json!({"e": "AQAA"})), "even"),
            (key(json!({"e": "AwAAAAE"})), "33 bits"),
            (key(json!({"e": N})), "33 bits"),
            (p256(json!({"crv": "P-521"})), "crv"),
            (p256(json!({"crv": "secp256k1"})), "crv"),
            (p256(json!({"crv": "Ed25519"})), "crv"),
            (p256(json!({"crv": null})), "crv"),
            (p256(json!({"crv": "P-384"})), "length"),
            (p256(json!({"y": null})), "y is not"),
            (p256(json!({"y": P256_X})), "curve"),
            (
                p256(json!({"x": text(&[0; 32]), "y": text(&[0; 32])})),
                "curve",
            ),
            (
                p256(json!({"x": text(&[&[0], raw(P256_X).as_slice()].concat())})),
                "length",
            ),
            (p256(json!({"x": text(&raw(P256_X)[..31])})), "length"),
            (p256(json!({"alg": "ES384"})), "alg"),
            (p256(json!({"alg": "RS256"})), "alg"),
            (p256(json!({"d": P256_X})), "private"),
            (okp(json!({"crv": "X25519"})), "crv"),
            (okp(json!({"crv": "Ed448"})), "crv"),
            (okp(json!({"x": text(&raw(ED25519_X)[..31])})), "32"),
            // The neutral element, the point of order 2, and the neutral element written as p + 1.
            (okp(json!({"x": text(&point(1, 0, 0))})), "order"),
            (okp(json!({"x": text(&point(0xec, 0xff, 0x7f))})), "order"),
            (
                okp(json!({"x": text(&point(0xee, 0xff, 0x7f))})),
                "canonical",
            ),
            (okp(json!({"alg": "ES256"})), "alg"),
            (okp(json!({"d": ED25519_X})), "private"),
        ];
        for (bad, why) in cases {
            let said = public_key(&bad).expect_err(&bad.to_string());
            assert!(said.contains(why), "{said} for {bad}");
        }
    }

    /// A little-endian field element from its first byte, those in the middle, and the last.
    fn point(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }

    #[test]
    fn a_key_serves_what_its_type_can_and_its_alg_says() {
        use Algorithm::{EdDsa, Es256, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        let without = |mut key: Value, member| {
            key.as_object_mut().unwrap().remove(member);
            key
        };
        let rsa = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512];
        let cases: &[(Value, &[Algorithm])] = &[
            (key(json!({})), &[Rs256]),
            (key(json!({"alg": "PS512"})), &[Ps512]),
            (without(key(json!({})), "alg"), &rsa),
            (
                key(json!({"key_ops": ["verify"], "x5c": ["!"], "x5u": 7})),
                &[Rs256],
            ),
            (key(json!({"n": odd(8192)})), &[Rs256]),
            (key(json!({"e": "Aw"})), &[Rs256]),
            (key(json!({"e": "Af____8"})), &[Rs256]),
            // Zeros before the modulus and the exponent.
            (
                key(json!({"n": text(&[&[0], raw(N).as_slice()].concat()), "e": "AAEAAQ"})),
                &[Rs256],
            ),
            (p256(json!({})), &[Es256]),
            (p256(json!({"use": "sig", "alg": "ES256"})), &[Es256]),
            (okp(json!({"alg": "EdDSA"})), &[EdDsa]),
        ];
        for (jwk, serves) in cases {
            let key = public_key(jwk).unwrap_or_else(|why| panic!("{why}: {jwk}"));
            let all = Algorithm::ALL.iter().copied();
            let served: Vec<_> = all.filter(|&algorithm| key.serves(algorithm)).collect();
            assert_eq!(served, *serves, "{jwk}");
        }
    }
}
