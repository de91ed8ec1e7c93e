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
    /// The body; none at all when empty.
    pub body: Vec<u8>,
    /// The client's address and port.
    pub peer: String,
    /// Properties of this request by dotted path, before those the gateway knows itself. On
    /// Envoy the connection's, for example.
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
            body: Vec::new(),
            peer: "192.0.2.1:40000".into(),
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

    /// Envoy: the client showed a certificate with these URI SANs (the first is the property's
    /// value) and this SHA-256 digest.
    #[must_use]
    pub fn client_certificate(self, uri_san: &str, sha256: &str) -> Self {
        self.property(&["connection", "mtls"], [1])
            .property(&["connection", "uri_san_peer_certificate"], uri_san)
            .property(&["connection", "sha256_peer_certificate_digest"], sha256)
    }
}
