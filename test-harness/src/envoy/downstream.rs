//! How a listener of Envoy speaks TLS with clients.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::tls::ServerFiles;

/// A listener's certificate, and what it does about clients'.
#[derive(Clone, Debug)]
pub struct DownstreamTls {
    /// Its own.
    pub server: ServerFiles,
    /// Clients'.
    pub clients: ClientCertificates,
    /// Whether clients may resume their sessions, as is Envoy's default.
    pub resumes: bool,
}

/// What a listener does about clients' certificates.
#[derive(Clone, Debug)]
pub enum ClientCertificates {
    /// Asks for one, and verifies it by this authority: only who has one can connect (`require_client_certificate`).
    Required(PathBuf),
    /// Asks for one, and verifies it by this authority; who has none can connect too.
    Optional(PathBuf),
    /// Asks for one, and takes also one that this authority did not sign (`ACCEPT_UNTRUSTED`).
    AcceptUntrusted(PathBuf),
    /// Asks for one, and has nothing to verify it by: a `require_client_certificate` without a `validation_context`.
    RequiredUnverified,
}

impl DownstreamTls {
    pub(crate) fn json(&self) -> Value {
        let trusted = |ca: &PathBuf| json!({ "trusted_ca": { "filename": ca } });
        let (required, validation) = match &self.clients {
            ClientCertificates::Required(ca) => (true, Some(trusted(ca))),
            ClientCertificates::Optional(ca) => (false, Some(trusted(ca))),
            ClientCertificates::AcceptUntrusted(ca) => {
                let mut validation = trusted(ca);
                validation["trust_chain_verification"] = json!("ACCEPT_UNTRUSTED");
                (false, Some(validation))
            }
            ClientCertificates::RequiredUnverified => (true, None),
        };
        let mut common = json!({
            "tls_certificates": [{
                "certificate_chain": { "filename": self.server.certificate },
                "private_key": { "filename": self.server.key },
            }],
        });
        if let Some(validation) = validation {
            common["validation_context"] = validation;
        }
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": required,
                "disable_stateless_session_resumption": !self.resumes,
                "disable_stateful_session_resumption": !self.resumes,
                "common_tls_context": common,
            },
        })
    }
}
