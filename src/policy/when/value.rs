//! Values while an expression is evaluated. What comes from the claims or the text is borrowed.

use super::error::{Given, WhenError};
use super::expr::{Constant, Order};
use super::fuel::Fuel;
use super::number::Number;
use crate::sort::sort_by;
use crate::time::UnixTime;
use crate::token::Claims;
use serde_json::Value as Json;
use std::cmp::Ordering;
use std::ops::Deref;
use std::rc::Rc;

/// From here on a double of JSON may have been rounded (see [`crate::token::scalar_text`]).
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A value. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    /// A claim's number that JSON parsers round: it is there, and can't be compared.
    Inexact,
    Text(Text<'a>),
    Time(UnixTime),
    List(List<'a>),
    Map(Map<'a>),
}

/// A text.
#[derive(Debug, Clone)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Made(Rc<str>),
}

/// A list.
#[derive(Debug, Clone)]
pub(super) enum List<'a> {
    Json(&'a [Json]),
    Names(&'a [&'a str]),
    Constants(&'a [Constant]),
    Made(Rc<[Value<'a>]>),
}

/// A map. Members of claims that are null are not there.
#[derive(Debug, Clone)]
pub(super) enum Map<'a> {
    Claims(&'a Claims),
    Object(&'a serde_json::Map<String, Json>),
    Made(Rc<[(Value<'a>, Value<'a>)]>),
}

impl Text<'_> {
    pub(super) fn made(text: String) -> Self {
        Self::Made(text.into())
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Made(text) => text,
        }
    }
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => {
                if let Some(integer) = number.as_i64() {
                    Self::Int(integer)
                } else if let Some(integer) = number.as_u64() {
                    Self::Uint(integer)
                } else {
                    number
                        .as_f64()
                        .filter(|double| double.abs() < EXACT)
                        .map_or(Self::Inexact, Self::Double)
                }
            }
            Json::String(text) => Self::Text(Text::Borrowed(text)),
            Json::Array(items) => Self::List(List::Json(items)),
            Json::Object(members) => Self::Map(Map::Object(members)),
        }
    }
}

impl<'a> From<&'a Constant> for Value<'a> {
    fn from(constant: &'a Constant) -> Self {
        match constant {
            Constant::Null => Self::Null,
            Constant::Bool(value) => Self::Bool(*value),
            Constant::Int(value) => Self::Int(*value),
            Constant::Uint(value) => Self::Uint(*value),
            Constant::Double(value) => Self::Double(*value),
            Constant::Text(text) => Self::Text(Text::Borrowed(text)),
            Constant::Time(time) => Self::Time(*time),
        }
    }
}

impl From<Number> for Value<'_> {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(value) => Self::Int(value),
            Number::Uint(value) => Self::Uint(value),
            Number::Double(value) => Self::Double(value),
        }
    }
}

impl<'a> Value<'a> {
    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(List::Made(items.into()))
    }

    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) | Self::Inexact => "double",
            Self::Text(_) => "string",
            Self::Time(_) => "timestamp",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// The number it is, if it is one.
    ///
    /// # Errors
    /// When it is one that may have been rounded.
    pub(super) fn number(&self) -> Result<Option<Number>, WhenError> {
        match self {
            Self::Int(value) => Ok(Some(Number::Int(*value))),
            Self::Uint(value) => Ok(Some(Number::Uint(*value))),
            Self::Double(value) => Ok(Some(Number::Double(*value))),
            Self::Inexact => Err(WhenError::Inexact),
            _ => Ok(None),
        }
    }

    /// Whether two values are equal. Numbers of different types can be; else different types never are.
    pub(super) fn equals(&self, other: &Self, fuel: &mut Fuel) -> Result<bool, WhenError> {
        fuel.charge(1)?;
        match (self, other) {
            (Self::Null, Self::Null) => Ok(true),
            (Self::Bool(left), Self::Bool(right)) => Ok(left == right),
            (Self::Text(left), Self::Text(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                fuel.charge_bytes(left.len())?;
                Ok(**left == **right)
            }
            (Self::Time(left), Self::Time(right)) => Ok(left == right),
            (Self::List(left), Self::List(right)) => left.equals(right, fuel),
            (Self::Map(left), Self::Map(right)) => left.equals(right, fuel),
            (
                Self::Int(_) | Self::Uint(_) | Self::Double(_) | Self::Inexact,
                Self::Int(_) | Self::Uint(_) | Self::Double(_) | Self::Inexact,
            ) => Ok(match (self.number()?, other.number()?) {
                (Some(left), Some(right)) => left.compare(right) == Some(Ordering::Equal),
                _ => false,
            }),
            _ => Ok(false),
        }
    }

    /// Whether two values of the same type, or two numbers, stand in this order.
    pub(super) fn is_ordered(
        &self,
        order: Order,
        other: &Self,
        fuel: &mut Fuel,
    ) -> Result<bool, WhenError> {
        let found = match (self, other) {
            (Self::Bool(left), Self::Bool(right)) => left.cmp(right),
            (Self::Time(left), Self::Time(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => {
                fuel.charge_bytes(left.len().min(right.len()))?;
                left.cmp(right)
            }
            _ => match (self.number()?, other.number()?) {
                (Some(left), Some(right)) => left.compare(right).ok_or(WhenError::Unordered)?,
                _ => {
                    return Err(WhenError::WrongType {
                        operation: order.name(),
                        given: Given::Two(self.type_name(), other.type_name()),
                    });
                }
            },
        };
        Ok(match order {
            Order::Less => found.is_lt(),
            Order::LessOrEqual => found.is_le(),
            Order::Greater => found.is_gt(),
            Order::GreaterOrEqual => found.is_ge(),
        })
    }
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(items) => items.len(),
            Self::Names(items) => items.len(),
            Self::Constants(items) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(super) fn get(&self, place: usize) -> Option<Value<'a>> {
        match self {
            Self::Json(items) => items.get(place).map(Value::from),
            Self::Names(items) => items
                .get(place)
                .map(|name| Value::Text(Text::Borrowed(name))),
            Self::Constants(items) => items.get(place).map(Value::from),
            Self::Made(items) => items.get(place).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Value<'a>> {
        (0..self.len()).map_while(|place| self.get(place))
    }

    /// Whether an element equals the value.
    pub(super) fn contains(&self, value: &Value<'a>, fuel: &mut Fuel) -> Result<bool, WhenError> {
        for item in self.iter() {
            if value.equals(&item, fuel)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn equals(&self, other: &Self, fuel: &mut Fuel) -> Result<bool, WhenError> {
        if self.len() != other.len() {
            return Ok(false);
        }
        for (left, right) in self.iter().zip(other.iter()) {
            if !left.equals(&right, fuel)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl<'a> Map<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Claims(claims) => claims.iter().count(),
            Self::Object(members) => members.values().filter(|member| !member.is_null()).count(),
            Self::Made(members) => members.len(),
        }
    }

    pub(super) fn keys(&self) -> Vec<Value<'a>> {
        let text = |name: &'a str| Value::Text(Text::Borrowed(name));
        match self {
            Self::Claims(claims) => {
                let mut names: Vec<_> = claims.iter().map(|(name, _)| name).collect();
                sort_by(&mut names, |a, b| a < b);
                names.into_iter().map(text).collect()
            }
            Self::Object(members) => members
                .iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, _)| text(name))
                .collect(),
            Self::Made(members) => members.iter().map(|(key, _)| key.clone()).collect(),
        }
    }

    /// The member with this key, of any of the types that keys have. Numbers are equal across types.
    pub(super) fn get(
        &self,
        key: &Value<'a>,
        fuel: &mut Fuel,
    ) -> Result<Option<Value<'a>>, WhenError> {
        match (self, key) {
            (_, Value::Inexact) => Err(WhenError::Inexact),
            (Self::Claims(claims), Value::Text(name)) => Ok(claims.get(name).map(Value::from)),
            (Self::Object(members), Value::Text(name)) => Ok(members
                .get(&**name)
                .filter(|member| !member.is_null())
                .map(Value::from)),
            (
                Self::Claims(_) | Self::Object(_),
                Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_),
            ) => Ok(None),
            (
                Self::Made(members),
                Value::Text(_) | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Double(_),
            ) => {
                for (known, member) in members.iter() {
                    if known.equals(key, fuel)? {
                        return Ok(Some(member.clone()));
                    }
                }
                Ok(None)
            }
            _ => Err(WhenError::WrongType {
                operation: "a lookup in a map",
                given: Given::One(key.type_name()),
            }),
        }
    }

    fn equals(&self, other: &Self, fuel: &mut Fuel) -> Result<bool, WhenError> {
        let len = self.len();
        fuel.charge(len)?;
        if len != other.len() {
            return Ok(false);
        }
        for key in self.keys() {
            let (Some(left), Some(right)) = (self.get(&key, fuel)?, other.get(&key, fuel)?) else {
                return Ok(false);
            };
            if !left.equals(&right, fuel)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
