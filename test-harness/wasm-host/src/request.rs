//! A request as the client sends it.

use std::collections::BTreeMap;

use crate::abi::Pair;

/// A client's request, byte for byte. Nothing is checked until it meets the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Vec<u8>,
    /// The request target as it stands on the request line.
    pub target: Vec<u8>,
    /// `http` or `https`.
    pub scheme: String,
    /// All headers in order, `Host` included, in the client's spelling.
    pub headers: Vec<Pair>,
    /// The trailers.
    pub trailers: Vec<Pair>,
    /// Envoy: whether another filter has written the trailers, whose names Envoy does not look at then.
    pub are_trailers_rewritten: bool,
    /// The body; none at all when empty.
    pub body: Vec<u8>,
    /// The client's address and port.
    pub peer: String,
    /// What the client showed of itself when the connection was made.
    pub client: Client,
    /// Properties of this request by dotted path, before those the gateway knows itself.
    pub properties: BTreeMap<String, Vec<u8>>,
}

impl Request {
    /// A request to `gateway.example` with no other header, from `192.0.2.1:40000`.
    pub fn new(method: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self {
            method: method.as_ref().to_vec(),
            target: target.as_ref().to_vec(),
            scheme: "http".into(),
            headers: vec![(b"Host".to_vec(), b"gateway.example".to_vec())],
            trailers: Vec::new(),
            are_trailers_rewritten: false,
            body: Vec::new(),
            peer: "192.0.2.1:40000".into(),
            client: Client::Plain,
            properties: BTreeMap::new(),
        }
    }

    /// A `GET`.
    pub fn get(target: impl AsRef<[u8]>) -> Self {
        Self::new("GET", target)
    }

    /// Adds a header after those there are.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Adds a trailer after those there are.
    #[must_use]
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Says that another filter has written the trailers, whose names are not looked at then.
    #[must_use]
    pub fn with_rewritten_trailers(mut self) -> Self {
        self.are_trailers_rewritten = true;
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Sets a property, by its path.
    #[must_use]
    pub fn property(mut self, path: &[&str], value: impl AsRef<[u8]>) -> Self {
        self.properties
            .insert(path.join("."), value.as_ref().to_vec());
        self
    }

    /// Sets the `Host` header, in the place of the one there is.
    #[must_use]
    pub fn host(mut self, host: impl AsRef<[u8]>) -> Self {
        for (name, value) in &mut self.headers {
            if name.eq_ignore_ascii_case(b"host") {
                *value = host.as_ref().to_vec();
            }
        }
        self
    }

    /// Says what the client showed of itself.
    #[must_use]
    pub fn client(mut self, client: Client) -> Self {
        self.client = client;
        self
    }
}

/// What a client showed of itself when the connection was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Client {
    /// Nothing: the connection has no TLS.
    #[default]
    Plain,
    /// Nothing: it has TLS, and no certificate came.
    Anonymous,
    /// This certificate, on a connection with TLS.
    Certified(Certificate),
}

/// A client's certificate, as far as gateways tell of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Whether the gateway verified it. One that takes any certificate does not, nor does Envoy in a
    /// session that is resumed.
    pub verified: bool,
    /// Its subject, as RFC 2253 writes it.
    pub subject: String,
    /// The first URI in its alternative names; empty for none. Kong does not tell it.
    pub uri_san: String,
    /// The first DNS name there; empty for none. Kong does not tell it.
    pub dns_san: String,
}
