//! Conditions in CEL, the Common Expression Language: a rule's `when`.
//!
//! [`When::compile`] takes text from the configuration: bounded ([`scan`]), parsed by the crate `cel`, turned
//! into a tree of our own ([`compile`], [`expr`]). [`When::eval`] takes what is known of a request and gives a
//! truth value or a [`WhenError`]. It never panics, borrows from the claims, and stops when its fuel is used
//! up. Why there is an evaluator of our own, and which part of CEL it knows, is in
//! docs/adr/0008-when-is-parsed-by-a-library-and-evaluated-here.md.

mod compile;
mod error;
mod eval;
mod expr;
mod fuel;
mod function;
mod macros;
mod number;
mod scan;
mod value;

#[cfg(test)]
mod tests;

pub use error::{Given, WhenError};

use crate::time::UnixTime;
use crate::token::Claims;

/// The longest expression, in bytes.
pub const MAX_SOURCE_BYTES: usize = 4096;

/// The most parts an expression may have once macros are expanded.
pub const MAX_PARTS: usize = 1000;

/// The most steps that one evaluation may take.
pub const MAX_COST: u32 = 10_000;

/// A compiled expression.
#[derive(Debug, Clone)]
pub struct When {
    source: Box<str>,
    expr: expr::Expr,
    claims_read: Vec<String>,
}

/// What an expression can see of a request.
#[derive(Debug, Clone, Copy)]
pub struct Environment<'a> {
    /// `claims`: those of the proven token. One that is null counts as missing.
    pub claims: &'a Claims,
    /// `roles`: the names of the roles that the job has.
    pub roles: &'a [&'a str],
    /// `request.method`.
    pub method: &'a str,
    /// `request.path`, in its normal form and without the query.
    pub path: &'a str,
    /// `request.host`, where there is one.
    pub host: Option<&'a str>,
    /// `request.route`: the gateway's name for the route, where it tells one.
    pub route: Option<&'a str>,
    /// `request.service`: the gateway's name for the upstream, where it tells one.
    pub service: Option<&'a str>,
    /// `now`: the moment of the request.
    pub now: UnixTime,
}

impl When {
    /// Compiles an expression.
    ///
    /// # Errors
    /// What is wrong, where, and what to write instead: it is empty, too long, too deep or has too many
    /// parts; it is no CEL; it names a variable or function that is not there; it can't be true or false.
    pub fn compile(source: &str) -> Result<Self, String> {
        scan::check(source)?;
        let (expr, claims_read) = compile::compile(source)?;
        Ok(Self {
            source: source.into(),
            expr,
            claims_read,
        })
    }

    /// The expression as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The claims that the expression names, sorted: not those whose name it computes.
    pub fn claims_read(&self) -> impl Iterator<Item = &str> {
        self.claims_read.iter().map(String::as_str)
    }

    /// Whether it is true of a request.
    ///
    /// # Errors
    /// When it has no value: something it needs is missing or of the wrong type, a number overflows, it costs
    /// more than [`MAX_COST`], or its value is neither true nor false.
    pub fn eval(&self, environment: &Environment<'_>) -> Result<bool, WhenError> {
        eval::eval(&self.expr, environment)
    }
}
