//! What rules can ask of a request beside the token.

use crate::request::NormalPath;
use crate::time::UnixTime;

/// A request, as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The method, by case.
    pub method: &'a str,
    /// The path's normal form.
    pub path: &'a NormalPath,
    /// The host that the request is for, in its normal form; none if it has none.
    pub host: Option<&'a str>,
    /// The gateway's own name for the route, if it has one.
    pub route: Option<&'a str>,
    /// The gateway's own name for the service or cluster, if it has one.
    pub service: Option<&'a str>,
    /// What the connection's client has proven.
    pub certificate: &'a ClientCertificate,
    /// The moment of the decision.
    pub now: UnixTime,
}

impl<'a> Facts<'a> {
    /// A request of which the gateway tells no more than this.
    #[must_use]
    pub const fn new(method: &'a str, path: &'a NormalPath, now: UnixTime) -> Self {
        Self {
            method,
            path,
            host: None,
            route: None,
            service: None,
            certificate: ClientCertificate::NOT_TOLD,
            now,
        }
    }
}

impl ClientCertificate {
    /// Nothing is known.
    pub const NOT_TOLD: &'static Self = &Self {
        verified: None,
        subject: None,
        uri_san: None,
        dns_san: None,
    };
}

/// The certificate by which a client proved itself to the gateway (mutual TLS).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Whether the gateway verified one; none if it does not say.
    pub verified: Option<bool>,
    /// Its subject (RFC 4514), if the gateway tells.
    pub subject: Option<String>,
    /// Its URI in the subject's alternative names, if the gateway tells one.
    pub uri_san: Option<String>,
    /// Its DNS name there, if the gateway tells one.
    pub dns_san: Option<String>,
}

/// What a policy's conditions look at beside headers, method and path: only that need be asked of the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The name of the route, for rules or for filters behind the gate.
    pub route: bool,
    /// The name of the service or cluster.
    pub service: bool,
    /// The client's certificate.
    pub certificate: bool,
}
