//! What the counterparts have in common: a server that counts, and can be told to fail.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};

use crate::server::{Bound, Disconnect, Server};

/// How long a request that hangs waits between two looks whether it is to hang on.
const LOOK: Duration = Duration::from_millis(10);

/// How a counterpart behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    #[default]
    Good,
    /// It takes so long for each answer.
    Slow(Duration),
    /// It does not answer until its mood changes.
    Hangs,
    /// It answers everything with this status and a page of HTML.
    Errs(u16),
    /// It closes the connection without an answer.
    HangsUp,
}

/// A running counterpart. Dropping it ends it and closes its connections.
#[derive(Debug)]
pub struct Counterpart {
    server: Server,
    desk: Arc<Desk>,
}

#[derive(Debug, Default)]
pub(super) struct Desk {
    mood: Mutex<Mood>,
    asked: AtomicU64,
    granted: AtomicU64,
}

impl Counterpart {
    /// Starts one on a free port of the loopback interface; its routes may depend on its base URL.
    pub(super) fn start(routes: impl FnOnce(&str, Arc<Desk>) -> Router) -> io::Result<Self> {
        let bound = Bound::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let desk = Arc::<Desk>::default();
        let router = routes(&format!("http://{}", bound.addr()), desk.clone());
        let router = router.layer(middleware::from_fn_with_state(desk.clone(), enter));
        Ok(Self {
            server: bound.serve(router)?,
            desk,
        })
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// Changes how it behaves, also for those who wait.
    pub fn be(&self, mood: Mood) {
        *self
            .desk
            .mood
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// How many requests came.
    pub fn asked(&self) -> u64 {
        self.desk.asked.load(Ordering::SeqCst)
    }

    /// How many credentials it gave for jobs' tokens.
    pub fn granted(&self) -> u64 {
        self.desk.granted.load(Ordering::SeqCst)
    }
}

impl Desk {
    /// Counts a credential.
    pub(super) fn grant(&self) {
        self.granted.fetch_add(1, Ordering::SeqCst);
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn enter(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    desk.asked.fetch_add(1, Ordering::SeqCst);
    while desk.mood() == Mood::Hangs {
        tokio::time::sleep(LOOK).await;
    }
    match desk.mood() {
        Mood::Good | Mood::Hangs => next.run(request).await,
        Mood::Slow(delay) => {
            tokio::time::sleep(delay).await;
            next.run(request).await
        }
        Mood::Errs(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            (status, "<html><title>Oops</title></html>").into_response()
        }
        Mood::HangsUp => Disconnect.into_response(),
    }
}
