//! What is asked of claims, as the configuration writes it.

use super::{Named, Object, OneOrMany, Read, Reader};
use crate::policy::check::At;
use crate::token::scalar_text;
use serde_json::Value;

/// What is asked of claims by their names: a map of which large policies have very many.
pub(in crate::policy) type RawClaims = Named<RawClaimRule>;

/// What is asked of one claim: a scalar (short for `equals`), or matchers that must all hold.
#[derive(Debug, Default)]
pub(in crate::policy) struct RawClaimRule {
    pub(in crate::policy) equals: Option<Scalar>,
    pub(in crate::policy) not_equals: Option<Scalar>,
    pub(in crate::policy) one_of: Option<Vec<Scalar>>,
    pub(in crate::policy) none_of: Option<Vec<Scalar>>,
    pub(in crate::policy) matches: Option<OneOrMany<String>>,
}

impl Read for RawClaimRule {
    #[inline(never)]
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        match value {
            Value::Object(_) => {
                let mut object = Object::of(reader, at, value);
                let read = Self {
                    equals: object.member("equals"),
                    not_equals: object.member("not_equals"),
                    one_of: object.member("in"),
                    none_of: object.member("not_in"),
                    matches: object.member("matches"),
                };
                object.end(&["equals", "not_equals", "in", "not_in", "matches"]);
                return read;
            }
            Value::Array(_) => {
                let message = "a list is not a matcher; write {\"in\": [...]}";
                reader.error(at, message.into());
            }
            Value::Null => reader.unlike(
                at,
                &value,
                "a scalar, or an object of equals, not_equals, in, not_in, matches",
            ),
            _ => {
                return Self {
                    equals: Some(Scalar::read(reader, at, value)),
                    ..Self::default()
                };
            }
        }
        Self::default()
    }
}

/// A scalar by its text, as claims are compared (see [`scalar_text`]).
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Scalar(pub(in crate::policy) String);

impl Read for Scalar {
    #[inline(never)]
    fn read(reader: &mut Reader, at: &At<'_>, value: Value) -> Self {
        if let Value::String(text) = value {
            return Self(text);
        }
        let text = scalar_text(&value);
        if text.is_none() {
            match value {
                Value::Number(_) => {
                    let message = "the number is too large to be compared exactly";
                    reader.error(at, message.into());
                }
                _ => reader.unlike(at, &value, "a string, a number or a boolean"),
            }
        }
        Self(text.map_or_else(String::new, Into::into))
    }
}
