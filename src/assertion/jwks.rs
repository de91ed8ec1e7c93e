//! The key set by which the upstream verifies assertions.

use super::SigningKey;
use crate::audit::Line;
use crate::base64url;
use crate::sha256::Hash;

/// A JWK set (RFC 7517, section 5) of public halves, ready to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySetDocument {
    /// The document.
    pub body: String,
    /// Its entity tag (RFC 9110, section 8.8.3), with the quotes.
    pub etag: String,
}

impl KeySetDocument {
    /// The public halves of these keys, in their order.
    #[must_use]
    pub fn new(keys: &[SigningKey]) -> Self {
        let mut set = Line::default();
        for key in keys {
            let mut one = key.public().members();
            one.text("kid", key.kid());
            one.word("use", "sig");
            one.word("alg", key.algorithm());
            set.object_element(&one);
        }
        let mut document = Line::default();
        document.array("keys", &set);
        let body = document.into_object();
        let etag = format!("\"{}\"", base64url::encode(Hash::hash(body.as_bytes())));
        Self { body, etag }
    }
}
