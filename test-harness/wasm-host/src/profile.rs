//! Which gateway this host plays, and how it is set up.
//!
//! A difference that is a plain value or a yes or no is a method of [`Profile`], one measured fact
//! each. Where the two do different things altogether, the code that does them matches on the
//! profile, and says so in its documentation.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// The gateway whose behaviour is reproduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Envoy 1.40: fails closed.
    Envoy,
    /// Kong 3.9.3 with ngx_wasm_module 9136e463: fails open in several ways.
    Kong,
}

impl Profile {
    /// For an empty value the guest is given a null pointer. Kong asks it for 0 bytes instead.
    pub(crate) const fn gives_null_for_nothing(self) -> bool {
        matches!(self, Self::Envoy)
    }

    /// A header that the filter removes is gone. On Kong it is only out of the filter's sight.
    pub(crate) const fn removal_is_real(self) -> bool {
        matches!(self, Self::Envoy)
    }

    /// The token of a VM's first dispatch.
    pub(crate) const fn first_token(self) -> u32 {
        match self {
            Self::Envoy => 4,
            Self::Kong => 0,
        }
    }

    /// The most pairs that one `proxy_get_header_map_pairs` gives. Kong cuts the map off there,
    /// silently for the guest (`NGX_HTTP_WASM_MAX_REQ_HEADERS`).
    pub(crate) const fn map_limit(self) -> usize {
        match self {
            Self::Envoy => usize::MAX,
            Self::Kong => 100,
        }
    }

    /// Importing `proxy_get_log_level` works. On Kong it fails the instantiation.
    pub(crate) const fn knows_get_log_level(self) -> bool {
        matches!(self, Self::Envoy)
    }

    /// `proxy_on_vm_start` runs for every root context, or for the VM's first one only.
    pub(crate) const fn vm_start_per_root(self) -> bool {
        matches!(self, Self::Kong)
    }

    /// The status the host itself answers with when the filter trapped on the request.
    pub(crate) const fn trap_status(self) -> u16 {
        match self {
            Self::Envoy => 503,
            Self::Kong => 500,
        }
    }

    /// Envoy tells the filter in the header step that nothing follows; Kong never does.
    pub(crate) const fn tells_end_of_stream_with_headers(self) -> bool {
        matches!(self, Self::Envoy)
    }

    /// A guest pointer outside its memory is a trap, not a status.
    pub(crate) const fn bad_pointer_traps(self) -> bool {
        matches!(self, Self::Kong)
    }

    /// The callbacks that end a context, in order.
    pub(crate) const fn ending(self) -> [&'static str; 3] {
        match self {
            Self::Envoy => ["proxy_on_log", "proxy_on_done", "proxy_on_delete"],
            Self::Kong => ["proxy_on_done", "proxy_on_log", "proxy_on_delete"],
        }
    }

    /// A filter's header map is closed to it once it has let the headers go on.
    pub(crate) const fn closes_headers(self) -> bool {
        matches!(self, Self::Envoy)
    }

    /// Any change to the request headers has the route chosen again.
    pub(crate) const fn chooses_route_again(self) -> bool {
        matches!(self, Self::Envoy)
    }
}

/// What Envoy does for later requests after a VM trapped (`failure_policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// 503 until a restart: `FAIL_CLOSED`, Envoy's default.
    Closed,
    /// The next request finds a fresh VM: `FAIL_RELOAD`.
    Reload,
}

/// An Envoy cluster, as far as `dispatch_http_call` can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cluster {
    /// It has a host: the call goes out.
    Ready,
    /// It has none: the call is refused with `InternalFailure`.
    Empty,
}

/// A version of Kong, as far as it decides what filters can ask (`kong/runloop/wasm.lua`, and the module's functions).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KongVersion {
    /// 3.5: no more than the ids of the route and the service, nothing can be set, and no metrics.
    V3_5,
    /// 3.7: the route and the service as documents, and `kong.ctx.shared`.
    V3_7,
    /// 3.8: metrics too.
    V3_8,
    /// 3.9: names of routes and services too.
    V3_9,
}

/// How a [`Gateway`](crate::Gateway) is set up. Start from [`Options::default`].
#[derive(Clone, Debug)]
pub struct Options {
    /// The clock at the start. Default: 2026-01-01T00:00:00Z.
    pub start: SystemTime,
    /// The most bytes a VM's memory may grow to; growth beyond it fails, so the guest's
    /// allocation aborts. Default: none.
    pub memory_limit: Option<usize>,
    /// Envoy: what happens after a trap. Default: [`FailurePolicy::Closed`].
    pub failure_policy: FailurePolicy,
    /// Envoy: the clusters there are. Any other name is `BadArgument`. Default: none.
    pub clusters: BTreeMap<String, Cluster>,
    /// How many workers there are, each with a VM, root contexts and ticks of its own. All share
    /// the shared data, the clock, the log and the metrics. Default: 1.
    pub workers: usize,
    /// Envoy: whether the VMs that see no request are there too: one on the main thread, which
    /// is configured and ticks, and one that only tries each new configuration and is dropped.
    /// Default: `false`.
    pub main_thread: bool,
    /// Envoy: how long a [`reconfigure`](crate::Gateway::reconfigure) or
    /// [`reload`](crate::Gateway::reload) leaves the old root contexts, their ticks and their
    /// requests alive, as an update by LDS does for `--drain-time-s`; what still waits then is cut
    /// off. `None`: they end with their last request, as after an update by ECDS. Default: `None`.
    pub drain: Option<Duration>,
    /// Envoy, `allow_on_headers_stop_iteration`: a request whose headers pause goes on to be told of its body, which is
    /// held back with them. Otherwise nothing more of it is told of until it is resumed. Default: `false`, as Envoy has
    /// it.
    pub body_of_paused: bool,
    /// Kong: whether `nginx_wasm_shm_kv` defines a zone for shared data. Default: `false`, as
    /// Kong ships.
    pub shared_data_zone: bool,
    /// Kong: the zone's size in bytes. Default: 2 MiB.
    pub shared_data_bytes: usize,
    /// Kong: its version, which decides what it tells of a request. Default: 3.9.3.
    pub kong: KongVersion,
    /// The VM configuration. Default: empty.
    pub vm_configuration: Vec<u8>,
    /// Envoy: the VM's environment variables, as `vm_config.environment_variables` gives them. Kong has none. Default:
    /// none.
    pub environment: BTreeMap<String, String>,
    /// Seeds WASI's `random_get`. Default: 0.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            start: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            memory_limit: None,
            failure_policy: FailurePolicy::Closed,
            clusters: BTreeMap::new(),
            workers: 1,
            main_thread: false,
            drain: None,
            body_of_paused: false,
            shared_data_zone: false,
            shared_data_bytes: 2 * 1024 * 1024,
            kong: KongVersion::V3_9,
            vm_configuration: Vec::new(),
            environment: BTreeMap::new(),
            seed: 0,
        }
    }
}

/// One route with the filter on it, which makes one root context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteConfig {
    /// The route's name: `kong.route_name`, and `xds.route_name` unless
    /// [`Gateway::choose_route`](crate::Gateway::choose_route) says otherwise.
    pub name: String,
    /// Where the route leads: `kong.service_name`, and `xds.cluster_name`. Empty for nowhere that has a name.
    pub service: String,
    /// The plugin configuration, as the guest reads it in `on_configure`.
    pub configuration: Vec<u8>,
}

impl RouteConfig {
    /// A route of that name and configuration, with the service `upstream`.
    pub fn new(name: impl Into<String>, configuration: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            service: "upstream".into(),
            configuration: configuration.into(),
        }
    }
}
