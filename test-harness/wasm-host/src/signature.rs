//! Envoy's `verify_signature`, with ring in BoringSSL's place.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};

/// The identifiers in a SubjectPublicKeyInfo, as they are encoded.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

const OBJECT_IDENTIFIER: u8 = 0x06;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// The answer to these arguments, both in protobuf; nothing where they or the key can't be read.
pub(crate) fn verify(arguments: &[u8]) -> Option<Vec<u8>> {
    let [mut hash, mut key, mut signature, mut text] = [&b""[..]; 4];
    let mut rest = arguments;
    while !rest.is_empty() {
        let (field, value, after) = field(rest)?;
        match field {
            1 => hash = value,
            2 => key = value,
            3 => signature = value,
            4 => text = value,
            _ => {}
        }
        rest = after;
    }
    let (algorithm, curve, key) = public_key(key)?;
    let by: Option<&dyn VerificationAlgorithm> = match (algorithm, curve, hash) {
        (RSA, _, b"sha256") => Some(&RSA_PKCS1_2048_8192_SHA256),
        (RSA, _, b"sha384") => Some(&RSA_PKCS1_2048_8192_SHA384),
        (RSA, _, b"sha512") => Some(&RSA_PKCS1_2048_8192_SHA512),
        (EC, P256, b"sha256") => Some(&ECDSA_P256_SHA256_ASN1),
        (EC, P384, b"sha384") => Some(&ECDSA_P384_SHA384_ASN1),
        (RSA | EC, _, _) => None,
        _ => return None,
    };
    let verifies = by.is_some_and(|by| {
        UnparsedPublicKey::new(by, key)
            .verify(text, signature)
            .is_ok()
    });
    Some(if verifies {
        vec![1 << 3, 1]
    } else {
        let error = b"Failed to verify digest. Error code: 0";
        [&[2 << 3 | 2, error.len() as u8], &error[..]].concat()
    })
}

/// A field that has a length: its number, its value, and what follows.
fn field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, mut bytes) = bytes.split_first()?;
    if tag & 7 != 2 {
        return None;
    }
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let (&byte, rest) = bytes.split_first()?;
        bytes = rest;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            let (value, rest) = bytes.split_at_checked(length)?;
            return Some((tag >> 3, value, rest));
        }
    }
    None
}

/// The algorithm, its parameter, and the key's bits, of a SubjectPublicKeyInfo.
fn public_key(info: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (info, _) = der(SEQUENCE, info)?;
    let (algorithm, rest) = der(SEQUENCE, info)?;
    let (name, parameter) = der(OBJECT_IDENTIFIER, algorithm)?;
    let curve = der(OBJECT_IDENTIFIER, parameter).map_or(&b""[..], |(curve, _)| curve);
    let (bits, _) = der(BIT_STRING, rest)?;
    Some((name, curve, bits.strip_prefix(&[0])?))
}

/// A value of this type, and what follows it.
fn der(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match bytes.strip_prefix(&[tag])? {
        [short @ ..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [0x81, length, rest @ ..] => (usize::from(*length), rest),
        [0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}
