//! Row 21: algorithms that are none, and keys that are not the issuer's.

use jobgate_harness::keys::Algorithm::{self, EdDsa, Rs256};
use jobgate_harness::keys::SigningKey;
use serde_json::{Value, json};

use crate::forge::{claims, encode, header, issued, key, public_forms, token, with};
use crate::forged::{raw_header, refused, with_header};

fn hmac(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    move |input| hmac_sha256::HMAC::mac(input, secret).to_vec()
}

/// The forger's own key.
fn forger() -> SigningKey {
    SigningKey::ed25519("a forger's")
}

#[test]
fn pitfall_21_alg_none_in_every_spelling() {
    let names = [
        "none",
        "None",
        "NONE",
        "nOnE",
        " none",
        "none ",
        "none\0",
        "",
        "null",
        "n\u{200b}one",
    ];
    let unsigned = |alg: &str| {
        let header = with(header(Rs256), json!({ "alg": alg }));
        token(header.to_string(), claims(json!({})).to_string(), |_| {
            Vec::new()
        })
    };
    let escaped = header(Rs256).to_string().replace("RS256", r"\u006eone");
    let escaped = token(escaped, claims(json!({})).to_string(), |_| Vec::new());
    let cases = names.into_iter().flat_map(|alg| {
        [
            (alg.to_owned(), unsigned(alg)),
            (format!("{alg}, signed"), with_header(json!({ "alg": alg }))),
        ]
    });
    let others = [
        "rs256", "RS256 ", "RS1", "ES512", "ES256K", "Ed25519", "RSA-OAEP", "dir",
    ]
    .map(|alg| (alg.to_owned(), with_header(json!({ "alg": alg }))));
    refused(
        "algorithm_not_allowed",
        cases
            .chain(others)
            .chain([("an escape".to_owned(), escaped)]),
    );
    let no_text = [
        json!(0),
        json!(true),
        json!([]),
        json!(["RS256"]),
        json!({}),
    ];
    refused(
        "token_malformed",
        no_text.map(|alg| (alg.to_string(), with_header(json!({ "alg": alg })))),
    );
    refused(
        "token_malformed",
        [
            ("no alg", with_header(json!({ "alg": null }))),
            ("null", raw_header(r#"{"alg":null}"#)),
            ("Alg", raw_header(r#"{"Alg":"RS256"}"#)),
        ],
    );
    let stripped = issued(Rs256, &header(Rs256), &claims(json!({})));
    let (signed, _) = stripped.rsplit_once('.').expect("it has three parts");
    refused(
        "signature_invalid",
        [("no signature", format!("{signed}."))],
    );
    refused("token_malformed", [("no third part", signed.to_owned())]);
}

#[test]
fn pitfall_21_hmac_keyed_with_what_is_public() {
    let mut under_hmac = Vec::new();
    let mut under_its_own = Vec::new();
    for (nth, secret) in public_forms().iter().enumerate() {
        let forged = |algorithm: Algorithm, alg: &str| {
            let header = with(header(algorithm), json!({ "alg": alg }));
            let token = token(
                header.to_string(),
                claims(json!({})).to_string(),
                hmac(secret),
            );
            (format!("form {nth} under {alg}"), token)
        };
        under_hmac.extend(["HS256", "HS384", "HS512"].map(|alg| forged(Rs256, alg)));
        under_its_own.extend(Algorithm::ALL.map(|each| forged(each, each.name())));
    }
    for kid in ["shared", "shared-256"] {
        let header = json!({ "alg": "HS256", "kid": kid });
        let published = token(
            header.to_string(),
            claims(json!({})).to_string(),
            hmac(b"secret"),
        );
        under_hmac.push((format!("a published secret, {kid}"), published));
    }
    refused("algorithm_not_allowed", under_hmac);
    refused("signature_invalid", under_its_own);
}

#[test]
fn pitfall_21_keys_that_the_token_brings_or_points_to() {
    let forger = forger();
    let signed = |over: Value| {
        let header = with(header(EdDsa), over);
        token(header.to_string(), claims(json!({})).to_string(), |input| {
            forger.sign(input)
        })
    };
    let own = forger.public_jwk();
    let named = json!({ "jwk": own, "kid": forger.kid() });
    refused(
        "token_malformed",
        [
            ("jwk", signed(json!({ "jwk": own }))),
            ("jwk with its kid", signed(named)),
            (
                "jwk without a kid",
                signed(json!({ "jwk": own, "kid": null })),
            ),
            (
                "a secret as jwk",
                signed(json!({ "jwk": { "kty": "oct", "k": "" } })),
            ),
            ("x5c as text", signed(json!({ "x5c": "MIIB" }))),
            (
                "two addresses",
                signed(json!({ "jku": ["https://evil.example"] })),
            ),
        ],
    );
    refused(
        "signature_invalid",
        [
            ("jku", signed(json!({ "jku": "https://evil.example/jwks" }))),
            (
                "the issuer's jku",
                signed(json!({ "jku": "https://ci.example@evil.example/jwks" })),
            ),
            ("x5u", signed(json!({ "x5u": "https://evil.example/x5u" }))),
            ("x5c", signed(json!({ "x5c": [encode("a certificate")] }))),
            ("x5t", signed(json!({ "x5t": "AAAA", "x5t#S256": "AAAA" }))),
        ],
    );
}

#[test]
fn pitfall_21_kid_is_a_name_and_nothing_else() {
    let own = key(Rs256).kid().to_owned();
    let names = [
        "../../../../../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "https://evil.example/jwks",
        "x' UNION SELECT 'secret';--",
        "|curl evil.example",
        "%00",
        "",
        "*",
        "0",
        "null",
        "keys[0]",
    ];
    let names = names.into_iter().map(str::to_owned);
    let near = [
        own.to_uppercase(),
        format!("{own}\0"),
        format!(" {own}"),
        own[1..].to_owned(),
    ];
    // Even under the issuer's own signature: a kid that no key has finds no key.
    let signed = |name: &String| (name.clone(), with_header(json!({ "kid": name })));
    let hashed = |name: &String| {
        let header = with(header(Rs256), json!({ "alg": "HS256", "kid": name }));
        let payload = claims(json!({})).to_string();
        (name.clone(), token(header.to_string(), payload, hmac(b"")))
    };
    let names: Vec<_> = names.chain(near).collect();
    refused("keys_unavailable", names.iter().map(signed));
    refused("algorithm_not_allowed", names.iter().map(hashed));
    let no_text = [json!(0), json!([own]), json!({ "a": 1 }), json!(true)];
    refused(
        "token_malformed",
        no_text.map(|kid| (kid.to_string(), with_header(json!({ "kid": kid })))),
    );
}
