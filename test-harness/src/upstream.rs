//! The service behind the gate: it answers every request with what arrived, and remembers it.
//!
//! A test that wants to prove that a request was stopped asks the handle afterwards: see [`Upstream::count`]. One in
//! another process asks the control port ([`Upstream::control`]):
//!
//! | | |
//! |---|---|
//! | `GET /requests?id=ID` | the remembered requests whose header [`ID_HEADER`] is `ID`, as a list of [`Echo`]s |
//! | `GET /count` | how many requests have come, as [`Count`] |
//! | any other `GET` | 200: it is up |

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};

use crate::server::{Bound, Server};

/// How many requests are remembered.
const REMEMBERED: usize = 1000;

/// The header by which a client finds its request again. No gate touches it.
pub const ID_HEADER: &str = "x-harness-id";

/// A running upstream. Dropping it ends it and closes its connections.
#[derive(Debug)]
pub struct Upstream {
    server: Server,
    control: Option<Server>,
    seen: Arc<Seen>,
}

/// A request as it arrived, and the JSON that answers it.
///
/// Names are in lower case. Names are in the order of their first appearance, and all values of a name follow each
/// other in their order. Bytes that aren't UTF-8 are written as `\xNN`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Echo {
    /// The method.
    pub method: String,
    /// The request target: path and query, neither decoded nor normalised.
    pub path: String,
    /// The header fields, one entry for each line.
    pub headers: Vec<(String, String)>,
    /// The length of the body, without the framing of a chunked one.
    pub body_bytes: u64,
    /// The trailer fields.
    pub trailers: Vec<(String, String)>,
}

impl Echo {
    /// All values of a header field; `name` is in lower case.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

/// How many requests have come.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Count {
    /// As [`Upstream::count`] has it.
    pub count: u64,
}

#[derive(Debug, Default)]
struct Seen {
    count: AtomicU64,
    /// Refused before the router because they aren't HTTP.
    malformed: Arc<AtomicU64>,
    requests: Mutex<VecDeque<Echo>>,
}

impl Upstream {
    /// An upstream on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub fn start() -> io::Result<Self> {
        Self::listen((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// An upstream on the given address.
    ///
    /// # Errors
    ///
    /// If the address can't be bound.
    pub fn listen(listen: SocketAddr) -> io::Result<Self> {
        let seen = Arc::new(Seen::default());
        let router = Router::new().fallback(echo).with_state(seen.clone());
        let server = Bound::bind(listen)?.serve_counting(router, seen.malformed.clone())?;
        Ok(Self {
            server,
            control: None,
            seen,
        })
    }

    /// Answers questions about what came, at another address, and gives that.
    ///
    /// # Errors
    ///
    /// If the address can't be bound.
    pub fn control(&mut self, listen: SocketAddr) -> io::Result<SocketAddr> {
        let router = Router::new()
            .route("/requests", get(remembered))
            .route("/count", get(count))
            .fallback(get(|| async {}))
            .with_state(self.seen.clone());
        let server = Bound::bind(listen)?.serve(router)?;
        let addr = server.addr();
        self.control = Some(server);
        Ok(addr)
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// How many requests have come, from their first line on: also those whose body is still coming or never came, and
    /// those that were refused because they aren't HTTP.
    pub fn count(&self) -> u64 {
        self.seen.count()
    }

    /// The requests that were answered, oldest first, the last thousand of them.
    pub fn requests(&self) -> Vec<Echo> {
        self.seen.requests().iter().cloned().collect()
    }

    /// Serves until the process ends.
    pub fn run(self) {
        self.server.run();
    }
}

impl Seen {
    fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst) + self.malformed.load(Ordering::SeqCst)
    }

    fn requests(&self) -> MutexGuard<'_, VecDeque<Echo>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn echo(State(seen): State<Arc<Seen>>, request: Request) -> Json<Echo> {
    seen.count.fetch_add(1, Ordering::SeqCst);
    let (head, body) = request.into_parts();
    let (body_bytes, trailers) = drain(body).await;
    let echo = Echo {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: fields(&head.headers),
        body_bytes,
        trailers: fields(&trailers),
    };
    let mut requests = seen.requests();
    if requests.len() == REMEMBERED {
        requests.pop_front();
    }
    requests.push_back(echo.clone());
    Json(echo)
}

#[derive(Deserialize)]
struct Wanted {
    id: String,
}

async fn remembered(
    State(seen): State<Arc<Seen>>,
    Query(wanted): Query<Wanted>,
) -> Json<Vec<Echo>> {
    let requests = seen.requests();
    let with_id = requests
        .iter()
        .filter(|echo| echo.header(ID_HEADER).contains(&wanted.id.as_str()));
    Json(with_id.cloned().collect())
}

async fn count(State(seen): State<Arc<Seen>>) -> Json<Count> {
    let count = seen.count();
    Json(Count { count })
}

/// Reads the body to its end, or to where it breaks off.
async fn drain(mut body: Body) -> (u64, HeaderMap) {
    let (mut length, mut trailers) = (0, HeaderMap::new());
    while let Some(Ok(frame)) = body.frame().await {
        match frame.into_data() {
            Ok(data) => length += data.len() as u64,
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    (length, trailers)
}

fn fields(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| (name.to_string(), readable(value.as_bytes())))
        .collect()
}

fn readable(bytes: &[u8]) -> String {
    bytes
        .utf8_chunks()
        .flat_map(|chunk| {
            let escaped = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
            std::iter::once(chunk.valid().to_owned()).chain(escaped)
        })
        .collect()
}
