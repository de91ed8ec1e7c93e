//! A server that is asked over HTTP, by a name that may come to stand for another address.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::client::{self, Body, Request, Response};
use crate::issuer::Stats;
use crate::mint::TokenSpec;
use crate::upstream::{Count, Echo};

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its name stands for no address.
    #[error("{address}: no such host: {source}")]
    Name {
        /// The address as it was given.
        address: String,
        /// What came of it.
        source: io::Error,
    },
    /// It doesn't answer.
    #[error("{address}: {source}")]
    Client {
        /// The address as it was given.
        address: String,
        /// What came of it.
        source: client::Error,
    },
    /// It answers something else.
    #[error("{address}{path}: an unexpected answer ({status}): {body}")]
    Answer {
        /// The address as it was given.
        address: String,
        /// What was asked for.
        path: String,
        /// The status.
        status: u16,
        /// The answer.
        body: String,
    },
}

/// The address that `address`, a `host:port`, stands for now.
///
/// # Errors
///
/// If it stands for none.
pub fn resolve(address: &str) -> Result<SocketAddr, Error> {
    let named = |source| Error::Name {
        address: address.to_owned(),
        source,
    };
    let mut found = address.to_socket_addrs().map_err(named)?;
    found
        .next()
        .ok_or_else(|| named(io::ErrorKind::NotFound.into()))
}

/// A server at a `host:port`.
#[derive(Clone, Debug)]
pub struct Remote(pub String);

impl Remote {
    /// The answer to a request.
    ///
    /// # Errors
    ///
    /// If none comes.
    pub fn send(&self, request: &Request) -> Result<Response, Error> {
        request
            .send(resolve(&self.0)?)
            .map_err(|source| Error::Client {
                address: self.0.clone(),
                source,
            })
    }

    /// The JSON that is there.
    ///
    /// # Errors
    ///
    /// If it is anything else.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let response = self.send(&Request::new("GET", path))?;
        self.parsed(path, &response)
    }

    /// The answer to JSON that is sent there.
    ///
    /// # Errors
    ///
    /// If none comes.
    pub fn post(&self, path: &str, body: &Value) -> Result<Response, Error> {
        let request = Request::new("POST", path)
            .header("content-type", "application/json")
            .body(Body::Sized(body.to_string().into_bytes()));
        self.send(&request)
    }

    fn parsed<T: DeserializeOwned>(&self, path: &str, response: &Response) -> Result<T, Error> {
        let parsed = response.json().ok().filter(|_| response.status == 200);
        parsed.ok_or_else(|| self.unexpected(path, response))
    }

    /// An answer that isn't what it should be.
    pub fn unexpected(&self, path: &str, response: &Response) -> Error {
        Error::Answer {
            address: self.0.clone(),
            path: path.to_owned(),
            status: response.status,
            body: response.text(),
        }
    }
}

/// The issuer, elsewhere.
#[derive(Clone, Debug)]
pub struct IssuerAt(pub Remote);

impl IssuerAt {
    /// A token that is issued now.
    ///
    /// # Errors
    ///
    /// If the issuer doesn't answer.
    pub fn mint(&self, spec: &TokenSpec) -> Result<String, Error> {
        const PATH: &str = "/mint";
        let answer = self.0.post(PATH, &json!(spec))?;
        let minted: Value = self.0.parsed(PATH, &answer)?;
        let token = minted["token"].as_str().map(str::to_owned);
        token.ok_or_else(|| self.0.unexpected(PATH, &answer))
    }

    /// Signs with a new key from now on.
    ///
    /// # Errors
    ///
    /// If the issuer doesn't answer.
    pub fn rotate_keys(&self, keep_old: bool) -> Result<(), Error> {
        const PATH: &str = "/keys/rotate";
        let answer = self.0.post(PATH, &json!({ "keep_old": keep_old }))?;
        self.0.parsed::<Value>(PATH, &answer).map(|_| ())
    }

    /// Makes the key set fail in this way, or heals it by `"none"`.
    ///
    /// # Errors
    ///
    /// If the issuer doesn't answer.
    pub fn break_keys(&self, fault: &Value) -> Result<(), Error> {
        const PATH: &str = "/faults";
        let order = json!({ "endpoint": "jwks", "fault": fault });
        let answer = self.0.post(PATH, &order)?;
        match answer.status {
            204 => Ok(()),
            _ => Err(self.0.unexpected(PATH, &answer)),
        }
    }

    /// How often its documents were asked for.
    ///
    /// # Errors
    ///
    /// If the issuer doesn't answer.
    pub fn stats(&self) -> Result<Stats, Error> {
        self.0.get("/stats")
    }
}

/// The upstream's control port.
#[derive(Clone, Debug)]
pub struct UpstreamAt(pub Remote);

impl UpstreamAt {
    /// What arrived of the request of this id.
    ///
    /// # Errors
    ///
    /// If the upstream doesn't answer.
    pub fn requests(&self, id: &str) -> Result<Vec<Echo>, Error> {
        self.0.get(&format!("/requests?id={id}"))
    }

    /// How many requests have come.
    ///
    /// # Errors
    ///
    /// If the upstream doesn't answer.
    pub fn count(&self) -> Result<u64, Error> {
        let Count { count } = self.0.get("/count")?;
        Ok(count)
    }
}
