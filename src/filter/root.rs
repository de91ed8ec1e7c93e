//! A route's configuration in one VM: the policy, the keys, and the ticks that fetch them.

use super::fetch::Fetcher;
use super::host::{Host, detect};
use super::request::RequestFilter;
use crate::gate::DecisionId;
use crate::keys::KeyRing;
use crate::policy::Policy;
use crate::time::UnixTime;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType, Status};
use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

/// How often the key stores are asked whether they want a fetch. An unknown `kid` waits this long at most.
const TICK: Duration = Duration::from_millis(500);

/// What every request of a route shares.
pub(super) struct Route {
    pub(super) host: &'static dyn Host,
    /// None where the configuration is not one: then everything is refused.
    pub(super) policy: Option<Policy>,
    pub(super) keys: RefCell<KeyRing>,
    vm: u64,
    decisions: Cell<u64>,
}

impl Route {
    fn new(host: &'static dyn Host, policy: Option<Policy>) -> Self {
        let keys = KeyRing::new(policy.as_ref().map_or(&[], |policy| &policy.issuers));
        Self {
            host,
            policy,
            keys: RefCell::new(keys),
            // The standard library keys its hashers from the host's random source.
            vm: RandomState::new().hash_one(0),
            decisions: Cell::new(0),
        }
    }

    pub(super) fn decision_id(&self, now: UnixTime) -> DecisionId {
        let nth = self.decisions.get().wrapping_add(1);
        self.decisions.set(nth);
        DecisionId::new(now, self.vm, nth)
    }
}

/// The root context of a route.
#[derive(Default)]
pub(super) struct Root {
    route: Option<Rc<Route>>,
    fetcher: Fetcher,
    ticks: bool,
}

impl Context for Root {
    fn on_http_call_response(&mut self, call: u32, _: usize, body_size: usize, _: usize) {
        if let Some(route) = &self.route {
            self.fetcher.on_response(route, call, body_size);
        }
    }
}

impl RootContext for Root {
    /// Always true: Kong answers a false by opening all of its routes.
    fn on_configure(&mut self, size: usize) -> bool {
        let host = detect();
        let of = host
            .plugin_name()
            .map(|name| format!(" of {name:?}"))
            .unwrap_or_default();
        let policy = match read_policy(size) {
            Ok(policy) => {
                let (rules, digest) = (policy.rules.len(), &policy.digest);
                log::info!(
                    "jobgate: configuration{of}: {rules} rules are in force on {}: {digest}",
                    host.name()
                );
                Some(policy)
            }
            Err(errors) => {
                for error in errors {
                    log::error!("jobgate: configuration{of}: {error}");
                }
                log::error!(
                    "jobgate: configuration{of}: every request is refused with config_invalid until this is mended"
                );
                None
            }
        };
        let fetches = policy
            .as_ref()
            .is_some_and(|policy| policy.issuers.iter().any(|issuer| issuer.jwks.is_some()));
        self.fetcher = Fetcher::default();
        self.route = Some(Rc::new(Route::new(host, policy)));
        // Once for each context: Kong traps on a second time.
        if fetches && !self.ticks {
            match hostcalls::set_tick_period(TICK) {
                Ok(()) => self.ticks = true,
                Err(status) => log::error!("jobgate: no ticks, so no keys are fetched: {status:?}"),
            }
        }
        true
    }

    fn on_tick(&mut self) {
        if let Some(route) = &self.route {
            self.fetcher.on_tick(route);
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(RequestFilter::new(self.route.clone())))
    }
}

/// The policy, or what is wrong with it, a line each.
fn read_policy(size: usize) -> Result<Policy, Vec<String>> {
    let document = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size)
        .map_err(|status| vec![format!("the gateway did not hand it over: {status:?}")])?
        .unwrap_or_default();
    Policy::from_json(&document)
        .map_err(|errors| errors.0.iter().map(ToString::to_string).collect())
}

/// The host's time.
pub(super) fn now() -> Result<UnixTime, Status> {
    let now = hostcalls::get_current_time()?;
    Ok(UnixTime::new(
        now.duration_since(UNIX_EPOCH).unwrap_or_default(),
    ))
}
