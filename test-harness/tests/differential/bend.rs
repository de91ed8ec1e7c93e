//! What is changed after a token was signed: its signature, its encoding, and its shape.

use jobgate_harness::keys::Algorithm;
use jobgate_harness::mint::{Tamper, tampered_signature};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rsa::BigUint;

use crate::draft::{Token, encode};

/// The token's text, with one thing changed.
pub(crate) fn bend(token: &Token, other: &Token, rng: &mut StdRng) -> String {
    match rng.gen_range(0..10) {
        0..=3 => signature(token, rng),
        4 => bytes(token, rng),
        5..=7 => encoding(token, rng),
        _ => shape(token, other, rng),
    }
}

fn signature(token: &Token, rng: &mut StdRng) -> String {
    let algorithm = token.key.as_ref().map(|key| key.algorithm());
    let tamper = |how| match algorithm {
        Some(algorithm) => tampered_signature(how, algorithm, token.signature.clone()),
        None => Vec::new(),
    };
    let mut flipped = token.signature.clone();
    let signature = match rng.gen_range(0..13) {
        0..=2 => {
            let length = flipped.len().max(1);
            if let Some(byte) = flipped.get_mut(rng.gen_range(0..length)) {
                *byte ^= 1 << rng.gen_range(0..8);
            }
            flipped
        }
        3 => tamper(Tamper::TruncateSignature),
        4 => tamper(Tamper::SignatureTrailingByte),
        5 => tamper(Tamper::SignatureLeadingZero),
        6 => tamper(Tamper::ZeroSignature),
        7 => tamper(Tamper::DerSignature),
        8 | 9 => tamper(Tamper::UnreducedSignature),
        10 => {
            let (first, second) = flipped.split_at(flipped.len() / 2);
            [second, first].concat()
        }
        11 => negated(&flipped, algorithm),
        _ => (0..flipped.len()).map(|_| rng.r#gen()).collect(),
    };
    let [header, payload, _] = token.parts();
    format!("{header}.{payload}.{}", encode(&signature))
}

/// The other ECDSA signature that whoever has one has: it is as good.
fn negated(signature: &[u8], algorithm: Option<Algorithm>) -> Vec<u8> {
    let order: &[u8] = match algorithm {
        Some(Algorithm::Es256) => b"ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        Some(Algorithm::Es384) => {
            b"ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"
        }
        _ => return signature.to_vec(),
    };
    let order = BigUint::parse_bytes(order, 16).expect("it is a number");
    let (r, s) = signature.split_at(signature.len() / 2);
    let negated = (order - BigUint::from_bytes_be(s)).to_bytes_be();
    [r, &vec![0; s.len() - negated.len()], &negated].concat()
}

/// A bit of the header or the payload is another, or they are written otherwise, under the old signature.
fn bytes(token: &Token, rng: &mut StdRng) -> String {
    let mut bent = token.clone();
    let part = if rng.gen_bool(0.3) {
        &mut bent.header
    } else {
        &mut bent.payload
    };
    if rng.gen_bool(0.5) {
        let length = part.len().max(1);
        if let Some(byte) = part.get_mut(rng.gen_range(0..length)) {
            *byte ^= 1 << rng.gen_range(0..7);
        }
    } else {
        part.push(b' ');
    }
    bent.parts().join(".")
}

fn encoding(token: &Token, rng: &mut StdRng) -> String {
    let mut parts = token.parts();
    let part = &mut parts[rng.gen_range(0..3)];
    match rng.gen_range(0..9) {
        0 => {
            let missing = (4 - part.len() % 4) % 4;
            part.push_str(&"=".repeat(missing.max(1)));
        }
        1 => {
            let at = rng.gen_range(0..=part.len());
            part.insert_str(
                at,
                [" ", "\n", "\r\n", "\t", "\u{0}", "%20", "\u{200b}"]
                    .choose(rng)
                    .unwrap_or(&" "),
            );
        }
        2 => *part = part.replace('-', "+").replace('_', "/"),
        3 => {
            // Bits that the last letter has to spare.
            if let Some(last) = part.pop() {
                part.push(next_letter(last));
            }
        }
        4 => {
            part.pop();
        }
        5 => part.push('A'),
        6 => part.clear(),
        7 => {
            let at = rng.gen_range(0..=part.len());
            part.insert(
                at,
                *['A', 'z', '-', '_', '.', '+', '/', '=', '\u{e9}', '!']
                    .choose(rng)
                    .unwrap_or(&'A'),
            );
        }
        _ => *part = part.to_uppercase(),
    }
    parts.join(".")
}

fn next_letter(letter: char) -> char {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = ALPHABET.find(letter).unwrap_or(0);
    ALPHABET.chars().cycle().nth(place + 1).unwrap_or('A')
}

fn shape(token: &Token, other: &Token, rng: &mut StdRng) -> String {
    let [header, payload, signature] = token.parts();
    let [other_header, other_payload, other_signature] = other.parts();
    let whole = format!("{header}.{payload}.{signature}");
    match rng.gen_range(0..16) {
        0 => format!("{header}.{payload}"),
        1 => format!("{header}.{payload}."),
        2 => format!("{header}..{signature}"),
        3 => format!(".{payload}.{signature}"),
        4 => format!("{payload}.{header}.{signature}"),
        5 => format!("{whole}.{signature}"),
        6 => format!("{whole}.{whole}"),
        7 => format!("{header}.{other_payload}.{signature}"),
        8 => format!("{other_header}.{payload}.{signature}"),
        9 => format!("{header}.{payload}.{other_signature}"),
        10 => format!(
            "{{\"payload\":\"{payload}\",\"protected\":\"{header}\",\"signature\":\"{signature}\"}}"
        ),
        11 => format!("Bearer {whole}"),
        12 => format!(" {whole}"),
        13 => format!("{whole}\n"),
        14 => whole.chars().take(rng.gen_range(0..whole.len())).collect(),
        _ => whole.replace('.', ["..", ",", " ", "%2e"].choose(rng).unwrap_or(&"..")),
    }
}
