//! A server that Envoy knows by a name.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

/// A cluster of at most one server.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The server.
    pub server: Server,
    /// How it proves who it is; it is spoken to in the clear without this.
    pub tls: Option<Tls>,
}

/// Where a cluster's server is.
#[derive(Clone, Debug)]
pub enum Server {
    /// At an address.
    Address(SocketAddr),
    /// Behind a name, at a port. Envoy looks it up again and again.
    Name(String, u16),
    /// Behind a name that no name server knows: the one that is asked is not there.
    UnknownName(String),
    /// Nowhere: the cluster is empty.
    None,
}

/// What a server's certificate must be.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The file of the authority that signed it, in PEM.
    pub trusted_ca: PathBuf,
    /// The name that it is for, and that the server is asked for.
    pub name: String,
}

impl Cluster {
    /// One without TLS.
    pub fn new(server: Server) -> Self {
        Self { server, tls: None }
    }

    /// Speaks TLS with the server, and verifies its certificate.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        let (kind, address) = match &self.server {
            Server::Address(at) => ("STATIC", Some(address(&at.ip().to_string(), at.port()))),
            Server::Name(host, port) => ("STRICT_DNS", Some(address(host, *port))),
            Server::UnknownName(host) => ("STRICT_DNS", Some(address(host, 80))),
            Server::None => ("STATIC", None),
        };
        let endpoints: Vec<_> = address
            .map(|address| json!({ "endpoint": { "address": address } }))
            .into_iter()
            .collect();
        let mut cluster = json!({
            "name": name,
            "type": kind,
            "connect_timeout": "1s",
            "wait_for_warm_on_init": false,
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": { "http_protocol_options": { "enable_trailers": true } },
                },
            },
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{ "lb_endpoints": endpoints }],
            },
        });
        if let Server::Name(..) = self.server {
            cluster["dns_lookup_family"] = json!("V4_PREFERRED");
        }
        if let Server::UnknownName(_) = self.server {
            cluster["typed_dns_resolver_config"] = no_resolver();
        }
        if let Some(tls) = &self.tls {
            cluster["transport_socket"] = tls.json();
        }
        cluster
    }
}

impl From<SocketAddr> for Cluster {
    fn from(address: SocketAddr) -> Self {
        Self::new(Server::Address(address))
    }
}

impl Tls {
    fn json(&self) -> Value {
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": self.name,
                "common_tls_context": { "validation_context": {
                    "trusted_ca": { "filename": self.trusted_ca },
                    "match_typed_subject_alt_names": [
                        { "san_type": "DNS", "matcher": { "exact": self.name } },
                    ],
                } },
            },
        })
    }
}

/// Nothing listens on the first of all ports, so each question fails at once, with or without a network.
fn no_resolver() -> Value {
    json!({
        "name": "envoy.network.dns_resolver.cares",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
            "resolvers": [address("127.0.0.1", 1)],
            "dns_resolver_options": { "no_default_search_domain": true },
        },
    })
}

pub(crate) fn address(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}
