//! An HTTP/1.1 client that sends exactly what it is told to.
//!
//! Ordinary clients mend what they are given: they merge `//`, drop dot segments, refuse odd header names. What a gate
//! must stand is what they would not send. Nothing here is checked, normalised or put in another order.

mod response;
mod secure;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

pub use response::Response;
pub use secure::{SERVER_NAME, SecureResponse};
use tokio_rustls::rustls::{self, ClientConnection};

use crate::tls::ClientIdentity;

/// How long an exchange may take if nothing else is said: long enough for a machine under load.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A request, byte for byte.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Vec<u8>,
    /// The request target, in any of its forms (RFC 9112, section 3.2).
    pub target: Vec<u8>,
    /// The header fields, in this order. A new request has only `host`.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The body and how it is framed.
    pub body: Body,
    /// How long the whole exchange may take.
    pub timeout: Duration,
}

/// A body and how it is framed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// None, and no header that speaks of one.
    #[default]
    Empty,
    /// With a `content-length`.
    Sized(Vec<u8>),
    /// With `transfer-encoding: chunked`, these chunks and trailer fields.
    Chunked {
        /// The chunks; an empty one would be the last and is left out.
        chunks: Vec<Vec<u8>>,
        /// The trailer fields.
        trailers: Vec<(Vec<u8>, Vec<u8>)>,
    },
    /// These bytes after the headers, and no header that speaks of them.
    Unframed(Vec<u8>),
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection couldn't be made, or broke.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The server closed the connection before its response began.
    #[error("the connection was closed without a response")]
    NoResponse,
    /// The server closed the connection in the middle of its response.
    #[error("the connection was closed in the middle of the response")]
    Incomplete,
    /// There was no whole response in time.
    #[error("no whole response within {0:?}")]
    Timeout(Duration),
    /// What came is no HTTP/1.1 response.
    #[error("not an HTTP/1.1 response: {0}")]
    Malformed(String),
}

impl Request {
    /// A request without a body, whose only header is `host: gate.test`.
    pub fn new(method: impl Into<Vec<u8>>, target: impl Into<Vec<u8>>) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            headers: vec![(b"host".into(), b"gate.test".into())],
            body: Body::Empty,
            timeout: TIMEOUT,
        }
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Limits how long the whole exchange may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The bytes that go on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let mut wire = [&self.method, &b" "[..], &self.target, b" HTTP/1.1\r\n"].concat();
        fields(&mut wire, &self.headers);
        match &self.body {
            Body::Empty => wire.extend(b"\r\n"),
            Body::Unframed(bytes) => {
                wire.extend(b"\r\n");
                wire.extend(bytes);
            }
            Body::Sized(bytes) => {
                wire.extend(format!("content-length: {}\r\n\r\n", bytes.len()).as_bytes());
                wire.extend(bytes);
            }
            Body::Chunked { chunks, trailers } => {
                wire.extend(b"transfer-encoding: chunked\r\n\r\n");
                for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
                    wire.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
                    wire.extend(chunk);
                    wire.extend(b"\r\n");
                }
                wire.extend(b"0\r\n");
                fields(&mut wire, trailers);
                wire.extend(b"\r\n");
            }
        }
        wire
    }

    /// Sends the request over a connection of its own and gives the final response.
    ///
    /// # Errors
    ///
    /// If there is no whole response within the timeout.
    pub fn send(&self, to: SocketAddr) -> Result<Response, Error> {
        exchange(to, &self.encode(), self.method == b"HEAD", self.timeout)
    }

    /// As [`Self::send`], over TLS, to a server of the name [`SERVER_NAME`].
    ///
    /// # Errors
    ///
    /// If there is no whole response within the timeout, or the server and the client don't take each other.
    pub fn send_as(
        &self,
        client: &ClientIdentity,
        to: SocketAddr,
    ) -> Result<SecureResponse, Error> {
        secure::exchange(client, to, self)
    }
}

/// Sends `bytes` as they are, over a connection of its own, and gives the first final response.
///
/// # Errors
///
/// If there is no whole response within the timeout.
pub fn send_bytes(to: SocketAddr, bytes: &[u8], timeout: Duration) -> Result<Response, Error> {
    exchange(to, bytes, false, timeout)
}

/// Sends requests over one connection, all at once if `pipelined` (RFC 9112, section 9.3.2), else each after the
/// response to the one before; and gives the responses.
///
/// Fewer come where the server closes the connection after one.
///
/// # Errors
///
/// If a response breaks off, or there is none within the first request's timeout.
pub fn converse(
    to: SocketAddr,
    requests: &[Request],
    pipelined: bool,
) -> Result<Vec<Response>, Error> {
    let timeout = requests.first().map_or(TIMEOUT, |first| first.timeout);
    let mut connection = Connection::open(to, timeout)?;
    let (mut buffer, mut responses) = (Vec::new(), Vec::new());
    if pipelined {
        let wire: Vec<_> = requests.iter().map(Request::encode).collect();
        connection.stream.write_all(&wire.concat())?;
    }
    for request in requests {
        if !pipelined && connection.stream.write_all(&request.encode()).is_err() {
            break;
        }
        match response::read_next(&mut connection, &mut buffer, request.method == b"HEAD") {
            Ok(response) => responses.push(response),
            Err(Error::NoResponse) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(responses)
}

fn fields(wire: &mut Vec<u8>, fields: &[(Vec<u8>, Vec<u8>)]) {
    for (name, value) in fields {
        wire.extend(name);
        wire.extend(b": ");
        wire.extend(value);
        wire.extend(b"\r\n");
    }
}

fn exchange(
    to: SocketAddr,
    bytes: &[u8],
    head_only: bool,
    timeout: Duration,
) -> Result<Response, Error> {
    let mut connection = Connection::open(to, timeout)?;
    let mut writer = connection.stream.try_clone()?;
    // Both at once: a server may answer before it has read everything (a refusal does), and then read no more.
    thread::scope(|scope| {
        let writing = scope.spawn(move || writer.write_all(bytes));
        let response = response::read(&mut connection, head_only);
        // Whatever came of it, the exchange is over, also for a writer that still waits to be read. That this fails
        // means that the connection is gone already.
        let _ = connection.stream.shutdown(Shutdown::Both);
        match (response, writing.join()) {
            (Err(Error::NoResponse), Ok(Err(error))) => Err(Error::Io(error)),
            (response, _) => response,
        }
    })
}

/// A connection that must be read by a deadline.
struct Connection {
    stream: TcpStream,
    secured: Option<ClientConnection>,
    deadline: Instant,
    timeout: Duration,
}

impl Connection {
    fn open(to: SocketAddr, timeout: Duration) -> Result<Self, Error> {
        let deadline = Instant::now() + timeout;
        let stream = TcpStream::connect_timeout(&to, timeout).map_err(|e| in_time(e, timeout))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            secured: None,
            deadline,
            timeout,
        })
    }

    /// Appends what has come to `buffer`; false at the end of the stream.
    fn read(&mut self, buffer: &mut Vec<u8>) -> Result<bool, Error> {
        let mut chunk = [0; 16 * 1024];
        self.stream.set_read_timeout(Some(self.left()?))?;
        let read = match &mut self.secured {
            Some(secured) => rustls::Stream::new(secured, &mut self.stream).read(&mut chunk),
            None => self.stream.read(&mut chunk),
        };
        match read {
            Ok(length) => {
                buffer.extend(&chunk[..length]);
                Ok(length > 0)
            }
            // A reset after a response is how a server ends that did not read all of the request.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(in_time(error, self.timeout)),
        }
    }

    fn left(&self) -> Result<Duration, Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::Timeout(self.timeout));
        }
        Ok(left)
    }
}

fn in_time(error: io::Error, timeout: Duration) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout),
        _ => Error::Io(error),
    }
}
