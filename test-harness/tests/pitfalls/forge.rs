//! What a forger has: the published keys, keys of their own, and any text.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jobgate_harness::keys::{Algorithm, SigningKey};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::{Digest, Sha256};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey};
use serde_json::{Value, json};

use crate::world::{AUDIENCE, ISSUER, NOW};

/// The issuer's own key of an algorithm.
pub(crate) fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::fixed(algorithm)
}

/// The header of a good token.
pub(crate) fn header(algorithm: Algorithm) -> Value {
    json!({ "alg": algorithm.name(), "typ": "JWT", "kid": key(algorithm).kid() })
}

/// The claims of a good token, with these over its own; null takes one away.
pub(crate) fn claims(over: Value) -> Value {
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "a-job", "iat": NOW, "exp": NOW + 300,
        "organization_slug": "acme", "pipeline_slug": "web", "build_number": 42,
    });
    with(claims, over)
}

/// An object with these members over its own; null takes one away.
pub(crate) fn with(object: Value, over: Value) -> Value {
    let (Value::Object(mut members), Value::Object(over)) = (object, over) else {
        panic!("they are objects");
    };
    for (name, value) in over {
        match value {
            Value::Null => drop(members.remove(&name)),
            value => drop(members.insert(name, value)),
        }
    }
    Value::Object(members)
}

/// Bytes in base64url.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of these parts, signed as given.
pub(crate) fn token(
    header: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    encoded(&encode(header), &encode(payload), sign)
}

/// The same of parts that are encoded already, well or not.
pub(crate) fn encoded(header: &str, payload: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let input = format!("{header}.{payload}");
    let signature = encode(sign(input.as_bytes()));
    format!("{input}.{signature}")
}

/// A token of this header and these claims under the issuer's signature.
pub(crate) fn issued(algorithm: Algorithm, header: &Value, claims: &Value) -> String {
    let key = key(algorithm);
    token(header.to_string(), claims.to_string(), |input| {
        key.sign(input)
    })
}

/// An object's text with one member more, as it stands; the object may have a member of the same name.
pub(crate) fn text_with(object: &Value, member: &str) -> String {
    let text = object.to_string();
    let open = text.strip_suffix('}').expect("it is an object");
    format!("{open},{member}}}")
}

/// What a careless verifier may hold of a public RSA key, and take for a secret.
pub(crate) fn public_forms() -> Vec<Vec<u8>> {
    let key = key(Algorithm::Rs256);
    let (pem, jwk) = (key.public_text(), key.public_jwk());
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let modulus = jwk["n"].as_str().expect("it is RSA's").to_owned();
    vec![
        pem.clone().into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        pem.replace('\n', "\r\n").into_bytes(),
        STANDARD.decode(&der).expect("PEM is base64"),
        der.into_bytes(),
        jwk.to_string().into_bytes(),
        json!({ "keys": [jwk] }).to_string().into_bytes(),
        URL_SAFE_NO_PAD.decode(&modulus).expect("it is base64url"),
        modulus.into_bytes(),
        key.kid().as_bytes().to_vec(),
        Vec::new(),
    ]
}

pub(crate) fn rsa() -> RsaPrivateKey {
    RsaPrivateKey::from_pkcs8_pem(include_str!("../../keys/rsa2048.pem")).expect("it is a key")
}

fn small_rsa() -> &'static RsaPrivateKey {
    static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| {
        RsaPrivateKey::new(&mut StdRng::seed_from_u64(21), 1024).expect("it is a size")
    })
}

/// The issuer's document: a good key of each algorithm, one of RSA for all of its algorithms (`any`) and one
/// with the exponent 3 (`e3`); and the ones that must not be used.
pub(crate) fn jwks() -> Value {
    static JWKS: OnceLock<Value> = OnceLock::new();
    JWKS.get_or_init(make_jwks).clone()
}

fn make_jwks() -> Value {
    let mut keys: Vec<Value> = Algorithm::ALL.map(|each| key(each).public_jwk()).into();
    let rsa = key(Algorithm::Rs256).public_jwk();
    let small = small_rsa();
    let private = encode(rsa_number(self::rsa().d()));
    keys.extend([
        with(rsa.clone(), json!({ "kid": "any", "alg": null })),
        with(rsa.clone(), json!({ "kid": "e3", "e": "Aw" })),
        with(rsa.clone(), json!({ "kid": "e1", "e": "AQ" })),
        with(
            rsa.clone(),
            json!({ "kid": "small", "n": encode(rsa_number(small.n())) }),
        ),
        with(
            rsa.clone(),
            json!({ "kid": "for-encryption", "use": "enc" }),
        ),
        with(
            rsa.clone(),
            json!({ "kid": "for-signing", "use": null, "key_ops": ["sign"] }),
        ),
        with(rsa, json!({ "kid": "leaked", "d": private })),
        json!({ "kty": "oct", "kid": "shared", "k": encode("secret") }),
        json!({ "kty": "oct", "kid": "shared-256", "alg": "HS256", "k": encode("secret") }),
    ]);
    json!({ "keys": keys })
}

fn rsa_number(number: &BigUint) -> Vec<u8> {
    number.to_bytes_be()
}

/// What RSASSA-PKCS1-v1_5 with SHA-256 makes of a message before it is signed, for a modulus of 2048 bits.
pub(crate) fn padded(input: &[u8]) -> Vec<u8> {
    let end = digest_info(input);
    let filling = vec![0xff; 256 - 3 - end.len()];
    [&[0, 1][..], &filling, &[0], &end].concat()
}

fn digest_info(input: &[u8]) -> Vec<u8> {
    const SHA256: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20,
    ];
    [&SHA256[..], &Sha256::digest(input)].concat()
}

/// Signs bytes that are padded already, well or not.
pub(crate) fn raw_rsa(padded: &[u8]) -> Vec<u8> {
    let key = rsa();
    fill(&BigUint::from_bytes_be(padded).modpow(key.d(), key.n()))
}

/// A good signature of the key that is too small.
pub(crate) fn small_signature(input: &[u8]) -> Vec<u8> {
    let hash = Sha256::digest(input);
    small_rsa()
        .sign(rsa::Pkcs1v15Sign::new::<Sha256>(), &hash)
        .expect("it signs")
}

/// Bleichenbacher's forgery of 2006: a number whose cube begins as a padded message does. It takes no key.
pub(crate) fn cube_root_of_padded(input: &[u8]) -> Vec<u8> {
    let start = [&[0, 1][..], &[0xff; 8], &[0], &digest_info(input)].concat();
    let mut lowest = start.clone();
    lowest.resize(256, 0);
    let of = BigUint::from_bytes_be(&lowest);
    let mut root = BigUint::from(0_u8);
    for bit in (0..=of.bits() / 3).rev() {
        let candidate = &root + (BigUint::from(1_u8) << bit);
        if &candidate * &candidate * &candidate <= of {
            root = candidate;
        }
    }
    let root = root + 1_u8;
    assert!(fill(&(&root * &root * &root)).starts_with(&start));
    fill(&root)
}

/// A number as 256 bytes.
fn fill(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; 256 - bytes.len()], bytes].concat()
}
