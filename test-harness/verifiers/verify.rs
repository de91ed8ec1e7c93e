//! Verifies an assertion of the gate, as an upstream in Rust would, with the crate `jsonwebtoken`.
//!
//! `verify KEY_SET ISSUER AUDIENCE < assertion`: `KEY_SET` is a file with what the gateway serves at
//! `/.well-known/jobgate/jwks.json`. Prints the claims, or says why not and ends with 1.

use std::error::Error;
use std::process::ExitCode;
use std::{env, fs, io};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

/// The claims of an assertion that this gateway made for this upstream, and that has not ended.
fn verify(
    assertion: &str,
    keys: &JwkSet,
    issuer: &str,
    audience: &str,
) -> Result<Value, Box<dyn Error>> {
    let header = decode_header(assertion)?;
    if !matches!(header.alg, Algorithm::ES256 | Algorithm::EdDSA) {
        return Err("the gate signs with ES256 and EdDSA".into());
    }
    let kid = header.kid.ok_or("it names no key")?;
    let key = keys.find(&kid).ok_or("its key is not published")?;
    let mut wanted = Validation::new(header.alg);
    wanted.set_issuer(&[issuer]);
    wanted.set_audience(&[audience]);
    wanted.set_required_spec_claims(&["iss", "aud", "exp", "nbf"]);
    wanted.validate_nbf = true;
    wanted.leeway = 5;
    Ok(decode(assertion, &DecodingKey::from_jwk(key)?, &wanted)?.claims)
}

fn run() -> Result<Value, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [path, issuer, audience] = arguments.as_slice() else {
        return Err("usage: verify KEY_SET ISSUER AUDIENCE < assertion".into());
    };
    let keys: JwkSet = serde_json::from_str(&fs::read_to_string(path)?)?;
    let assertion = io::read_to_string(io::stdin())?;
    verify(assertion.trim(), &keys, issuer, audience)
}

fn main() -> ExitCode {
    match run() {
        Ok(claims) => {
            println!("{claims}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("not verified: {error}");
            ExitCode::FAILURE
        }
    }
}
