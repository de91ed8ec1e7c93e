//! Why an expression has no value for a request.

use std::fmt;

/// Why an expression has no value for a request. None of these holds any claim's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhenError {
    /// A claim, a member or a part of the request is not there; as the expression names it.
    Missing(String),
    /// An index that a list does not reach to.
    OutOfRange,
    /// An operator or function over values that it does not take.
    WrongType {
        /// The operator or function.
        operation: &'static str,
        /// The types that it was given.
        given: Given,
    },
    /// A number left the range of its type.
    Overflow(&'static str),
    /// A division, or a remainder, by zero.
    DivisionByZero,
    /// Two numbers without an order: one is not a number (NaN).
    Unordered,
    /// A number of a claim that JSON parsers round, so that it may be another than was signed.
    Inexact,
    /// A text or number that the function can't convert.
    Conversion(&'static str),
    /// A map literal with the same key twice.
    DuplicateKey,
    /// The evaluation took more steps than it may.
    TooCostly,
    /// The value is neither true nor false.
    NotBool(&'static str),
}

/// The types of one or two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// That of the only one.
    One(&'static str),
    /// Those of both sides.
    Two(&'static str, &'static str),
}

impl fmt::Display for WhenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "{what} is missing"),
            Self::OutOfRange => f.write_str("a list is shorter than an index into it"),
            Self::WrongType {
                operation,
                given: Given::One(one),
            } => write!(f, "{operation} does not take {one}"),
            Self::WrongType {
                operation,
                given: Given::Two(left, right),
            } => write!(f, "{operation} does not take {left} and {right}"),
            Self::Overflow(operation) => write!(f, "{operation} overflows"),
            Self::DivisionByZero => f.write_str("a division by zero"),
            Self::Unordered => f.write_str("a comparison with NaN"),
            Self::Inexact => f.write_str("a number of a claim is too large to be exact"),
            Self::Conversion(function) => write!(f, "{function} can't convert the value"),
            Self::DuplicateKey => f.write_str("a map has the same key twice"),
            Self::TooCostly => write!(f, "it takes more than {} steps", super::MAX_COST),
            Self::NotBool(found) => write!(f, "its value is {found}, not true or false"),
        }
    }
}

impl std::error::Error for WhenError {}
