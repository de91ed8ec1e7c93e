//! A service that takes only credentials of a ledger, and remembers all that came.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::json;

use super::{Kind, Ledger};
use crate::server::{Bound, Server};

/// A running service. Dropping it ends it and closes its connections.
#[derive(Debug)]
pub struct Guarded {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    header: &'static str,
    seen: Mutex<Vec<Seen>>,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its method and target.
    pub line: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body; bytes that aren't UTF-8 are replaced.
    pub body: String,
    /// Whether it had a credential.
    pub taken: bool,
}

impl Seen {
    /// All values of a header; `name` is in lower case.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let fields = self.headers.iter().filter(|(field, _)| field == name);
        fields.map(|(_, value)| value.as_str()).collect()
    }

    /// All of it but this header.
    pub fn without(&self, header: &str) -> String {
        let mut text = format!("{}\n", self.line);
        for (name, value) in self.headers.iter().filter(|(name, _)| name != header) {
            text += &format!("{name}: {value}\n");
        }
        text + &self.body
    }
}

impl Guarded {
    /// A service that takes credentials in this header: in `authorization` with the scheme `Bearer`, in another one as
    /// they are.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub fn start(ledger: Ledger, header: &'static str) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            ledger,
            header,
            seen: Mutex::default(),
        });
        let router = Router::new().fallback(take).with_state(shared.clone());
        let server = Bound::bind((Ipv4Addr::LOCALHOST, 0).into())?.serve(router)?;
        Ok(Self { server, shared })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The header that it takes credentials in.
    pub fn header(&self) -> &'static str {
        self.shared.header
    }

    /// The requests that came, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen().clone()
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holder(&self, headers: &HeaderMap) -> Option<String> {
        let mut values = headers.get_all(self.header).iter();
        let value = values.next()?.to_str().ok()?;
        let credential = match self.header {
            "authorization" => value.strip_prefix("Bearer ")?,
            _ => value,
        };
        let holder = self.ledger.holder(Kind::Access, credential);
        // Two of them are none: who knows which one counts.
        holder.filter(|_| values.next().is_none())
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let holder = shared.holder(&headers);
    let fields = headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.to_string(), value.into_owned())
    });
    shared.seen().push(Seen {
        line: format!("{method} {uri}"),
        headers: fields.collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        taken: holder.is_some(),
    });
    match holder {
        Some(holder) => Json(json!({ "holder": holder })).into_response(),
        None => (StatusCode::UNAUTHORIZED, Json(json!({ "holder": null }))).into_response(),
    }
}
