//! A route's configuration in one VM: the policy, the keys, and the ticks that fetch them.

use super::exchange::Flights;
use super::fetch::{Fetcher, SharedRemote};
use super::request::RequestFilter;
use super::session::Listeners;
use super::vm::{Vm, random};
use crate::exchange::{Credential, Key};
use crate::gate::{Decision, DecisionId, State};
use crate::policy::{Needs, Policy, Severity};
use crate::replay;
use crate::shared_data::{NoSharedData, SharedData};
use crate::time::UnixTime;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType, Status};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

/// How often the stores are asked whether they want a fetch.
const TICK: Duration = Duration::from_millis(500);

/// The least time between two reviews of waiting requests that ticks bring about.
const REVIEW_REST: Duration = Duration::from_millis(250);

/// How far a policy is examined when it is loaded, which holds up the gateway's worker: some ten milliseconds. `jobgate
/// check` examines all of it.
const FINDING_STEPS: u64 = 1_000_000;

/// The most findings that are logged.
const LOGGED_FINDINGS: usize = 50;

/// What every request of a route shares, and every root context of the same configuration.
pub(super) struct Route {
    pub(super) vm: Rc<Vm>,
    /// None where the configuration is not one: then everything is refused.
    pub(super) policy: Option<Policy>,
    /// What its rules look at that the host must be asked for.
    pub(super) needs: Needs,
    /// There if the policy is.
    pub(super) state: Option<RefCell<State>>,
    /// Credentials that are being got.
    pub(super) flights: Flights,
    /// Calls to the gate itself whose bodies are waited for.
    pub(super) listeners: Listeners,
    /// Makes decision ids of this route its own.
    id: u64,
    decisions: Cell<u64>,
    /// Whether the record of used tokens was begun.
    has_record: Cell<bool>,
}

impl Route {
    fn new(vm: &Rc<Vm>, policy: Option<Policy>) -> Self {
        let state = policy.as_ref().map(|policy| {
            let state = match vm.pool.try_borrow_mut() {
                Ok(mut pool) => {
                    vm.budget.raise(policy.cache.bytes);
                    State::new(policy, &mut pool, &vm.budget)
                }
                Err(_) => State::alone(policy),
            };
            RefCell::new(state)
        });
        Self {
            vm: Rc::clone(vm),
            needs: policy.as_ref().map(Policy::needs).unwrap_or_default(),
            policy,
            state,
            flights: Flights::default(),
            listeners: Listeners::default(),
            id: random(),
            decisions: Cell::new(0),
            has_record: Cell::new(false),
        }
    }

    pub(super) fn decision_id(&self, now: UnixTime) -> DecisionId {
        let nth = self.decisions.get().wrapping_add(1);
        self.decisions.set(nth);
        DecisionId::new(now, self.id, nth)
    }

    /// What this route has fetched, one after the other.
    pub(super) fn remotes(&self) -> Vec<SharedRemote> {
        let Some(Ok(state)) = self.state.as_ref().map(RefCell::try_borrow) else {
            return Vec::new();
        };
        let keys = state
            .keys
            .stores()
            .map(|store| Rc::clone(store) as SharedRemote);
        let revocations = state.revocations.iter();
        keys.chain(revocations.map(|store| Rc::clone(store) as SharedRemote))
            .collect()
    }

    /// How long a refused request may wait for what it lacks.
    pub(super) fn wait(&self, decision: &Decision<'_>) -> Option<Duration> {
        self.state.as_ref()?.try_borrow().ok()?.wait(decision)
    }

    /// The shared data that requests and ticks of this route use.
    pub(super) fn shared(&self) -> &'static dyn SharedData {
        self.policy
            .as_ref()
            .map_or(&NoSharedData, |policy| self.vm.shared(policy))
    }

    /// Takes what other workers have fetched already.
    fn prepare(&self) {
        let (Some(policy), Ok(now)) = (&self.policy, now()) else {
            return;
        };
        let shared = self.vm.shared_in_configure(policy);
        for remote in self.remotes() {
            if let Ok(mut remote) = remote.try_borrow_mut() {
                remote.look(now, shared);
            }
        }
        self.begin_record(policy, shared, now);
    }

    /// Lets the record of used tokens begin, if a rule lets tokens through once.
    fn begin_record(&self, policy: &Policy, shared: &dyn SharedData, now: UnixTime) {
        if self.has_record.get() || !policy.uses_tokens_up() {
            return;
        }
        match replay::ensure_pages(shared, now) {
            Ok(()) => self.has_record.set(true),
            // In `on_configure` it may not be there yet, and each request that needs it says so.
            Err(failed) => log::debug!("jobgate: there is no record of used tokens: {failed}"),
        }
    }

    /// Keeps a credential for later requests.
    pub(super) fn keep_credential(&self, key: Key, credential: &Rc<Credential>, now: UnixTime) {
        if let Some(Ok(mut state)) = self.state.as_ref().map(RefCell::try_borrow_mut) {
            state.credentials.keep(key, credential, now);
        }
    }

    /// What is to be done from time to time beside fetching.
    fn keep(&self, now: UnixTime) {
        let Some(policy) = &self.policy else { return };
        self.begin_record(policy, self.shared(), now);
        if let Some(Ok(mut state)) = self.state.as_ref().map(RefCell::try_borrow_mut) {
            state.cache.forget_expired(now);
            state.credentials.forget_ended(now);
        }
    }
}

/// The root context of a route.
pub(super) struct Root {
    context: u32,
    route: Option<Rc<Route>>,
    fetcher: Fetcher,
    ticks: bool,
}

impl Root {
    pub(super) fn new(context: u32) -> Self {
        Self {
            context,
            route: None,
            fetcher: Fetcher::default(),
            ticks: false,
        }
    }

    /// Decides waiting requests again: what they wait for may have come, or their time be over.
    fn review(&self, route: &Route, now: UnixTime) {
        route.vm.waiting.review(self.context, now, now.plus(TICK));
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, call: u32, headers: usize, body_size: usize, _: usize) {
        if let Some(route) = self.route.clone() {
            // Made by a request that waited for keys: in its name, and in the course of some route's review of all.
            for of in route.vm.routes() {
                let flights = &of.flights;
                if flights.on_response(&of, self.context, call, headers, body_size) {
                    return;
                }
            }
            let is_over = self.fetcher.on_response(&route, call, headers, body_size);
            if let (true, Ok(now)) = (is_over, now()) {
                self.review(&route, now);
            }
        }
    }
}

impl RootContext for Root {
    /// Always true: Kong answers a false by opening all of its routes.
    fn on_configure(&mut self, size: usize) -> bool {
        let vm = Vm::this();
        let of = vm
            .host
            .plugin_name()
            .map(|name| format!(" of {name:?}"))
            .unwrap_or_default();
        let route = configured(&vm, &of, size);
        route.prepare();
        // Ticks also keep what requests leave behind small.
        let ticks = route.policy.is_some();
        self.fetcher = Fetcher::default();
        self.route = Some(route);
        // Once for each context: Kong traps on a second time.
        if ticks && !self.ticks {
            match hostcalls::set_tick_period(TICK) {
                Ok(()) => self.ticks = true,
                Err(status) => log::error!("jobgate: no ticks, so nothing is fetched: {status:?}"),
            }
        }
        true
    }

    /// A VM of many routes has very many ticks: with nothing to do each asks the host for the time, and no more.
    fn on_tick(&mut self) {
        if let (Some(route), Ok(now)) = (self.route.clone(), now()) {
            self.fetcher.on_tick(&route, now);
            route.keep(now);
            route.flights.on_tick(&route, self.context, now);
            route.listeners.on_tick(&route, self.context, now);
            if route.vm.waiting.is_due(now, REVIEW_REST) {
                self.review(&route, now);
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(RequestFilter::new(context, self.route.clone())))
    }
}

/// The route of the configuration; one that refuses everything, if it has errors.
fn configured(vm: &Rc<Vm>, of: &str, size: usize) -> Rc<Route> {
    let document = match hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size) {
        Ok(document) => document.unwrap_or_default(),
        Err(status) => {
            log::error!("jobgate: configuration{of}: the gateway did not hand it over: {status:?}");
            return Rc::new(Route::new(vm, None));
        }
    };
    let route = vm.route(&document, || {
        Rc::new(Route::new(vm, read_policy(&document, of)))
    });
    let end = route
        .policy
        .as_ref()
        .and_then(|policy| policy.sessions.as_ref()?.end.as_ref());
    if end.is_some_and(|end| end.webhook.is_some()) && !vm.host.holds_paused_requests() {
        log::warn!(
            "jobgate: configuration{of}: sessions.end.webhook: this gateway does not let the gate read a call's body safely, so the webhook is answered with 501"
        );
    }
    match &route.policy {
        Some(policy) => log::info!(
            "jobgate: configuration{of}: {} rules are in force on {}: {}",
            policy.rules.len(),
            vm.host.name(),
            policy.digest
        ),
        None => log::error!(
            "jobgate: configuration{of}: every request is refused with config_invalid until this is mended"
        ),
    }
    route
}

/// The policy, if the document is one; what is wrong with it is logged, a line each.
fn read_policy(document: &[u8], of: &str) -> Option<Policy> {
    match Policy::from_json_with(document, &|name| std::env::var(name).ok()) {
        Ok(policy) => {
            log_findings(&policy, of);
            Some(policy)
        }
        Err(errors) => {
            for error in errors.0 {
                log::error!("jobgate: configuration{of}: {error}");
            }
            None
        }
    }
}

/// Logs what is probably wrong with a policy; the warnings first, and of very many the first.
fn log_findings(policy: &Policy, of: &str) {
    let findings = policy.first_findings(FINDING_STEPS, LOGGED_FINDINGS);
    let of_severity = |severity| {
        findings
            .first
            .iter()
            .filter(move |it| it.severity == severity)
    };
    let warnings = of_severity(Severity::Warning);
    let in_order = warnings.chain(of_severity(Severity::Note));
    // That something was not looked at must not be lost among many.
    for finding in in_order.take(LOGGED_FINDINGS).chain(&findings.unexamined) {
        let level = match finding.severity {
            Severity::Note => log::Level::Info,
            Severity::Warning | Severity::Error => log::Level::Warn,
        };
        log::log!(level, "jobgate: configuration{of}: {finding}");
    }
    let more = findings.found.saturating_sub(LOGGED_FINDINGS);
    if more > 0 {
        log::info!(
            "jobgate: configuration{of}: and {more} more findings; `jobgate check` shows them all"
        );
    }
}

/// The host's time.
pub(super) fn now() -> Result<UnixTime, Status> {
    let now = hostcalls::get_current_time()?;
    Ok(UnixTime::new(
        now.duration_since(UNIX_EPOCH).unwrap_or_default(),
    ))
}
