//! From a JSON value to what a type says of it, with the path to what does not fit.
//!
//! One deserializer of one type, whose errors gather the path on their way out: each member of the configuration
//! is compiled once, and never inlined. That is a tenth of the filter's size, against a wrapper around serde_json's that follows the
//! path on the way in.

use serde::de::value::StringDeserializer;
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _,
    Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};
use std::fmt::{self, Display, Write};

/// Reads a `T`.
///
/// # Errors
/// The first thing that is not of the right shape.
pub(in crate::policy) fn read<T: DeserializeOwned>(document: Value) -> Result<T, ShapeError> {
    T::deserialize(Node(document))
}

/// What is not of the right shape, and where.
#[derive(Debug)]
pub(in crate::policy) struct ShapeError {
    error: serde_json::Error,
    /// From the inside out.
    steps: Vec<Step>,
}

/// One step of a path.
#[derive(Debug)]
enum Step {
    Member(String),
    Item(usize),
}

impl ShapeError {
    /// `rules[2].claims.build_branch`; empty for the document as a whole.
    pub(in crate::policy) fn path(&self) -> String {
        let mut path = String::new();
        for step in self.steps.iter().rev() {
            // Writing to a String cannot fail.
            _ = match step {
                Step::Member(name) if path.is_empty() => path.write_str(name),
                Step::Member(name) => write!(path, ".{name}"),
                Step::Item(nth) => write!(path, "[{nth}]"),
            };
        }
        path
    }

    #[cold]
    fn within(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    #[cold]
    fn unlike(value: &Value, expected: &dyn Expected) -> Self {
        let unexpected = match value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => Unexpected::Unsigned(value),
                (None, Some(value)) => Unexpected::Signed(value),
                (None, None) => Unexpected::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        Self::invalid_type(unexpected, expected)
    }
}

impl From<serde_json::Error> for ShapeError {
    fn from(error: serde_json::Error) -> Self {
        Self {
            error,
            steps: Vec::new(),
        }
    }
}

impl Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for ShapeError {}

// The texts are serde_json's: a null is called null.
impl de::Error for ShapeError {
    fn custom<T: Display>(message: T) -> Self {
        serde_json::Error::custom(message).into()
    }

    #[cold]
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        serde_json::Error::invalid_type(unexpected, expected).into()
    }

    #[cold]
    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        serde_json::Error::invalid_value(unexpected, expected).into()
    }
}

struct Node(Value);

impl<'de> Deserializer<'de> for Node {
    type Error = ShapeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(_) => self.deserialize_u64(visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(Items::of(items)),
            Value::Object(members) => visitor.visit_map(Members::of(members)),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        let Value::Number(number) = &self.0 else {
            return Err(ShapeError::unlike(&self.0, &visitor));
        };
        match (number.as_u64(), number.as_i64()) {
            (Some(value), _) => visitor.visit_u64(value),
            (None, Some(value)) => visitor.visit_i64(value),
            (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.0 {
            Value::Bool(value) => visitor.visit_bool(value),
            other => Err(ShapeError::unlike(&other, &visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            other => Err(ShapeError::unlike(&other, &visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(Items::of(items)),
            other => Err(ShapeError::unlike(&other, &visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.0 {
            Value::Object(members) => visitor.visit_map(Members::of(members)),
            other => Err(ShapeError::unlike(&other, &visitor)),
        }
    }

    /// Never from a list, whose items serde would take for the members by their place.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        visitor.visit_enum(Variant::of(self.0)?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

struct Items {
    rest: std::vec::IntoIter<Value>,
    nth: usize,
}

impl Items {
    fn of(items: Vec<Value>) -> Self {
        Self {
            rest: items.into_iter(),
            nth: 0,
        }
    }
}

impl<'de> SeqAccess<'de> for Items {
    type Error = ShapeError;

    #[inline(never)]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ShapeError> {
        let Some(item) = self.rest.next() else {
            return Ok(None);
        };
        match seed.deserialize(Node(item)) {
            Ok(item) => {
                self.nth = self.nth.wrapping_add(1);
                Ok(Some(item))
            }
            Err(error) => Err(error.within(Step::Item(self.nth))),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Members {
    rest: serde_json::map::IntoIter,
    /// Of the member that was read last.
    name: String,
    /// Of the member whose name was read last.
    value: Value,
}

impl Members {
    fn of(members: Map<String, Value>) -> Self {
        Self {
            rest: members.into_iter(),
            name: String::new(),
            value: Value::Null,
        }
    }

    /// Goes to the next member, if there is one.
    fn advance(&mut self) -> bool {
        let next = self.rest.next();
        let is_there = next.is_some();
        (self.name, self.value) = next.unwrap_or_default();
        is_there
    }

    #[cold]
    fn at_fault(&mut self, error: ShapeError) -> ShapeError {
        error.within(Step::Member(std::mem::take(&mut self.name)))
    }
}

impl<'de> MapAccess<'de> for Members {
    type Error = ShapeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ShapeError> {
        if !self.advance() {
            return Ok(None);
        }
        match seed.deserialize(self.name.as_str().into_deserializer()) {
            Ok(key) => Ok(Some(key)),
            Err(error) => Err(self.at_fault(error)),
        }
    }

    #[inline(never)]
    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ShapeError> {
        match seed.deserialize(Node(self.value.take())) {
            Ok(value) => Ok(value),
            Err(error) => Err(self.at_fault(error)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// One of several words: a string, or an object whose one member has that name and the value null.
struct Variant {
    name: String,
    value: Option<Value>,
}

impl Variant {
    fn of(value: Value) -> Result<Self, ShapeError> {
        match value {
            Value::String(name) => Ok(Self { name, value: None }),
            Value::Object(members) => {
                let mut members = members.into_iter();
                match (members.next(), members.next()) {
                    (Some((name, value)), None) => Ok(Self {
                        name,
                        value: Some(value),
                    }),
                    _ => Err(ShapeError::invalid_value(
                        Unexpected::Map,
                        &"map with a single key",
                    )),
                }
            }
            other => Err(ShapeError::unlike(&other, &"string or map")),
        }
    }
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = ShapeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), ShapeError> {
        let name: StringDeserializer<ShapeError> = self.name.clone().into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = ShapeError;

    fn unit_variant(self) -> Result<(), ShapeError> {
        match self.value {
            None => Ok(()),
            Some(value) => <()>::deserialize(Node(value))
                .map_err(|error| error.within(Step::Member(self.name))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, ShapeError> {
        Err(ShapeError::custom("words hold nothing"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, ShapeError> {
        Err(ShapeError::custom("words hold nothing"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, ShapeError> {
        Err(ShapeError::custom("words hold nothing"))
    }
}
