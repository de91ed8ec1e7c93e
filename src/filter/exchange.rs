//! Requests that wait for a credential: one call to a server for all that want the same.
//!
//! A request is paused only after it was let in and made ready for the upstream, without the job's token: on Kong, which
//! lets a paused request go on whatever goes wrong, one may slip through without its credential, and nothing else.

use super::fetch::{call_body, call_header, is_servers_answer, not_sent};
use super::request::{Arrival, log_decision, refuse};
use super::root::{Route, now};
use crate::exchange::{Call, Credential, Errand, ExchangeError, Key, Reply, Turn, Upstream};
use crate::fetch::{Cause, FetchError};
use crate::gate::Decision;
use crate::time::UnixTime;
use proxy_wasm::hostcalls;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// The most requests of a route that wait at a time.
const MAX_WAITING: usize = 1_000;

/// The most bytes of an answer that are read.
const MAX_ANSWER: usize = 64 * 1024;

/// How much longer than its timeout a call is waited for, should the host never tell of it.
const GRACE: Duration = Duration::from_secs(5);

/// A request that waits.
pub(super) struct Paused {
    pub(super) context: u32,
    pub(super) permitted: Rc<Cell<bool>>,
    pub(super) arrival: Arrival,
    pub(super) decision: Decision<'static>,
    /// Where the credential is a signature over it.
    pub(super) upstream: Option<Upstream>,
}

/// An errand under way.
struct Flight {
    errand: Errand,
    /// The call that is to be answered next.
    call: Call,
    /// What the host calls it; none where it is gone and is to be made again.
    token: Option<u32>,
    /// The context in whose name it was made, with which it ends.
    caller: u32,
    until: UnixTime,
    waiting: Vec<Paused>,
}

/// The errands of a route.
#[derive(Default)]
pub(super) struct Flights(RefCell<Vec<Flight>>);

impl Flights {
    /// Lets a request wait for a credential, and goes for it unless another request did.
    pub(super) fn wait(
        &self,
        route: &Route,
        (errand, call): (Errand, Call),
        paused: Paused,
        now: UnixTime,
    ) {
        let full = self.waiting() >= MAX_WAITING;
        // Where requests can't be resumed in another's name, they would wait for ever.
        let alone = !route.vm.host.holds_paused_requests();
        let key = *errand.key();
        if self.is_under_way(&key) {
            if full || alone {
                come_again(route, paused);
            } else {
                self.join(&key, paused);
            }
            return;
        }
        if full {
            come_again(route, paused);
            return;
        }
        match send(&call) {
            Ok(token) => self.add(Flight {
                errand,
                until: latest(&call, now),
                call,
                token: Some(token),
                caller: paused.context,
                waiting: vec![paused],
            }),
            Err(error) => _ = settle(route, paused, &Err(error), now),
        }
    }

    /// Takes the answer to a call. Whether it was one of an errand's.
    pub(super) fn on_response(
        &self,
        route: &Route,
        context: u32,
        call: u32,
        headers: usize,
        body_size: usize,
    ) -> bool {
        let Some(mut flight) = self.land(|flight| flight.token == Some(call)) else {
            return false;
        };
        let Ok(now) = now() else {
            // Those that wait stay where they are.
            return true;
        };
        // The answer shows where the call was made, which need not be where the callback was taken to; a further call is
        // made there, too.
        let caller = flight.caller;
        if caller != context && hostcalls::set_effective_context(caller).is_err() {
            let why = "the request that asked is over";
            land(route, context, flight, &Err(ExchangeError(why.into())), now);
            return true;
        }
        let place = flight.errand.key().1;
        let target = route
            .policy
            .as_ref()
            .and_then(|policy| policy.exchange.get(place));
        let turn = match target {
            None => Err(ExchangeError("the target is another policy's".into())),
            Some(target) => {
                let scheme = flight.call.server.uri.scheme;
                read(route, headers, body_size, scheme).and_then(|(status, body)| {
                    let reply = Reply {
                        status,
                        body: &body,
                    };
                    flight.errand.take(target, &reply, now)
                })
            }
        };
        match turn {
            Ok(Turn::Call(next)) => {
                flight.call = next;
                self.send(route, caller, flight, now);
                _ = hostcalls::set_effective_context(context);
            }
            Ok(Turn::Done(credential)) => {
                let credential = Rc::new(credential);
                route.keep_credential(*flight.errand.key(), &credential, now);
                land(route, context, flight, &Ok(credential), now);
            }
            Err(error) => land(route, context, flight, &Err(error), now),
        }
        true
    }

    /// Makes the call of an errand in the name of this context.
    fn send(&self, route: &Route, context: u32, mut flight: Flight, now: UnixTime) {
        match send(&flight.call) {
            Ok(token) => {
                flight.token = Some(token);
                flight.caller = context;
                flight.until = latest(&flight.call, now);
                self.add(flight);
            }
            Err(error) => land(route, context, flight, &Err(error), now),
        }
    }

    /// Forgets a request that is over. Whether it waited. A call that was made in its name is over with it: for those
    /// that wait for the same the next tick makes it again.
    pub(super) fn forget(&self, context: u32) -> bool {
        let Ok(mut flights) = self.0.try_borrow_mut() else {
            return false;
        };
        let mut waited = false;
        for flight in flights.iter_mut() {
            let count = flight.waiting.len();
            flight.waiting.retain(|paused| paused.context != context);
            waited |= flight.waiting.len() < count;
            if flight.caller == context {
                flight.token = None;
            }
        }
        flights.retain(|flight| flight.token.is_some() || !flight.waiting.is_empty());
        waited
    }

    /// Makes calls again that are gone, and ends errands that take too long. `root` is the context of the tick.
    ///
    /// Not on Kong: a tick has no request to answer there, the attempt traps, and what waits goes on. Each request made
    /// its own call, and is over when that is.
    pub(super) fn on_tick(&self, route: &Route, root: u32, now: UnixTime) {
        if !route.vm.host.holds_paused_requests() {
            return;
        }
        while let Some(flight) = self.land(|flight| now > flight.until) {
            let why = "no answer came in time";
            land(route, root, flight, &Err(ExchangeError(why.into())), now);
        }
        while let Some(flight) = self.land(|flight| flight.token.is_none()) {
            self.send(route, root, flight, now);
        }
    }

    fn waiting(&self) -> usize {
        self.0.try_borrow().map_or(usize::MAX, |flights| {
            flights
                .iter()
                .map(|flight| flight.waiting.len())
                .fold(0, usize::saturating_add)
        })
    }

    fn is_under_way(&self, key: &Key) -> bool {
        self.0
            .try_borrow()
            .is_ok_and(|flights| flights.iter().any(|flight| flight.errand.key() == key))
    }

    fn join(&self, key: &Key, paused: Paused) {
        if let Ok(mut flights) = self.0.try_borrow_mut()
            && let Some(flight) = flights.iter_mut().find(|flight| flight.errand.key() == key)
        {
            flight.waiting.push(paused);
        }
    }

    fn add(&self, flight: Flight) {
        if let Ok(mut flights) = self.0.try_borrow_mut() {
            flights.push(flight);
        }
    }

    fn land(&self, is_one: impl Fn(&Flight) -> bool) -> Option<Flight> {
        let mut flights = self.0.try_borrow_mut().ok()?;
        let place = flights.iter().position(is_one)?;
        Some(flights.swap_remove(place))
    }
}

/// Settles all requests of an errand that is over, each in the name of its own context, and goes back to `context`.
fn land(
    route: &Route,
    context: u32,
    flight: Flight,
    result: &Result<Rc<Credential>, ExchangeError>,
    now: UnixTime,
) {
    for paused in flight.waiting {
        // A request that is gone has no context any more.
        let is_there =
            paused.context == context || hostcalls::set_effective_context(paused.context).is_ok();
        if is_there && settle(route, paused, result, now) {
            // Should it fail, the request stays where it is until it times out.
            _ = hostcalls::resume_http_request();
        }
    }
    _ = hostcalls::set_effective_context(context);
}

/// Makes a request ready to go on with its credential, or answers it. Whether it may go on.
fn settle(
    route: &Route,
    paused: Paused,
    result: &Result<Rc<Credential>, ExchangeError>,
    now: UnixTime,
) -> bool {
    let mut decision = paused.decision.attached(route.policy.as_ref());
    match result {
        Ok(credential) => decision.supplied(Rc::clone(credential)),
        Err(error) => decision.not_supplied(error.clone()),
    }
    match route.state.as_ref().map(RefCell::try_borrow_mut) {
        Some(Ok(mut state)) => decision.look_again(&mut state, route.shared(), now),
        _ => decision.not_supplied(ExchangeError("the state is in use".into())),
    }
    hand_over(route, &mut decision, paused.upstream.as_ref(), now);
    if decision.blocks() {
        refuse(route, &paused.arrival, &decision);
    } else {
        log_decision(route, &paused.arrival, &decision);
    }
    paused.permitted.set(!decision.blocks());
    paused.permitted.get()
}

/// Puts the credential on the request, if there is one.
pub(super) fn hand_over(
    route: &Route,
    decision: &mut Decision<'_>,
    upstream: Option<&Upstream>,
    now: UnixTime,
) {
    let place = decision.supply.as_ref().map(|supply| supply.target);
    let target = place.and_then(|place| decision.policy?.exchange.get(place));
    let (Some(target), Some(credential)) = (target, decision.credential()) else {
        return;
    };
    if decision.blocks() {
        return;
    }
    let headers = credential.headers(target, upstream, now);
    let done =
        headers.and_then(|headers| {
            headers.iter().try_for_each(|(name, value)| {
                route.vm.host.set(name, value).map_err(|status| {
                    ExchangeError(format!("the gateway answered {status:?}").into())
                })
            })
        });
    if let Err(error) = done {
        decision.not_supplied(error);
    }
}

fn come_again(route: &Route, paused: Paused) {
    let mut decision = paused.decision.attached(route.policy.as_ref());
    decision.must_come_again();
    refuse(route, &paused.arrival, &decision);
}

/// Until when its answer is waited for.
fn latest(call: &Call, now: UnixTime) -> UnixTime {
    now.plus(call.server.timeout).plus(GRACE)
}

fn send(call: &Call) -> Result<u32, ExchangeError> {
    let uri = &call.server.uri;
    let mut headers = vec![
        (":method", "POST"),
        (":scheme", uri.scheme),
        (":authority", uri.authority.as_str()),
        (":path", call.path.as_str()),
        ("user-agent", concat!("jobgate/", env!("CARGO_PKG_VERSION"))),
    ];
    headers.extend(
        call.headers
            .iter()
            .map(|(name, value)| (*name, value.as_str())),
    );
    hostcalls::dispatch_http_call(
        &call.server.cluster,
        headers,
        Some(&call.body),
        Vec::new(),
        call.server.timeout,
    )
    .map_err(|status| not_sent(status, &call.server.cluster).into())
}

/// The answer that is being told of.
fn read(
    route: &Route,
    headers: usize,
    body_size: usize,
    scheme: &str,
) -> Result<(u16, Vec<u8>), ExchangeError> {
    let host = route.vm.host;
    if !host.has_call_headers(headers) {
        return Err(FetchError::from_dispatch_status(None).into());
    }
    let Some(status) = call_header(":status") else {
        let why = host.dispatch_status();
        return Err(FetchError::from_dispatch_status(why.as_deref()).into());
    };
    if body_size > MAX_ANSWER {
        return Err(FetchError::too_large(body_size, MAX_ANSWER).into());
    }
    let body = call_body(body_size)?;
    let excuse = String::from_utf8_lossy(&body);
    let failed = FetchError::from_status(&status, scheme, is_servers_answer(), &excuse);
    match status.parse() {
        // What the gateway says itself where it had no answer.
        Ok(_) if failed.cause != Cause::Status => Err(failed.into()),
        Ok(status) => Ok((status, body)),
        Err(_) => Err(failed.into()),
    }
}
