//! Certificates for servers and clients of a test, and the authorities that sign them. All are made as a test starts.
//!
//! An authority can be [kept in a folder](Authority::save), for clients in another process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};

use crate::case::CertificateNames;

/// A certificate authority of its own.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    file: PathBuf,
    // Of those that are kept nowhere else.
    directory: Option<TempDir>,
}

/// The certificate and the key of a server.
#[derive(Clone, Debug)]
pub struct ServerIdentity(Arc<ServerConfig>);

/// What is wrong with a file of a certificate or a key.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", .file.display())]
pub struct ReadError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

/// A server's certificate and key as files in PEM, for a gateway. They are gone with the authority.
#[derive(Clone, Debug)]
pub struct ServerFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// What a client has for its connections: whom it trusts, its certificate if it has one, and the sessions that it
/// may resume.
#[derive(Clone, Debug)]
pub struct ClientIdentity(Arc<ClientConfig>);

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
        let directory = tempfile::tempdir()?;
        let mut authority = Self::save(directory.path(), "authority")?;
        authority.directory = Some(directory);
        Ok(authority)
    }

    /// A new one of this name, kept in a folder: its certificate in `<name>.pem`, its key in `<name>.key`.
    ///
    /// # Errors
    ///
    /// If the files can't be written.
    ///
    /// # Panics
    ///
    /// Never: the parameters are sound.
    pub fn save(folder: &Path, name: &str) -> io::Result<Self> {
        let params = authority(name);
        let key = KeyPair::generate().expect("there is randomness");
        let certificate = params.self_signed(&key).expect("the parameters are sound");
        let file = pem(folder, name);
        fs::write(&file, certificate.pem())?;
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem())?;
        Ok(Self {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            file,
            directory: None,
        })
    }

    /// The one of this name that was kept in a folder.
    ///
    /// # Errors
    ///
    /// If its files can't be read.
    pub fn load(folder: &Path, name: &str) -> Result<Self, ReadError> {
        let (file, key_file) = (pem(folder, name), folder.join(format!("{name}.key")));
        let certificate = CertificateDer::from_pem_file(&file).map_err(|error| ReadError {
            file: file.clone(),
            why: error.to_string(),
        })?;
        let wrong_key = |why: String| ReadError {
            file: key_file.clone(),
            why,
        };
        let key = fs::read_to_string(&key_file).map_err(|error| wrong_key(error.to_string()))?;
        let key = KeyPair::from_pem(&key).map_err(|error| wrong_key(error.to_string()))?;
        Ok(Self {
            issuer: Issuer::new(authority(name), key),
            certificate,
            file,
            directory: None,
        })
    }

    /// The file of its certificate, in PEM; gone with the authority unless it was [kept](Self::save).
    pub fn file(&self) -> PathBuf {
        self.file.clone()
    }

    /// A certificate for the server of this name.
    ///
    /// # Panics
    ///
    /// If it is no DNS name.
    pub fn sign(&self, name: &str) -> ServerIdentity {
        let (certificate, key) = self.issue(server(&[name]));
        let key = private(&key);
        let config = server_config(vec![certificate.der().clone()], key)
            .expect("the key is the certificate's");
        ServerIdentity(Arc::new(config))
    }

    /// As [`Self::sign`], in files.
    ///
    /// # Errors
    ///
    /// If they can't be written.
    ///
    /// # Panics
    ///
    /// If it is no DNS name.
    pub fn sign_to_files(&self, name: &str) -> io::Result<ServerFiles> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        self.sign_into(folder, name, &[name])
    }

    /// A certificate for the server of these names, in `<file>.pem`, and its key in `<file>.key`.
    ///
    /// # Errors
    ///
    /// If they can't be written.
    ///
    /// # Panics
    ///
    /// If one is no DNS name.
    pub fn sign_into(&self, folder: &Path, file: &str, names: &[&str]) -> io::Result<ServerFiles> {
        let (certificate, key) = self.issue(server(names));
        let files = ServerFiles {
            certificate: pem(folder, file),
            key: folder.join(format!("{file}.key")),
        };
        fs::write(&files.certificate, certificate.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }

    /// A client that trusts servers of this authority, and has a certificate of the authority `signer` if there is one.
    ///
    /// # Panics
    ///
    /// If the names are not what they should be.
    pub fn client(&self, certificate: Option<(&Self, &CertificateNames)>) -> ClientIdentity {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.clone())
            .expect("it is a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for them")
            .with_root_certificates(roots);
        let config = match certificate {
            None => config.with_no_client_auth(),
            Some((signer, names)) => {
                let (certificate, key) = signer.issue(client(names));
                config
                    .with_client_auth_cert(vec![certificate.der().clone()], private(&key))
                    .expect("the key is the certificate's")
            }
        };
        ClientIdentity(Arc::new(config))
    }

    fn issue(&self, params: CertificateParams) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("there is randomness");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("the parameters are sound");
        (certificate, key)
    }
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
}

/// What an authority's certificate says, and what those that it signs say of it: the same for the same name.
fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Named otherwise than what it signs, which would pass for self-signed; and than other authorities, or a
    // certificate of theirs would look like its own with a broken signature.
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn pem(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.pem"))
}

fn server(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).expect("DNS names")
}

fn client(names: &CertificateNames) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // RFC 4514 writes the last part first.
    for part in names.subject.iter().flat_map(|subject| subject.rsplit(',')) {
        let (kind, value) = part.split_once('=').expect("a subject like CN=ci,O=Acme");
        let kind = match kind {
            "CN" => DnType::CommonName,
            "O" => DnType::OrganizationName,
            "OU" => DnType::OrganizationalUnitName,
            _ => panic!("{kind} in a subject"),
        };
        params.distinguished_name.push(kind, value);
    }
    let text = |name: &str| Ia5String::try_from(name).expect("ASCII");
    let uri = names.uri_san.iter().map(|name| SanType::URI(text(name)));
    let dns = names
        .dns_san
        .iter()
        .map(|name| SanType::DnsName(text(name)));
    params.subject_alt_names = uri.chain(dns).collect();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS #8")
}

impl ClientIdentity {
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        self.0.clone()
    }
}

impl ServerIdentity {
    /// The identity whose certificate (or chain) and key are in these files, in PEM.
    ///
    /// # Errors
    ///
    /// If one can't be read, or they don't belong together.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, ReadError> {
        let wrong = |file: &Path| {
            let file = file.to_owned();
            move |why| ReadError { file, why }
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(|error| wrong(certificate)(error.to_string()))?;
        let private =
            PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key)(error.to_string()))?;
        server_config(chain, private)
            .map(|config| Self(Arc::new(config)))
            .map_err(|error| wrong(certificate)(error.to_string()))
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.0.clone()
    }
}
