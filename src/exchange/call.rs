//! Calls to the servers that exchange tokens, and what comes of them.

use crate::fetch::{FetchError, HttpUri};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// A server that is asked.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address.
    pub uri: HttpUri,
    /// What the gateway calls it.
    pub cluster: String,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// A call that is to be made.
pub struct Call {
    /// Whom to ask, and for how long.
    pub server: Server,
    /// The path and query, in place of the server's own.
    pub path: String,
    /// Headers beside those that every call has.
    pub headers: Vec<(&'static str, Zeroizing<String>)>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl Call {
    /// A POST of a body of this type, for an answer of that one.
    pub(super) fn post(server: &Server, content_type: &str, accept: &str, body: String) -> Self {
        let header = |name, value: &str| (name, Zeroizing::new(value.to_owned()));
        Self {
            server: server.clone(),
            path: server.uri.path.clone(),
            headers: vec![
                header("content-type", content_type),
                header("accept", accept),
            ],
            body: Zeroizing::new(body.into_bytes()),
        }
    }
}

/// Says whom it asks, and nothing of what it says.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({})", self.server.cluster)
    }
}

/// What most of them answer with.
pub(super) const JSON: &str = "application/json";

/// An answer.
pub struct Reply<'a> {
    /// Its status.
    pub status: u16,
    /// Its body, or the beginning of it where that is too long.
    pub body: &'a [u8],
}

/// Why there is no credential. It quotes neither a token nor what a server says in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeError(pub Cow<'static, str>);

impl ExchangeError {
    pub(super) fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self(why.into())
    }

    /// An answer that refuses. `code` is what the server calls the reason.
    pub(super) fn refused(status: u16, code: Option<&str>) -> Self {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let code = code.filter(|it| (1..=64).contains(&it.len()) && it.bytes().all(is_word));
        Self::new(match code {
            Some(code) => format!("the server answered with status {status}: {code}"),
            None => format!("the server answered with status {status}"),
        })
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<FetchError> for ExchangeError {
    fn from(error: FetchError) -> Self {
        Self::new(error.to_string())
    }
}
