//! The launcher, with a real Envoy and no gate in it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jobgate_harness::client::{Body, Request};
use jobgate_harness::envoy::{
    Envoy, EnvoyConfig, EscapedSlashes, Listener, PathOptions, StartError,
};
use jobgate_harness::issuer::Issuer;
use jobgate_harness::upstream::{Echo, Upstream};

/// An Envoy between the client and an upstream. Dropped in this order.
struct World {
    envoy: Envoy,
    upstream: Upstream,
    _issuer: Issuer,
}

impl World {
    fn start(listeners: impl IntoIterator<Item = Listener>) -> Self {
        let upstream = Upstream::start().unwrap();
        let issuer = Issuer::start("me").unwrap();
        let mut config = EnvoyConfig::new(upstream.addr(), issuer.addr());
        config.listeners = listeners.into_iter().collect();
        let envoy = Envoy::start(&config).unwrap_or_else(|error| panic!("{error}"));
        Self {
            envoy,
            upstream,
            _issuer: issuer,
        }
    }
}

/// Whether there is a process of this id, and it hasn't ended.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie has ended, though its parent hasn't asked yet.
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[test]
fn a_request_goes_through_each_listener_as_its_options_say() {
    let world = World::start([
        Listener::new("raw"),
        Listener::new("normal").paths(PathOptions {
            normalize: true,
            merge_slashes: true,
            escaped_slashes: EscapedSlashes::Reject,
        }),
    ]);
    let send = |listener: &str, path: &str| {
        Request::new("GET", path)
            .send(world.envoy.addr(listener))
            .unwrap()
    };
    let seen = |listener: &str, path: &str| send(listener, path).json::<Echo>().unwrap().path;

    assert_eq!(seen("raw", "/a/../b//c%2Fd?q=1"), "/a/../b//c%2Fd?q=1");
    assert_eq!(seen("normal", "/a/../b//c?q=1"), "/b/c?q=1");
    assert_eq!(send("normal", "/c%2Fd").status, 400);
    assert_eq!(world.upstream.count(), 2);
    let stats = world.envoy.stats().unwrap();
    assert_eq!(stats.get("cluster.upstream.upstream_rq_total"), 2);
    assert_eq!(stats.get("no.such.counter"), 0);
    assert!(
        world
            .envoy
            .log_text()
            .contains("starting main dispatch loop")
    );
}

#[test]
fn repeated_headers_underscores_and_trailers_get_through() {
    let world = World::start([Listener::new("raw")]);
    let request = Request::new("POST", "/")
        .header("x_jobgate_branch", "underscores")
        .header("x-jobgate-branch", "one")
        .header("x-jobgate-branch", "two")
        .body(Body::Chunked {
            chunks: vec![b"body".into()],
            trailers: vec![(b"x-late".into(), b"trailer".into())],
        });
    let echo: Echo = request
        .send(world.envoy.addr("raw"))
        .unwrap()
        .json()
        .unwrap();
    assert_eq!(echo.header("x_jobgate_branch"), ["underscores"]);
    assert_eq!(echo.header("x-jobgate-branch"), ["one", "two"]);
    assert_eq!(echo.trailers, [("x-late".to_owned(), "trailer".to_owned())]);
}

#[test]
fn nothing_is_left_after_the_handle() {
    let world = World::start([Listener::new("raw")]);
    let (pid, addr) = (world.envoy.pid(), world.envoy.addr("raw"));
    assert!(runs(pid));
    drop(world);
    assert!(!runs(pid));
    assert!(Request::new("GET", "/").send(addr).is_err());
}

#[test]
fn nothing_is_left_after_a_panic() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let panicked = std::thread::spawn(move || {
        let world = World::start([Listener::new("raw")]);
        sender.send(world.envoy.pid()).unwrap();
        panic!("as this test wants it");
    })
    .join();
    assert!(panicked.is_err());
    assert!(!runs(receiver.recv().unwrap()));
}

/// Not a test of its own: in the process to be killed it starts an Envoy and waits.
#[test]
#[ignore = "the process that `nothing_is_left_after_a_kill` kills"]
fn an_envoy_to_be_orphaned() {
    let world = World::start([Listener::new("raw")]);
    println!("pid={}", world.envoy.pid());
    loop {
        std::thread::park();
    }
}

#[test]
fn nothing_is_left_after_a_kill() {
    use std::io::{BufRead, BufReader};

    let temporary = tempfile::tempdir().unwrap();
    let files = || std::fs::read_dir(temporary.path()).unwrap().count();
    let mut run = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "an_envoy_to_be_orphaned",
            "--ignored",
            "--nocapture",
        ])
        .env("TMPDIR", temporary.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(run.stdout.take().unwrap());
    let pid = stdout
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("pid=")?.1.trim().parse().unwrap()));
    let files_before = files();
    // Before any check, so that a failure leaves nothing behind.
    run.kill().unwrap();
    run.wait().unwrap();

    let pid = pid.expect("the run says which Envoy is its own");
    let deadline = Instant::now() + Duration::from_secs(20);
    assert_eq!(files_before, 1);
    while runs(pid) || files() > 0 {
        assert!(
            Instant::now() < deadline,
            "Envoy {pid} or its files have outlived the run"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_refused_configuration_is_told_with_envoys_own_words() {
    let nowhere = ([127, 0, 0, 1], 1).into();
    let mut config = EnvoyConfig::new(nowhere, nowhere)
        .listener(Listener::new("raw").jobgate(serde_json::json!({})));
    // A file, but no WebAssembly.
    config.wasm = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    match Envoy::start(&config) {
        Err(StartError::Ended { log, .. }) => assert!(log.to_lowercase().contains("wasm"), "{log}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_missing_module_is_told_before_envoy_runs() {
    let nowhere = ([127, 0, 0, 1], 1).into();
    let mut config = EnvoyConfig::new(nowhere, nowhere)
        .listener(Listener::new("raw").jobgate(serde_json::json!({})));
    config.wasm = "/nonexistent/jobgate.wasm".into();
    let error = Envoy::start(&config).unwrap_err();
    assert!(error.to_string().contains("make dist"), "{error}");
}
