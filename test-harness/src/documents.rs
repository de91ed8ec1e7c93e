//! A server of one document, as one for revocations is: with an entity tag, and a 304 for those who have it already.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::server::{Bound, Server};

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct DocumentServer {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Its number and its text.
    document: Mutex<(u64, String)>,
    served: AtomicU64,
    unchanged: AtomicU64,
}

impl DocumentServer {
    /// A server on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub fn start(document: impl ToString) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let router = Router::new().fallback(serve).with_state(shared.clone());
        let server = Bound::bind((Ipv4Addr::LOCALHOST, 0).into())?.serve(router)?;
        let this = Self { server, shared };
        this.set(document);
        Ok(this)
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Where the document is.
    pub fn uri(&self) -> String {
        format!("http://{}/document.json", self.addr())
    }

    /// Serves another document from now on.
    pub fn set(&self, document: impl ToString) {
        let mut current = self.shared.document();
        *current = (current.0 + 1, document.to_string());
    }

    /// How often the document was served.
    pub fn served(&self) -> u64 {
        self.shared.served.load(Ordering::SeqCst)
    }

    /// How often the answer was that it is as it was (304).
    pub fn unchanged(&self) -> u64 {
        self.shared.unchanged.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn document(&self) -> std::sync::MutexGuard<'_, (u64, String)> {
        self.document.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let (number, text) = shared.document().clone();
    let tag = format!("\"{number}\"");
    let has_it = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|had| had == tag.as_str());
    let (counter, status, body) = if has_it {
        (&shared.unchanged, StatusCode::NOT_MODIFIED, String::new())
    } else {
        (&shared.served, StatusCode::OK, text)
    };
    counter.fetch_add(1, Ordering::SeqCst);
    (status, [(ETAG, tag)], body).into_response()
}
