//! A token: as it stands, or signed here whatever is in it.
//!
//! The input is a token's text; or `S`, a line break, a JOSE header, a line break, and a payload, which are
//! signed with the issuer's key, so that what comes after the signature is reached too.

#![no_main]

use jobgate_fuzz::{Gate, NOW, issuer};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static GATE: Gate = gate();
}

/// A gate that lets a good token in.
fn gate() -> Gate {
    let gate = Gate::new(issuer::policy().to_string().as_bytes()).expect("it is a policy");
    let good = issuer::good_token(NOW);
    let verdict = gate.judge_token(good.as_bytes());
    assert!(verdict.allowed, "a good token is let in: {verdict:?}");
    gate
}

fuzz_target!(|data: &[u8]| GATE.with(|gate| judge(gate, data)));

fn judge(gate: &Gate, data: &[u8]) {
    match signed(data) {
        Some((header, payload)) => {
            let token = issuer::sign(header, payload, 0);
            let verdict = gate.judge_token(token.as_bytes());
            assert!(
                !verdict.allowed || issuer::is_good(header, payload, NOW),
                "it was let in: {header} {payload}"
            );
            let other = issuer::sign(header, payload, 1);
            assert!(
                !gate.judge_token(other.as_bytes()).allowed,
                "another key signed it: {header} {payload}"
            );
        }
        None => {
            let verdict = gate.judge_token(data);
            let good = issuer::good_token(NOW);
            assert!(
                !verdict.allowed || data == good.as_bytes(),
                "nobody signed this token"
            );
            // Any record holds the policy's digest, which the fuzzer learns to send.
            let any = gate.judge_token(b"x").record;
            for part in data
                .split(|byte| *byte == b'.')
                .filter(|part| is_encoded(part))
            {
                let part = String::from_utf8_lossy(part);
                let told = verdict.record.contains(&*part) && !any.contains(&*part);
                assert!(!told, "a part of the token is told: {part}");
            }
        }
    }
}

/// Long enough to be a part of a token, and of base64url's alphabet.
fn is_encoded(part: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    part.len() >= 24 && part.iter().all(letter)
}

fn signed(data: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(data.strip_prefix(b"S\n")?).ok()?;
    text.split_once('\n')
}
