//! Numbers: 64-bit integers with and without sign, and doubles.

use super::error::{Given, WhenError};
use std::cmp::Ordering;

/// A number of one of CEL's three types.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Int(i64),
    Uint(u64),
    Double(f64),
}

/// The operators that compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    /// The result for two numbers of the same type.
    pub(super) fn apply(self, left: Number, right: Number) -> Result<Number, WhenError> {
        match (left, right) {
            (Number::Int(left), Number::Int(right)) => self
                .checked(
                    right == 0,
                    match self {
                        Self::Add => left.checked_add(right),
                        Self::Subtract => left.checked_sub(right),
                        Self::Multiply => left.checked_mul(right),
                        Self::Divide => left.checked_div(right),
                        Self::Remainder => left.checked_rem(right),
                    },
                )
                .map(Number::Int),
            (Number::Uint(left), Number::Uint(right)) => self
                .checked(
                    right == 0,
                    match self {
                        Self::Add => left.checked_add(right),
                        Self::Subtract => left.checked_sub(right),
                        Self::Multiply => left.checked_mul(right),
                        Self::Divide => left.checked_div(right),
                        Self::Remainder => left.checked_rem(right),
                    },
                )
                .map(Number::Uint),
            (Number::Double(left), Number::Double(right)) => match self {
                Self::Add => Ok(left + right),
                Self::Subtract => Ok(left - right),
                Self::Multiply => Ok(left * right),
                Self::Divide => Ok(left / right),
                Self::Remainder => Err(self.wrong_type("double", "double")),
            }
            .map(Number::Double),
            (left, right) => Err(self.wrong_type(left.type_name(), right.type_name())),
        }
    }

    pub(super) const fn wrong_type(self, left: &'static str, right: &'static str) -> WhenError {
        WhenError::WrongType {
            operation: self.name(),
            given: Given::Two(left, right),
        }
    }

    fn checked<T>(self, by_zero: bool, result: Option<T>) -> Result<T, WhenError> {
        result.ok_or(match self {
            Self::Divide | Self::Remainder if by_zero => WhenError::DivisionByZero,
            _ => WhenError::Overflow(self.name()),
        })
    }
}

impl Number {
    pub(super) const fn type_name(self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
        }
    }

    /// How two numbers compare as numbers, whatever their types; nothing where one is NaN.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self.integer(), other.integer()) {
            (Ok(left), Ok(right)) => Some(left.cmp(&right)),
            (Ok(left), Err(right)) => compare_exactly(left, right),
            (Err(left), Ok(right)) => compare_exactly(right, left).map(Ordering::reverse),
            (Err(left), Err(right)) => left.partial_cmp(&right),
        }
    }

    /// The integer it is: also that of a double without a fraction.
    pub(super) fn whole(self) -> Option<i128> {
        match self.integer() {
            Ok(integer) => Some(integer),
            Err(double) if double.fract() == 0.0 && double.abs() <= LARGEST => Some(double as i128),
            Err(_) => None,
        }
    }

    fn integer(self) -> Result<i128, f64> {
        match self {
            Self::Int(integer) => Ok(integer.into()),
            Self::Uint(integer) => Ok(integer.into()),
            Self::Double(double) => Err(double),
        }
    }
}

/// 2^64: past every integer of 64 bits.
const LARGEST: f64 = 18_446_744_073_709_551_616.0;

/// Compares without rounding the integer: from 2^53 on, a double is not every integer.
fn compare_exactly(integer: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        None
    } else if double > LARGEST {
        Some(Ordering::Less)
    } else if double < -LARGEST {
        Some(Ordering::Greater)
    } else {
        let order = integer.cmp(&(double.trunc() as i128));
        Some(order.then_with(|| 0.0_f64.total_cmp(&(double.fract() + 0.0))))
    }
}
