//! An OIDC issuer to develop and test against.

use std::io::Write;
use std::net::SocketAddr;

use clap::Parser;
use jobgate_harness::issuer::Issuer;
use serde_json::json;

/// Serves a CI provider's discovery document and keys, and mints its jobs' tokens (POST /mint).
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The audience its tokens are for.
    #[arg(long, default_value = "https://deploy.acme.example")]
    audience: String,
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let issuer = Issuer::listen(args.listen, &args.audience)?;
    let ready = json!({ "base_url": issuer.base_url(), "audience": issuer.audience() });
    writeln!(std::io::stdout(), "{ready}")?;
    issuer.run();
    Ok(())
}
