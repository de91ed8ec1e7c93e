//! A request over TLS, with a client's certificate or without.

use std::io::Write;
use std::net::SocketAddr;

use tokio_rustls::rustls::{self, ClientConnection, HandshakeKind};

use super::{Connection, Error, Request, Response, in_time, response};
use crate::tls::ClientIdentity;

/// The name that servers must prove.
pub const SERVER_NAME: &str = "gate.test";

/// A response that came over TLS.
#[derive(Clone, Debug)]
pub struct SecureResponse {
    /// The response.
    pub response: Response,
    /// Whether the connection took up an earlier session, in which no certificate is shown again.
    pub is_resumed: bool,
}

pub(super) fn exchange(
    client: &ClientIdentity,
    to: SocketAddr,
    request: &Request,
) -> Result<SecureResponse, Error> {
    let mut connection = Connection::open(to, request.timeout)?;
    connection
        .stream
        .set_read_timeout(Some(connection.left()?))?;
    let name = SERVER_NAME.try_into().map_err(malformed)?;
    let tls = ClientConnection::new(client.config(), name).map_err(malformed)?;
    let tls = connection.secured.insert(tls);
    // What a server answers before it has read all of a request is not waited for: requests over TLS are small.
    rustls::Stream::new(tls, &mut connection.stream)
        .write_all(&request.encode())
        .map_err(|error| in_time(error, request.timeout))?;
    let response = response::read(&mut connection, request.method == b"HEAD")?;
    let kind = connection
        .secured
        .and_then(|secured| secured.handshake_kind());
    Ok(SecureResponse {
        response,
        is_resumed: kind == Some(HandshakeKind::Resumed),
    })
}

fn malformed(error: impl std::fmt::Display) -> Error {
    Error::Malformed(error.to_string())
}
