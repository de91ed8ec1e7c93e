//! One request: neutralise, decide, carry out, record. All in the request-headers callback, without a pause
//! before the verdict.

use super::host::request_headers;
use super::root::{Route, now};
use crate::audit::{answer, record, upstream_headers};
use crate::gate::{Decision, Request, judge};
use crate::policy::Policy;
use crate::reason::{Reason, Refusal};
use crate::request::{HeaderMap, Neutralise, neutralise, same_name, starts_like};
use crate::time::UnixTime;
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType, Status};
use std::rc::Rc;

const HEADERS: MapType = MapType::HttpRequestHeaders;
const TRAILERS: MapType = MapType::HttpRequestTrailers;

/// The filter of one request.
pub(super) struct RequestFilter {
    route: Option<Rc<Route>>,
    permitted: bool,
}

impl RequestFilter {
    pub(super) const fn new(route: Option<Rc<Route>>) -> Self {
        Self {
            route,
            permitted: false,
        }
    }
}

impl RequestFilter {
    const fn action(&self) -> Action {
        if self.permitted {
            Action::Continue
        } else {
            Action::Pause
        }
    }
}

impl Context for RequestFilter {}

impl HttpContext for RequestFilter {
    fn on_http_request_headers(&mut self, told: usize, _: bool) -> Action {
        let (Some(route), Ok(now)) = (self.route.as_deref(), now()) else {
            return refuse_blindly();
        };
        match handle(route, told, now) {
            Ok(()) => {
                self.permitted = true;
                Action::Continue
            }
            Err(decision) => refuse(route, &decision),
        }
    }

    /// The body of a refused request goes nowhere, even if the answer could not be sent.
    fn on_http_request_body(&mut self, _: usize, _: bool) -> Action {
        self.action()
    }

    /// Trailers are headers to some servers: reserved names have no place there either.
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let Some(policy) = self
            .route
            .as_deref()
            .and_then(|route| route.policy.as_ref())
        else {
            return self.action();
        };
        let trailers = hostcalls::get_map_bytes(TRAILERS).unwrap_or_default();
        for (name, _) in &trailers {
            let reserved = starts_like(name, &policy.headers.prefix);
            if reserved || same_name(name, &policy.carrier.header) {
                // Where this fails there are no trailers to forward.
                _ = hostcalls::remove_map_value(TRAILERS, name);
            }
        }
        self.action()
    }
}

/// Decides and, if the request goes on, makes it ready for the upstream. The refused decision otherwise.
fn handle(route: &Route, told: usize, now: UnixTime) -> Result<(), Box<Decision<'_>>> {
    let id = route.decision_id(now);
    let policy = route.policy.as_ref();
    let refused = |refusal| Decision::refuse(policy, refusal, id, now);
    let failed = |status: Status| {
        let detail = format!("the gateway answered {status:?}");
        Box::new(refused(Refusal::new(Reason::InternalError, detail)))
    };
    let headers = request_headers().map_err(failed)?;
    let (method, target) = route.host.request_line(&headers).map_err(failed)?;
    let request = Request {
        headers: &headers,
        method: &method,
        target: &target,
    };
    let refused = |refusal| Box::new(refused(refusal).about(request));
    let because = |reason, detail| refused(Refusal::new(reason, detail));
    let Some(policy) = policy else {
        return Err(because(
            Reason::ConfigInvalid,
            "the configuration has errors",
        ));
    };
    if !route.host.shows_all(&headers, told) {
        let detail = "the request has more headers than the gateway shows";
        return Err(because(Reason::HeaderReserved, detail));
    }
    let (names, carrier) = (&policy.headers, &policy.carrier.header);
    let plan = neutralise(&headers, names, carrier, route.host.header_power()).map_err(refused)?;
    for name in &plan.remove {
        hostcalls::remove_map_value(HEADERS, name).map_err(failed)?;
    }
    let decision = match route.keys.try_borrow_mut() {
        Ok(mut keys) => judge(policy, &mut keys, request, id, now),
        Err(_) => return Err(because(Reason::InternalError, "the keys are in use")),
    };
    if decision.blocks() {
        return Err(Box::new(decision));
    }
    carry_out(route, &decision, policy, &headers, &plan).map_err(failed)?;
    log_decision(route, &decision);
    Ok(())
}

/// Makes a request that goes on ready for the upstream: its headers, and no token.
fn carry_out(
    route: &Route,
    decision: &Decision<'_>,
    policy: &Policy,
    headers: &HeaderMap,
    plan: &Neutralise,
) -> Result<(), Status> {
    let set = upstream_headers(decision);
    for name in &plan.overwrite {
        if !set.iter().any(|(known, _)| known == name) {
            hostcalls::set_map_value(HEADERS, name, Some(""))?;
        }
    }
    for (name, value) in &set {
        hostcalls::set_map_value(HEADERS, name, Some(value))?;
    }
    if decision.strip_token {
        for header in headers.like(&policy.carrier.header) {
            route.host.take_away(&header.name)?;
        }
    }
    Ok(())
}

fn refuse(route: &Route, decision: &Decision<'_>) -> Action {
    log_decision(route, decision);
    let Some(answer) = answer(decision) else {
        return refuse_blindly();
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
    Action::Pause
}

/// The answer where not even a decision can be made: no route was ever configured, or there is no time.
fn refuse_blindly() -> Action {
    log::error!("jobgate: a request was refused without a decision: no configuration, or no clock");
    let body =
        br#"{"type":"urn:jobgate:reason:internal_error","status":503,"code":"internal_error"}"#;
    let headers = vec![("content-type", "application/problem+json")];
    _ = hostcalls::send_http_response(503, headers, Some(body));
    Action::Pause
}

/// Refusals are logged as warnings, so that they are seen at the hosts' default levels.
fn log_decision(route: &Route, decision: &Decision<'_>) {
    // The route by which the request came to the gate: where Envoy chooses again after this callback, the
    // property does not tell yet.
    let record = record(decision, route.host.route().as_deref());
    match decision.outcome {
        Ok(_) => log::info!("{record}"),
        Err(_) => log::warn!("{record}"),
    }
}
