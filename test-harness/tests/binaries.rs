//! The binaries say where they are, and then serve.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use jobgate_harness::client::Request;
use serde_json::Value;

/// A binary that is running, with its first line.
struct Running {
    child: Child,
    ready: Value,
    // Held open: a server must not find its output closed.
    _stdout: BufReader<ChildStdout>,
}

impl Running {
    fn start(binary: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap();
        Self {
            child,
            ready,
            _stdout: stdout,
        }
    }

    fn addr(&self) -> SocketAddr {
        let url = self.ready["base_url"].as_str().unwrap();
        url.strip_prefix("http://").unwrap().parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_issuer_runs_by_itself() {
    let issuer = Running::start(env!("CARGO_BIN_EXE_issuer"), &["--audience", "me"]);
    assert_eq!(issuer.ready["audience"], "me");
    let discovery = Request::new("GET", "/.well-known/openid-configuration")
        .send(issuer.addr())
        .unwrap();
    assert_eq!(
        discovery.json::<Value>().unwrap()["issuer"],
        issuer.ready["base_url"]
    );
}

#[test]
fn the_upstream_runs_by_itself() {
    let upstream = Running::start(env!("CARGO_BIN_EXE_upstream"), &[]);
    let echo = Request::new("GET", "/x").send(upstream.addr()).unwrap();
    assert_eq!(echo.json::<Value>().unwrap()["path"], "/x");
}
