//! A private key in PEM (RFC 7468): PKCS #8 (RFC 5958), not encrypted, on P-256 (RFC 5915) or Ed25519 (RFC 8410).

use super::der::{self, Reader};
use super::key::{NO_RSA, belong_together};
use base64::engine::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jobgate_signing::PrivateKey;
use zeroize::Zeroizing;

const ED25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// `rsaEncryption`, without its length.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

const NOT_PKCS8: &str = "its PEM is not a PKCS #8 private key";

/// The key that this is.
///
/// # Errors
/// Why it can't sign.
pub(super) fn private_key(text: &str) -> Result<PrivateKey, &'static str> {
    let text = text.trim_ascii();
    let label = text
        .strip_prefix("-----BEGIN ")
        .and_then(|rest| rest.split_once("-----"));
    let (label, rest) =
        label.ok_or("it is not a PEM, which begins with -----BEGIN PRIVATE KEY-----")?;
    match label {
        "PRIVATE KEY" => {}
        "EC PRIVATE KEY" => {
            return Err(
                "its PEM is SEC 1; write PKCS #8: openssl pkcs8 -topk8 -nocrypt -in key.pem",
            );
        }
        "ENCRYPTED PRIVATE KEY" => {
            return Err(
                "its PEM is encrypted; write it in the clear: openssl pkcs8 -topk8 -nocrypt -in key.pem",
            );
        }
        "RSA PRIVATE KEY" => {
            return Err(NO_RSA);
        }
        "PUBLIC KEY" => return Err("its PEM is a public key; write the private one"),
        _ => return Err("its PEM is not a PRIVATE KEY"),
    }
    let body = rest
        .strip_suffix("-----END PRIVATE KEY-----")
        .ok_or("its PEM does not end with -----END PRIVATE KEY-----, or more follows it")?;
    let mut digits = Zeroizing::new(Vec::with_capacity(body.len()));
    digits.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    let info = STANDARD
        .decode(digits.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| "its PEM is not base64")?;
    read(&info)
}

/// A PrivateKeyInfo or OneAsymmetricKey (RFC 5958, section 2).
fn read(info: &[u8]) -> Result<PrivateKey, &'static str> {
    let mut info = Reader(info);
    let mut key = info.only(der::SEQUENCE).ok_or(NOT_PKCS8)?;
    let version = key.take(der::INTEGER).ok_or(NOT_PKCS8)?;
    let algorithm = key.take(der::SEQUENCE).ok_or(NOT_PKCS8)?;
    let private = key.take(der::OCTET_STRING).ok_or(NOT_PKCS8)?;
    if !matches!(version, [0 | 1]) {
        return Err(NOT_PKCS8);
    }
    // Attributes say nothing about the key.
    _ = key.take(der::CONTEXT_0_CONSTRUCTED);
    let public = key.take(der::CONTEXT_1);
    if !key.is_empty() {
        return Err(NOT_PKCS8);
    }
    let (private, within) = match algorithm {
        der::P256 => ec_private_key(private)?,
        ED25519 => {
            let seed = Reader(private).only_value(der::OCTET_STRING);
            (PrivateKey::ed25519(seed.ok_or(NOT_PKCS8)?)?, None)
        }
        other if other.get(2..).is_some_and(|oid| oid.starts_with(RSA)) => {
            return Err(NO_RSA);
        }
        _ => return Err("its PEM is of another curve than P-256 and Ed25519"),
    };
    // A bit string, of whose last byte no bit is unused.
    let belongs = |bits: &[u8]| {
        bits.split_first()
            .is_some_and(|(unused, half)| *unused == 0 && belong_together(&private, half))
    };
    if ![public, within].into_iter().flatten().all(belongs) {
        return Err("its public half is not that of its private half");
    }
    Ok(private)
}

/// An ECPrivateKey (RFC 5915, section 3), and its public half as a bit string if that is there.
fn ec_private_key(bytes: &[u8]) -> Result<(PrivateKey, Option<&[u8]>), &'static str> {
    let mut key = Reader(bytes).only(der::SEQUENCE).ok_or(NOT_PKCS8)?;
    if key.take(der::INTEGER) != Some(&[1]) {
        return Err(NOT_PKCS8);
    }
    let private = PrivateKey::p256(key.take(der::OCTET_STRING).ok_or(NOT_PKCS8)?)?;
    // The curve once more. The one around it counts.
    _ = key.take(der::CONTEXT_0_CONSTRUCTED);
    let public = match key.take(der::CONTEXT_1_CONSTRUCTED) {
        None => None,
        Some(bits) => Some(Reader(bits).only_value(der::BIT_STRING).ok_or(NOT_PKCS8)?),
    };
    if key.is_empty() {
        Ok((private, public))
    } else {
        Err(NOT_PKCS8)
    }
}
