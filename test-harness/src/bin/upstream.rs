//! An upstream that echoes what it gets.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use jobgate_harness::upstream::Upstream;
use serde_json::json;

/// Answers every request with what arrived, as JSON.
///
/// When it listens it prints one line of JSON, which says where.
#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to answer questions about what came: GET /requests?id=<the header x-harness-id>, and GET /count.
    #[arg(long, value_name = "ADDRESS")]
    control: Option<SocketAddr>,
}

fn main() -> ExitCode {
    match serve(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("upstream: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve(args: &Args) -> Result<(), Box<dyn Error>> {
    let at =
        |listen: SocketAddr| move |error: io::Error| format!("can't listen on {listen}: {error}");
    let mut upstream = Upstream::listen(args.listen).map_err(at(args.listen))?;
    let control = match args.control {
        Some(listen) => Some(upstream.control(listen).map_err(at(listen))?),
        None => None,
    };
    let ready = json!({
        "base_url": format!("http://{}", upstream.addr()),
        "control": control,
    });
    writeln!(io::stdout(), "{ready}")?;
    upstream.run();
    Ok(())
}
