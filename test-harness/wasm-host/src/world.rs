//! Everything outside the VMs: what host calls read and write.
//!
//! The gateway owns the world and lends it to a VM for the length of one callback, so a host call
//! can reach it while no borrow outlives the guest's run.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use crate::abi::{Level, Pair};
use crate::calls::{CallView, Calls};
use crate::clock::{Clock, TickOwner, Ticks};
use crate::cost::Meter;
use crate::faults::Faults;
use crate::leak::secret_in;
use crate::metrics::Metrics;
use crate::profile::{Options, Profile, RouteConfig};
use crate::random::Random;
use crate::shared_data::SharedData;
use crate::stream::Stream;

/// The callback that runs. Some host calls depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    /// `_initialize`, or none at all.
    Outside,
    Create,
    VmStart,
    Configure,
    Tick,
    Request,
    CallResponse,
    /// What the upstream answered passes.
    Response,
    /// `on_done`, `on_log` and `on_delete`.
    End,
}

/// Whose callback runs, and where.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) vm: usize,
    pub(crate) callback: Callback,
    /// The context that host calls act on.
    pub(crate) context: u32,
    /// What the call-response callback sees.
    pub(crate) call: Option<CallView>,
    /// The root context that the call was made in, or in a request of.
    pub(crate) call_root: u32,
    /// Kong: a host call has ended the worker process.
    pub(crate) worker_killed: bool,
}

/// A root context: one per route that has the filter.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    pub(crate) route: RouteConfig,
}

/// A property that the filter set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PropertyWrite {
    /// The context: a request's or a root context's id.
    pub context: u32,
    /// The dotted path. On Envoy it becomes filter state `wasm.<path>`.
    pub path: String,
    /// The value.
    pub value: Vec<u8>,
}

/// How Envoy's router picks a route by the request's current headers.
pub(crate) type RouteChooser = Box<dyn Fn(&[Pair]) -> String>;

pub(crate) struct World {
    pub(crate) profile: Profile,
    /// Shared, so that a stand-in world costs nothing.
    pub(crate) options: Rc<Options>,
    pub(crate) clock: Clock,
    pub(crate) ticks: Ticks,
    pub(crate) random: Random,
    pub(crate) logs: Vec<(Level, String)>,
    /// The first secret that the filter logged or answered with.
    pub(crate) leaked: Option<String>,
    pub(crate) metrics: Metrics,
    pub(crate) shared: SharedData,
    pub(crate) calls: Calls,
    pub(crate) faults: Faults,
    pub(crate) meter: Meter,
    /// What Envoy's `verify_signature` answers, whatever it is asked.
    pub(crate) signature_answer: Option<Vec<u8>>,
    pub(crate) writes: Vec<PropertyWrite>,
    pub(crate) roots: BTreeMap<u32, Root>,
    pub(crate) streams: BTreeMap<u32, Stream>,
    pub(crate) route_chooser: Option<RouteChooser>,
    pub(crate) frame: Frame,
}

impl World {
    pub(crate) fn new(profile: Profile, options: Rc<Options>) -> Self {
        Self {
            profile,
            clock: Clock::new(options.start),
            random: Random::new(options.seed),
            ticks: Ticks::default(),
            logs: Vec::new(),
            leaked: None,
            metrics: Metrics::default(),
            shared: SharedData::new(profile, options.shared_data_bytes),
            calls: Calls::default(),
            faults: Faults::default(),
            meter: Meter::default(),
            signature_answer: None,
            writes: Vec::new(),
            roots: BTreeMap::new(),
            streams: BTreeMap::new(),
            route_chooser: None,
            options,
            frame: Frame {
                vm: 0,
                callback: Callback::Outside,
                context: 0,
                call: None,
                call_root: 0,
                worker_killed: false,
            },
        }
    }

    /// The request that host calls act on, if they act on one.
    pub(crate) fn stream(&self) -> Option<&Stream> {
        self.streams.get(&self.frame.context)
    }

    pub(crate) fn stream_mut(&mut self) -> Option<&mut Stream> {
        self.streams.get_mut(&self.frame.context)
    }

    /// The request whose headers the filter may still look at. Envoy shows them once more as it
    /// ends.
    pub(crate) fn headers_of(&self) -> Option<&Stream> {
        let ending = self.frame.callback == Callback::End;
        self.stream()
            .filter(|stream| ending || !stream.headers_closed)
    }

    /// The root context of the context that host calls act on.
    pub(crate) fn root_id(&self) -> u32 {
        self.stream()
            .map_or(self.frame.context, |stream| stream.root)
    }

    /// The answer that the callback is told of. On Envoy it shows in the root context that the call was made in and in
    /// that one's requests, whichever context the filter's SDK takes the callback to.
    pub(crate) fn call(&self) -> Option<&CallView> {
        let shows = self.profile == Profile::Kong || self.root_id() == self.frame.call_root;
        self.frame.call.as_ref().filter(|_| shows)
    }

    /// Whose ticks are set now, if a root context runs.
    pub(crate) fn tick_owner(&self) -> Option<TickOwner> {
        let context = self.frame.context;
        self.roots
            .contains_key(&context)
            .then_some((self.frame.vm, context))
    }

    pub(crate) fn log(&mut self, level: Level, message: impl Into<String>) {
        let message = message.into();
        self.note_secret("the log", &message);
        self.logs.push((level, message));
    }

    /// Remembers a secret in what the filter says, for the end of the test.
    pub(crate) fn note_secret(&mut self, what: &str, text: &str) {
        if let Some(secret) = secret_in(text) {
            let found = || format!("{secret} in {what}: {text}");
            self.leaked.get_or_insert_with(found);
        }
    }

    /// The name of the route that a request takes by its headers as they are now.
    pub(crate) fn choose_route(&self, stream: &Stream) -> String {
        match &self.route_chooser {
            Some(choose) if self.profile.chooses_route_again() => {
                let headers: Vec<Pair> = stream
                    .headers
                    .seen()
                    .map(|(name, value)| (name.to_vec(), value.to_vec()))
                    .collect();
                choose(&headers)
            }
            _ => self
                .roots
                .get(&stream.root)
                .map(|root| root.route.name.clone())
                .unwrap_or_default(),
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("profile", &self.profile)
            .field("frame", &self.frame)
            .finish_non_exhaustive()
    }
}
