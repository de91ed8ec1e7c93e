//! VMs and root contexts: how they start, are reconfigured, trap and come back.

use super::{Gateway, Serving, Slot, frame};
use crate::abi::{Level, count};
use crate::clock::Ticks;
use crate::error::StartError;
use crate::exchange::Passage;
use crate::metrics::Metrics;
use crate::profile::{FailurePolicy, Profile, RouteConfig};
use crate::shared_data::SharedData;
use crate::vm::{Trapped, Vm};
use crate::world::{Callback, Root};

impl Gateway {
    /// Starts the gateway with the filter on these routes.
    ///
    /// Each VM is instantiated and each route gets a root context: `_initialize`,
    /// `proxy_on_context_create`, `proxy_on_vm_start` (Envoy: for the VM's first root context
    /// only) and `proxy_on_configure`.
    ///
    /// Starting again is a restart: VMs, ticks, calls, shared data and metrics begin anew.
    ///
    /// # Errors
    /// Envoy: any failure; it does not run then. Kong calls every failure a success and switches
    /// all chains off (see [`chains_off`](Self::chains_off) and
    /// [`start_failure`](Self::start_failure)), except when the worker dies.
    pub fn start(&mut self, routes: &[RouteConfig]) -> Result<(), StartError> {
        self.stop();
        self.routes = self.new_roots(routes);
        let result = self.boot(&self.routes.clone());
        self.started(result)
    }

    /// Replaces the configuration of a running gateway: an LDS or ECDS update on Envoy, a
    /// `POST /config` on Kong. The new routes take the place of the old; the VMs stay.
    ///
    /// Envoy tries the filter in a VM apart first, then configures new root contexts in the
    /// running VMs; the old ones end as [`Options::drain`](crate::Options::drain) says. Kong
    /// configures new root contexts in the running VMs, where the old ones and their ticks live
    /// on for good.
    ///
    /// # Errors
    /// The filter trapped or said no. The old configuration goes on serving. (Kong's own API
    /// answers 201 then, and an error is logged.)
    pub fn reconfigure(&mut self, routes: &[RouteConfig]) -> Result<(), StartError> {
        let new = self.new_roots(routes);
        let result = match self.world.profile {
            Profile::Envoy => self.reconfigure_envoy(&new),
            Profile::Kong => self.reconfigure_kong(&new),
        };
        if let Err(error) = result {
            self.world.log(Level::Error, error.to_string());
            self.drop_roots(&new);
            return Err(error);
        }
        let old = std::mem::replace(&mut self.routes, new);
        if self.world.profile == Profile::Envoy {
            self.retire(old, Vec::new());
        }
        Ok(())
    }

    /// Replaces the configuration and the VMs: an update on Envoy that changes the VM's
    /// configuration or its code, nginx's reload (`HUP`) on Kong. Shared data and metrics are kept,
    /// and requests that wait go on in the old VMs.
    ///
    /// # Errors
    /// As for [`start`](Self::start), but Envoy goes on with what it has.
    pub fn reload(&mut self, routes: &[RouteConfig]) -> Result<(), StartError> {
        let new = self.new_roots(routes);
        let replaced = std::mem::take(&mut self.serving);
        let result = self.boot(&new);
        if self.world.profile == Profile::Envoy
            && let Err(error) = result
        {
            self.world.log(Level::Error, error.to_string());
            self.drop_vms();
            self.drop_roots(&new);
            self.serving = replaced;
            return Err(error);
        }
        let old = std::mem::replace(&mut self.routes, new);
        self.retire(old, replaced);
        self.started(result)
    }

    /// New VMs for all workers, with these root contexts. In Envoy's order: the VM apart, the
    /// main thread's, the workers'.
    fn boot(&mut self, roots: &[u32]) -> Result<(), StartError> {
        let main_thread = self.world.profile == Profile::Envoy && self.world.options.main_thread;
        let vms = self.world.options.workers.max(1) + usize::from(main_thread);
        for _ in 0..vms {
            self.serving.push(self.slots.len());
            self.slots.push(Slot::default());
        }
        let mut order = self.serving.clone();
        if main_thread {
            order.rotate_right(1);
            self.try_apart(roots)?;
        }
        for vm in order {
            self.fill(vm, roots)?;
        }
        Ok(())
    }

    /// The VMs of a boot that failed.
    fn drop_vms(&mut self) {
        for vm in std::mem::take(&mut self.serving) {
            self.empty(vm);
            self.world.ticks.stop_vm(vm);
        }
    }

    /// Where a start, or a reload that is one, leaves the gateway.
    fn started(&mut self, result: Result<(), StartError>) -> Result<(), StartError> {
        self.start_failure = result.as_ref().err().cloned();
        self.state = match (&result, self.world.profile) {
            (Ok(()), _) => Serving::Filtered,
            (Err(StartError::WorkerCrashed(_)), _) | (Err(_), Profile::Envoy) => Serving::Down,
            (Err(_), Profile::Kong) => Serving::ChainsOff,
        };
        if let Err(error) = &result {
            self.world.log(Level::Error, error.to_string());
            self.drop_vms();
        }
        match self.state {
            Serving::ChainsOff => Ok(()),
            _ => result,
        }
    }

    /// Envoy tries every configuration in a VM that it drops again.
    fn try_apart(&mut self, roots: &[u32]) -> Result<(), StartError> {
        let apart = self.slots.len();
        self.slots.push(Slot::default());
        let tried = self.fill(apart, roots);
        self.empty(apart);
        self.slots.pop();
        tried
    }

    fn reconfigure_envoy(&mut self, new: &[u32]) -> Result<(), StartError> {
        self.try_apart(new)?;
        for vm in self.serving.clone() {
            for &root in new {
                if self.slots[vm].vm.is_some() {
                    self.start_root(vm, root, true)?;
                }
            }
        }
        Ok(())
    }

    fn reconfigure_kong(&mut self, new: &[u32]) -> Result<(), StartError> {
        for vm in self.serving.clone() {
            for &root in new {
                if self.slots[vm].vm.is_none() {
                    self.instantiate(vm)?;
                    self.recycled += 1;
                }
                self.start_root(vm, root, true)?;
            }
        }
        Ok(())
    }

    /// Makes sure that a VM and a root context in it are there to take a request or a tick. After
    /// a trap that means a fresh VM: with all root contexts on Envoy, with this one on Kong.
    pub(super) fn ready(&mut self, vm: usize, root: u32) -> Result<(), StartError> {
        let profile = self.world.profile;
        if self.slots[vm].vm.is_none() {
            match (profile, self.world.options.failure_policy) {
                (Profile::Envoy, FailurePolicy::Closed) => return Err(StartError::VmFailed),
                (Profile::Envoy, FailurePolicy::Reload) => {
                    let roots = self.routes.clone();
                    if let Err(error) = self.fill(vm, &roots) {
                        self.empty(vm);
                        return Err(error);
                    }
                }
                (Profile::Kong, _) => self.instantiate(vm)?,
            }
            self.recycled += 1;
        }
        if self.slots[vm].roots.contains(&root) {
            return Ok(());
        }
        self.start_root(vm, root, false)
    }

    /// A VM and its first root contexts.
    fn fill(&mut self, vm: usize, roots: &[u32]) -> Result<(), StartError> {
        self.instantiate(vm)?;
        for &root in roots {
            self.start_root(vm, root, true)?;
        }
        Ok(())
    }

    fn instantiate(&mut self, vm: usize) -> Result<(), StartError> {
        self.world.frame = frame(vm, Callback::Outside, 0);
        let fresh = Vm::new(&self.module, &mut self.world)
            .map_err(|Trapped(why)| StartError::Instantiate(why))?;
        self.slots[vm].vm = Some(fresh);
        self.slots[vm].roots.clear();
        self.run(frame(vm, Callback::Outside, 0), "_initialize", &[])
            .map_err(|trap| self.failed_start(vm, &trap))?;
        Ok(())
    }

    /// Creates and configures a root context. `loading` tells a configuration that is being
    /// loaded from a VM that comes back: Kong runs `on_vm_start` only in the former.
    fn start_root(&mut self, vm: usize, root: u32, loading: bool) -> Result<(), StartError> {
        let vm_start = match self.world.profile.vm_start_per_root() {
            true => loading,
            false => self.slots[vm].roots.is_empty(),
        };
        let Some(Root { route }) = self.world.roots.get(&root) else {
            return Ok(());
        };
        let name = route.name.clone();
        let vm_size = count(self.world.options.vm_configuration.len());
        let size = count(route.configuration.len());

        let mut run = |callback, export: &'static str, arguments: &[u32]| {
            self.run(frame(vm, callback, root), export, arguments)
                .map_err(|trap| self.failed_start(vm, &trap))
        };
        run(Callback::Create, "proxy_on_context_create", &[root, 0])?;
        if vm_start && run(Callback::VmStart, "proxy_on_vm_start", &[root, vm_size])? == Some(0) {
            return Err(StartError::VmStartRefused);
        }
        if run(Callback::Configure, "proxy_on_configure", &[root, size])? == Some(0) {
            return Err(StartError::ConfigureRefused(name));
        }
        self.slots[vm].roots.insert(root);
        Ok(())
    }

    fn failed_start(&mut self, vm: usize, trap: &Trapped) -> StartError {
        let killed = self.world.frame.worker_killed;
        self.trapped(vm, trap);
        if killed {
            self.state = Serving::Down;
            return StartError::WorkerCrashed(trap.0.clone());
        }
        StartError::Trapped(trap.0.clone())
    }

    /// A VM is gone. Its calls have nobody to answer to. On Envoy its ticks stop and the requests
    /// that wait in it wait for good. On Kong its ticks fire on, and the requests that wait in it
    /// **go to the upstream**.
    ///
    /// The request whose callback trapped, if any, has been concluded before.
    pub(super) fn trapped(&mut self, vm: usize, trap: &Trapped) {
        self.world.log(Level::Critical, trap.0.clone());
        let waiting: Vec<u32> = self
            .world
            .streams
            .iter()
            .filter(|(_, stream)| stream.vm == vm && stream.paused)
            .map(|(id, _)| *id)
            .collect();
        self.empty(vm);
        for context in waiting {
            match self.world.profile {
                Profile::Envoy => drop(self.world.streams.remove(&context)),
                Profile::Kong => self.conclude_upstream(context, Passage::NeighbourTrapped),
            }
        }
    }

    pub(super) fn empty(&mut self, vm: usize) {
        let profile = self.world.profile;
        self.slots[vm] = Slot::default();
        self.world.calls.drop_vm(profile, vm);
        match profile {
            Profile::Envoy => self.world.ticks.stop_vm(vm),
            Profile::Kong => self.world.ticks.forget_vm(vm),
        }
    }

    /// Nothing runs any more.
    fn stop(&mut self) {
        self.slots.clear();
        self.serving.clear();
        self.retired.clear();
        let (profile, bytes) = (self.world.profile, self.world.options.shared_data_bytes);
        self.world.ticks = Ticks::default();
        self.world.calls.drop_all();
        self.world.roots.clear();
        self.world.streams.clear();
        self.world.shared = SharedData::new(profile, bytes);
        self.world.metrics = Metrics::default();
    }

    fn new_roots(&mut self, routes: &[RouteConfig]) -> Vec<u32> {
        routes
            .iter()
            .map(|route| {
                self.last_context += 1;
                let root = Root {
                    route: route.clone(),
                };
                self.world.roots.insert(self.last_context, root);
                self.last_context
            })
            .collect()
    }

    /// Root contexts that never came to serve.
    fn drop_roots(&mut self, roots: &[u32]) {
        for vm in 0..self.slots.len() {
            for root in roots {
                self.slots[vm].roots.remove(root);
                self.world.ticks.stop((vm, *root));
            }
        }
        for root in roots {
            self.world.roots.remove(root);
        }
    }
}
