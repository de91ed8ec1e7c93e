//! One request: neutralise, decide, carry out, record. All in the request-headers callback, and without a
//! pause before the verdict but where the host holds back what is paused.

use super::exchange::{Paused, hand_over};
use super::host::{Host, request_headers, request_trailers};
use super::root::{Route, now};
use super::session;
use super::waiting::Waiter;
use crate::audit::{answer, record, upstream_headers};
use crate::exchange::Upstream;
use crate::gate::{Decision, Request, judge};
use crate::policy::{ClientCertificate, Level, Policy};
use crate::reason::{Reason, Refusal};
use crate::request::{Header, HeaderMap, Neutralise, is_reserved, neutralise, same_name};
use crate::time::UnixTime;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel, MapType, Status};
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

const HEADERS: MapType = MapType::HttpRequestHeaders;
const TRAILERS: MapType = MapType::HttpRequestTrailers;

/// The filter of one request.
pub(super) struct RequestFilter {
    context: u32,
    route: Option<Rc<Route>>,
    /// Shared with [`Waiting`](super::waiting::Waiting) and [`Flights`](super::exchange::Flights), where it may be let
    /// go later.
    permitted: Rc<Cell<bool>>,
    /// Whether it waits for keys, for a credential, or for its body.
    waits: bool,
}

impl RequestFilter {
    pub(super) fn new(context: u32, route: Option<Rc<Route>>) -> Self {
        Self {
            context,
            route,
            permitted: Rc::default(),
            waits: false,
        }
    }

    /// Refuses a request that was permitted, or waits.
    fn hold_back(&mut self) {
        let waited = self.wait_no_more();
        if self.permitted.replace(false) || waited {
            _ = refuse_blindly();
        }
    }

    /// Whether it waited.
    fn wait_no_more(&self) -> bool {
        let Some(route) = self.route.as_ref().filter(|_| self.waits) else {
            return false;
        };
        let for_keys = route.vm.waiting.forget(self.context);
        let for_body = route.listeners.forget(self.context);
        route.flights.forget(self.context) || for_keys || for_body
    }

    fn action(&self) -> Action {
        if self.permitted.get() {
            Action::Continue
        } else {
            Action::Pause
        }
    }
}

impl Drop for RequestFilter {
    fn drop(&mut self) {
        self.wait_no_more();
    }
}

impl Context for RequestFilter {
    fn on_http_call_response(&mut self, call: u32, headers: usize, body_size: usize, _: usize) {
        if let Some(route) = &self.route {
            let flights = &route.flights;
            flights.on_response(route, self.context, call, headers, body_size);
        }
    }
}

impl HttpContext for RequestFilter {
    fn on_http_request_headers(&mut self, told: usize, is_all: bool) -> Action {
        let (Some(route), Ok(now)) = (self.route.clone(), now()) else {
            return refuse_blindly();
        };
        let host = route.vm.host;
        let may_wait = host.holds_paused_requests() && route.vm.waiting.has_room();
        let mut arrival = Arrival::take(told, &route);
        let who = Who {
            context: self.context,
            permitted: &self.permitted,
        };
        match settle(&route, who, &arrival, now, may_wait) {
            Settled::Permitted => self.permitted.set(true),
            Settled::Refused => {}
            Settled::Exchanges => self.waits = true,
            Settled::Listens => {
                self.waits = true;
                if is_all {
                    route.listeners.on_body(&route, self.context, 0, true);
                }
            }
            Settled::Waits(wait) => {
                self.waits = true;
                // By the time that it is decided, another may have been chosen.
                arrival.ask_route(host);
                // That all headers are shown was found before some were taken away.
                arrival.told = 0;
                let vm = Rc::clone(&route.vm);
                vm.waiting.add(Waiter {
                    context: self.context,
                    route,
                    permitted: Rc::clone(&self.permitted),
                    arrival,
                    since: now,
                    until: now.plus(wait),
                });
            }
        }
        self.action()
    }

    /// The body of a refused request goes nowhere, even if the answer could not be sent.
    fn on_http_request_body(&mut self, size: usize, is_last: bool) -> Action {
        if let Some(route) = self.route.as_deref().filter(|_| self.waits) {
            let listeners = &route.listeners;
            listeners.on_body(route, self.context, size, is_last);
        }
        self.action()
    }

    /// Trailers are headers to some servers: reserved names have no place there either. A request goes no further with
    /// trailers that can't be read, or of which such a one can't be taken away.
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let Some(policy) = self
            .route
            .as_deref()
            .and_then(|route| route.policy.as_ref())
        else {
            return self.action();
        };
        if clear_trailers(policy).is_err() {
            self.hold_back();
        } else if let Some(route) = self.route.as_deref().filter(|_| self.waits) {
            route.listeners.on_trailers(route, self.context);
        }
        self.action()
    }
}

/// Takes reserved names out of the trailers.
fn clear_trailers(policy: &Policy) -> Result<(), Status> {
    for Header { name, .. } in &request_trailers()? {
        let must_go =
            is_reserved(&policy.headers, name) || same_name(name, policy.carrier.header.as_bytes());
        if must_go {
            // Names that are no text can't be named to the host.
            let name = str::from_utf8(name).map_err(|_| Status::ParseFailure)?;
            hostcalls::remove_map_value(TRAILERS, name)?;
        }
    }
    Ok(())
}

/// What is known of a request before anything about it is changed.
#[derive(Clone)]
pub(super) struct Arrival {
    /// How many headers the callback was told of.
    told: usize,
    /// The proxy's own name for the route by which it came to the gate, once it was asked for. Envoy chooses again after
    /// any change.
    route: OnceCell<Option<String>>,
    /// The same for the service or cluster, if a rule asks.
    service: Option<String>,
    /// What the client has proven, if a rule asks.
    certificate: Option<ClientCertificate>,
}

impl Arrival {
    /// Asks the host, only for what this route's rules look at: each of these takes a request more time than all that
    /// is decided of it.
    fn take(told: usize, route: &Route) -> Self {
        let (host, needs) = (route.vm.host, route.needs);
        Self {
            told,
            route: if needs.route {
                OnceCell::from(host.route())
            } else {
                OnceCell::new()
            },
            service: needs.service.then(|| host.service()).flatten(),
            certificate: needs.certificate.then(|| host.certificate()),
        }
    }

    /// The route's name, for rules.
    fn route(&self) -> Option<&str> {
        self.route.get()?.as_deref()
    }

    /// Keeps the token from the proxy's own logs of a request that goes no further.
    fn keep_token_from_logs(&self, route: &Route) {
        if let Some(policy) = &route.policy {
            let header = &policy.carrier.header;
            route.vm.host.keep_from_logs(header, self.told);
        }
    }

    /// The route's name, for the record.
    fn ask_route(&self, host: &dyn Host) -> Option<&str> {
        self.route.get_or_init(|| host.route()).as_deref()
    }
}

/// What became of a request.
pub(super) enum Settled {
    /// It may go on, and is ready to.
    Permitted,
    /// It was answered.
    Refused,
    /// It may go on, and waits for its credential; or that could not be had at once, and it was let go or answered.
    Exchanges,
    /// It is for the gate itself, and its body is waited for.
    Listens,
    /// What it lacks is being fetched; nothing was answered or recorded yet.
    Waits(Duration),
}

/// Whose request it is.
#[derive(Clone, Copy)]
pub(super) struct Who<'a> {
    pub(super) context: u32,
    pub(super) permitted: &'a Rc<Cell<bool>>,
}

/// Decides a request and carries the decision out, in its own context.
pub(super) fn settle(
    route: &Route,
    who: Who<'_>,
    arrival: &Arrival,
    now: UnixTime,
    may_wait: bool,
) -> Settled {
    match handle(route, who, arrival, now) {
        Ok(Handled::Ready) => Settled::Permitted,
        Ok(Handled::Answered) => Settled::Refused,
        Ok(Handled::Exchanges) => Settled::Exchanges,
        Ok(Handled::Listens) => Settled::Listens,
        Err(decision) => match route.wait(&decision).filter(|_| may_wait) {
            Some(wait) => Settled::Waits(wait),
            None => {
                refuse(route, arrival, &decision);
                Settled::Refused
            }
        },
    }
}

/// What became of a request that was not refused.
pub(super) enum Handled {
    /// It is ready for the upstream.
    Ready,
    /// It was for the gate itself.
    Answered,
    /// Its credential is being got.
    Exchanges,
    /// It is for the gate itself, and its body is waited for.
    Listens,
}

/// Decides and, if the request goes on, makes it ready for the upstream. The refused decision otherwise.
fn handle<'r>(
    route: &'r Route,
    who: Who<'_>,
    arrival: &Arrival,
    now: UnixTime,
) -> Result<Handled, Box<Decision<'r>>> {
    let id = route.decision_id(now);
    let policy = route.policy.as_ref();
    let refused = |refusal| Decision::refuse(policy, refusal, id, now);
    let failed = |status: Status| {
        let detail = format!("the gateway answered {status:?}");
        Box::new(refused(Refusal::new(Reason::InternalError, detail)))
    };
    let host = route.vm.host;
    let all_shown = host.can_show(arrival.told);
    let headers = if all_shown {
        request_headers().map_err(failed)?
    } else {
        HeaderMap::default()
    };
    let (method, target) = host.request_line(&headers).map_err(failed)?;
    let cut = host.cut();
    let request = Request {
        cut: &cut,
        host: host.authority(&headers),
        route: arrival.route(),
        service: arrival.service.as_deref(),
        certificate: arrival
            .certificate
            .as_ref()
            .unwrap_or(ClientCertificate::NOT_TOLD),
        source: host,
        ..Request::new(&headers, &method, &target)
    };
    let refused = |refusal| Box::new(refused(refusal).about(request));
    let because = |reason, detail| refused(Refusal::new(reason, detail));
    let Some(policy) = policy else {
        return Err(because(
            Reason::ConfigInvalid,
            "the configuration has errors",
        ));
    };
    if let Some(own) = &policy.assertion
        && let Some(answer) = own.serve(&method, &target, headers.get("if-none-match"))
    {
        let body = Some(answer.body.as_bytes());
        // If this fails, pausing holds the request back.
        _ = hostcalls::send_http_response(u32::from(answer.status), answer.headers, body);
        return Ok(Handled::Answered);
    }
    let is_whole = all_shown && host.shows_all(&headers, arrival.told);
    let sessions = policy.sessions.as_ref();
    if let Some(own) = sessions.and_then(|own| own.end.as_ref())
        && own.is_for(&target)
    {
        let at = (id, now);
        let call = (who.context, arrival, is_whole);
        return session::take(route, (policy, own), request, at, call);
    }
    if !is_whole {
        let detail = "the request has more headers than the gateway shows";
        return Err(because(Reason::HeaderReserved, detail));
    }
    if policy.audit.allowed.sample.takes(id.spread()) {
        // Whatever comes of it goes on record, and nothing was changed yet.
        arrival.ask_route(host);
    }
    let (names, carrier) = (&policy.headers, &policy.carrier.header);
    let plan = neutralise(&headers, names, carrier, host.header_power()).map_err(refused)?;
    for name in &plan.remove {
        hostcalls::remove_map_value(HEADERS, name).map_err(failed)?;
    }
    let mut decision = match route.state.as_ref().map(RefCell::try_borrow_mut) {
        Some(Ok(mut state)) => judge(policy, &mut state, route.shared(), request, id, now),
        _ => return Err(because(Reason::InternalError, "the state is in use")),
    };
    if decision.blocks() {
        return Err(Box::new(decision));
    }
    if route.needs.route {
        host.note_route(arrival.route()).map_err(failed)?;
    }
    carry_out(route, &decision, policy, &headers, &plan).map_err(failed)?;
    if decision.supply.is_some() {
        let upstream = decision.signs().then(|| Upstream::of(&request));
        if let Some(errand) = decision.take_errand() {
            let paused = Paused {
                context: who.context,
                permitted: Rc::clone(who.permitted),
                arrival: arrival.clone(),
                decision: decision.detached(),
                upstream,
            };
            route.flights.wait(route, errand, paused, now);
            return Ok(Handled::Exchanges);
        }
        hand_over(route, &mut decision, upstream.as_ref(), now);
        if decision.blocks() {
            return Err(Box::new(decision));
        }
    }
    log_decision(route, arrival, &decision);
    Ok(Handled::Ready)
}

/// Makes a request that goes on ready for the upstream: its headers, and no token.
fn carry_out(
    route: &Route,
    decision: &Decision<'_>,
    policy: &Policy,
    headers: &HeaderMap,
    plan: &Neutralise,
) -> Result<(), Status> {
    let host = route.vm.host;
    let set = upstream_headers(decision);
    for name in &plan.overwrite {
        if !set.iter().any(|(known, _)| known == name) {
            host.set(name, "")?;
        }
    }
    for (name, value) in &set {
        host.set(name, value)?;
    }
    if decision.strip_token {
        for header in headers.like(&policy.carrier.header) {
            // A name that is not text is no gateway's.
            let name = str::from_utf8(header.name).map_err(|_| Status::ParseFailure)?;
            host.take_away(name)?;
        }
    }
    Ok(())
}

pub(super) fn refuse(route: &Route, arrival: &Arrival, decision: &Decision<'_>) {
    log_decision(route, arrival, decision);
    arrival.keep_token_from_logs(route);
    let Some(answer) = answer(decision) else {
        _ = refuse_blindly();
        return;
    };
    let headers = answer
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    // If even this fails, pausing holds the request back.
    _ = hostcalls::send_http_response(
        u32::from(answer.status),
        headers,
        Some(answer.body.as_bytes()),
    );
}

/// The answer where not even a decision can be made: no route was ever configured, there is no time, or trailers came that
/// no decision was made about.
fn refuse_blindly() -> Action {
    log::error!(
        "jobgate: a request was refused without a decision: no configuration, no clock, or trailers that can't be cleared"
    );
    let body =
        br#"{"type":"urn:jobgate:reason:internal_error","status":503,"code":"internal_error"}"#;
    let headers = vec![("content-type", "application/problem+json")];
    _ = hostcalls::send_http_response(503, headers, Some(body));
    Action::Pause
}

/// Refusals are logged as warnings, so that they are seen at the hosts' default levels.
pub(super) fn log_decision(route: &Route, arrival: &Arrival, decision: &Decision<'_>) {
    let record = decision
        .is_recorded()
        .then(|| record(decision, arrival.ask_route(route.vm.host)));
    if let Some(record) = &record {
        let level = match &decision.outcome {
            Ok(_) => allowed_level(decision.policy),
            Err(_) if decision.refused().is_none() && !decision.has_dropped() => LogLevel::Info,
            Err(_) => LogLevel::Warn,
        };
        // A record that is lost is no reason to refuse.
        _ = hostcalls::log(level, record);
    }
    // After it is logged: these may end the request where a host refuses them.
    route.vm.metrics.decided(route.vm.host, decision);
    if let Some(record) = &record {
        route.vm.host.note_record(record);
    }
}

fn allowed_level(policy: Option<&Policy>) -> LogLevel {
    match policy.map(|policy| policy.audit.allowed.level) {
        None | Some(Level::Info) => LogLevel::Info,
        Some(Level::Debug) => LogLevel::Debug,
    }
}
