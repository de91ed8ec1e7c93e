//! Stands in until the real one comes.
#![allow(missing_docs)]
use crate::time::UnixTime;
use crate::token::Claims;
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When(String);
#[derive(Debug, Clone, Copy)]
pub struct Environment<'a> {
    pub claims: &'a Claims,
    pub roles: &'a [&'a str],
    pub method: &'a str,
    pub path: &'a str,
    pub host: Option<&'a str>,
    pub route: Option<&'a str>,
    pub service: Option<&'a str>,
    pub now: UnixTime,
}
impl When {
    pub fn compile(_: &str) -> Result<Self, String> {
        Err("not yet".into())
    }
    pub fn source(&self) -> &str {
        &self.0
    }
    pub fn eval(&self, _: &Environment<'_>) -> Result<bool, String> {
        Err("not yet".into())
    }
}
