//! Decision records, as gateways log them.
//!
//! [`each`] finds them in a log, [`Record`] is one of them, and [`replay`] asks a policy about one.

mod expression;
mod lines;
mod record;
pub(crate) mod replay;
mod seen;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use lines::{Lines, each};
pub(crate) use record::{Outcome, Record, whole};
pub(crate) use seen::{Seen, Value, put};
