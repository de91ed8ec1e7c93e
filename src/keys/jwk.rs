//! JSON Web Key Sets (RFC 7517): from a document to keys that can verify.

use crate::json;
use crate::policy::Issuer;
use crate::reason::{Reason, Refusal};
use crate::time::UnixTime;
use crate::token::Algorithm;
use ct_codecs::{Base64UrlSafeNoPadding, Decoder};
use jwt_simple::JWTError;
use jwt_simple::prelude::{
    Duration as Span, NoCustomClaims, RS256PublicKey, RSAPublicKeyLike, VerificationOptions,
};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::fmt;

/// The most keys of a set that are looked at; issuers publish two to ten.
const MAX_KEYS: usize = 100;

/// A key that can verify signatures of one algorithm.
#[derive(Debug, Clone)]
pub struct PublicKey {
    kid: Option<String>,
    algorithm: Algorithm,
    rsa: RS256PublicKey,
}

impl PublicKey {
    /// Checks that a compact token was signed with this key, by its issuer, for its audience.
    ///
    /// Every option of the library is set: its defaults tolerate 15 minutes of clock drift and tokens of
    /// 1 MB. The times were checked before, more strictly; here they are checked once more.
    ///
    /// # Errors
    /// `signature_invalid`, or `token_malformed` for what only the library finds: members of the header or
    /// registered claims of a type that they do not have.
    pub fn verify(&self, compact: &str, issuer: &Issuer, now: UnixTime) -> Result<(), Refusal> {
        let options = VerificationOptions {
            reject_before: None,
            accept_future: false,
            required_subject: None,
            required_key_id: None,
            required_signature_type: None,
            required_content_type: None,
            required_nonce: None,
            allowed_issuers: Some(HashSet::from([issuer.issuer.clone()])),
            allowed_audiences: Some(issuer.audiences.iter().cloned().collect()),
            // A second more: the library compares whole seconds.
            time_tolerance: Some(Span::from_secs(issuer.leeway.as_secs().saturating_add(1))),
            max_validity: None,
            max_token_length: Some(crate::token::MAX_TOKEN_BYTES),
            max_header_length: None,
            artificial_time: Some(Span::from_secs(now.as_secs())),
        };
        let verified = match self.algorithm {
            Algorithm::Rs256 => self
                .rsa
                .verify_token::<NoCustomClaims>(compact, Some(options)),
        };
        verified
            .map(drop)
            .map_err(|error| match error.downcast_ref() {
                Some(JWTError::InvalidSignature) => {
                    Refusal::new(Reason::SignatureInvalid, "the signature does not verify")
                }
                _ => {
                    let detail = "a header member or a registered claim is not what it should be";
                    Refusal::new(Reason::TokenMalformed, detail)
                }
            })
    }
}

/// A key of a document that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its `kid`, if it has one.
    pub kid: Option<String>,
    /// What about it is wrong.
    pub why: &'static str,
}

/// The usable keys of a document.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: Vec<PublicKey>,
    /// The keys that are not used.
    pub skipped: Vec<SkippedKey>,
}

/// Why a document gives no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwksError {
    /// It is not JSON, or repeats a member.
    NotJson,
    /// It has no array `keys`.
    NoKeys,
    /// None of its keys can be used, for the reason of the first.
    NoneUsable(&'static str),
    /// It has more than [`MAX_KEYS`] keys.
    TooMany,
}

impl fmt::Display for JwksError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("the document is not JSON"),
            Self::NoKeys => f.write_str("the document has no array `keys`"),
            Self::NoneUsable(why) => write!(f, "none of its keys can be used; the first: {why}"),
            Self::TooMany => write!(f, "it holds more than {MAX_KEYS} keys"),
        }
    }
}

impl KeySet {
    /// Parses a JWKS document. Keys of other types or uses are skipped, not errors.
    ///
    /// # Errors
    /// When the document as a whole gives no key.
    pub fn parse(document: &[u8]) -> Result<Self, JwksError> {
        let document = json::parse(document).map_err(|_| JwksError::NotJson)?;
        Self::from_value(&document)
    }

    /// Reads a JWKS document that is JSON already.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn from_value(document: &Value) -> Result<Self, JwksError> {
        let Some(Value::Array(keys)) = document.get("keys") else {
            return Err(JwksError::NoKeys);
        };
        if keys.len() > MAX_KEYS {
            return Err(JwksError::TooMany);
        }
        let mut set = Self::default();
        for key in keys {
            match public_key(key) {
                Ok(key) => set.keys.push(key),
                Err(why) => {
                    let kid = key.get("kid").and_then(Value::as_str).map(String::from);
                    set.skipped.push(SkippedKey { kid, why });
                }
            }
        }
        if set.keys.is_empty() {
            let why = set
                .skipped
                .first()
                .map_or("it holds none", |skipped| skipped.why);
            return Err(JwksError::NoneUsable(why));
        }
        Ok(set)
    }

    /// How many keys can be used.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key for a token: the one of its `kid`, or without a `kid` the only one there is.
    #[must_use]
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&PublicKey> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithm == algorithm)
            .filter(|key| kid.is_none() || key.kid.as_deref() == kid);
        let first = fitting.next();
        if kid.is_none() && fitting.next().is_some() {
            None
        } else {
            first
        }
    }
}

fn public_key(key: &Value) -> Result<PublicKey, &'static str> {
    let Value::Object(key) = key else {
        return Err("it is not an object");
    };
    match key.get("kty").and_then(Value::as_str) {
        Some("RSA") => {}
        Some(_) => return Err("its kty is not RSA"),
        None => return Err("it has no kty"),
    }
    if key.get("use").is_some_and(|usage| usage != "sig") {
        return Err("its use is not sig");
    }
    if key.get("key_ops").is_some_and(|ops| !lists(ops, "verify")) {
        return Err("its key_ops do not hold verify");
    }
    if key
        .get("alg")
        .is_some_and(|alg| alg != Algorithm::Rs256.name())
    {
        return Err("its alg is not RS256");
    }
    let kid = match key.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.clone()),
        Some(_) => return Err("its kid is not a string"),
    };
    let modulus = unsigned(key, "n").ok_or("its n is not base64url")?;
    let exponent = unsigned(key, "e").ok_or("its e is not base64url")?;
    let rsa = RS256PublicKey::from_components(&modulus, &exponent)
        .map_err(|_| "it is not an RSA key of 2048 to 4096 bits with the exponent 65537")?;
    Ok(PublicKey {
        kid,
        algorithm: Algorithm::Rs256,
        rsa,
    })
}

fn lists(array: &Value, wanted: &str) -> bool {
    array
        .as_array()
        .is_some_and(|items| items.iter().any(|item| item == wanted))
}

fn unsigned(key: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let text = key.get(name)?.as_str()?;
    Base64UrlSafeNoPadding::decode_to_vec(text, None)
        .ok()
        .filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The modulus of RFC 7515, appendix A.2.
    const N: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

    fn key(changes: Value) -> Value {
        let mut key =
            json!({"kty": "RSA", "kid": "a", "use": "sig", "alg": "RS256", "n": N, "e": "AQAB"});
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        key
    }

    #[test]
    fn keys_that_are_not_for_this_are_skipped_and_say_why() {
        let cases = [
            (json!({"kty": "EC"}), "kty"),
            (json!({"kty": null}), "kty"),
            (json!({"use": "enc"}), "use"),
            (json!({"use": null}), "use"),
            (json!({"key_ops": ["sign"]}), "key_ops"),
            (json!({"alg": "RS512"}), "alg"),
            (json!({"kid": 7}), "kid"),
            (json!({"n": ""}), "n is not"),
            (json!({"n": "a+b"}), "n is not"),
            (json!({"n": "AQAB"}), "2048"),
            (json!({"e": "AQ"}), "65537"),
            (json!({"e": "Aw"}), "65537"),
            (json!("not an object"), "object"),
        ];
        for (change, why) in cases {
            let bad = if change.is_object() {
                key(change)
            } else {
                change
            };
            let set =
                KeySet::from_value(&json!({"keys": [bad, key(json!({"kid": "good"}))]})).unwrap();
            assert_eq!(set.len(), 1, "{bad}");
            assert!(
                set.skipped[0].why.contains(why),
                "{} for {bad}",
                set.skipped[0].why
            );
        }
    }

    #[test]
    fn a_document_without_a_usable_key_is_an_error() {
        for (document, error) in [
            ("", JwksError::NotJson),
            ("<html>", JwksError::NotJson),
            (r#"{"keys":[],"keys":[]}"#, JwksError::NotJson),
            ("[]", JwksError::NoKeys),
            (r#"{"keys":{}}"#, JwksError::NoKeys),
            (r#"{"keys":[]}"#, JwksError::NoneUsable("it holds none")),
            (r#"{"keys":[{}]}"#, JwksError::NoneUsable("it has no kty")),
        ] {
            assert_eq!(
                KeySet::parse(document.as_bytes()).unwrap_err(),
                error,
                "{document}"
            );
        }
        let many = json!({"keys": vec![key(json!({})); MAX_KEYS + 1]});
        assert_eq!(KeySet::from_value(&many).unwrap_err(), JwksError::TooMany);
    }

    #[test]
    fn a_key_is_found_by_its_kid_and_without_one_only_if_it_is_alone() {
        let one = KeySet::from_value(&json!({"keys": [key(json!({}))]})).unwrap();
        let two = KeySet::from_value(&json!({"keys": [key(json!({})), key(json!({"kid": "b"}))]}))
            .unwrap();
        let finds = |set: &KeySet, kid| set.find(kid, Algorithm::Rs256).is_some();
        assert!(finds(&one, Some("a")) && finds(&one, None) && finds(&two, Some("b")));
        assert!(!finds(&one, Some("A")) && !finds(&two, None) && !finds(&two, Some("")));
    }
}
