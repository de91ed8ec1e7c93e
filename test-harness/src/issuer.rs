//! An OIDC issuer as a CI provider runs one, with an endpoint to mint tokens and others to make it fail.
//!
//! | | |
//! |---|---|
//! | `GET /.well-known/openid-configuration` | the discovery document |
//! | `GET /.well-known/jwks` | the published keys |
//! | `POST /mint` | a [`TokenSpec`] to `{"token": "..."}` |
//! | `POST /keys/rotate` | `{"keep_old": true}` to `{"kid": "..."}` |
//! | `POST /faults` | a [`FaultOrder`] |
//! | `GET /stats` | [`Stats`] |

mod faults;
mod routes;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::keys::SigningKey;
use crate::mint::{Minter, TokenSpec};
use crate::server::{Bound, Server};
use crate::tls::ServerIdentity;
use faults::Faults;
pub use faults::{Endpoint, Fault, FaultOrder};

/// Where the key set is, relative to the issuer.
const JWKS_PATH: &str = "/.well-known/jwks";

/// A running issuer. Dropping it ends it and closes its connections.
#[derive(Debug)]
pub struct Issuer {
    server: Server,
    by_tls: Vec<Server>,
    state: Arc<State>,
}

/// What the endpoints and the handle share.
#[derive(Debug)]
struct State {
    minter: Mutex<Minter>,
    faults: Mutex<Faults>,
    jwks_requests: AtomicU64,
    discovery_requests: AtomicU64,
}

/// How often the documents were asked for, whatever the answer was.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests for the key set.
    pub jwks_requests: u64,
    /// Requests for the discovery document.
    pub discovery_requests: u64,
}

impl Issuer {
    /// An issuer on a free port of the loopback interface.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub fn start(audience: &str) -> io::Result<Self> {
        Self::listen((Ipv4Addr::LOCALHOST, 0).into(), audience)
    }

    /// An issuer on the given address, whose name (`iss`) is its own base URL.
    ///
    /// # Errors
    ///
    /// If the address can't be bound.
    pub fn listen(listen: SocketAddr, audience: &str) -> io::Result<Self> {
        Self::listen_as(listen, audience, None)
    }

    /// An issuer on the given address, whose name (`iss`) and base URL is `url`: where it is known by another than
    /// the one that it listens on.
    ///
    /// # Errors
    ///
    /// If the address can't be bound.
    pub fn listen_as(listen: SocketAddr, audience: &str, url: Option<&str>) -> io::Result<Self> {
        let bound = Bound::bind(listen)?;
        let url = url.map_or_else(|| format!("http://{}", bound.addr()), str::to_owned);
        let minter = Minter::new(url, audience);
        let state = Arc::new(State {
            minter: Mutex::new(minter),
            faults: Mutex::default(),
            jwks_requests: AtomicU64::new(0),
            discovery_requests: AtomicU64::new(0),
        });
        let server = bound.serve(routes::router(state.clone()))?;
        Ok(Self {
            server,
            by_tls: Vec::new(),
            state,
        })
    }

    /// Serves the same over TLS too, at another port of the loopback interface, and gives its address.
    ///
    /// # Errors
    ///
    /// If no port can be bound.
    pub fn serve_tls(&mut self, identity: &ServerIdentity) -> io::Result<SocketAddr> {
        self.serve_tls_on((Ipv4Addr::LOCALHOST, 0).into(), identity)
    }

    /// As [`Self::serve_tls`], on the given address.
    ///
    /// # Errors
    ///
    /// If the address can't be bound.
    pub fn serve_tls_on(
        &mut self,
        listen: SocketAddr,
        identity: &ServerIdentity,
    ) -> io::Result<SocketAddr> {
        let bound = Bound::bind(listen)?;
        let router = routes::router(self.state.clone());
        let server = bound.serve_tls(router, identity.config())?;
        let addr = server.addr();
        self.by_tls.push(server);
        Ok(addr)
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Its base URL, which is its name in `iss` too, byte for byte.
    pub fn base_url(&self) -> String {
        self.state.minter().issuer().to_owned()
    }

    /// Where its key set is.
    pub fn jwks_uri(&self) -> String {
        format!("{}{JWKS_PATH}", self.base_url())
    }

    /// The audience its tokens are for.
    pub fn audience(&self) -> String {
        self.state.minter().audience().to_owned()
    }

    /// The published keys as a JWK set.
    pub fn jwks(&self) -> Value {
        self.state.minter().jwks()
    }

    /// A token that is issued now.
    pub fn mint(&self, spec: &TokenSpec) -> String {
        self.state.mint(spec)
    }

    /// A copy of the minter with the keys as they are now, for tokens of another time.
    pub fn minter(&self) -> Minter {
        self.state.minter().clone()
    }

    /// Signs with a new key from now on, and gives its `kid`. The old ones stay published if `keep_old`.
    pub fn rotate_keys(&self, keep_old: bool) -> String {
        self.state.rotate_keys(keep_old)
    }

    /// Publishes the fixed key of each algorithm too ([`Minter::publish_every_algorithm`]).
    pub fn publish_every_algorithm(&self) {
        self.state.minter().publish_every_algorithm();
    }

    /// Makes an endpoint fail, or heals it.
    pub fn order(&self, order: &FaultOrder) {
        self.state.faults().order(order);
    }

    /// Heals all endpoints.
    pub fn heal(&self) {
        *self.state.faults() = Faults::default();
    }

    /// How often the documents were asked for.
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    /// Serves until the process ends.
    pub fn run(self) {
        self.server.run();
    }
}

impl State {
    fn minter(&self) -> MutexGuard<'_, Minter> {
        // Every critical section leaves a whole value behind, so a panic elsewhere spoils nothing.
        self.minter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mint(&self, spec: &TokenSpec) -> String {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        // The lock isn't held while signing: that takes milliseconds.
        let minter = self.minter().clone();
        minter.mint(spec, now)
    }

    fn rotate_keys(&self, keep_old: bool) -> String {
        let key = SigningKey::generate();
        let kid = key.kid().to_owned();
        self.minter().rotate(key, keep_old);
        kid
    }

    fn stats(&self) -> Stats {
        Stats {
            jwks_requests: self.jwks_requests.load(Ordering::SeqCst),
            discovery_requests: self.discovery_requests.load(Ordering::SeqCst),
        }
    }
}
