//! Signatures that a careless verifier takes: each is built with the key, or without it, and must be refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jobgate::keys::KeySet;
use jobgate::token::Algorithm;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rsa::pkcs8::DecodePrivateKey;
use rsa::sha2::{Digest, Sha256, Sha512};
use rsa::signature::{RandomizedSigner, SignatureEncoding};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey, pss};
use serde_json::{Value, json};

const MESSAGE: &[u8] = b"header.payload";

/// The DER of `DigestInfo` before a SHA-256 hash (RFC 8017, section 9.2, note 1).
const SHA256_INFO: &str = "3031300d060960864801650304020105000420";

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn verifies(jwk: &Value, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let set = KeySet::from_value(&json!({ "keys": [jwk] })).expect("the key is used");
    let key = set.find(None, algorithm).expect("it serves the algorithm");
    key.verify(algorithm, message, signature).is_ok()
}

fn private_key() -> RsaPrivateKey {
    RsaPrivateKey::from_pkcs8_pem(include_str!("../keys/rsa2048.pem")).unwrap()
}

fn rsa_jwk(key: &RsaPrivateKey, exponent: &[u8]) -> Value {
    json!({ "kty": "RSA", "n": encode(&key.n().to_bytes_be()), "e": encode(exponent) })
}

/// A number as 256 bytes.
fn padded(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    [vec![0; 256 - bytes.len()], bytes].concat()
}

/// The signature whose padded message is this, well formed or not.
fn sign_padded(key: &RsaPrivateKey, padded_message: &[u8]) -> Vec<u8> {
    padded(&BigUint::from_bytes_be(padded_message).modpow(key.d(), key.n()))
}

/// What RSASSA-PKCS1-v1_5 signs, with as much padding as fits between the parts.
fn pkcs1(start: &[u8], info: &[u8], hash: &[u8], end: &[u8]) -> Vec<u8> {
    let filling = 256 - start.len() - 1 - info.len() - hash.len() - end.len();
    [start, &vec![0xff; filling], &[0], info, hash, end].concat()
}

#[test]
fn pkcs1_padding_is_compared_and_never_parsed() {
    let key = private_key();
    let jwk = rsa_jwk(&key, &[1, 0, 1]);
    let info = hex(SHA256_INFO);
    let hash = Sha256::digest(MESSAGE);
    let good = pkcs1(&[0, 1], &info, &hash, &[]);
    let check = |padded: &[u8]| {
        let signature = sign_padded(&key, padded);
        verifies(&jwk, Algorithm::Rs256, MESSAGE, &signature)
    };
    assert!(check(&good));

    let sha512 = Sha512::digest(MESSAGE);
    let sha512_info = hex("3051300d060960864801650304020305000440");
    let mut inner = good.clone();
    inner[100] = 0xfe;
    let mut early = good.clone();
    early[100] = 0;
    let short = [&[0, 1][..], &[0xff; 8], &[0], &info, &hash, &[0x41; 194]].concat();
    for (what, padded) in [
        ("garbage behind the hash (Bleichenbacher 2006)", short),
        (
            "one byte behind the hash",
            pkcs1(&[0, 1], &info, &hash, &[0]),
        ),
        ("block type 0", pkcs1(&[0, 0], &info, &hash, &[])),
        ("block type 2", pkcs1(&[0, 2], &info, &hash, &[])),
        ("another first byte", pkcs1(&[1, 1], &info, &hash, &[])),
        ("a byte of padding that is not 0xff", inner),
        ("a zero within the padding", early),
        (
            "no NULL behind the hash's name",
            pkcs1(
                &[0, 1],
                &hex("302f300b0609608648016503040201 0420"),
                &hash,
                &[],
            ),
        ),
        (
            "a length in BER's long form",
            pkcs1(
                &[0, 1],
                &hex("308131300d060960864801650304020105000420"),
                &hash,
                &[],
            ),
        ),
        (
            "garbage in place of the NULL",
            pkcs1(
                &[0, 1],
                &hex("3033300f060960864801650304020105024141 0420"),
                &hash,
                &[],
            ),
        ),
        ("no name of a hash", pkcs1(&[0, 1], &[], &hash, &[])),
        (
            "SHA-1's name",
            pkcs1(
                &[0, 1],
                &hex("3021300906052b0e03021a05000414"),
                &hash[..20],
                &[],
            ),
        ),
        (
            "SHA-512, as RS512 has it",
            pkcs1(&[0, 1], &sha512_info, &sha512, &[]),
        ),
        (
            "the hash of another message",
            pkcs1(&[0, 1], &info, &Sha256::digest(b"x"), &[]),
        ),
        (
            "nothing but the hash",
            [vec![0; 224], hash.to_vec()].concat(),
        ),
    ] {
        assert_eq!(padded.len(), 256, "{what}");
        assert!(!check(&padded), "{what}");
    }
}

/// With the exponent 3 a number whose cube begins as a padded message does is found without any key.
#[test]
fn a_forged_cube_root_under_the_exponent_3_is_refused() {
    let key = private_key();
    let start = [
        &[0, 1][..],
        &[0xff; 8],
        &[0],
        &hex(SHA256_INFO),
        &Sha256::digest(MESSAGE),
    ]
    .concat();
    let mut lowest = start.clone();
    lowest.resize(256, 0);
    let root = cube_root(&BigUint::from_bytes_be(&lowest)) + 1_u8;
    let cube = padded(&(&root * &root * &root));
    assert!(cube.starts_with(&start), "the forgery is none");
    assert!(!verifies(
        &rsa_jwk(&key, &[3]),
        Algorithm::Rs256,
        MESSAGE,
        &padded(&root)
    ));
}

/// The largest number whose cube is not larger.
fn cube_root(of: &BigUint) -> BigUint {
    let mut root = BigUint::from(0_u8);
    for bit in (0..=of.bits() / 3).rev() {
        let candidate = &root + (BigUint::from(1_u8) << bit);
        if &candidate * &candidate * &candidate <= *of {
            root = candidate;
        }
    }
    root
}

#[test]
fn an_rsa_signature_has_one_form() {
    let key = private_key();
    let jwk = rsa_jwk(&key, &[1, 0, 1]);
    let modulus = BigUint::from_bytes_be(&key.n().to_bytes_be());
    let pss_key = pss::SigningKey::<Sha256>::new(key.clone());
    let mut rng = StdRng::seed_from_u64(3);
    let (mut with_zero, mut raised) = (0, 0);
    for nth in 0_u32..2_000 {
        let message = nth.to_be_bytes();
        let info = hex(SHA256_INFO);
        // RSA's own signatures, and PSS in between: it is the padding that differs, not the number's form.
        let (algorithm, signature) = if nth % 2 == 0 {
            let padded = pkcs1(&[0, 1], &info, &Sha256::digest(message), &[]);
            (Algorithm::Rs256, sign_padded(&key, &padded))
        } else {
            let signature = pss_key.sign_with_rng(&mut rng, &message).to_vec();
            (Algorithm::Ps256, signature)
        };
        let sum = BigUint::from_bytes_be(&signature) + &modulus;
        if signature[0] == 0 {
            with_zero += 1;
            assert!(verifies(&jwk, algorithm, &message, &signature));
            assert!(!verifies(&jwk, algorithm, &message, &signature[1..]));
        }
        if sum.bits() <= 2048 && raised < 4 {
            raised += 1;
            assert!(verifies(&jwk, algorithm, &message, &signature));
            assert!(!verifies(&jwk, algorithm, &message, &padded(&sum)));
        }
        if with_zero >= 2 && raised >= 4 {
            return;
        }
    }
    panic!("no such signatures were met");
}

#[test]
fn pss_takes_a_salt_as_long_as_the_hash_and_one_hash_for_all() {
    let key = private_key();
    let jwk = rsa_jwk(&key, &[1, 0, 1]);
    let mut rng = StdRng::seed_from_u64(1);
    for salt in [0, 20, 31, 32, 33, 64, 222] {
        let signer = pss::SigningKey::<Sha256>::new_with_salt_len(key.clone(), salt);
        let signature = signer.sign_with_rng(&mut rng, MESSAGE).to_vec();
        let verdict = verifies(&jwk, Algorithm::Ps256, MESSAGE, &signature);
        assert_eq!(verdict, salt == 32, "a salt of {salt} bytes");
        assert!(!verifies(&jwk, Algorithm::Rs256, MESSAGE, &signature));
        // A salt of 64 bytes is right for PS512; the hash is not.
        assert!(!verifies(&jwk, Algorithm::Ps512, MESSAGE, &signature));
    }
}

#[test]
fn an_ecdsa_signature_is_two_numbers_between_1_and_the_order() {
    use p256::ecdsa::signature::Signer;
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let point = key.verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) });
    let signature: p256::ecdsa::Signature = key.sign(MESSAGE);
    let good = signature.to_bytes().to_vec();
    let (r, s) = good.split_at(32);
    let order = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let (zero, one) = (vec![0; 32], [vec![0; 31], vec![1]].concat());
    let negated = (BigUint::from_bytes_be(&order) - BigUint::from_bytes_be(s)).to_bytes_be();
    let pair = |r: &[u8], s: &[u8]| [r, s].concat();
    let check = |signature: &[u8]| verifies(&jwk, Algorithm::Es256, MESSAGE, signature);

    assert!(check(&good));
    // Who has (r, s) has (r, -s) too. JWS allows both; nothing may take a signature for a token's identity.
    assert!(check(&pair(r, &negated)));
    for (what, signature) in [
        ("r = s = 0", pair(&zero, &zero)),
        ("r = 0", pair(&zero, s)),
        ("s = 0", pair(r, &zero)),
        ("r = s = 1", pair(&one, &one)),
        ("r is the order", pair(&order, s)),
        ("s is the order", pair(r, &order)),
        ("all ones", vec![0xff; 64]),
        ("the halves changed places", pair(s, r)),
        ("63 bytes", good[..63].to_vec()),
        ("65 bytes", pair(&good, &[0])),
        (
            "P-384's length",
            [vec![0; 16], r.to_vec(), vec![0; 16], s.to_vec()].concat(),
        ),
        ("nothing", Vec::new()),
    ] {
        assert!(!check(&signature), "{what}");
    }
}

#[test]
fn an_ed25519_signature_with_a_point_of_small_order_is_refused() {
    let pair = ed25519_compact::KeyPair::from_seed(ed25519_compact::Seed::new([7; 32]));
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.pk.as_ref()) });
    let check = |signature: &[u8]| verifies(&jwk, Algorithm::EdDsa, MESSAGE, signature);
    let good = pair.sk.sign(MESSAGE, None).to_vec();
    assert!(check(&good));
    let neutral = [vec![1], vec![0; 31]].concat();
    for (what, signature) in [
        (
            "a neutral R and S = 0",
            [neutral.clone(), vec![0; 32]].concat(),
        ),
        ("a neutral R", [neutral, good[32..].to_vec()].concat()),
        ("all zeros", vec![0; 64]),
        ("63 bytes", good[..63].to_vec()),
        ("65 bytes", [good.clone(), vec![0]].concat()),
    ] {
        assert!(!check(&signature), "{what}");
    }
}

/// A signature's two scalars on a curve, made of the key's secret number as each case likes.
macro_rules! check_ecdsa_of_odd_keys {
    ($curve:ident, $algorithm:expr, $crv:literal, $hash:ident) => {{
        use $curve::elliptic_curve::ops::Reduce;
        use $curve::elliptic_curve::point::AffineCoordinates;
        use $curve::elliptic_curve::sec1::ToSec1Point;
        use $curve::{ProjectivePoint, Scalar};
        let hash = Scalar::reduce(&$curve::FieldBytes::try_from(&$hash::digest(MESSAGE)[..]).unwrap());
        let pair = |r: Scalar, s: Scalar| [r.to_bytes().to_vec(), s.to_bytes().to_vec()].concat();
        let invert = |of: &Scalar| Option::<Scalar>::from(of.invert()).unwrap();
        let small = |number: u64| Scalar::from(number);
        let large = |power: usize| (0..power).fold(Scalar::ONE, |product, _| product.double());
        for (what, secret) in [
            ("1", small(1)),
            ("-1", -small(1)),
            ("2", small(2)),
            ("-2", -small(2)),
            ("3", small(3)),
            ("2^32", large(32)),
            ("2^224", large(224)),
            ("-2^224", -large(224)),
            ("2^255 - 1", large(255) - Scalar::ONE),
            ("a half", invert(&small(2))),
            ("the hash", hash),
            ("its negative", -hash),
        ] {
            let point = (ProjectivePoint::GENERATOR * secret).to_affine().to_sec1_point(false);
            let bytes = point.as_bytes();
            let (x, y) = bytes[1..].split_at(bytes.len() / 2);
            let jwk = json!({ "kty": "EC", "crv": $crv, "x": encode(x), "y": encode(y) });
            let check = |r, s| verifies(&jwk, $algorithm, MESSAGE, &pair(r, s));
            for nonce in [small(1), -small(1), small(2), small(0xdead_beef), large(200), secret, -secret] {
                let r = Scalar::reduce(&(ProjectivePoint::GENERATOR * nonce).to_affine().x());
                let s = invert(&nonce) * (hash + r * secret);
                if s == Scalar::ZERO {
                    continue;
                }
                assert!(check(r, s) && check(r, -s), "the key {what}, {nonce:?}");
                assert!(!check(r, s + Scalar::ONE), "the key {what}, {nonce:?}, another s");
                assert!(!check(-r, s), "the key {what}, {nonce:?}, another r");
            }
            // Both multiples cancel each other out: the sum is the point at infinity, which has no x.
            let r = -(hash * invert(&secret));
            for s in [small(1), small(2), r, hash] {
                assert!(!check(r, s), "the key {what}, the point at infinity");
            }
        }
    }};
}

#[test]
fn ecdsa_is_right_for_keys_near_the_generator_and_sums_at_infinity() {
    use rsa::sha2::Sha384;
    check_ecdsa_of_odd_keys!(p256, Algorithm::Es256, "P-256", Sha256);
    check_ecdsa_of_odd_keys!(p384, Algorithm::Es384, "P-384", Sha384);
}

/// The point of order 8 and the numbers are the library's; the signatures are made by hand.
#[test]
fn an_ed25519_signature_is_checked_without_the_cofactor() {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT as BASE, EIGHT_TORSION};
    use curve25519_dalek::{EdwardsPoint, Scalar};
    let (secret, nonce) = (
        Scalar::from_bytes_mod_order([7; 32]),
        Scalar::from(0xdead_beef_u64),
    );
    // What signs a message for a key and an R, and the number that the key is multiplied with.
    let sign = |key: &EdwardsPoint, r: &EdwardsPoint, message: &[u8]| {
        let (key, r) = (key.compress().0, r.compress().0);
        let hash = Sha512::new()
            .chain_update(r)
            .chain_update(key)
            .chain_update(message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let signature = [r, (nonce + k * secret).to_bytes()].concat();
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(&key) });
        (verifies(&jwk, Algorithm::EdDsa, message, &signature), k)
    };
    let (key, r) = (BASE * secret, BASE * nonce);
    let mut seen = [0; 2];
    for nth in 0..64_u8 {
        let message = [nth];
        assert!(sign(&key, &r, &message).0);
        // R off by a point of small order: with the cofactor it would count.
        for torsion in &EIGHT_TORSION[1..] {
            assert!(!sign(&key, &(r + torsion), &message).0);
        }
        // A key off by one counts where its multiple is one of 8: nothing is reduced that may not be.
        let (is_valid, k) = sign(&(key + EIGHT_TORSION[1]), &r, &message);
        assert_eq!(is_valid, k.as_bytes()[0].is_multiple_of(8));
        seen[usize::from(is_valid)] += 1;
    }
    assert!(seen.iter().all(|&count| count > 0), "{seen:?}");

    // An s is below the order.
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(&key.compress().0) });
    let k = sign(&key, &r, MESSAGE).1;
    let s = nonce + k * secret;
    let mut carry = 0;
    let longer: Vec<u8> = s
        .as_bytes()
        .iter()
        .zip(hex(order))
        .map(|(s, order)| {
            carry += u16::from(*s) + u16::from(order);
            let low = carry as u8;
            carry >>= 8;
            low
        })
        .collect();
    let signature = [&r.compress().0[..], &longer].concat();
    assert!(!verifies(&jwk, Algorithm::EdDsa, MESSAGE, &signature));
}
