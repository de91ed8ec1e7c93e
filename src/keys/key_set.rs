//! JSON Web Key Sets (RFC 7517, section 5): from a document to keys that can verify.

use super::jwk;
use super::public_key::PublicKey;
use crate::json;
use crate::sort::sort_by;
use crate::token::Algorithm;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// The most keys of a set that are looked at; issuers publish two to ten.
const MAX_KEYS: usize = 100;

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
    /// Shared with whoever verifies: they hold what was computed once. Those without a `kid` first, then by it, and of
    /// one `kid` in the document's order.
    keys: Vec<Arc<PublicKey>>,
    /// For each of [`Algorithm::ALL`] the place of the only key that serves it; none if there are none or several.
    alone: [Option<usize>; Algorithm::ALL.len()],
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
        let mut usable = Vec::new();
        for key in keys {
            match jwk::public_key(key) {
                Ok(key) => usable.push(key),
                Err(why) => {
                    let kid = key.get("kid").and_then(Value::as_str).map(String::from);
                    set.skipped.push(SkippedKey { kid, why });
                }
            }
        }
        let mut keys = Vec::new();
        for (nth, key) in usable.iter().enumerate() {
            match conflict(&usable, nth, key) {
                None => keys.push((nth, Arc::new(key.clone()))),
                Some(why) => set.skipped.push(SkippedKey {
                    kid: key.kid().map(String::from),
                    why,
                }),
            }
        }
        sort_by(&mut keys, |(nth, key), (other_nth, other)| {
            (key.kid(), nth) < (other.kid(), other_nth)
        });
        set.keys = keys.into_iter().map(|(_, key)| key).collect();
        set.alone = std::array::from_fn(|at| {
            let algorithm = *Algorithm::ALL.get(at)?;
            let keys = set.keys.iter().enumerate();
            let mut serving = keys.filter(|(_, key)| key.serves(algorithm));
            let (place, _) = serving.next()?;
            serving.next().is_none().then_some(place)
        });
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

    /// The key for a token: the one of its `kid`, or without a `kid` the only one there is for its
    /// algorithm.
    #[must_use]
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&PublicKey> {
        self.find_shared(kid, algorithm).map(Arc::as_ref)
    }

    /// The same to keep.
    pub(super) fn find_shared(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Option<&Arc<PublicKey>> {
        let Some(kid) = kid else {
            let at = Algorithm::ALL
                .iter()
                .position(|known| *known == algorithm)?;
            return self.keys.get((*self.alone.get(at)?)?);
        };
        let start = self.keys.partition_point(|key| key.kid() < Some(kid));
        // Of one `kid` there are as many as the algorithms can tell apart, which are few.
        let mut named = self
            .keys
            .iter()
            .skip(start)
            .take_while(|key| key.kid() == Some(kid));
        named.find(|key| key.serves(algorithm))
    }
}

/// What keeps a key from being used beside the others of its set.
///
/// Of two different keys that a token asks for in the same way neither is used: which one is meant is the
/// publisher's to say, and verifiers that take the first or the last would differ.
fn conflict(usable: &[PublicKey], nth: usize, key: &PublicKey) -> Option<&'static str> {
    let others = || usable.iter().enumerate().filter(|(other, _)| *other != nth);
    if others().any(|(_, other)| key.collides(other)) {
        Some("a different key for the same algorithm has its kid")
    } else if others().any(|(place, other)| place < nth && key == other) {
        Some("it is there twice")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::jwk::tests::{key, okp, p256};
    use proptest::prelude::*;
    use serde_json::json;

    fn set(keys: &[Value]) -> KeySet {
        KeySet::from_value(&json!({ "keys": keys })).unwrap()
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
        let one = set(&[key(json!({}))]);
        let two = set(&[key(json!({})), key(json!({"kid": "b"}))]);
        let finds = |set: &KeySet, kid| set.find(kid, Algorithm::Rs256).is_some();
        assert!(finds(&one, Some("a")) && finds(&one, None) && finds(&two, Some("b")));
        assert!(!finds(&one, Some("A")) && !finds(&two, None) && !finds(&two, Some("")));
    }

    #[test]
    fn without_a_kid_the_algorithm_may_tell_which_key_is_meant() {
        let set = set(&[
            key(json!({})),
            p256(json!({"kid": "b"})),
            okp(json!({"kid": "c"})),
        ]);
        for (algorithm, kid) in [
            (Algorithm::Rs256, Some("a")),
            (Algorithm::Es256, Some("b")),
            (Algorithm::EdDsa, Some("c")),
            (Algorithm::Es384, None),
            (Algorithm::Ps256, None),
        ] {
            let found = set.find(None, algorithm).and_then(PublicKey::kid);
            assert_eq!(found, kid, "{algorithm:?}");
            assert_eq!(
                set.find(kid, algorithm).is_some(),
                kid.is_some(),
                "{algorithm:?}"
            );
        }
        assert!(set.find(Some("b"), Algorithm::Rs256).is_none());
    }

    /// What a look at each key in the document's order finds.
    fn by_looking_at_each<'k>(
        keys: &'k [PublicKey],
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Option<&'k PublicKey> {
        let usable = keys.iter().enumerate();
        let mut fitting = usable
            .filter(|(nth, key)| conflict(keys, *nth, key).is_none() && key.serves(algorithm))
            .map(|(_, key)| key)
            .filter(|key| kid.is_none() || key.kid() == kid);
        let first = fitting.next();
        first.filter(|_| kid.is_some() || fitting.next().is_none())
    }

    /// A key of some type, with a `kid` or without, that may be limited to an algorithm.
    fn any_key() -> impl Strategy<Value = Value> {
        let kid = prop::sample::select(vec![None, Some(""), Some("a"), Some("b"), Some("ab")]);
        (0..8_u8, kid).prop_map(|(which, kid)| {
            let mut key = match which {
                0 => key(json!({})),
                1 => key(json!({ "alg": "RS256" })),
                2 => key(json!({ "alg": "PS256" })),
                3 => key(json!({ "alg": "RS512" })),
                4 => p256(json!({})),
                5 => p256(json!({ "alg": "ES256" })),
                6 => okp(json!({})),
                _ => okp(json!({ "x": "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw" })),
            };
            let members = key.as_object_mut().unwrap();
            match kid {
                Some(kid) => members.insert("kid".into(), json!(kid)),
                None => members.remove("kid"),
            };
            key
        })
    }

    proptest! {
        #[test]
        fn the_key_is_the_one_that_a_look_at_each_finds(
            documents in proptest::collection::vec(any_key(), 1..10),
        ) {
            let keys: Vec<_> = documents.iter().filter_map(|key| jwk::public_key(key).ok()).collect();
            let set = KeySet::from_value(&json!({ "keys": documents }));
            for &algorithm in Algorithm::ALL {
                for kid in [None, Some(""), Some("a"), Some("b"), Some("ab"), Some("A"), Some("c")] {
                    let found = set.as_ref().ok().and_then(|set| set.find(kid, algorithm));
                    prop_assert_eq!(found, by_looking_at_each(&keys, kid, algorithm));
                }
            }
        }
    }

    #[test]
    fn of_two_keys_that_answer_to_one_kid_neither_is_used() {
        // Another point of the same curve: that of RFC 8032, section 7.1, test 2.
        let different = okp(json!({"x": "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"}));
        let both = set(&[okp(json!({})), okp(json!({"kid": "good"})), different]);
        assert_eq!(both.len(), 1);
        assert!(both.find(Some("a"), Algorithm::EdDsa).is_none());
        assert!(both.find(None, Algorithm::EdDsa).is_some());
        let whys: Vec<_> = both.skipped.iter().map(|skipped| skipped.why).collect();
        assert_eq!(
            whys,
            ["a different key for the same algorithm has its kid"; 2]
        );

        // Where the algorithm tells them apart, or they are the same key, nothing is ambiguous.
        let by_algorithm = set(&[okp(json!({})), key(json!({})), p256(json!({}))]);
        assert_eq!((by_algorithm.len(), by_algorithm.skipped.len()), (3, 0));
        let twice = set(&[okp(json!({})), okp(json!({})), okp(json!({"alg": null}))]);
        assert_eq!(
            twice.skipped[0].why,
            "its alg is none that its type can verify"
        );
        assert_eq!(twice.skipped[1].why, "it is there twice");
        assert!(twice.find(Some("a"), Algorithm::EdDsa).is_some());
    }
}
