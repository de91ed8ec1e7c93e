//! What X.509 writes in DER (ITU-T X.690): public keys, and ECDSA signatures. Both are of one form only.

/// `rsaEncryption` (RFC 3279, section 2.3.1), with the NULL that follows it.
const RSA: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
/// `id-ecPublicKey` on `secp256r1` (RFC 5480, section 2.1.1).
pub(crate) const P256: &[u8] = &[
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
    0x03, 0x01, 0x07,
];
/// The same on `secp384r1`.
pub(in crate::keys) const P384: &[u8] = &[
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22,
];

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// The SubjectPublicKeyInfo of an RSA key (RFC 8017, appendix A.1.1).
pub(in crate::keys) fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let key = value(SEQUENCE, &[&integer(modulus), &integer(exponent)]);
    public_key(RSA, &key)
}

/// The SubjectPublicKeyInfo of a key on one of the curves, its point uncompressed (RFC 5480, section 2).
pub(in crate::keys) fn ec_key(curve: &[u8], x: &[u8], y: &[u8]) -> Vec<u8> {
    public_key(curve, &[&[4], x, y].concat())
}

/// An Ecdsa-Sig-Value (RFC 3279, section 2.2.3) of r and s, side by side.
pub(super) fn ecdsa_signature(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len().div_euclid(2));
    value(SEQUENCE, &[&integer(r), &integer(s)])
}

fn public_key(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    // No bit of the last byte is unused.
    let bits = value(BIT_STRING, &[&[0], key]);
    value(SEQUENCE, &[&value(SEQUENCE, &[algorithm]), &bits])
}

/// A number that is not negative, without needless zeros.
fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    let is_negative_otherwise = number.first().is_none_or(|&byte| byte >= 0x80);
    let before: &[u8] = if is_negative_otherwise { &[0] } else { &[] };
    value(INTEGER, &[before, number])
}

fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|&&byte| byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let mut made = vec![tag];
    match length {
        [] => made.push(0),
        [short @ ..0x80] => made.push(*short),
        long => {
            made.push(0x80 | long.len() as u8);
            made.extend_from_slice(long);
        }
    }
    made.extend(content);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_their_one_form() {
        for (number, expected) in [
            (&[][..], &[2, 1, 0][..]),
            (&[0, 0], &[2, 1, 0]),
            (&[0, 0x7f], &[2, 1, 0x7f]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[0, 0xff, 1], &[2, 3, 0, 0xff, 1]),
        ] {
            assert_eq!(integer(number), expected, "{number:?}");
        }
    }

    #[test]
    fn lengths_have_their_one_form() {
        for (length, expected) in [
            (0, &[0x30, 0][..]),
            (0x7f, &[0x30, 0x7f]),
            (0x80, &[0x30, 0x81, 0x80]),
            (0xff, &[0x30, 0x81, 0xff]),
            (0x100, &[0x30, 0x82, 1, 0]),
        ] {
            let made = value(SEQUENCE, &[&vec![7; length]]);
            assert!(made.starts_with(expected), "{length}");
            assert_eq!(made.len(), expected.len() + length);
        }
    }

    /// By a library that reads and writes them itself.
    #[test]
    fn keys_are_written_as_a_library_does() {
        use rsa::pkcs8::EncodePublicKey;
        for (bits, exponent) in [(2048, 65537_u64), (2049, 3), (2056, (1 << 33) - 1)] {
            let modulus = (rsa::BigUint::from(1_u8) << (bits - 1)) + 1_u8;
            let key = rsa::RsaPublicKey::new(modulus.clone(), exponent.into()).unwrap();
            let expected = key.to_public_key_der().unwrap();
            let exponent = exponent.to_be_bytes();
            assert_eq!(
                rsa_key(&modulus.to_bytes_be(), &exponent),
                expected.as_bytes()
            );
        }
    }

    #[test]
    fn signatures_are_written_as_a_library_does() {
        for (r, s) in [(1, 1), (0x7f, 0x80), (0xff, 0x7f)] {
            let raw = [
                [vec![0; 31], vec![r]].concat(),
                [vec![s], vec![0x5a; 31]].concat(),
            ]
            .concat();
            let signature = p256::ecdsa::Signature::from_slice(&raw);
            // An s of 0xff... is past the order.
            let Ok(signature) = signature else { continue };
            assert_eq!(ecdsa_signature(&raw), signature.to_der().as_bytes());
        }
    }
}
