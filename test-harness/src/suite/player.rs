//! Requests through a gateway that runs elsewhere, seen from all sides.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::log::Follower;
use super::remote::{self, IssuerAt, Remote, UpstreamAt};
use super::{Gateway, Plan, ROUTE_HEADER, Topology, cases};
use crate::case::{CaseFile, LoadError};
use crate::client::{self, Request, Response};
use crate::exchange::{Exchange, RECORD_TIMEOUT, eventually};
use crate::record;
use crate::tls::{Authority, ClientIdentity, ReadError};
use crate::upstream::{Echo, ID_HEADER};

/// Why nothing could be played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cases are wrong.
    #[error(transparent)]
    Cases(#[from] LoadError),
    /// The issuer or the upstream can't be asked, or the gateway has no address.
    #[error(transparent)]
    Remote(#[from] remote::Error),
    /// The certificates aren't there.
    #[error("{0}: run `runner prepare` first")]
    Certificates(#[from] ReadError),
    /// The gateway's log can't be read.
    #[error("{}, the gateway's log: {source}", .path.display())]
    Log {
        /// Where it should be.
        path: PathBuf,
        /// What came of it.
        source: io::Error,
    },
    /// The gateway takes no requests.
    #[error("{gateway} at {address} takes no requests: {source}")]
    Down {
        /// Which one.
        gateway: Gateway,
        /// Where.
        address: String,
        /// What came of the last try.
        source: client::Error,
    },
    /// A gate has no keys.
    #[error("{gateway}: the gate {gate} has got no keys of {issuer}; its last answer: {answer}")]
    NoKeys {
        /// On which gateway.
        gateway: Gateway,
        /// Which one.
        gate: String,
        /// Whose.
        issuer: String,
        /// What it answered last.
        answer: String,
    },
    /// No case was chosen.
    #[error("no case has {0:?} in its name")]
    NoCase(String),
}

/// What requests are sent with, and looked after.
#[derive(Debug)]
pub struct Player {
    /// The gateway.
    pub gateway: Gateway,
    /// Where everything is.
    pub topology: Topology,
    /// What stands on the gateway.
    pub plan: Plan,
    /// The cases that the plan was made of.
    pub files: Vec<CaseFile>,
    /// The issuer.
    pub issuer: IssuerAt,
    /// The upstream.
    pub upstream: UpstreamAt,
    /// The gateway's log.
    pub log: Follower,
    /// Whose clients the gateways trust.
    pub authority: Authority,
    /// Whose clients they don't.
    pub stranger: Authority,
    /// Tells this run's requests from others'.
    run: u128,
    sent: AtomicU64,
}

impl Player {
    /// One for this gateway, in a world that was [prepared](super::prepare).
    ///
    /// # Errors
    ///
    /// If something of the world isn't there.
    pub fn new(gateway: Gateway, topology: &Topology) -> Result<Self, Error> {
        let files = cases()?;
        let path = topology.of(gateway).log;
        let log = Follower::open(path).map_err(|source| Error::Log {
            path: path.clone(),
            source,
        })?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Ok(Self {
            gateway,
            plan: Plan::whole(&files),
            files,
            issuer: IssuerAt(Remote(topology.issuer.clone())),
            upstream: UpstreamAt(Remote(topology.control.clone())),
            log,
            authority: Authority::load(&topology.world, "authority")?,
            stranger: Authority::load(&topology.world, "stranger")?,
            topology: topology.clone(),
            run: since.map_or(0, |since| since.as_millis()),
            sent: AtomicU64::new(0),
        })
    }

    /// A request for the place of this key, with an id that no other has.
    pub fn address(&self, mut request: Request, key: &str) -> (Request, String) {
        let nth = self.sent.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:x}-{nth}", self.run);
        request = request
            .header(ROUTE_HEADER, key)
            .header(ID_HEADER, id.as_str());
        (request, id)
    }

    /// Sends a request to the place of this key, over TLS if there is a `client`, and gives all that came of it.
    ///
    /// # Errors
    ///
    /// The inner one if the gateway gives no response, the outer one if the rest can't be looked at.
    pub fn exchange(
        &self,
        request: Request,
        key: &str,
        client: Option<&ClientIdentity>,
    ) -> Result<Result<Exchange, client::Error>, Error> {
        let (request, id) = self.address(request, key);
        let at = self.topology.of(self.gateway);
        let response = match client {
            None => request.send(remote::resolve(at.http)?),
            Some(client) => request
                .send_as(client, remote::resolve(at.https)?)
                .map(|secure| secure.response),
        };
        let response = match response {
            Ok(response) => response,
            Err(error) => return Ok(Err(error)),
        };
        let forwarded = self.upstream.requests(&id)?;
        let record = self.record(&response, forwarded.last())?;
        Ok(Ok(Exchange {
            response,
            forwarded,
            record,
        }))
    }

    /// The decision record behind a response.
    ///
    /// # Errors
    ///
    /// If the log can't be read.
    pub fn record(
        &self,
        response: &Response,
        forwarded: Option<&Echo>,
    ) -> Result<Option<String>, Error> {
        let Some(id) = record::decision_id(response, forwarded) else {
            return Ok(None);
        };
        let found = eventually(RECORD_TIMEOUT, || self.log.record(&id).transpose());
        found.transpose().map_err(|source| Error::Log {
            path: self.topology.of(self.gateway).log.clone(),
            source,
        })
    }
}
