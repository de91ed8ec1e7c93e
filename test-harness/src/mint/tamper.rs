//! Signatures that are no longer what they were.

use super::Tamper;
use crate::keys::Algorithm;

/// The order of P-256's group (SEC 2, section 2.4.2), big-endian.
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
/// The order of P-384's group (SEC 2, section 2.5.1), big-endian.
const P384_ORDER: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf\
                          581a0db248b0a77aecec196accc52973";
/// The order of Ed25519's group (RFC 8032, section 5.1), big-endian.
const ED25519_ORDER: &str = "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed";

/// The signature with this done to it; what concerns header and payload leaves it as it is.
pub fn signature(tamper: Tamper, algorithm: Algorithm, mut signature: Vec<u8>) -> Vec<u8> {
    match tamper {
        Tamper::Payload | Tamper::Header => signature,
        Tamper::Signature => {
            let middle = signature.len() / 2;
            if let Some(byte) = signature.get_mut(middle) {
                *byte ^= 1;
            }
            signature
        }
        Tamper::TruncateSignature => {
            signature.pop();
            signature
        }
        Tamper::SignatureTrailingByte => {
            signature.push(0);
            signature
        }
        Tamper::SignatureLeadingZero => {
            signature.insert(0, 0);
            signature
        }
        Tamper::ZeroSignature => vec![0; signature.len()],
        Tamper::DerSignature => {
            let (r, s) = signature.split_at(signature.len() / 2);
            let integers = [der(2, &positive(r)), der(2, &positive(s))].concat();
            der(0x30, &integers)
        }
        Tamper::UnreducedSignature => {
            let half = signature.len() / 2;
            let (_, s) = signature.split_at_mut(half);
            match algorithm {
                Algorithm::Es256 => s.copy_from_slice(&bytes(P256_ORDER)),
                Algorithm::Es384 => s.copy_from_slice(&bytes(P384_ORDER)),
                Algorithm::EdDsa => {
                    let mut order = bytes(ED25519_ORDER);
                    order.reverse();
                    add(s, &order);
                }
                _ => {}
            }
            signature
        }
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] * 16 + pair[1]) as u8)
        .collect()
}

/// Adds little-endian numbers of one length.
fn add(to: &mut [u8], other: &[u8]) {
    let mut carry = 0;
    for (byte, other) in to.iter_mut().zip(other) {
        let sum = u16::from(*byte) + u16::from(*other) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
}

/// A DER integer's content: no zeros before it but one where it would be negative without.
fn positive(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let mut content = number[zeros..].to_vec();
    if content.first().is_none_or(|byte| *byte >= 0x80) {
        content.insert(0, 0);
    }
    content
}

/// A DER element with less than 128 bytes in it.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, content.len() as u8], content].concat()
}
