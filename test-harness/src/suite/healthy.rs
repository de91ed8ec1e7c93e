//! Whether a server is up, as the containers ask it of themselves: there is no shell in them, and no curl.

use std::net::TcpStream;
use std::time::Duration;

use super::remote;
use crate::client::{self, Request};

/// How long an answer may take: a health check that hangs is one that fails.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a server is not taken for healthy.
#[derive(Debug, thiserror::Error)]
pub enum Sick {
    /// The address is none that can be asked.
    #[error(
        "{0}: only http:// addresses can be asked; for any other server there is --tcp HOST:PORT"
    )]
    NotHttp(String),
    /// Its name stands for no address.
    #[error(transparent)]
    Name(#[from] remote::Error),
    /// It doesn't answer.
    #[error("{0}: {1}")]
    Client(String, client::Error),
    /// It says that it isn't.
    #[error("{0}: it answers {1}")]
    Status(String, u16),
    /// It takes no connections.
    #[error("{0}: {1}")]
    Tcp(String, std::io::Error),
}

/// Whether a `GET` of this address gives 2xx.
///
/// # Errors
///
/// Why not.
pub fn http(url: &str) -> Result<(), Sick> {
    let rest = url.strip_prefix("http://");
    let rest = rest.ok_or_else(|| Sick::NotHttp(url.to_owned()))?;
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let address = match authority.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => authority.to_owned(),
        _ => format!("{authority}:80"),
    };
    let mut request = Request::new("GET", path).timeout(TIMEOUT);
    request.headers = vec![(b"host".into(), authority.into())];
    let response = request.send(remote::resolve(&address)?);
    match response.map_err(|error| Sick::Client(url.to_owned(), error))? {
        response if (200..300).contains(&response.status) => Ok(()),
        response => Err(Sick::Status(url.to_owned(), response.status)),
    }
}

/// Whether `host:port` takes connections.
///
/// # Errors
///
/// Why not.
pub fn tcp(address: &str) -> Result<(), Sick> {
    TcpStream::connect_timeout(&remote::resolve(address)?, TIMEOUT)
        .map(|_| ())
        .map_err(|error| Sick::Tcp(address.to_owned(), error))
}
