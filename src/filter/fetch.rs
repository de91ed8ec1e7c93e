//! Fetching documents through the host, begun by ticks only, and saying why when it fails.

use super::host::Host;
use super::lines::Line;
use super::root::{Route, now};
use crate::fetch::{Answer, Cause, Fetch, FetchError, Remote, Report, Step, is_entity_tag};
use crate::time::UnixTime;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, Status};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The most bytes of an answer that tells why there is none that are read.
const MAX_EXCUSE_BYTES: usize = 4 * 1024;

/// Something that is fetched, which other routes may share.
pub(super) type SharedRemote = Rc<RefCell<dyn Remote>>;

/// A request under way.
struct Call {
    remote: SharedRemote,
    flight: u64,
    /// What it holds of [`Lines`](super::lines::Lines), where calls can't be made at any time.
    line: Option<Line>,
    /// Whether the server was told what is there already.
    is_conditional: bool,
    scheme: &'static str,
    max_bytes: usize,
}

/// The fetches of one root context that are under way.
#[derive(Default)]
pub(super) struct Fetcher {
    calls: HashMap<u32, Call>,
    /// What waits for a tick, where calls can't be made at any time.
    next: Vec<(SharedRemote, Fetch)>,
}

/// Where a context goes, its answers go elsewhere: what it fetched for others is asked for again.
impl Drop for Fetcher {
    fn drop(&mut self) {
        let calls = self.calls.values().map(|call| (&call.remote, call.flight));
        let next = self
            .next
            .iter()
            .map(|(remote, fetch)| (remote, fetch.flight));
        for (remote, flight) in calls.chain(next) {
            if let Ok(mut remote) = remote.try_borrow_mut() {
                remote.abandon(flight);
            }
        }
    }
}

impl Fetcher {
    /// Sends the fetches that are due.
    pub(super) fn on_tick(&mut self, route: &Route, now: UnixTime) {
        for (remote, fetch) in std::mem::take(&mut self.next) {
            self.send_or_wait(route, remote, fetch);
        }
        for remote in route.remotes() {
            let due = match remote.try_borrow_mut() {
                Ok(mut remote) => remote.poll(now, route.shared()),
                Err(_) => None,
            };
            if let Some(fetch) = due {
                // A call that was given up is forgotten, should its answer still come. One that holds a line frees it
                // then.
                self.calls
                    .retain(|_, call| call.line.is_some() || !Rc::ptr_eq(&call.remote, &remote));
                self.next.retain(|(waits, _)| !Rc::ptr_eq(waits, &remote));
                self.send_or_wait(route, remote, fetch);
            }
        }
    }

    /// Takes the answer of a fetch. Whether it is over.
    pub(super) fn on_response(
        &mut self,
        route: &Route,
        call: u32,
        headers: usize,
        body_size: usize,
    ) -> bool {
        let Some(call) = self.calls.remove(&call) else {
            return false;
        };
        if let Some(line) = &call.line {
            route.vm.lines.release(line);
        }
        let host = route.vm.host;
        let answer = if host.has_call_headers(headers) {
            read(host, body_size, &call)
        } else {
            Err(FetchError::from_dispatch_status(None))
        };
        self.finish(route, &call.remote, call.flight, answer)
    }

    /// Sends a fetch, or puts it off to the next tick while another to the same server is under way.
    fn send_or_wait(&mut self, route: &Route, remote: SharedRemote, fetch: Fetch) {
        if route.vm.host.calls_at_will() {
            self.send(route, &remote, &fetch, None);
            return;
        }
        let take = |now| route.vm.lines.take(&fetch.cluster, now);
        match now().ok().and_then(take) {
            Some(line) => self.send(route, &remote, &fetch, Some(line)),
            None => self.next.push((remote, fetch)),
        }
    }

    fn send(&mut self, route: &Route, remote: &SharedRemote, fetch: &Fetch, line: Option<Line>) {
        let mut headers = vec![
            (":method", "GET"),
            (":scheme", fetch.uri.scheme),
            (":authority", fetch.uri.authority.as_str()),
            (":path", fetch.uri.path.as_str()),
            ("accept", "application/json"),
            ("user-agent", concat!("jobgate/", env!("CARGO_PKG_VERSION"))),
        ];
        if let Some(etag) = &fetch.etag {
            headers.push(("if-none-match", etag));
        }
        let sent =
            hostcalls::dispatch_http_call(&fetch.cluster, headers, None, Vec::new(), fetch.timeout);
        match sent {
            Ok(token) => {
                let call = Call {
                    remote: Rc::clone(remote),
                    flight: fetch.flight,
                    line,
                    is_conditional: fetch.etag.is_some(),
                    scheme: fetch.uri.scheme,
                    max_bytes: fetch.max_bytes,
                };
                self.calls.insert(token, call);
            }
            Err(status) => {
                if let Some(line) = &line {
                    route.vm.lines.release(line);
                }
                self.finish(
                    route,
                    remote,
                    fetch.flight,
                    Err(not_sent(status, &fetch.cluster)),
                );
            }
        }
    }

    fn finish(
        &mut self,
        route: &Route,
        remote: &SharedRemote,
        flight: u64,
        answer: Result<Answer, FetchError>,
    ) -> bool {
        let (Ok(now), Ok(mut kept)) = (now(), remote.try_borrow_mut()) else {
            return false;
        };
        let step = kept.finish(flight, answer, now, route.shared());
        let name = kept.name();
        drop(kept);
        match step {
            Step::Fetch(fetch) => {
                if route.vm.host.calls_at_will() {
                    self.send(route, remote, &fetch, None);
                } else {
                    self.next.push((Rc::clone(remote), fetch));
                }
                false
            }
            Step::Done(report) => {
                log_report(&name, &report);
                route.vm.metrics.fetched(route.vm.host, &report);
                true
            }
            Step::Ignored => false,
        }
    }
}

/// Why a call could not be sent.
pub(super) fn not_sent(status: Status, cluster: &str) -> FetchError {
    // Envoy's word for a cluster that is empty.
    if status == Status::InternalFailure {
        return FetchError::no_server(cluster);
    }
    let detail =
        format!("the gateway did not send the request: {status:?} for the cluster {cluster:?}");
    FetchError::new(Cause::NotSent, detail)
}

/// The answer to the call that is being told of.
fn read(host: &dyn Host, body_size: usize, call: &Call) -> Result<Answer, FetchError> {
    let Some(status) = call_header(":status") else {
        let why = host.dispatch_status();
        return Err(FetchError::from_dispatch_status(why.as_deref()));
    };
    match status.as_str() {
        "200" if body_size > call.max_bytes => {
            Err(FetchError::too_large(body_size, call.max_bytes))
        }
        "200" => Ok(Answer::Document {
            etag: call_header("etag").filter(|etag| is_entity_tag(etag)),
            body: call_body(body_size)?,
        }),
        "304" if call.is_conditional => Ok(Answer::Unchanged),
        _ => {
            let excuse = call_body(body_size.min(MAX_EXCUSE_BYTES)).unwrap_or_default();
            let excuse = String::from_utf8_lossy(&excuse);
            Err(FetchError::from_status(
                &status,
                call.scheme,
                is_servers_answer(),
                &excuse,
            ))
        }
    }
}

/// A header of the answer that is being told of.
pub(super) fn call_header(name: &str) -> Option<String> {
    hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, name)
        .ok()
        .flatten()
        .map(|value| String::from_utf8_lossy(&value).into_owned())
}

/// The first bytes of its body.
pub(super) fn call_body(size: usize) -> Result<Vec<u8>, FetchError> {
    hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, size)
        .map(Option::unwrap_or_default)
        .map_err(|status| {
            let detail = format!("the body could not be read: {status:?}");
            FetchError::new(Cause::NoAnswer, detail)
        })
}

/// Whether the server itself gave it, for sure: servers date their answers (RFC 9110, section 6.6.1), and Envoy notes how
/// long one took.
pub(super) fn is_servers_answer() -> bool {
    ["date", "x-envoy-upstream-service-time"]
        .iter()
        .any(|name| call_header(name).is_some())
}

fn log_report(name: &str, report: &Report) {
    match report {
        Report::Fetched { what, warnings } => {
            log::info!("jobgate: {name} were fetched: {what}");
            for warning in warnings {
                log::warn!("jobgate: {name}: {warning}");
            }
        }
        Report::Unchanged => log::debug!("jobgate: {name} are as they were"),
        Report::Failed { error, retry_in } => {
            let (seconds, tenths) = (retry_in.as_secs(), retry_in.subsec_millis() / 100);
            log::error!(
                "jobgate: {name} could not be fetched: {error}; next try in {seconds}.{tenths} s"
            );
        }
    }
}
