//! Malformed input of any size or bytes: a refusal with a code, never a trap, never the upstream.

use std::cell::RefCell;

use jobgate_wasm_host::{Gateway, Passage, Request};
use proptest::prelude::*;

use crate::common::{BOTH, assert_refused, code, policy, ready, with_token};

thread_local! {
    /// Requests without a good token leave nothing behind, so one gateway serves all cases.
    static GATEWAYS: [RefCell<Gateway>; 2] =
        BOTH.map(|profile| RefCell::new(ready(profile, &policy(profile))));
}

/// The request is refused by the filter with a code, or by the host before it.
fn assert_refused_cleanly(request: &Request) {
    GATEWAYS.with(|gateways| {
        for gateway in gateways {
            let exchange = gateway.borrow_mut().request(0, request.clone());
            assert!(
                exchange.traps.is_empty(),
                "it trapped: {:?}",
                exchange.traps
            );
            match exchange.passage {
                Passage::HostRefused => {}
                _ => assert!(code(&exchange).is_some(), "{:?}", exchange.outcome),
            }
        }
    });
}

fn any_bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_in_headers_and_target(
        target in any_bytes(60),
        names in proptest::collection::vec(any_bytes(20), 0..6),
        values in proptest::collection::vec(any_bytes(80), 6),
        token in any_bytes(200),
    ) {
        let mut target = target;
        target.insert(0, b'/');
        let mut request = Request::new("GET", target);
        for (name, value) in names.into_iter().zip(values) {
            request = request.header(name, value);
        }
        let authorization = [b"Bearer ".as_slice(), &token].concat();
        assert_refused_cleanly(&request.header("authorization", authorization));
    }

    #[test]
    fn tokens_of_the_right_shape_with_any_text_inside(
        header in r#"\{("(alg|kid|typ|crit|b64|enc)":("RS256"|"none"|1|null|\[\]|"[a-z]{0,5}"|\{\}),?){0,4}\}"#,
        payload in r#"\{("(iss|aud|exp|nbf|iat|sub)":("[ -~]{0,8}"|1e9|18000000000|-1|1e400|\[\[\]\]|null|true),?){0,6}\}"#,
        signature in any_bytes(300),
    ) {
        let parts = [header.as_bytes(), payload.as_bytes(), &signature].map(base64url);
        assert_refused_cleanly(&with_token(&parts.join(".")));
    }
}

/// RFC 4648, section 5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0_u32, |word, (nth, byte)| {
            word | u32::from(*byte) << (16 - 8 * nth)
        });
        for nth in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * nth)) as usize & 63]));
        }
    }
    text
}

#[test]
fn sizes_at_and_past_every_limit() {
    for profile in BOTH {
        let mut gateway = ready(profile, &policy(profile));
        for size in [1, 16_383, 16_384, 16_385, 65_536, 1_000_000, 8_000_000] {
            for text in ["a", ".", "e30.", "eyJhbGciOiJub25lIn0."] {
                let token = text.repeat(size / text.len() + 1);
                let exchange = gateway.request(0, with_token(&token));
                assert!(
                    code(&exchange).is_some_and(|code| code.starts_with("token_")),
                    "{size} {text}"
                );
            }
        }
        let long_path = format!("/{}", "%61/../".repeat(10_000));
        let exchange = gateway.request(
            0,
            Request::get(long_path).header("x", "y".repeat(1_000_000)),
        );
        assert!(code(&exchange).is_some(), "{:?}", exchange.outcome);
        let deep = base64url("[".repeat(3_000).as_bytes());
        assert_refused(
            &gateway.request(0, with_token(&format!("{deep}.{deep}.{deep}"))),
            "token_malformed",
        );
        assert_eq!(gateway.vm_recycled(), 0);
    }
}

#[test]
fn a_target_that_is_no_path_is_refused_with_a_good_token_too() {
    for profile in BOTH {
        let mut gateway = ready(profile, &policy(profile));
        let token = crate::common::good_token(&gateway);
        for target in [
            "",
            "*",
            "http://evil.example/a",
            "evil.example:443",
            "/a#b",
            "/a?b#c",
        ] {
            for method in ["GET", "CONNECT", "OPTIONS", ""] {
                let request =
                    Request::new(method, target).header("authorization", format!("Bearer {token}"));
                let exchange = gateway.request(0, request);
                assert!(exchange.traps.is_empty(), "{method} {target:?}");
                if exchange.passage != Passage::HostRefused && exchange.upstream().is_none() {
                    assert_refused(&exchange, "path_ambiguous");
                }
                if let Some(upstream) = exchange.upstream() {
                    let path = String::from_utf8_lossy(&upstream.path).into_owned();
                    assert!(
                        path.starts_with('/') && !path.contains('#'),
                        "{method} {target:?}: {path}"
                    );
                }
            }
        }
    }
}
