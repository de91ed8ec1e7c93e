//! The binaries say where they are, and then serve.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use jobgate_harness::client::Request;
use jobgate_harness::suite::remote::{Remote, UpstreamAt};
use jobgate_harness::suite::{self, Topology};
use jobgate_harness::tls::Authority;
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
fn the_issuer_can_have_another_name_and_certificates_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let topology = Topology {
        world: folder.path().to_owned(),
        issuer_url: "https://gate.test:8443".to_owned(),
        ..Topology::default()
    };
    suite::prepare(&topology).unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let issuer = Running::start(
        env!("CARGO_BIN_EXE_issuer"),
        &[
            "--url",
            &topology.issuer_url,
            "--tls",
            "127.0.0.1:0",
            "--certificate",
            &file("issuer.pem"),
            "--key",
            &file("issuer.key"),
            "--impostor",
            "127.0.0.1:0",
            "--impostor-certificate",
            &file("impostor.pem"),
            "--impostor-key",
            &file("impostor.key"),
        ],
    );
    assert_eq!(issuer.ready["base_url"], topology.issuer_url);
    let at = |member: &str| issuer.ready[member].as_str().unwrap().parse().unwrap();
    let discovery = Request::new("GET", "/.well-known/openid-configuration");
    let client = Authority::load(folder.path(), "authority")
        .unwrap()
        .client(None);
    let trusted = discovery.send_as(&client, at("tls")).unwrap();
    let document: Value = trusted.response.json().unwrap();
    assert_eq!(
        document["jwks_uri"],
        "https://gate.test:8443/.well-known/jwks"
    );
    assert!(discovery.send_as(&client, at("impostor")).is_err());
}

#[test]
fn the_issuer_says_which_file_is_wrong() {
    let output = Command::new(env!("CARGO_BIN_EXE_issuer"))
        .args([
            "--tls",
            "127.0.0.1:0",
            "--certificate",
            "/nowhere.pem",
            "--key",
            "/nowhere.key",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("issuer: /nowhere.pem: "), "{error}");
}

#[test]
fn the_runner_tells_whether_a_server_is_up() {
    let upstream = Running::start(env!("CARGO_BIN_EXE_upstream"), &[]);
    let address = upstream.addr().to_string();
    let healthy = |arguments: &[&str]| {
        let mut runner = Command::new(env!("CARGO_BIN_EXE_runner"));
        let output = runner.arg("healthy").args(arguments).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let url = format!("http://{address}/health");
    assert_eq!(healthy(&[&url]), (Some(0), String::new()));
    assert_eq!(healthy(&["--tcp", &address]), (Some(0), String::new()));
    drop(upstream);
    for arguments in [&[url.as_str()][..], &["--tcp", &address]] {
        let (code, error) = healthy(arguments);
        assert_eq!(code, Some(1));
        assert!(error.contains("refused"), "{error}");
    }
    let (code, error) = healthy(&["https://issuer"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("--tcp HOST:PORT"), "{error}");
}

#[test]
fn the_upstream_runs_by_itself() {
    let upstream = Running::start(env!("CARGO_BIN_EXE_upstream"), &[]);
    let echo = Request::new("GET", "/x").send(upstream.addr()).unwrap();
    assert_eq!(echo.json::<Value>().unwrap()["path"], "/x");
}

#[test]
fn the_upstream_tells_at_its_control_port_what_came() {
    let upstream = Running::start(
        env!("CARGO_BIN_EXE_upstream"),
        &["--control", "127.0.0.1:0"],
    );
    let control = upstream.ready["control"].as_str().unwrap();
    let control = UpstreamAt(Remote(control.to_owned()));
    for (path, id) in [("/a", "1"), ("/b", "2"), ("/c", "2")] {
        let request = Request::new("GET", path).header("x-harness-id", id);
        request.send(upstream.addr()).unwrap();
    }
    let paths = |id: &str| -> Vec<_> {
        let echoes = control.requests(id).unwrap();
        echoes.into_iter().map(|echo| echo.path).collect()
    };
    assert_eq!(paths("1"), ["/a"]);
    assert_eq!(paths("2"), ["/b", "/c"]);
    assert_eq!(paths("3"), Vec::<String>::new());
    assert_eq!(control.count().unwrap(), 3);
    // What it is asked there is no request of its own.
    assert_eq!(
        control.0.send(&Request::new("GET", "/")).unwrap().status,
        200
    );
    assert_eq!(control.count().unwrap(), 3);
}
