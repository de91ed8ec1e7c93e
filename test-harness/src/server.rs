//! What the issuer and the upstream have in common: an HTTP/1.1 server that lives as long as its handle.
//!
//! Each server has a thread and a runtime of its own. So callers need no runtime, a blocking client in the same thread
//! can't starve it, and dropping the handle closes every connection.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{io, thread};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tower::ServiceExt;

/// More than any proxy lets through, so that it is never this server that refuses a request for its size.
const MAX_HEADERS: usize = 1000;

/// How long to wait after a connection that could not be accepted.
const RETRY: Duration = Duration::from_millis(10);

/// A port that is bound, and not served yet: the server's address is known before its routes are made.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
}

impl Bound {
    pub(crate) fn bind(listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        Ok(Self { listener, addr })
    }

    /// The address that was bound.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves `router` until the handle is dropped.
    pub(crate) fn serve(self, router: Router) -> io::Result<Server> {
        self.serve_by(router, None, Arc::default())
    }

    /// As [`Self::serve`], over TLS.
    pub(crate) fn serve_tls(self, router: Router, tls: Arc<ServerConfig>) -> io::Result<Server> {
        self.serve_by(router, Some(tls.into()), Arc::default())
    }

    /// As [`Self::serve`]; requests that are refused before the router because they aren't HTTP are counted there.
    pub(crate) fn serve_counting(
        self,
        router: Router,
        malformed: Arc<AtomicU64>,
    ) -> io::Result<Server> {
        self.serve_by(router, None, malformed)
    }

    fn serve_by(
        self,
        router: Router,
        tls: Option<TlsAcceptor>,
        malformed: Arc<AtomicU64>,
    ) -> io::Result<Server> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(self.listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(format!("server {}", self.addr))
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, tls, router, malformed) => {}
                        _ = stopped => {}
                    }
                });
                // Dropping the runtime drops every connection with it.
            })?;
        Ok(Server {
            addr: self.addr,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// The address that was bound.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until the process ends.
    pub(crate) fn run(mut self) {
        if let Some(thread) = self.thread.take() {
            // An `Err` is the thread's panic, which was reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    malformed: Arc<AtomicU64>,
) {
    loop {
        // One connection that was gone before it was accepted, or too many open files: neither ends the server.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(RETRY).await;
            continue;
        };
        let (tls, router, malformed) = (tls.clone(), router.clone(), malformed.clone());
        tokio::spawn(async move {
            let is_malformed = match tls {
                None => serve_connection(stream, router).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve_connection(stream, router).await,
                    // A client that does not trust the certificate goes, and that is what some tests want.
                    Err(_) => false,
                },
            };
            if is_malformed {
                malformed.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
}

/// Serves a connection to its end; whether what came over it at the end was no HTTP.
async fn serve_connection(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router) -> bool {
    let service = hyper::service::service_fn(move |request| {
        let router = router.clone();
        async move {
            let response = router
                .oneshot(request)
                .await
                .unwrap_or_else(|never: Infallible| match never {});
            match response.extensions().get::<Disconnect>() {
                Some(disconnect) => Err(*disconnect),
                None => Ok(response),
            }
        }
    });
    let served = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    served.is_err_and(|error| error.is_parse())
}

/// The answer of a handler that wants the connection closed without one.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the handler asked to hang up")]
pub(crate) struct Disconnect;

impl IntoResponse for Disconnect {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}
