//! What all root contexts of a VM share. Kong keeps one VM for all routes of a worker, and keeps in it the
//! root contexts that a reload replaced; Envoy one for all plugins of the same VM configuration.

use super::host::{Host, detect};
use super::lines::Lines;
use super::metrics::Metrics;
use super::root::Route;
use super::shared::{KONG, has_worked};
use super::waiting::Waiting;
use crate::gate::Pool;
use crate::policy::Policy;
use crate::shared_data::{NoSharedData, SharedData};
use crate::token::Budget;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::{Rc, Weak};

thread_local! {
    static VM: RefCell<Option<Rc<Vm>>> = const { RefCell::new(None) };
}

/// A VM's own state. A trap takes it.
pub(super) struct Vm {
    pub(super) host: &'static dyn Host,
    pub(super) pool: RefCell<Pool>,
    pub(super) budget: Rc<Budget>,
    pub(super) metrics: Metrics,
    pub(super) waiting: Waiting,
    pub(super) lines: Lines,
    /// The routes by the hashes of their configurations, so that a reload that changes nothing for a route
    /// costs no memory on Kong, where the old root context stays.
    routes: RefCell<HashMap<[u64; 2], Weak<Route>>>,
    /// Has a secret of this VM: nobody can make up two configurations whose hashes are alike.
    hasher: RandomState,
}

impl Vm {
    /// The VM; made at the first configuration, in whose callback the host can be asked what it is.
    pub(super) fn this() -> Rc<Self> {
        VM.with(|vm| {
            let made = || {
                let host = detect();
                Rc::new(Self {
                    host,
                    pool: RefCell::new(Pool::new(random()).verifying_by(host.verifier())),
                    budget: Budget::of_a_vm(),
                    metrics: Metrics::default(),
                    waiting: Waiting::default(),
                    lines: Lines::default(),
                    routes: RefCell::new(HashMap::new()),
                    hasher: RandomState::new(),
                })
            };
            match vm.try_borrow_mut() {
                Ok(mut vm) => Rc::clone(vm.get_or_insert_with(made)),
                // It is borrowed nowhere but here.
                Err(_) => made(),
            }
        })
    }

    /// The route of a configuration: the one there is, or one that `make` makes.
    pub(super) fn route(
        &self,
        configuration: &[u8],
        make: impl FnOnce() -> Rc<Route>,
    ) -> Rc<Route> {
        // Less work than a digest where it is large.
        let hashes = [0_u8, 1].map(|nth| self.hasher.hash_one((nth, configuration)));
        let Ok(mut routes) = self.routes.try_borrow_mut() else {
            return make();
        };
        if let Some(route) = routes.get(&hashes).and_then(Weak::upgrade) {
            return route;
        }
        routes.retain(|_, route| route.strong_count() > 0);
        let route = make();
        routes.insert(hashes, Rc::downgrade(&route));
        route
    }

    /// The routes that there are.
    pub(super) fn routes(&self) -> Vec<Rc<Route>> {
        self.routes.try_borrow().map_or_else(
            |_| Vec::new(),
            |routes| routes.values().filter_map(Weak::upgrade).collect(),
        )
    }

    /// Shared data, where it is known to be there: Envoy has it, and of other hosts the policy must say so,
    /// since asking one without it traps.
    pub(super) fn shared(&self, policy: &Policy) -> &'static dyn SharedData {
        match self.host.shared_data() {
            Some(data) => data,
            None if policy.shared_data => &KONG,
            None => &NoSharedData,
        }
    }

    /// As [`Self::shared`], in `on_configure`: a trap there opens every route of Kong, so a policy that
    /// promises what is not there must not be believed before it was seen to be true.
    pub(super) fn shared_in_configure(&self, policy: &Policy) -> &'static dyn SharedData {
        match self.host.shared_data() {
            Some(data) => data,
            None if policy.shared_data && has_worked() => &KONG,
            None => &NoSharedData,
        }
    }
}

/// A random number: the standard library keys its hashers from the host's random source.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(0)
}
