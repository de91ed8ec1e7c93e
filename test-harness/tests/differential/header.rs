//! Changes of the header, and of what signs.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::draft::{Draft, Signer, quoted};
use crate::mutate::{VALUES, pick};
use crate::world::World;

pub(crate) fn header(draft: &mut Draft, world: &World, rng: &mut StdRng) {
    let (name, value) = match rng.gen_range(0..12) {
        0..=2 => {
            let algorithms = [
                "none",
                "None",
                "NONE",
                "",
                "HS256",
                "HS512",
                "RS256",
                "RS384",
                "RS512",
                "PS256",
                "PS512",
                "ES256",
                "ES384",
                "ES512",
                "ES256K",
                "EdDSA",
                "eddsa",
                "EDDSA",
                "Ed25519",
                "RSA-OAEP",
                "dir",
                "EdDSA ",
                "EdDSA\u{0}",
            ];
            ("alg", quoted(pick(&algorithms, rng)))
        }
        3 => {
            let kids = [
                "\"\"",
                "\"unknown\"",
                "\"../../dev/null\"",
                "\"first\\u0000\"",
                "\"FIRST\"",
                "\"secret\"",
                "\"encrypts\"",
                "\"f\\u0069rst\"",
                "' OR 1=1 --",
            ];
            let kid = pick(&kids, rng);
            (
                "kid",
                if kid.starts_with('"') {
                    kid.to_owned()
                } else {
                    quoted(kid)
                },
            )
        }
        4 => {
            // Any key's name of any issuer, whatever signs.
            let keys = &world.issuers[rng.gen_range(0..2)].keys;
            let key = keys.choose(rng).expect("an issuer has keys");
            if rng.gen_bool(0.5) {
                draft.header.set("alg", quoted(key.algorithm().name()));
            }
            ("kid", quoted(key.kid()))
        }
        5 => {
            let types = [
                "\"jwt\"",
                "\"JWS\"",
                "\"at+jwt\"",
                "\"application/jwt\"",
                "\"\"",
                "\"JWT \"",
                "null",
                "7",
                "[\"JWT\"]",
            ];
            ("typ", pick(&types, rng).to_owned())
        }
        6 => {
            let extensions = [
                ("crit", "[]"),
                ("crit", "[\"exp\"]"),
                ("crit", "[\"b64\"]"),
                ("crit", "\"exp\""),
                ("b64", "false"),
                ("b64", "true"),
                ("enc", "\"A256GCM\""),
                ("zip", "\"DEF\""),
                ("crit", "null"),
            ];
            let (name, value) = extensions[rng.gen_range(0..extensions.len())];
            (name, value.to_owned())
        }
        7 => {
            let name = pick(&["jku", "x5u", "x5t", "x5t#S256", "cty", "x5c"], rng);
            let values = [
                "\"https://evil.example/keys\"",
                "\"file:///etc/keys\"",
                "\"JWT\"",
                "[\"MIIB\"]",
                "[]",
                "7",
                "null",
                "{}",
            ];
            (name, pick(&values, rng).to_owned())
        }
        8 => ("jwk", world.strangers[0].public_jwk().to_string()),
        9 => {
            let name = pick(&["x-unknown", "iss", "ALG", "Kid", ""], rng);
            (name, pick(&VALUES, rng).to_owned())
        }
        10 => (
            pick(&["alg", "kid", "typ"], rng),
            pick(&VALUES, rng).to_owned(),
        ),
        _ => {
            draft
                .header
                .remove(pick(&["alg", "kid", "kid", "typ"], rng));
            return;
        }
    };
    draft.header.set(name, value);
}

/// Another key, or none, with the header as it was or such that the confusion is whole.
pub(crate) fn signer(draft: &mut Draft, world: &World, rng: &mut StdRng) {
    let of = |issuer: usize, rng: &mut StdRng| {
        // Mostly the cheap ones: RSA takes its time to sign.
        let keys = &world.issuers[issuer].keys;
        let cheap: Vec<_> = keys
            .iter()
            .filter(|key| !key.algorithm().is_rsa())
            .collect();
        (*cheap.choose(rng).expect("an issuer has such keys")).clone()
    };
    let key = match rng.gen_range(0..6) {
        0 => of(draft.issuer, rng),
        1 => of(1 - draft.issuer, rng),
        2 => {
            let stranger = world.strangers.choose(rng);
            stranger.expect("there are strangers").clone()
        }
        3 => {
            let key = of(draft.issuer, rng);
            draft.header.set("kid", quoted(key.kid()));
            draft.header.set(
                "alg",
                quoted(pick(&["HS256", "HS256", "EdDSA", "ES256"], rng)),
            );
            draft.signer = Signer::PublicHalf(key);
            return;
        }
        4 => {
            draft.signer = Signer::Nothing;
            if rng.gen_bool(0.7) {
                draft.header.set("alg", "\"none\"");
            }
            return;
        }
        // A token of this issuer in every way but the name of the key, which is the other's.
        _ => {
            let key = of(1 - draft.issuer, rng);
            draft.header.set("kid", quoted(key.kid()));
            key
        }
    };
    if rng.gen_bool(0.5) {
        draft.header.set("alg", quoted(key.algorithm().name()));
    }
    if rng.gen_bool(0.3) {
        draft.header.set("kid", quoted(key.kid()));
    }
    draft.signer = Signer::Key(key);
}
