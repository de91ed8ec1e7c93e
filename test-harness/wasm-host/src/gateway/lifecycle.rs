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
        let vms = match self.world.profile {
            Profile::Envoy => self.world.options.vms.max(1),
            Profile::Kong => 1,
        };
        let mut result = Ok(());
        for vm in 0..vms {
            self.slots.push(Slot::default());
            let roots = self.routes.clone();
            result = result.and_then(|()| self.fill(vm, &roots));
        }
        self.start_failure = result.as_ref().err().cloned();
        self.state = match (&result, self.world.profile) {
            (Ok(()), _) => Serving::Filtered,
            (Err(StartError::WorkerCrashed(_)), _) | (Err(_), Profile::Envoy) => Serving::Down,
            (Err(_), Profile::Kong) => Serving::ChainsOff,
        };
        if self.state == Serving::Filtered {
            return Ok(());
        }
        if let Err(error) = &result {
            self.world.log(Level::Error, error.to_string());
        }
        self.stop_vms();
        if self.state == Serving::ChainsOff {
            return Ok(());
        }
        result
    }

    /// Replaces the configuration of a running gateway: an LDS or ECDS update on Envoy, a
    /// `POST /config` on Kong. The new routes take the place of the old.
    ///
    /// Envoy tries the filter in a VM apart first, then configures new root contexts in the
    /// running VMs and ends the old ones. Kong configures new root contexts in the running VM,
    /// where the old ones and their ticks live on.
    ///
    /// # Errors
    /// The filter trapped or said no. The old configuration goes on serving. (Kong's own API
    /// answers 201 then, and an error is logged.)
    pub fn reconfigure(&mut self, routes: &[RouteConfig]) -> Result<(), StartError> {
        let old = self.routes.clone();
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
        self.routes = new;
        if self.world.profile == Profile::Envoy {
            self.end_roots(&old);
        }
        Ok(())
    }

    fn reconfigure_envoy(&mut self, new: &[u32]) -> Result<(), StartError> {
        let apart = self.slots.len();
        self.slots.push(Slot::default());
        let tried = self.fill(apart, new);
        self.empty(apart);
        self.slots.pop();
        tried?;
        for vm in 0..self.slots.len() {
            for &root in new {
                if self.slots[vm].vm.is_some() {
                    self.start_root(vm, root, true)?;
                }
            }
        }
        Ok(())
    }

    fn reconfigure_kong(&mut self, new: &[u32]) -> Result<(), StartError> {
        for &root in new {
            if self.slots[0].vm.is_none() {
                self.instantiate(0)?;
                self.recycled += 1;
            }
            self.start_root(0, root, true)?;
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

        let mut run = |callback, export, arguments: &[u32]| {
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

    fn empty(&mut self, vm: usize) {
        let profile = self.world.profile;
        self.slots[vm] = Slot::default();
        self.world.calls.drop_vm(profile, vm);
        match profile {
            Profile::Envoy => self.world.ticks.stop_vm(vm),
            Profile::Kong => self.world.ticks.forget_vm(vm),
        }
    }

    /// Nothing runs any more.
    fn stop_vms(&mut self) {
        self.slots.clear();
        self.world.ticks = Ticks::default();
        self.world.calls.drop_all();
    }

    fn stop(&mut self) {
        self.stop_vms();
        self.world.roots.clear();
        self.world.streams.clear();
        self.world.shared = SharedData::default();
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

    /// Ends root contexts in every VM, except where a request still waits in one.
    fn end_roots(&mut self, roots: &[u32]) {
        for &root in roots {
            if self
                .world
                .streams
                .values()
                .any(|stream| stream.root == root)
            {
                continue;
            }
            for vm in 0..self.slots.len() {
                if !self.slots[vm].roots.remove(&root) {
                    continue;
                }
                self.world.ticks.stop((vm, root));
                for export in ["proxy_on_done", "proxy_on_log", "proxy_on_delete"] {
                    let ended = self.run(frame(vm, Callback::End, root), export, &[root]);
                    if let Err(trap) = ended {
                        self.trapped(vm, &trap);
                        break;
                    }
                }
            }
            self.world.roots.remove(&root);
        }
    }
}
