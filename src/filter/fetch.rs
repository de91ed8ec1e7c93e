//! Fetching keys through the host, from ticks only, and saying why when it fails.

use super::root::{Route, now};
use crate::keys::{FetchError, FetchReport, JwksSource, MAX_DOCUMENT_BYTES};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};
use std::collections::HashMap;

/// The fetches of one root context that are under way: which issuer waits for which call.
#[derive(Default)]
pub(super) struct Fetcher {
    calls: HashMap<u32, usize>,
}

impl Fetcher {
    /// Sends the fetches that are due.
    pub(super) fn on_tick(&mut self, route: &Route) {
        let (Ok(now), Ok(mut keys)) = (now(), route.keys.try_borrow_mut()) else {
            return;
        };
        let due: Vec<(usize, JwksSource)> = keys
            .stores_mut()
            .filter_map(|(issuer, store)| store.poll(now).map(|source| (issuer, source)))
            .collect();
        for (issuer, source) in due {
            match send(&source) {
                Ok(call) => {
                    // A call that was given up is forgotten, should its answer still come.
                    self.calls.retain(|_, waiting| *waiting != issuer);
                    self.calls.insert(call, issuer);
                }
                Err(error) => {
                    if let Some(store) = keys.store_mut(issuer) {
                        log_report(route, issuer, &store.finish(Err(error), now));
                    }
                }
            }
        }
    }

    /// Takes the answer of a fetch.
    pub(super) fn on_response(&mut self, route: &Route, call: u32, body_size: usize) {
        let Some(issuer) = self.calls.remove(&call) else {
            return;
        };
        let answer = read(body_size);
        let (Ok(now), Ok(mut keys)) = (now(), route.keys.try_borrow_mut()) else {
            return;
        };
        if let Some(store) = keys.store_mut(issuer) {
            let report = match answer {
                Ok(body) => store.finish(Ok(&body), now),
                Err(error) => store.finish(Err(error), now),
            };
            log_report(route, issuer, &report);
        }
    }
}

fn send(source: &JwksSource) -> Result<u32, FetchError> {
    let headers = vec![
        (":method", "GET"),
        (":scheme", source.uri.scheme),
        (":authority", source.uri.authority.as_str()),
        (":path", source.uri.path.as_str()),
        ("accept", "application/json"),
        ("user-agent", concat!("jobgate/", env!("CARGO_PKG_VERSION"))),
    ];
    hostcalls::dispatch_http_call(&source.cluster, headers, None, Vec::new(), source.timeout)
        .map_err(|status| {
            FetchError::NotSent(format!("{status:?} for the cluster {:?}", source.cluster))
        })
}

/// The body of the answer to the call that is being told of.
fn read(body_size: usize) -> Result<Vec<u8>, FetchError> {
    let header = |name: &str| {
        hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, name)
            .ok()
            .flatten()
            .map(|value| String::from_utf8_lossy(&value).into_owned())
    };
    let status = match header(":status") {
        Some(status) => status,
        // Kong says why in a header of its own.
        _ => {
            let why =
                header(":dispatch_status").unwrap_or_else(|| "the gateway does not say why".into());
            return Err(FetchError::NoAnswer(why));
        }
    };
    if status != "200" {
        // Envoy answers for servers that it cannot reach; a server dates its own answers (RFC 9110,
        // section 6.6.1).
        return Err(match (status.as_str(), header("date")) {
            ("504", None) => FetchError::NoAnswer("time ran out".into()),
            ("503", None) => FetchError::NoAnswer("the server cannot be reached".into()),
            _ => FetchError::Status(status),
        });
    }
    if body_size > MAX_DOCUMENT_BYTES {
        return Err(FetchError::TooLarge(body_size));
    }
    hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, body_size)
        .map(Option::unwrap_or_default)
        .map_err(|status| FetchError::NoAnswer(format!("the body could not be read: {status:?}")))
}

fn log_report(route: &Route, issuer: usize, report: &FetchReport) {
    let Some(issuer) = route
        .policy
        .as_ref()
        .and_then(|policy| policy.issuers.get(issuer))
    else {
        return;
    };
    let Some(source) = &issuer.jwks else { return };
    let (issuer, uri) = (&issuer.issuer, &source.uri);
    match report {
        FetchReport::Fetched { keys, skipped } => {
            log::info!("jobgate: {keys} keys of {issuer} fetched from {uri}");
            for key in skipped {
                log::warn!(
                    "jobgate: a key of {issuer} is not used: {} (kid {:?})",
                    key.why,
                    key.kid
                );
            }
        }
        FetchReport::Failed { error, retry_in } => {
            let seconds = retry_in.as_secs();
            log::error!(
                "jobgate: the keys of {issuer} could not be fetched from {uri}: {error}; next try in {seconds} s"
            );
        }
    }
}
