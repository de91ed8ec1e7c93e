//! The functions that expressions may call.

use super::error::{Given, WhenError};
use super::expr::Kind;
use super::fuel::Fuel;
use super::number::Number;
use super::value::{Text, Value};
use crate::json;
use crate::time::UnixTime;
use std::fmt::Display;

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    Int,
    Uint,
    Double,
    String,
    Bool,
    Timestamp,
}

/// How a function is written.
enum Form {
    /// `f(x)`
    Function,
    /// `x.f()`, with so many arguments beside the target
    Method(usize),
    /// `f(x)` and `x.f()`
    Either,
}

impl Function {
    const ALL: [Self; 11] = [
        Self::Size,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::LowerAscii,
        Self::Int,
        Self::Uint,
        Self::Double,
        Self::String,
        Self::Bool,
        Self::Timestamp,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Contains => "contains",
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::LowerAscii => "lowerAscii",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::String => "string",
            Self::Bool => "bool",
            Self::Timestamp => "timestamp",
        }
    }

    const fn form(self) -> Form {
        match self {
            Self::Size => Form::Either,
            Self::Contains | Self::StartsWith | Self::EndsWith => Form::Method(1),
            Self::LowerAscii => Form::Method(0),
            _ => Form::Function,
        }
    }

    const fn usage(self) -> &'static str {
        match self {
            Self::Size => "size(x)",
            Self::Contains => "x.contains(\"...\")",
            Self::StartsWith => "x.startsWith(\"...\")",
            Self::EndsWith => "x.endsWith(\"...\")",
            Self::LowerAscii => "x.lowerAscii()",
            Self::Int => "int(x)",
            Self::Uint => "uint(x)",
            Self::Double => "double(x)",
            Self::String => "string(x)",
            Self::Bool => "bool(x)",
            Self::Timestamp => "timestamp(x)",
        }
    }

    /// What it gives.
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Size | Self::Int | Self::Uint | Self::Double => Kind::Number,
            Self::Contains | Self::StartsWith | Self::EndsWith | Self::Bool => Kind::Bool,
            Self::LowerAscii | Self::String => Kind::Text,
            Self::Timestamp => Kind::Time,
        }
    }

    /// The function of this name, if it can be called so; `at` tells where it is called.
    ///
    /// # Errors
    /// What to write instead.
    pub(super) fn find(
        name: &str,
        is_method: bool,
        arguments: usize,
        at: impl Fn() -> String,
    ) -> Result<Self, String> {
        let Some(function) = Self::ALL
            .into_iter()
            .find(|function| function.name() == name)
        else {
            return Err(format!(
                "calls {name}{}, which is not known; {}",
                at(),
                instead_of(name)
            ));
        };
        let fits = match function.form() {
            Form::Function => !is_method && arguments == 1,
            Form::Method(expected) => is_method && arguments == expected,
            Form::Either => arguments == usize::from(!is_method),
        };
        if fits {
            Ok(function)
        } else {
            Err(format!(
                "calls {name}{} in a way that is not known; write {}",
                at(),
                function.usage()
            ))
        }
    }

    /// Its value. `arguments` are as many as [`Self::find`] was told, the target first.
    pub(super) fn call<'a>(
        self,
        arguments: &[Value<'a>],
        fuel: &mut Fuel,
    ) -> Result<Value<'a>, WhenError> {
        match arguments {
            [one] => self.of_one(one, fuel),
            [Value::Text(text), Value::Text(part)] => {
                fuel.charge_bytes(text.len())?;
                fuel.charge_bytes(part.len())?;
                match self {
                    Self::Contains => Ok(Value::Bool(text.contains(&**part))),
                    Self::StartsWith => Ok(Value::Bool(text.starts_with(&**part))),
                    Self::EndsWith => Ok(Value::Bool(text.ends_with(&**part))),
                    _ => Err(self.wrong_type(Given::Two("string", "string"))),
                }
            }
            [one, two, ..] => Err(self.wrong_type(Given::Two(one.type_name(), two.type_name()))),
            [] => Err(self.wrong_type(Given::One("nothing"))),
        }
    }

    fn of_one<'a>(self, value: &Value<'a>, fuel: &mut Fuel) -> Result<Value<'a>, WhenError> {
        let failed = || WhenError::Conversion(self.name());
        if let Value::Text(text) = value {
            fuel.charge_bytes(text.len())?;
        }
        match (self, value) {
            (_, Value::Inexact) => Err(WhenError::Inexact),
            (Self::Size, Value::Text(text)) => size(text.chars().count()),
            (Self::Size, Value::List(list)) => size(list.len()),
            (Self::Size, Value::Map(map)) => {
                let len = map.len();
                fuel.charge(len)?;
                size(len)
            }
            (Self::LowerAscii, Value::Text(text)) => {
                Ok(Value::Text(Text::made(text.to_ascii_lowercase())))
            }
            (Self::Int, Value::Int(_))
            | (Self::Uint, Value::Uint(_))
            | (Self::Double, Value::Double(_))
            | (Self::String, Value::Text(_))
            | (Self::Bool, Value::Bool(_))
            | (Self::Timestamp, Value::Time(_)) => Ok(value.clone()),

            (Self::Int, Value::Uint(number)) => whole(Number::Uint(*number))
                .map(Value::Int)
                .ok_or_else(failed),
            (Self::Int, Value::Double(number)) => whole(Number::Double(number.trunc()))
                .map(Value::Int)
                .ok_or_else(failed),
            (Self::Int, Value::Text(text)) => text.parse().map(Value::Int).map_err(|_| failed()),
            (Self::Int, Value::Time(time)) => i64::try_from(time.as_secs())
                .map(Value::Int)
                .map_err(|_| failed()),

            (Self::Uint, Value::Int(number)) => whole(Number::Int(*number))
                .map(Value::Uint)
                .ok_or_else(failed),
            (Self::Uint, Value::Double(number)) => Some(number.trunc())
                .filter(|_| *number >= 0.0)
                .and_then(|number| whole(Number::Double(number)))
                .map(Value::Uint)
                .ok_or_else(failed),
            (Self::Uint, Value::Text(text)) => text.parse().map(Value::Uint).map_err(|_| failed()),

            (Self::Double, Value::Int(number)) => Ok(Value::Double(*number as f64)),
            (Self::Double, Value::Uint(number)) => Ok(Value::Double(*number as f64)),
            (Self::Double, Value::Text(text)) => text
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .map(Value::Double)
                .ok_or_else(failed),

            (Self::String, Value::Bool(value)) => Ok(made(value)),
            (Self::String, Value::Int(value)) => Ok(made(value)),
            (Self::String, Value::Uint(value)) => Ok(made(value)),
            (Self::String, Value::Double(value)) => Ok(made(&json::decimal(*value))),

            (Self::Bool, Value::Text(text)) => match &**text {
                "1" | "t" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
                "0" | "f" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
                _ => Err(failed()),
            },

            (Self::Timestamp, Value::Text(text)) => {
                moment(text).map(Value::Time).ok_or_else(failed)
            }
            (Self::Timestamp, Value::Int(seconds)) => u64::try_from(*seconds)
                .map(|seconds| Value::Time(UnixTime::from_secs(seconds)))
                .map_err(|_| failed()),
            _ => Err(self.wrong_type(Given::One(value.type_name()))),
        }
    }

    const fn wrong_type(self, given: Given) -> WhenError {
        WhenError::WrongType {
            operation: self.name(),
            given,
        }
    }
}

/// Reads a moment in UTC, as revocations write it.
pub(super) fn moment(text: &str) -> Option<UnixTime> {
    crate::revocation::date_time(text)
}

fn size<'a>(count: usize) -> Result<Value<'a>, WhenError> {
    i64::try_from(count)
        .map(Value::Int)
        .map_err(|_| WhenError::Overflow("size"))
}

fn whole<T: TryFrom<i128>>(number: Number) -> Option<T> {
    number.whole().and_then(|number| T::try_from(number).ok())
}

fn made<'a>(value: &impl Display) -> Value<'a> {
    Value::Text(Text::made(value.to_string()))
}

/// What to write instead of a function that is not there.
fn instead_of(name: &str) -> &'static str {
    match name {
        "matches" => {
            "there are no regular expressions; compare with ==, startsWith, endsWith or contains, or write a glob in the rule's claims or paths"
        }
        "duration" | "getHours" | "getMinutes" | "getDayOfWeek" | "getDate" | "getFullYear" => {
            "for times of the day or week write the rule's schedule; for spans compare int(now) with seconds"
        }
        "all" | "exists" | "exists_one" | "map" | "filter" | "has" => {
            "macros are has(claims.x) and list.all(x, ...), exists, exists_one, filter and map"
        }
        _ => {
            "there are size, contains, startsWith, endsWith, lowerAscii, int, uint, double, string, bool and timestamp"
        }
    }
}
