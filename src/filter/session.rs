//! Calls to the gate itself that end a job's session.
//!
//! None of them may reach the upstream, whatever goes wrong. So each is answered while its headers are told of, but for a
//! webhook's, whose body must be read: that is waited for only where the host holds back what is paused. Envoy hands a
//! paused request's body over if `allow_on_headers_stop_iteration` is set; where it is not, the call is answered by a tick.

use super::request::{Arrival, Handled, refuse};
use super::root::Route;
use crate::gate::{Call, Decision, DecisionId, Ending, Request, end_by_token, end_by_webhook};
use crate::policy::Policy;
use crate::reason::{Reason, Refusal};
use crate::session::webhook::{MAX_BODY, Signature, malformed};
use crate::session::{EndPolicy, Way};
use crate::time::UnixTime;
use proxy_wasm::hostcalls;
use proxy_wasm::types::BufferType;
use std::cell::RefCell;
use std::time::Duration;

/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most calls of a route whose bodies are waited for.
const MAX_LISTENERS: usize = 1_000;

/// A call whose body is waited for.
struct Listener {
    context: u32,
    id: DecisionId,
    since: UnixTime,
    signature: Signature,
    arrival: Arrival,
}

/// The calls of a route whose bodies are waited for.
#[derive(Default)]
pub(super) struct Listeners(RefCell<Vec<Listener>>);

/// Takes a call, as far as its headers go. `is_whole` says whether all of them are shown.
///
/// # Errors
/// The decision, of which the answer is made: it lets nothing go on.
#[inline(never)]
pub(super) fn take<'r>(
    route: &'r Route,
    (policy, own): (&'r Policy, &EndPolicy),
    request: Request<'_>,
    (id, now): (DecisionId, UnixTime),
    (context, arrival, is_whole): (u32, &Arrival, bool),
) -> Result<Handled, Box<Decision<'r>>> {
    if request.method != b"POST" {
        let headers = vec![("allow", "POST"), ("cache-control", "no-store")];
        // If this fails, pausing holds the request back.
        _ = hostcalls::send_http_response(405, headers, None);
        return Ok(Handled::Answered);
    }
    let way = own.way(request.headers);
    let unavailable = |detail| Refusal::new(Reason::WebhookUnavailable, detail);
    let refusal = match way {
        _ if !is_whole => {
            let detail = "the request has more headers than the gateway shows";
            Refusal::new(Reason::HeaderReserved, detail)
        }
        Way::Token => match route.state.as_ref().map(RefCell::try_borrow_mut) {
            Some(Ok(mut state)) => {
                let shared = route.shared();
                let decision = end_by_token(policy, &mut state, shared, request, id, now);
                return Err(Box::new(decision));
            }
            _ => of_state_in_use(),
        },
        Way::Webhook if !route.vm.host.holds_paused_requests() => {
            unavailable("this gateway does not hold back what waits for its body")
        }
        Way::Webhook if route.listeners.is_full() => {
            unavailable("the bodies of too many calls are waited for")
        }
        Way::Webhook => match Signature::read(request.headers, now) {
            Err(refusal) => refusal,
            Ok(signature) => {
                route.listeners.add(Listener {
                    context,
                    id,
                    since: now,
                    signature,
                    arrival: arrival.clone(),
                });
                return Ok(Handled::Listens);
            }
        },
    };
    let mut decision = Decision::refuse(Some(policy), refusal, id, now);
    decision.call = Some(Call::refused(way));
    Err(Box::new(decision))
}

impl Listeners {
    fn is_full(&self) -> bool {
        self.0
            .try_borrow()
            .is_ok_and(|listeners| listeners.len() >= MAX_LISTENERS)
    }

    fn add(&self, listener: Listener) {
        if let Ok(mut listeners) = self.0.try_borrow_mut() {
            listeners.push(listener);
        }
    }

    #[inline(never)]
    fn remove(&self, is_one: &dyn Fn(&Listener) -> bool) -> Option<Listener> {
        let mut listeners = self.0.try_borrow_mut().ok()?;
        let place = listeners.iter().position(is_one)?;
        Some(listeners.swap_remove(place))
    }

    /// Forgets a call that is over. Whether its body was waited for.
    pub(super) fn forget(&self, context: u32) -> bool {
        self.remove(&|it| it.context == context).is_some()
    }

    /// A part of a call's body came: all that came so far has this many bytes.
    pub(super) fn on_body(&self, route: &Route, context: u32, size: usize, is_last: bool) {
        if size <= MAX_BODY && !is_last {
            return;
        }
        if let Some(listener) = self.remove(&|it| it.context == context) {
            let body = if size > MAX_BODY {
                Err(malformed("the body is too large"))
            } else {
                // None is as good as an empty one: nothing is signed so.
                let body = hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size);
                Ok(body.ok().flatten().unwrap_or_default())
            };
            listener.settle(route, body);
        }
    }

    /// A call has trailers, which the CI never sends.
    pub(super) fn on_trailers(&self, route: &Route, context: u32) {
        if let Some(listener) = self.remove(&|it| it.context == context) {
            listener.settle(route, Err(malformed("the call has trailers")));
        }
    }

    /// Answers calls whose bodies don't come. `root` is the context of the tick.
    pub(super) fn on_tick(&self, route: &Route, root: u32, now: UnixTime) {
        while let Some(late) = self.remove(&|it| now > it.since.plus(PATIENCE)) {
            // A request that is gone has no context any more.
            if hostcalls::set_effective_context(late.context).is_ok() {
                let detail = "no body came; the filter needs allow_on_headers_stop_iteration: true";
                late.settle(route, Err(Refusal::new(Reason::WebhookUnavailable, detail)));
            }
            _ = hostcalls::set_effective_context(root);
        }
    }
}

impl Listener {
    #[inline(never)]
    fn settle(self, route: &Route, body: Result<Vec<u8>, Refusal>) {
        let policy = route.policy.as_ref();
        let own = policy.and_then(|policy| Some((policy, policy.sessions.as_ref()?.end.as_ref()?)));
        let state = route.state.as_ref().map(RefCell::try_borrow_mut);
        let ended = body.and_then(|body| match (own, state) {
            (Some((policy, own)), Some(Ok(state))) => {
                let said = (&self.signature, body.as_slice());
                end_by_webhook(policy, own, &state, route.shared(), said, self.since)
            }
            _ => Err(of_state_in_use()),
        });
        let (ending, refusal) = match ended {
            Ok(ending) => (ending, of_state_in_use()),
            Err(refusal) => (Ending::Refused, refusal),
        };
        let mut decision = Decision::refuse(policy, refusal, self.id, self.since);
        let way = Way::Webhook;
        decision.call = Some(Call { way, ending });
        refuse(route, &self.arrival, &decision);
    }
}

#[cold]
fn of_state_in_use() -> Refusal {
    Refusal::new(Reason::InternalError, "the state is in use")
}
