//! Row 21: what is signed well and is no job's token.

use jobgate_harness::keys::Algorithm::Rs256;
use serde_json::json;

use crate::forge::{claims, encode, header, issued, text_with, with};
use crate::forged::{raw_header, raw_payload, refused, with_claims, with_header};

#[test]
fn pitfall_21_other_kinds_of_jose() {
    let good = issued(Rs256, &header(Rs256), &claims(json!({})));
    let parts: Vec<&str> = good.split('.').collect();
    let jwe = encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    refused(
        "token_malformed",
        [
            ("a JWE", format!("{jwe}.AAAA.AAAA.AAAA.AAAA")),
            (
                "a JWE of three parts",
                with_header(json!({ "enc": "A256GCM" })),
            ),
            ("compressed", with_header(json!({ "zip": "DEF" }))),
            ("b64 false", with_header(json!({ "b64": false }))),
            (
                "b64 false and critical",
                with_header(json!({ "b64": false, "crit": ["b64"] })),
            ),
            ("b64 true", with_header(json!({ "b64": true }))),
            (
                "an unknown extension",
                with_header(json!({ "crit": ["x"], "x": 1 })),
            ),
            (
                "a known name as critical",
                with_header(json!({ "crit": ["exp"] })),
            ),
            ("nothing critical", with_header(json!({ "crit": [] }))),
            (
                "crit null",
                raw_header(text_with(&header(Rs256), r#""crit":null"#)),
            ),
            ("detached", format!("{}..{}", parts[0], parts[2])),
            (
                "a token in a token",
                raw_payload(with_header(json!({ "cty": "JWT" }))),
            ),
            ("four parts", format!("{good}.AAAA")),
            ("a dot more", format!("{good}.")),
            ("a dot before", format!(".{good}")),
            ("one part", parts[0].to_owned()),
            ("dots", "...".to_owned()),
            ("JSON of one member", r#"{"signatures":[]}"#.to_owned()),
        ],
    );
    refused(
        "token_ambiguous",
        [
            ("JSON, flattened", json!({ "protected": parts[0], "payload": parts[1], "signature": parts[2] }).to_string()),
            ("JSON, general", json!({ "payload": parts[1], "signatures": [{ "protected": parts[0], "signature": parts[2] }] }).to_string()),
        ],
    );
    refused(
        "signature_invalid",
        [
            ("another token's signature", {
                let other = with_claims(json!({ "build_number": 43 }));
                format!(
                    "{}.{}.{}",
                    parts[0],
                    parts[1],
                    other.rsplit('.').next().unwrap_or_default()
                )
            }),
            (
                "another payload",
                format!(
                    "{}.{}.{}",
                    parts[0],
                    encode(claims(json!({ "build_branch": "main" })).to_string()),
                    parts[2]
                ),
            ),
        ],
    );
}

#[test]
fn pitfall_21_tokens_of_another_kind_and_claims_of_another_type() {
    let kinds = [
        json!("at+jwt"),
        json!("application/at+jwt"),
        json!("logout+jwt"),
        json!("secevent+jwt"),
        json!("dpop+jwt"),
        json!("oauth-authz-req+jwt"),
        json!("JOSE"),
        json!("JWE"),
        json!(""),
        json!("JWT "),
        json!(["JWT"]),
        json!(7),
    ];
    refused(
        "token_malformed",
        kinds.map(|typ| (format!("typ {typ}"), with_header(json!({ "typ": typ })))),
    );
    refused(
        "token_malformed",
        [(
            "typ null",
            raw_header(text_with(
                &with(header(Rs256), json!({ "typ": null })),
                r#""typ":null"#,
            )),
        )],
    );
    let mut odd = Vec::new();
    for claim in ["iss", "sub", "aud", "jti", "nonce", "exp", "iat", "nbf"] {
        for value in [
            json!(true),
            json!({}),
            json!({ "a": 1 }),
            json!([[]]),
            json!([7]),
            json!("\0"),
        ] {
            let text_will_do = matches!(claim, "iss" | "sub" | "aud" | "jti" | "nonce");
            if value.is_string() && text_will_do {
                continue;
            }
            odd.push((
                format!("{claim}: {value}"),
                with_claims(json!({ claim: value })),
            ));
        }
    }
    for claim in ["iss", "sub", "aud", "jti", "nonce"] {
        odd.push((format!("{claim}: 7"), with_claims(json!({ claim: 7 }))));
    }
    for claim in ["exp", "iat", "nbf"] {
        for value in [
            json!("1800000100"),
            json!(-1),
            json!(1e300),
            json!(u64::MAX),
        ] {
            odd.push((
                format!("{claim}: {value}"),
                with_claims(json!({ claim: value })),
            ));
        }
    }
    odd.push((
        "aud with a number".to_owned(),
        with_claims(json!({ "aud": ["https://deploy.acme.example", 7] })),
    ));
    refused("token_malformed", odd);
    let null = |claim: &str| {
        raw_payload(text_with(
            &claims(json!({ claim: null })),
            &format!(r#""{claim}":null"#),
        ))
    };
    refused(
        "claim_missing",
        ["iss", "aud", "exp"].map(|claim| (claim, null(claim))),
    );
    refused(
        "token_malformed",
        ["iat", "nbf"].map(|claim| (claim, null(claim))),
    );
}
