//! The claims of a token, as a map of names to JSON values.

use super::footprint;
use crate::json::order;
use crate::sort::sort_by;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// A JWT claims set (RFC 7519, section 4). A claim that is null counts as one that is not there.
///
/// In [order](crate::json::order), in as little memory as it takes: a cache holds many.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims(Box<[(Box<str>, Value)]>);

impl Claims {
    /// The claims of a parsed payload.
    #[must_use]
    pub fn new(members: Map<String, Value>) -> Self {
        let boxed = |(name, value): (String, Value)| (name.into_boxed_str(), value);
        let mut members: Vec<_> = members.into_iter().map(boxed).collect();
        sort_by(&mut members, |(a, _), (b, _)| order(a, b).is_lt());
        Self::from_members(members)
    }

    /// The claims of members that are in [order], each name once.
    pub(super) fn from_members(members: Vec<(Box<str>, Value)>) -> Self {
        Self(members.into_boxed_slice())
    }

    /// Whether there is a member of this name, null or not.
    pub(super) fn has_member(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    /// A claim by its whole name: dots, slashes and colons are part of a name, not a path.
    #[must_use]
    #[inline]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.member(name).filter(|value| !value.is_null())
    }

    /// A member by its whole name, null or not.
    pub(super) fn member(&self, name: &str) -> Option<&Value> {
        let place = self
            .0
            .binary_search_by(|(known, _)| order(known, name))
            .ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// All claims that are there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (&**name, value))
    }

    /// How many bytes of memory they hold, from above.
    pub(super) fn footprint(&self) -> usize {
        let slice = footprint::block(size_of_val(&*self.0));
        self.0
            .iter()
            .map(|(name, value)| {
                footprint::block(name.len()).saturating_add(footprint::beside(value))
            })
            .fold(slice, usize::saturating_add)
    }

    /// Whether a claim is there and null.
    #[must_use]
    pub fn is_null(&self, name: &str) -> bool {
        self.member(name).is_some_and(Value::is_null)
    }

    /// A claim's text, if it is a scalar.
    #[must_use]
    #[inline]
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
    fn a_claim_is_found_by_its_whole_name_and_a_null_is_none() {
        let members = json!({"b": 1, "a.b": 2, "": 3, "é": 4, "a": null, "B": 5});
        let claims = Claims::new(members.as_object().unwrap().clone());
        for (name, text) in [
            ("b", Some("1")),
            ("a.b", Some("2")),
            ("", Some("3")),
            ("é", Some("4")),
            ("a", None),
            ("B", Some("5")),
            ("c", None),
        ] {
            assert_eq!(claims.text(name).as_deref(), text, "{name:?}");
        }
        assert_eq!(claims.iter().count(), 5);
    }

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
