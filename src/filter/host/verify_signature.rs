//! Envoy's foreign function `verify_signature`: BoringSSL, for RSASSA-PKCS1-v1_5 and ECDSA.
//!
//! It takes a key as X.509 has it and the hash function's name, so that it knows of no PSS, and no Ed25519,
//! which goes without one. What it is told and answers is protobuf (`verify_signature.proto` among Envoy's
//! Wasm extensions).

use crate::keys::{Question, SignatureVerifier};
use proxy_wasm::hostcalls;
use std::cell::Cell;

const NAME: &str = "verify_signature";

/// The fields of `VerifySignatureArguments`, each with the type that has a length.
const HASH_FUNCTION: u8 = 1 << 3 | 2;
const PUBLIC_KEY: u8 = 2 << 3 | 2;
const SIGNATURE: u8 = 3 << 3 | 2;
const TEXT: u8 = 4 << 3 | 2;

/// `VerifySignatureResult` with a `result` that is true. One that is false is left out, and there is an `error`.
const TRUE: [u8; 2] = [1 << 3, 1];
const ERROR: u8 = 2 << 3 | 2;

thread_local! {
    /// Whether this Envoy lacks the function, or withholds it from the VM: it writes an error to its log each time.
    static IS_MISSING: Cell<bool> = const { Cell::new(false) };
}

/// Envoy's BoringSSL.
#[derive(Debug)]
pub(super) struct VerifySignature;

impl SignatureVerifier for VerifySignature {
    /// Only the answer that it gives for a good signature is one, and only the answer that it gives for a bad one
    /// refuses. An Envoy that lacks the function answers with an error, and is not asked again.
    fn verify(&self, question: &Question<'_>) -> Option<bool> {
        if IS_MISSING.get() {
            return None;
        }
        let told = hostcalls::call_foreign_function(NAME, Some(&arguments(question)));
        IS_MISSING.set(told.is_err());
        let answer = told.ok().flatten()?;
        if answer == TRUE {
            return Some(true);
        }
        let (&ERROR, rest) = answer.split_first()? else {
            return None;
        };
        let (length, text) = length(rest)?;
        (length > 0 && length == text.len()).then_some(false)
    }
}

fn arguments(question: &Question<'_>) -> Vec<u8> {
    let fields = [
        (HASH_FUNCTION, question.hash().as_bytes()),
        (PUBLIC_KEY, question.key()),
        (SIGNATURE, &question.signature()),
        (TEXT, question.message()),
    ];
    // Before each a byte for its field, and at most three for its length.
    let size = fields.iter().fold(0_usize, |size, (_, bytes)| {
        size.saturating_add(4).saturating_add(bytes.len())
    });
    let mut arguments = Vec::with_capacity(size);
    for (field, bytes) in fields {
        arguments.push(field);
        let mut length = bytes.len();
        while length >= 0x80 {
            arguments.push(length as u8 | 0x80);
            length >>= 7;
        }
        arguments.push(length as u8);
        arguments.extend_from_slice(bytes);
    }
    arguments
}

/// A length of one or two bytes, and what follows.
fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [short @ ..0x80, rest @ ..] => Some((usize::from(*short), rest)),
        [low, high @ ..0x80, rest @ ..] => {
            Some((usize::from(low & 0x7f) | usize::from(*high) << 7, rest))
        }
        _ => None,
    }
}
