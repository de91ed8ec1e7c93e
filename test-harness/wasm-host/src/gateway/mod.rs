//! A gateway with the filter in it: what a test drives and looks at.

mod lifecycle;
mod retire;
mod serve;
mod wake;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::time::SystemTime;

use crate::abi::{Level, Pair};
use crate::calls::HttpCall;
use crate::cost::{Cost, since};
use crate::error::StartError;
use crate::exchange::{Exchange, ExchangeId};
use crate::faults::{Fault, HostCall};
use crate::metrics::Metric;
use crate::module::Module;
use crate::profile::{Options, Profile};
use crate::vm::{Trapped, Vm};
use crate::world::{Callback, Frame, PropertyWrite, World};
use retire::Retired;

/// An Envoy or a Kong with one filter, on a clock that the test moves.
///
/// Everything happens in the calling thread and in a fixed order: the same calls give the same
/// results.
pub struct Gateway {
    module: Module,
    world: World,
    /// A VM's number is its place here, for good: places aren't used again.
    slots: Vec<Slot>,
    /// The VMs that no reload has replaced: the workers' in order, then Envoy's main thread's.
    serving: Vec<usize>,
    /// The root context of each route, by index.
    routes: Vec<u32>,
    /// What an update has replaced and what still lives.
    retired: Vec<Retired>,
    last_context: u32,
    last_exchange: u64,
    exchanges: BTreeMap<ExchangeId, Exchange>,
    state: Serving,
    start_failure: Option<StartError>,
    recycled: usize,
}

/// Whatever a test was about, the filter told no secret.
impl Drop for Gateway {
    fn drop(&mut self) {
        let found = self.world.leaked.as_deref();
        crate::leak::assert_none("what the filter told", found);
    }
}

/// A place for a VM: empty before the start and after a trap.
#[derive(Default)]
struct Slot {
    vm: Option<Vm>,
    /// The root contexts that live in it.
    roots: BTreeSet<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Serving {
    /// Not started, or refused to, or the worker is dead.
    Down,
    /// With the filter.
    Filtered,
    /// Kong: without any.
    ChainsOff,
}

impl Gateway {
    /// A gateway that has not been started.
    #[must_use]
    pub fn new(profile: Profile, module: &Module, options: Options) -> Self {
        Self {
            module: module.clone(),
            world: World::new(profile, Rc::new(options)),
            slots: Vec::new(),
            serving: Vec::new(),
            routes: Vec::new(),
            retired: Vec::new(),
            last_context: 0,
            last_exchange: 0,
            exchanges: BTreeMap::new(),
            state: Serving::Down,
            start_failure: None,
            recycled: 0,
        }
    }

    /// Which gateway it is.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.world.profile
    }

    /// Envoy: how the router names the route that a request with these headers (pseudo-headers
    /// first) takes. It is asked as the request arrives, and again, when the filter has changed any
    /// header, as the request leaves the filter: until then `xds.route_name` reads as it was.
    /// Without it the name is the route's own.
    pub fn choose_route(&mut self, choose: impl Fn(&[Pair]) -> String + 'static) {
        self.world.route_chooser = Some(Box::new(choose));
    }

    /// A request as it stands now. A paused one has another outcome once a call has ended.
    #[must_use]
    pub fn exchange(&self, id: ExchangeId) -> Option<&Exchange> {
        self.exchanges.get(&id)
    }

    /// Forgets every request that doesn't wait any more, for tests that send very many.
    pub fn forget_exchanges(&mut self) {
        self.exchanges
            .retain(|_, exchange| exchange.outcome == crate::exchange::Outcome::Paused);
    }

    /// The calls that wait for [`respond`](Self::respond) or [`fail`](Self::fail), oldest first.
    #[must_use]
    pub fn pending_calls(&self) -> Vec<HttpCall> {
        self.world.calls.pending().to_vec()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.world.clock.now()
    }

    /// How many tick timers run, over all VMs and root contexts.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.world.ticks.len()
    }

    /// Everything logged, by the filter and by the host, oldest first.
    #[must_use]
    pub fn logs(&self) -> &[(Level, String)] {
        &self.world.logs
    }

    /// Takes what was logged since the last time.
    pub fn take_logs(&mut self) -> Vec<(Level, String)> {
        std::mem::take(&mut self.world.logs)
    }

    /// All metrics by name.
    #[must_use]
    pub fn metrics(&self) -> &BTreeMap<String, Metric> {
        self.world.metrics.by_name()
    }

    /// Every property that the filter set, oldest first.
    #[must_use]
    pub fn property_writes(&self) -> &[PropertyWrite] {
        &self.world.writes
    }

    /// What shared data holds under a key.
    #[must_use]
    pub fn shared_data(&self, key: &str) -> Option<&[u8]> {
        let (value, _cas) = self.world.shared.peek(key.as_bytes())?;
        Some(value)
    }

    /// How many keys shared data holds.
    #[must_use]
    pub fn shared_data_len(&self) -> usize {
        self.world.shared.len()
    }

    /// How often a fresh VM took the place of one that trapped.
    #[must_use]
    pub fn vm_recycled(&self) -> usize {
        self.recycled
    }

    /// The memory of the first worker's VM, in bytes; 0 when there is none.
    pub fn memory_bytes(&mut self) -> usize {
        self.memory_bytes_of(0)
    }

    /// The memory of a worker's VM, in bytes; 0 when there is none.
    pub fn memory_bytes_of(&mut self, worker: usize) -> usize {
        let slot = self.serving.get(worker).copied();
        let vm = slot.and_then(|slot| self.slots[slot].vm.as_mut());
        vm.map_or(0, Vm::memory_bytes)
    }

    /// Kong: a filter failed at start, so every chain is off and all routes are open.
    #[must_use]
    pub fn chains_off(&self) -> bool {
        self.state == Serving::ChainsOff
    }

    /// What failed at the last start, also where Kong calls it a success.
    #[must_use]
    pub fn start_failure(&self) -> Option<&StartError> {
        self.start_failure.as_ref()
    }

    /// How often each host call was made since the start or the last
    /// [`reset_host_calls`](Self::reset_host_calls). Those never made are absent.
    #[must_use]
    pub fn host_calls(&self) -> &BTreeMap<HostCall, u64> {
        self.world.faults.counts()
    }

    /// All host calls of [`host_calls`](Self::host_calls) together.
    #[must_use]
    pub fn host_calls_total(&self) -> u64 {
        self.host_calls().values().sum()
    }

    /// Counts host calls from zero again.
    pub fn reset_host_calls(&mut self) {
        self.world.faults.reset_counts();
    }

    /// What it costs to do this with the gateway.
    pub fn cost_of<R>(&mut self, run: impl FnOnce(&mut Self) -> R) -> (R, Cost) {
        let (fuel, calls) = (self.world.meter.fuel.clone(), self.host_calls().clone());
        let memory = self.memory_of_all();
        let result = run(self);
        let callbacks = since(&self.world.meter.fuel, &fuel);
        let cost = Cost {
            fuel: callbacks.values().sum(),
            callbacks,
            calls: since(self.host_calls(), &calls),
            memory: self.memory_of_all().saturating_sub(memory),
        };
        (result, cost)
    }

    fn memory_of_all(&mut self) -> usize {
        let vms = self.slots.iter_mut().filter_map(|slot| slot.vm.as_mut());
        vms.map(Vm::memory_bytes).sum()
    }

    /// Makes the `nth` call of a host function from now, counted from 1, fail once.
    pub fn set_fault(&mut self, call: HostCall, nth: u64, fault: Fault) {
        self.world.faults.arm(call, nth, fault);
    }

    /// Makes Envoy's `verify_signature` answer with these bytes whatever it is asked; with none, as it does.
    pub fn set_signature_answer(&mut self, answer: Option<Vec<u8>>) {
        self.world.signature_answer = answer;
    }

    /// Takes back the faults that have not struck yet.
    pub fn clear_faults(&mut self) {
        self.world.faults.disarm();
    }

    /// Calls into a VM, in the name of a context.
    fn run(
        &mut self,
        frame: Frame,
        export: &'static str,
        arguments: &[u32],
    ) -> Result<Option<i32>, Trapped> {
        let slot = self.slots.get_mut(frame.vm);
        let Some(vm) = slot.and_then(|slot| slot.vm.as_mut()) else {
            return Err(Trapped("there is no VM".into()));
        };
        self.world.frame = frame;
        let result = vm.call(&mut self.world, export, arguments);
        self.world.frame.callback = Callback::Outside;
        self.world.frame.call = None;
        result
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("profile", &self.world.profile)
            .field("state", &self.state)
            .field("recycled", &self.recycled)
            .finish_non_exhaustive()
    }
}

/// A frame with no call response in it.
fn frame(vm: usize, callback: Callback, context: u32) -> Frame {
    Frame {
        vm,
        callback,
        context,
        call: None,
        call_root: 0,
        worker_killed: false,
    }
}
