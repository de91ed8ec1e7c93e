//! Strict JSON: what two parsers could read in two ways is refused.
//!
//! A repeated member name (RFC 8725 calls for uniqueness; parsers disagree on which one wins), nesting
//! past [`MAX_DEPTH`] and anything after the value are errors.

use crate::sort::sort_by;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::str::Utf8Error;

/// Levels of nesting accepted; tokens and policies need a handful.
const MAX_DEPTH: u8 = 16;

/// Why something is no such JSON. Its text may quote the input, so it is not for records.
#[derive(Debug)]
pub(crate) enum NotJson {
    /// It is not UTF-8. That is looked at first, and once: within a parser each text would be looked at by itself.
    Text(Utf8Error),
    /// serde_json's error, with line and column.
    Json(serde_json::Error),
}

impl NotJson {
    /// Whether it is JSON, which repeats a member or nests too deep.
    pub(crate) fn is_ambiguous(&self) -> bool {
        matches!(self, Self::Json(error) if error.is_data())
    }
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(error) => {
                let place = error.valid_up_to();
                write!(f, "the byte at offset {place} is not UTF-8")
            }
            Self::Json(error) => error.fmt(f),
        }
    }
}

impl From<serde_json::Error> for NotJson {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// Parses one JSON value from all of `bytes`.
///
/// # Errors
/// It is none, or not in this strict sense.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, NotJson> {
    read(bytes, Strict { depth: MAX_DEPTH })
}

/// The fewest digits that tell a finite number from its neighbours, without a fraction for a whole one.
///
/// The filter prints floats by the code that writes JSON and no other: the standard library's is a fiftieth of it.
pub(crate) fn decimal(number: f64) -> String {
    let mut text = Value::from(number).to_string();
    if text.ends_with(".0") {
        text.truncate(text.len().saturating_sub(2));
    }
    text
}

/// The members of an object that is all of `bytes`, in [order](order); nothing for a value that is no object.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_members(bytes: &[u8]) -> Result<Option<Members>, NotJson> {
    read(bytes, Top)
}

/// What a visitor makes of the one value that is all of `bytes`.
fn read<V: for<'de> Visitor<'de, Value = T>, T>(bytes: &[u8], visitor: V) -> Result<T, NotJson> {
    let text = str::from_utf8(bytes).map_err(NotJson::Text)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = deserializer.deserialize_any(visitor)?;
    deserializer.end()?;
    Ok(value)
}

/// The members of an object, in [order](order).
pub(crate) type Members = Vec<(Box<str>, Value)>;

/// The order of members' names: by length, and those of a length by their bytes. Most names that differ do so in length,
/// so that a look-up hardly reads any, which byte by byte in WebAssembly would be most of it.
pub(crate) fn order(a: &str, b: &str) -> Ordering {
    let by_length = a.len().cmp(&b.len());
    by_length.then_with(|| a.cmp(b))
}

/// An object whose members are to be a list; other values are only read.
struct Top;

impl<'de> Visitor<'de> for Top {
    type Value = Option<Members>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Strict { depth: MAX_DEPTH }.visit_seq(seq)?;
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let inner = Strict { depth: MAX_DEPTH }.inner()?;
        // As many as the providers' tokens have.
        let mut members = Members::with_capacity(32);
        while let Some(name) = access.next_key::<Box<str>>()? {
            members.push((name, access.next_value_seed(inner)?));
        }
        sort_by(&mut members, |(a, _), (b, _)| order(a, b).is_lt());
        let twice = members.windows(2).find_map(|pair| match pair {
            [(name, _), (next, _)] if name == next => Some(name),
            _ => None,
        });
        match twice {
            Some(name) => Err(A::Error::custom(format_args!(
                "the member {name:?} is there twice"
            ))),
            None => Ok(Some(members)),
        }
    }
}

#[derive(Clone, Copy)]
struct Strict {
    depth: u8,
}

impl Strict {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom(format_args!(
                "nested deeper than {MAX_DEPTH} levels"
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        // Most lists of a policy are of one item: there are tens of thousands.
        let mut items = Vec::with_capacity(1);
        while let Some(item) = seq.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            match map.entry(name) {
                Entry::Occupied(member) => {
                    return Err(A::Error::custom(format_args!(
                        "the member {:?} is there twice",
                        member.key()
                    )));
                }
                Entry::Vacant(place) => _ = place.insert(access.next_value_seed(inner)?),
            }
        }
        Ok(Value::Object(map))
    }
}

/// Writes a value the one way: no space, members sorted by name. `out` must take all that it is given.
///
/// It does not lean on the order of [`Map`], which a feature of serde_json changes.
pub(crate) fn canonical(value: &Value, out: &mut dyn Write) {
    // What takes everything cannot fail.
    _ = match value {
        Value::Object(map) if map.keys().is_sorted() => {
            members(map.iter(), out);
            Ok(())
        }
        Value::Object(map) => {
            let mut sorted: Vec<_> = map.iter().collect();
            sort_by(&mut sorted, |a, b| a.0 < b.0);
            members(sorted.into_iter(), out);
            Ok(())
        }
        Value::Array(items) => {
            _ = out.write_char('[');
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    _ = out.write_char(',');
                }
                canonical(item, out);
            }
            out.write_char(']')
        }
        Value::String(text) => {
            string(text, out);
            Ok(())
        }
        scalar => write!(out, "{scalar}"),
    };
}

fn members<'v>(sorted: impl Iterator<Item = (&'v String, &'v Value)>, out: &mut dyn Write) {
    _ = out.write_char('{');
    for (nth, (name, value)) in sorted.enumerate() {
        if nth > 0 {
            _ = out.write_char(',');
        }
        string(name, out);
        _ = out.write_char(':');
        canonical(value, out);
    }
    _ = out.write_char('}');
}

fn string(text: &str, out: &mut dyn Write) {
    let is_plain = |byte: u8| !byte.is_ascii_control() && !matches!(byte, b'"' | b'\\');
    _ = if text.bytes().all(is_plain) {
        _ = out.write_char('"');
        _ = out.write_str(text);
        out.write_char('"')
    } else {
        write!(out, "{}", Value::from(text))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test of each kind of value, and of what is wrong in each way.
    #[test]
    fn the_members_of_an_object_are_those_of_its_value() {
        for text in [
            r#"{"b":1,"a":{"d":[null,true],"c":"x"},"":-1.5}"#,
            "{}",
            "[{}]",
            "null",
            "true",
            "1",
            "-1",
            "1.5",
            r#""x""#,
            r#"{"a":1,"b":2,"a":1}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"[{"b":1,"b":1}]"#,
            r#"{"a":1}x"#,
            r#"{"a":1"#,
            "",
            &format!("{}1{}", "[".repeat(17), "]".repeat(17)),
            &format!("{}1{}", "[".repeat(16), "]".repeat(16)),
            &format!("{}1{}", r#"{"a":"#.repeat(17), "}".repeat(17)),
            &format!("{}1{}", r#"{"a":"#.repeat(16), "}".repeat(16)),
        ] {
            let value = parse(text.as_bytes()).map_err(|error| error.is_ambiguous());
            let expected = value.map(|value| match value {
                Value::Object(members) => Some(
                    members
                        .into_iter()
                        .map(|(name, value)| (name.into_boxed_str(), value))
                        .collect::<Members>(),
                ),
                _ => None,
            });
            let members = parse_members(text.as_bytes()).map_err(|error| error.is_ambiguous());
            assert_eq!(members, expected, "{text}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for text in [
            r#"{"alg":"none","alg":"RS256"}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"{"a":1}{"a":2}"#,
            r#"{"a":1} x"#,
            "\u{feff}{}",
            r#"{"a":"\ud800"}"#,
            r#"{"a":1e999}"#,
            "",
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(matches!(parse(b"{\"a\":\"\xff\"}"), Err(NotJson::Text(_))));
        assert!(matches!(parse_members(b"{}\xff"), Err(NotJson::Text(_))));
        assert!(parse(b"{\"a\":\"\xff\"}").is_err());
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        let deepest = format!("{}{}", "[".repeat(16), "]".repeat(16));
        assert!(parse(deepest.as_bytes()).is_ok());
        assert!(parse(format!("[{deepest}]").as_bytes()).is_err());
    }

    #[test]
    fn the_canonical_form_has_one_order_and_no_space() {
        let value = parse(br#"{ "b" : [1, {"z":null,"a":"\u00e9\n"}], "a" : true }"#).unwrap();
        let mut text = String::new();
        canonical(&value, &mut text);
        assert_eq!(text, r#"{"a":true,"b":[1,{"a":"é\n","z":null}]}"#);
    }
}
