//! Row 21: texts that two readers read in two ways, each under the issuer's own signature.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use jobgate_harness::keys::Algorithm::Rs256;
use serde_json::json;

use crate::forge::{claims, encode, encoded, header, jwks, key, text_with, with};
use crate::forged::{raw_header, raw_payload, refused, with_claims, with_header};
use crate::world::{policy, ready, told};

#[test]
fn pitfall_21_json_that_reads_in_two_ways() {
    let (head, body) = (header(Rs256), claims(json!({})));
    let twice = |member: &str| raw_header(text_with(&head, member));
    let claim_twice = |member: &str| raw_payload(text_with(&body, member));
    let own = key(Rs256);
    let kid = own.kid();
    let other =
        |claims: &str, member: &str| raw_payload(claims.replace(r#""sub":"a-job""#, member));
    let text = body.to_string();
    let control = raw_payload(text.replace("a-job", r"a\u0000job\ud83d\ude80\/"));
    let world = policy(json!({}));
    let mut state = ready(&world, &jwks());
    assert_eq!(told(&world, &mut state, &control), "allow");
    refused(
        "token_malformed",
        [
            ("alg twice", twice(r#""alg":"RS256""#)),
            ("alg and an escaped one", twice(r#""\u0061lg":"none""#)),
            (
                "an escaped letter and its other case",
                twice(r#""\u0061\u006C\u0067":"none""#),
            ),
            ("kid twice", twice(&format!(r#""kid":"{kid}""#))),
            ("an unknown member twice", twice(r#""x":1,"x":1"#)),
            (
                "a claim twice",
                claim_twice(r#""organization_slug":"acme""#),
            ),
            (
                "an escaped claim",
                claim_twice(r#""organization\u005fslug":"other""#),
            ),
            ("exp twice", claim_twice(r#""exp":9999999999"#)),
            ("within a claim", claim_twice(r#""x":[{"y":1,"\u0079":2}]"#)),
            ("a lone surrogate", other(&text, r#""sub":"\ud800""#)),
            (
                "a lone low surrogate",
                other(&text, r#""sub":"\udc00\ud800""#),
            ),
            ("a lone surrogate as a name", other(&text, r#""\udfff":1"#)),
            ("a raw control character", other(&text, "\"sub\":\"a\nb\"")),
            ("a raw NUL", other(&text, "\"sub\":\"a\0b\"")),
            ("1e999", other(&text, r#""x":1e999"#)),
            ("-1e999", other(&text, r#""x":-1e999"#)),
            ("NaN", other(&text, r#""x":NaN"#)),
            ("Infinity", other(&text, r#""x":-Infinity"#)),
            ("01", other(&text, r#""x":01"#)),
            ("a comma at the end", raw_payload(text_with(&body, ""))),
            ("a comment", other(&text, r#"/* "sub" */"sub":"a""#)),
            ("single quotes", other(&text, "'sub':'a'")),
            ("two values", raw_payload(format!("{text}{text}"))),
            ("something after it", raw_payload(format!("{text}\0"))),
            ("a byte order mark", raw_payload(format!("\u{feff}{text}"))),
            (
                "a byte order mark on the header",
                raw_header(format!("\u{feff}{head}")),
            ),
            (
                "UTF-16",
                raw_payload(
                    text.encode_utf16()
                        .flat_map(u16::to_le_bytes)
                        .collect::<Vec<_>>(),
                ),
            ),
            (
                "invalid UTF-8",
                raw_payload([text.trim_end_matches('}').as_bytes(), b",\"x\":\"\xff\"}"].concat()),
            ),
            (
                "an overlong slash",
                raw_payload(
                    [
                        text.trim_end_matches('}').as_bytes(),
                        b",\"x\":\"\xc0\xaf\"}",
                    ]
                    .concat(),
                ),
            ),
            ("an array", raw_payload(format!("[{text}]"))),
            ("text", raw_payload(json!(text).to_string())),
            ("nothing", raw_payload("")),
            ("an array as header", raw_header(format!("[{head}]"))),
            (
                "deep",
                claim_twice(&format!(r#""x":{}{}"#, "[".repeat(17), "]".repeat(17))),
            ),
            ("deeper than a stack", raw_payload("[".repeat(8_000))),
            (
                "a deep header",
                twice(&format!(
                    r#""x":{}{}"#,
                    r#"{"x":"#.repeat(17),
                    "}".repeat(17)
                )),
            ),
            (
                "a large header",
                with_header(json!({ "x": "x".repeat(4_000) })),
            ),
        ],
    );
    refused(
        "token_too_large",
        [(
            "a huge claim",
            with_claims(json!({ "x": "x".repeat(17_000) })),
        )],
    );
    // Names and values are compared whole.
    refused(
        "no_rule_matched",
        [
            (
                "a NUL behind the value",
                with_claims(json!({ "organization_slug": "acme\0" })),
            ),
            (
                "a NUL and more",
                with_claims(json!({ "organization_slug": "acme\0evil" })),
            ),
            (
                "a NUL behind the name",
                with_claims(json!({ "organization_slug": null, "organization_slug\0": "acme" })),
            ),
            (
                "another case",
                with_claims(json!({ "organization_slug": null, "Organization_Slug": "acme" })),
            ),
            (
                "a letter that looks alike",
                with_claims(json!({ "organization_slug": "\u{430}cme" })),
            ),
            (
                "an object",
                with_claims(json!({ "organization_slug": { "equals": "acme" } })),
            ),
            (
                "nested",
                with_claims(json!({ "organization_slug": [["acme"]] })),
            ),
        ],
    );
    refused(
        "claim_missing",
        [(
            "ISS",
            with_claims(json!({ "iss": null, "ISS": "https://ci.example" })),
        )],
    );
}

#[test]
fn pitfall_21_base64_that_reads_in_two_ways() {
    let own = key(Rs256);
    // A length at which base64 has unused bits, in both parts.
    let head = with(header(Rs256), json!({ "x": "x" })).to_string();
    let body = claims(json!({ "x": "xx" })).to_string();
    let fit = |text: &str| {
        (0..3)
            .map(|more| text.replacen('{', &format!("{{{}", " ".repeat(more)), 1))
            .find(|text| text.len() % 3 == 1)
            .expect("one fits")
    };
    let (head, body) = (encode(fit(&head)), encode(fit(&body)));
    let signed = |head: &str, body: &str| encoded(head, body, |input| own.sign(input));
    let world = policy(json!({}));
    let mut state = ready(&world, &jwks());
    assert_eq!(told(&world, &mut state, &signed(&head, &body)), "allow");
    let padded = URL_SAFE.encode(fit(&claims(json!({ "x": "xx" })).to_string()));
    assert!(padded.ends_with("=="));
    let good = signed(&head, &body);
    let signature = good.rsplit('.').next().expect("it has three parts");
    let mut cases = vec![
        ("padding".to_owned(), signed(&head, &padded)),
        (
            "padding behind the signature".to_owned(),
            format!("{good}=="),
        ),
        ("a percent-encoded end".to_owned(), format!("{good}%3D%3D")),
    ];
    for odd in [
        "=", "+", "/", " ", "\t", "%", "\u{e9}", "~", "\\", "\"", "\u{ff0e}",
    ] {
        cases.push((
            format!("{odd:?} in the header"),
            signed(&format!("{head}{odd}"), &body),
        ));
        cases.push((
            format!("{odd:?} in the payload"),
            signed(&head, &format!("{}{odd}{}", &body[..8], &body[8..])),
        ));
        cases.push((
            format!("{odd:?} before the signature"),
            format!("{head}.{body}.{odd}{signature}"),
        ));
    }
    // The last character has four bits that say nothing: another one decodes to the same bytes elsewhere.
    let tail = |part: &str| {
        const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (start, last) = part.split_at(part.len() - 1);
        let place = ALPHABET.find(last).expect("it is base64url");
        format!("{start}{}", &ALPHABET[place + 1..place + 2])
    };
    cases.push(("a header's tail".to_owned(), signed(&tail(&head), &body)));
    cases.push(("a payload's tail".to_owned(), signed(&head, &tail(&body))));
    cases.push(("a signature's tail".to_owned(), tail(&good)));
    refused("token_malformed", cases);
}
