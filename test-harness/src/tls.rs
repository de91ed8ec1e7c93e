//! Certificates for servers of a test, and the authorities that sign them. All are made as a test starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, io};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A certificate authority of its own.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

/// The certificate and the key of a server.
#[derive(Clone, Debug)]
pub struct ServerIdentity(Arc<ServerConfig>);

impl Authority {
    /// A new one, with a new key.
    ///
    /// # Errors
    ///
    /// If its certificate can't be written to a file.
    ///
    /// # Panics
    ///
    /// Never: the parameters are sound.
    pub fn new() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Named otherwise than what it signs, which would pass for self-signed.
        params
            .distinguished_name
            .push(DnType::CommonName, "Authority");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("there is randomness");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("the parameters are sound");
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join(FILE), issuer.pem())?;
        Ok(Self { issuer, directory })
    }

    /// The file of its certificate, in PEM; gone with the authority.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join(FILE)
    }

    /// A certificate for the server of this name.
    ///
    /// # Panics
    ///
    /// If it is no DNS name.
    pub fn sign(&self, name: &str) -> ServerIdentity {
        let params = CertificateParams::new([name.to_owned()]).expect("a DNS name");
        let key = KeyPair::generate().expect("there is randomness");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the parameters are sound");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS #8");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("the key is the certificate's");
        ServerIdentity(Arc::new(config))
    }
}

impl ServerIdentity {
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.0.clone()
    }
}

const FILE: &str = "ca.pem";
