//! An upstream that echoes what it gets.

use std::io::Write;
use std::net::SocketAddr;

use clap::Parser;
use jobgate_harness::upstream::Upstream;
use serde_json::json;

/// Answers every request with what arrived, as JSON.
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

fn main() -> std::io::Result<()> {
    let upstream = Upstream::listen(Args::parse().listen)?;
    let ready = json!({ "base_url": format!("http://{}", upstream.addr()) });
    writeln!(std::io::stdout(), "{ready}")?;
    upstream.run();
    Ok(())
}
