//! Row 21: what the tests of forged tokens share. The policy allows every algorithm and the issuer publishes a key
//! of each, so that nothing but the check in question stands in the way.

use std::sync::OnceLock;

use jobgate_harness::keys::Algorithm::{self, Rs256};
use serde_json::{Value, json};

use crate::forge::{claims, header, issued, jwks, key, token, with};
use crate::world::{policy, ready, told};

/// Each token must be refused with this code, also when it comes again, and a good one must pass before and after.
#[track_caller]
pub(crate) fn refused<T: Into<String>>(code: &str, tokens: impl IntoIterator<Item = (T, String)>) {
    let policy = policy(json!({}));
    let mut state = ready(&policy, &jwks());
    let mut count = 0;
    for (what, token) in tokens {
        let what = what.into();
        for good in good() {
            assert_eq!(told(&policy, &mut state, good), "allow");
        }
        for _ in 0..2 {
            assert_eq!(told(&policy, &mut state, &token), code, "{what}");
        }
        count += 1;
    }
    assert!(count > 0);
}

/// A good token of each algorithm. Signing with 8192 bits takes a while.
pub(crate) fn good() -> &'static [String; 9] {
    static GOOD: OnceLock<[String; 9]> = OnceLock::new();
    GOOD.get_or_init(|| Algorithm::ALL.map(|each| issued(each, &header(each), &claims(json!({})))))
}

/// A header with these members over its own, and good claims, under the issuer's signature.
pub(crate) fn with_header(over: Value) -> String {
    issued(Rs256, &with(header(Rs256), over), &claims(json!({})))
}

/// These claims over the good ones, under the issuer's signature.
pub(crate) fn with_claims(over: Value) -> String {
    issued(Rs256, &header(Rs256), &claims(over))
}

/// A header as it is written, and good claims, under the issuer's signature.
pub(crate) fn raw_header(text: impl AsRef<[u8]>) -> String {
    let key = key(Rs256);
    token(text, claims(json!({})).to_string(), |input| key.sign(input))
}

/// A payload as it is written, under the issuer's signature.
pub(crate) fn raw_payload(text: impl AsRef<[u8]>) -> String {
    let key = key(Rs256);
    token(header(Rs256).to_string(), text, |input| key.sign(input))
}
