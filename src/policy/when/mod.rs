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
    pub fn compile(source: &str) -> Result<Self, String> {
        Ok(Self(source.into()))
    }
    pub fn source(&self) -> &str {
        &self.0
    }
    pub fn claims_read(&self) -> impl Iterator<Item = &str> {
        let rest = self.0.split("claims.").skip(1);
        rest.filter_map(|rest| rest.split([' ', ')', '.']).next())
    }
    pub fn eval(&self, _: &Environment<'_>) -> Result<bool, String> {
        Err("not yet".into())
    }
}
