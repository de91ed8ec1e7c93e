//! An OIDC issuer to develop and test against.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use jobgate_harness::issuer::Issuer;
use jobgate_harness::tls::ServerIdentity;
use serde_json::json;

/// Serves a CI provider's discovery document and keys, and mints its jobs' tokens (POST /mint).
///
/// All addresses serve the same. Beside its own key it publishes one of each other algorithm, for tokens that ask for
/// that. When it listens it prints one line of JSON, which says where.
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The audience its tokens are for.
    #[arg(long, default_value = "https://deploy.acme.example")]
    audience: String,
    /// Its name (`iss`) and base address for others; without, http:// and the address that it listens on.
    #[arg(long)]
    url: Option<String>,
    /// Where to serve over TLS too.
    #[arg(long, value_name = "ADDRESS", requires_all = ["certificate", "key"])]
    tls: Option<SocketAddr>,
    /// The certificate for that, a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls")]
    certificate: Option<PathBuf>,
    /// The certificate's key, a PEM file.
    #[arg(long, value_name = "FILE", requires = "tls")]
    key: Option<PathBuf>,
    /// Where to serve over TLS with a second certificate, which clients should not trust.
    #[arg(long, value_name = "ADDRESS", requires_all = ["impostor_certificate", "impostor_key"])]
    impostor: Option<SocketAddr>,
    /// The certificate for that, a PEM file.
    #[arg(long, value_name = "FILE", requires = "impostor")]
    impostor_certificate: Option<PathBuf>,
    /// The certificate's key, a PEM file.
    #[arg(long, value_name = "FILE", requires = "impostor")]
    impostor_key: Option<PathBuf>,
}

fn main() -> ExitCode {
    match serve(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("issuer: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut issuer = Issuer::listen_as(args.listen, &args.audience, args.url.as_deref())
        .map_err(|error| at(args.listen, &error))?;
    issuer.publish_every_algorithm();
    let own = (args.tls, &args.certificate, &args.key);
    let tls = secure(&mut issuer, own)?;
    let impostor = (
        args.impostor,
        &args.impostor_certificate,
        &args.impostor_key,
    );
    let impostor = secure(&mut issuer, impostor)?;
    let ready = json!({
        "base_url": issuer.base_url(),
        "audience": issuer.audience(),
        "listen": issuer.addr(),
        "tls": tls,
        "impostor": impostor,
    });
    writeln!(io::stdout(), "{ready}")?;
    issuer.run();
    Ok(())
}

type Secure<'a> = (Option<SocketAddr>, &'a Option<PathBuf>, &'a Option<PathBuf>);

/// Serves at an address over TLS, if there is one, and gives the address that was bound.
fn secure(issuer: &mut Issuer, how: Secure<'_>) -> Result<Option<SocketAddr>, Box<dyn Error>> {
    let (Some(listen), Some(certificate), Some(key)) = how else {
        return Ok(None);
    };
    let identity = ServerIdentity::read(Path::new(certificate), Path::new(key))?;
    let bound = issuer.serve_tls_on(listen, &identity);
    Ok(Some(bound.map_err(|error| at(listen, &error))?))
}

fn at(listen: SocketAddr, error: &io::Error) -> String {
    format!("can't listen on {listen}: {error}")
}
