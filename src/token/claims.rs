//! The claims of a token, as a map of names to JSON values.

use serde_json::{Map, Value};
use std::borrow::Cow;

/// A JWT claims set (RFC 7519, section 4). A claim that is null counts as one that is not there.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// The claims of a parsed payload.
    #[must_use]
    pub const fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// A claim by its whole name: dots, slashes and colons are part of a name, not a path.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A claim's text, if it is a scalar.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).and_then(scalar_text)
    }
}

/// The text by which a scalar is compared: a string's own characters, and for numbers and booleans their
/// JSON text. Nothing for null, arrays and objects.
///
/// Neither for a number that JSON parsers round (2^53 and beyond, unless an integer of 64 bits): two that
/// differ could look the same.
#[must_use]
pub fn scalar_text(value: &Value) -> Option<Cow<'_, str>> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Bool(true) => Some(Cow::Borrowed("true")),
        Value::Bool(false) => Some(Cow::Borrowed("false")),
        Value::Number(number) if number.is_u64() || number.is_i64() => {
            Some(Cow::Owned(number.to_string()))
        }
        Value::Number(number) => number
            .as_f64()
            .filter(|float| float.abs() < EXACT)
            .map(|_| Cow::Owned(number.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn scalars_have_one_text_and_the_rest_has_none() {
        for (value, text) in [
            (json!("a b"), Some("a b")),
            (json!(42), Some("42")),
            (json!(-1), Some("-1")),
            (json!(u64::MAX), Some("18446744073709551615")),
            (json!(1.5), Some("1.5")),
            (json!(true), Some("true")),
            (json!(1e17), None),
            (json!(null), None),
            (json!([1]), None),
            (json!({}), None),
        ] {
            assert_eq!(scalar_text(&value).as_deref(), text, "{value}");
        }
    }
}
