//! A real Envoy with the gate in it.
//!
//! [`Envoy::start`] writes a bootstrap, runs the binary and comes back when its listeners take connections. All ports
//! are Envoy's own choice, so instances never clash; nothing is shared between them. The process is gone when its
//! handle is, whatever ends the handle.

mod admin;
mod binary;
mod bootstrap;
mod cluster;
mod downstream;
mod process;
mod trap;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use serde_json::Value;
use tempfile::TempDir;

use crate::client;
pub(crate) use admin::Admin;
pub use admin::Stats;
pub use binary::{EnvoyBinary, LocateError};
pub(crate) use bootstrap::gate;
pub(crate) use cluster::address;
pub use cluster::{Cluster, Server, Tls};
pub use downstream::{ClientCertificates, DownstreamTls};
use process::Process;
pub use trap::trapping;

/// How long to wait between two looks at a process that isn't ready yet.
const POLL: Duration = Duration::from_millis(10);

/// How much of the log goes into an error.
const LOG_TAIL_LINES: usize = 40;

/// What to run.
#[derive(Clone, Debug)]
pub struct EnvoyConfig {
    /// The listeners, each with its own configuration of the gate.
    pub listeners: Vec<Listener>,
    /// The gate's module. Needed as soon as a listener has a configuration.
    pub wasm: PathBuf,
    /// Where all listeners route to: the cluster `upstream`.
    pub upstream: SocketAddr,
    /// The cluster `issuer`, which a policy can name as the place to fetch keys from.
    pub issuer: SocketAddr,
    /// Further clusters, by name: other issuers.
    pub clusters: BTreeMap<String, Cluster>,
    /// Whether the listeners come from a file, so that [`Envoy::update`] can change them.
    pub dynamic_listeners: bool,
    /// Another number makes new VMs of the same module at an update. They share data with the old ones.
    pub vm_generation: u32,
    /// Variables of Envoy's environment, which the gate's VMs get too (`host_env_keys`).
    pub environment: BTreeMap<String, String>,
    /// Settings of Envoy's runtime: what newer versions do otherwise than older ones, as a rule.
    pub runtime: BTreeMap<String, Value>,
    /// The number of worker threads.
    pub concurrency: u32,
    /// Envoy's log level, or a list such as `info,wasm:debug`.
    pub log_level: String,
    /// How long the start may take.
    pub start_timeout: Duration,
    /// A whole bootstrap, which is run in place of one that is made of all this. Of [`listeners`](Self::listeners)
    /// the names still say what to wait for.
    pub bootstrap: Option<Value>,
}

impl EnvoyConfig {
    /// One worker, log level `info`, no listeners, no further clusters, and the module at `dist/jobgate.wasm`.
    pub fn new(upstream: SocketAddr, issuer: SocketAddr) -> Self {
        Self {
            listeners: Vec::new(),
            wasm: crate::repository().join("dist/jobgate.wasm"),
            upstream,
            issuer,
            clusters: BTreeMap::new(),
            dynamic_listeners: false,
            vm_generation: 0,
            environment: BTreeMap::new(),
            runtime: BTreeMap::new(),
            concurrency: 1,
            log_level: "info".to_owned(),
            // V8 compiles the module once per VM, on a machine that may be busy with other tests.
            start_timeout: Duration::from_secs(60),
            bootstrap: None,
        }
    }

    /// Adds a listener.
    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Adds a cluster.
    #[must_use]
    pub fn cluster(mut self, name: impl Into<String>, to: impl Into<Cluster>) -> Self {
        self.clusters.insert(name.into(), to.into());
        self
    }
}

/// A listener, its HTTP options and the gate on it.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name, unique in the configuration; also that of its route.
    pub name: String,
    /// The gate's configuration; no filter at all without one.
    pub jobgate: Option<GateConfig>,
    /// What Envoy does to a path before the gate sees it.
    pub paths: PathOptions,
    /// How it speaks TLS; it does not without this.
    pub tls: Option<DownstreamTls>,
    /// Further routes, before its own, which takes all that none of these does.
    pub routes: Vec<Route>,
    /// The host that its own route tells the upstream; the client's, if there is none.
    pub host: Option<String>,
}

/// A route for requests with the header [`Route::HEADER`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Its name; it may have none.
    pub name: Option<String>,
    /// The cluster that it leads to.
    pub cluster: String,
}

impl Route {
    /// The header by which a client chooses a route. The gate does not touch it.
    pub const HEADER: &str = "x-harness-route";

    /// That header's value for this route.
    pub fn key(&self) -> String {
        format!("{} {}", self.name.as_deref().unwrap_or("-"), self.cluster)
    }
}

impl Listener {
    /// A listener without the gate and with Envoy's defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            jobgate: None,
            paths: PathOptions::default(),
            tls: None,
            routes: Vec::new(),
            host: None,
        }
    }

    /// Tells the upstream this host.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Lets it speak TLS.
    #[must_use]
    pub fn tls(mut self, tls: DownstreamTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Adds a route.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Puts the gate on it.
    #[must_use]
    pub fn jobgate(mut self, configuration: impl Into<GateConfig>) -> Self {
        self.jobgate = Some(configuration.into());
        self
    }

    /// Sets what Envoy does to paths.
    #[must_use]
    pub fn paths(mut self, paths: PathOptions) -> Self {
        self.paths = paths;
        self
    }
}

/// The gate's configuration.
#[derive(Clone, Debug)]
pub enum GateConfig {
    /// As a document.
    Json(Value),
    /// As a document, for a gate that Envoy tells of the bodies of requests that it holds
    /// (`allow_on_headers_stop_iteration`).
    ToldOfBodies(Value),
    /// As its bare text, which may be no document at all.
    Raw(String),
    /// As a document that Envoy is given as a `google.protobuf.Struct`, not as text. Envoy 1.40 hands it over as
    /// protobuf, so no gate can read it.
    Struct(Value),
}

impl From<Value> for GateConfig {
    fn from(document: Value) -> Self {
        Self::Json(document)
    }
}

/// What Envoy does to a path before any filter sees it. The default is nothing, as is Envoy's.
#[derive(Clone, Copy, Debug, Default)]
pub struct PathOptions {
    /// Resolves dot segments (`normalize_path`).
    pub normalize: bool,
    /// Merges repeated slashes (`merge_slashes`).
    pub merge_slashes: bool,
    /// What becomes of `%2F` and `%5C` (`path_with_escaped_slashes_action`).
    pub escaped_slashes: EscapedSlashes,
}

/// What becomes of `%2F` and `%5C` in a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EscapedSlashes {
    /// They stay as they are.
    #[default]
    Keep,
    /// The request is refused with 400.
    Reject,
    /// The client is redirected to the path without the escapes.
    UnescapeAndRedirect,
    /// The request goes on with the path without the escapes.
    UnescapeAndForward,
}

/// Why Envoy doesn't run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The binary isn't there.
    #[error(transparent)]
    Locate(#[from] LocateError),
    /// The module isn't there.
    #[error("there is no module at {}: run `make dist`", .0.display())]
    NoModule(PathBuf),
    /// The files couldn't be written, or the process not be started.
    #[error("Envoy could not be started: {0}")]
    Io(#[from] io::Error),
    /// It ended while it was starting: it refuses its configuration, as a rule.
    #[error("Envoy ended with {status} while it was starting; the end of its log:\n{log}")]
    Ended {
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// It wasn't ready in time.
    #[error("Envoy was not ready within {timeout:?}; the end of its log:\n{log}")]
    Timeout {
        /// How long it was given.
        timeout: Duration,
        /// The last lines of its log.
        log: String,
    },
}

/// Why listeners were not replaced.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The file couldn't be written.
    #[error("the listeners could not be written: {0}")]
    Io(#[from] io::Error),
    /// Envoy doesn't answer.
    #[error("Envoy does not tell what became of the update: {0}")]
    Client(#[from] client::Error),
    /// It refuses the listeners; the old ones serve.
    #[error("Envoy refuses the listeners; the end of its log:\n{0}")]
    Rejected(String),
    /// Nothing came of it in time.
    #[error("Envoy did not take the listeners in time; the end of its log:\n{0}")]
    Timeout(String),
}

/// A running Envoy. Dropping it kills the process.
#[derive(Debug)]
pub struct Envoy {
    // Before the directory: the process ends before its files go.
    process: Process,
    admin: Admin,
    listeners: BTreeMap<String, SocketAddr>,
    directory: TempDir,
}

impl Envoy {
    /// Starts the Envoy that [`EnvoyBinary::locate`] finds.
    ///
    /// # Errors
    ///
    /// If there is none, or it refuses its configuration, or it isn't ready in time.
    pub fn start(config: &EnvoyConfig) -> Result<Self, StartError> {
        Self::start_with(&EnvoyBinary::locate()?, config)
    }

    /// Starts the given Envoy.
    ///
    /// # Errors
    ///
    /// If it refuses its configuration or isn't ready in time.
    pub fn start_with(binary: &EnvoyBinary, config: &EnvoyConfig) -> Result<Self, StartError> {
        let gated = config
            .listeners
            .iter()
            .any(|listener| listener.jobgate.is_some());
        if gated && !config.wasm.is_file() {
            return Err(StartError::NoModule(config.wasm.clone()));
        }
        let deadline = Instant::now() + config.start_timeout;
        let directory = tempfile::Builder::new()
            .prefix("jobgate-envoy-")
            .tempdir()?;
        let listeners = directory.path().join(LISTENERS);
        fs::write(&listeners, bootstrap::listeners(config).to_string())?;
        let bootstrap = match &config.bootstrap {
            Some(bootstrap) => bootstrap.clone(),
            None => bootstrap::bootstrap(config, &listeners),
        };
        fs::write(directory.path().join(BOOTSTRAP), bootstrap.to_string())?;
        let mut process = Process::spawn(binary, config, directory.path())?;

        loop {
            if let Some((admin, listeners)) = ready(directory.path(), config) {
                return Ok(Self {
                    process,
                    admin,
                    listeners,
                    directory,
                });
            }
            if let Some(status) = process.ended()? {
                return Err(StartError::Ended {
                    status,
                    log: log_tail(directory.path()),
                });
            }
            if Instant::now() >= deadline {
                return Err(StartError::Timeout {
                    timeout: config.start_timeout,
                    log: log_tail(directory.path()),
                });
            }
            thread::sleep(POLL);
        }
    }

    /// Replaces the listeners, which must be [dynamic](EnvoyConfig::dynamic_listeners) and keep their names, and waits
    /// until the new ones serve. Nothing else of `config` counts but the module and its VMs.
    ///
    /// # Errors
    ///
    /// If Envoy doesn't take them; then the old ones serve.
    pub fn update(&self, config: &EnvoyConfig) -> Result<(), UpdateError> {
        const UPDATES: &str = "listener_manager.lds.update_success";
        const REJECTED: &str = "listener_manager.lds.update_rejected";
        const WARMING: &str = "listener_manager.total_listeners_warming";
        let before = self.stats()?;
        let deadline = Instant::now() + config.start_timeout;
        // Envoy looks when a file is moved there, so it never sees half of one.
        let new = self.directory.path().join("listeners.new");
        fs::write(&new, bootstrap::listeners(config).to_string())?;
        fs::rename(&new, self.directory.path().join(LISTENERS))?;
        loop {
            let now = self.stats()?;
            if now.get(REJECTED) > before.get(REJECTED) {
                return Err(UpdateError::Rejected(log_tail(self.directory.path())));
            }
            if now.get(UPDATES) > before.get(UPDATES) && now.get(WARMING) == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(UpdateError::Timeout(log_tail(self.directory.path())));
            }
            thread::sleep(POLL);
        }
    }

    /// The address of a listener.
    ///
    /// # Panics
    ///
    /// If no listener has this name.
    pub fn addr(&self, listener: &str) -> SocketAddr {
        match self.listeners.get(listener) {
            Some(addr) => *addr,
            None => panic!(
                "there is no listener {listener:?} but {:?}",
                self.listeners.keys()
            ),
        }
    }

    /// The address of the admin interface.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin.addr()
    }

    /// Envoy's counters and gauges as they are now.
    ///
    /// # Errors
    ///
    /// If Envoy doesn't answer.
    pub fn stats(&self) -> Result<Stats, client::Error> {
        self.admin.stats()
    }

    /// Everything that Envoy has logged, the gate's lines among it.
    pub fn log_text(&self) -> String {
        log_text(self.directory.path())
    }

    /// The file that it logs to.
    pub fn log_path(&self) -> PathBuf {
        self.directory.path().join(LOG)
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}

/// The names of the files in an instance's directory.
const BOOTSTRAP: &str = "bootstrap.json";
const ADMIN_ADDRESS: &str = "admin-address";
const LOG: &str = "envoy.log";
const LISTENERS: &str = "listeners.json";

/// The admin interface and the listeners' addresses, once all of them take connections.
fn ready(
    directory: &std::path::Path,
    config: &EnvoyConfig,
) -> Option<(Admin, BTreeMap<String, SocketAddr>)> {
    // Envoy writes the file when it has bound the port; it may be seen half-written, and then it doesn't parse.
    let address = fs::read_to_string(directory.join(ADMIN_ADDRESS)).ok()?;
    let admin = Admin::new(address.trim().parse().ok()?);
    if !admin.ready() {
        return None;
    }
    let listeners = admin.listeners()?;
    let all = config
        .listeners
        .iter()
        .all(|listener| listeners.contains_key(&listener.name));
    all.then_some((admin, listeners))
}

/// Whatever a test was about, Envoy logged no secret.
impl Drop for Envoy {
    fn drop(&mut self) {
        crate::leak::assert_none("Envoy's log", crate::leak::secret_in(&self.log_text()));
    }
}

fn log_text(directory: &std::path::Path) -> String {
    // The log can hold bytes of a request, so it need not be UTF-8.
    let bytes = fs::read(directory.join(LOG)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn log_tail(directory: &std::path::Path) -> String {
    let log = log_text(directory);
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}
