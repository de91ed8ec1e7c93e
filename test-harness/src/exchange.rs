//! One request through a gate on a real gateway, seen from all sides: the client's, the upstream's and the log's.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::case::{Forwarded, Observed};
use crate::client::{self, Request, Response};
use crate::envoy::Envoy;
use crate::record;
use crate::tls::ClientIdentity;
use crate::upstream::{Echo, Upstream};

/// How long a record may take from the answer to the log's file.
pub(crate) const RECORD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait between two looks at something that comes about by itself.
const POLL: Duration = Duration::from_millis(20);

/// A request and all that came of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What the client got.
    pub response: Response,
    /// What reached the upstream meanwhile.
    pub forwarded: Vec<Echo>,
    /// The decision record, as the gate logged it; none where Envoy answered by itself.
    pub record: Option<String>,
}

impl Exchange {
    /// Sends `request` to one of Envoy's listeners.
    ///
    /// Nobody else may use the upstream meanwhile: what reaches it is taken for this request's.
    ///
    /// # Errors
    ///
    /// If there is no response.
    pub fn run(
        envoy: &Envoy,
        listener: &str,
        upstream: &Upstream,
        request: &Request,
    ) -> Result<Self, client::Error> {
        Self::of(envoy, upstream, || request.send(envoy.addr(listener)))
    }

    /// As [`Self::run`], over TLS.
    ///
    /// # Errors
    ///
    /// If there is no response.
    pub fn run_as(
        client: &ClientIdentity,
        envoy: &Envoy,
        listener: &str,
        upstream: &Upstream,
        request: &Request,
    ) -> Result<Self, client::Error> {
        Self::of(envoy, upstream, || {
            Ok(request.send_as(client, envoy.addr(listener))?.response)
        })
    }

    fn of(
        envoy: &Envoy,
        upstream: &Upstream,
        send: impl FnOnce() -> Result<Response, client::Error>,
    ) -> Result<Self, client::Error> {
        let before = upstream.count();
        let response = send()?;
        let arrived = usize::try_from(upstream.count() - before).unwrap_or(usize::MAX);
        let mut forwarded: Vec<_> = upstream
            .requests()
            .into_iter()
            .rev()
            .take(arrived)
            .collect();
        forwarded.reverse();
        let id = record::decision_id(&response, forwarded.last());
        let record = id.and_then(|id| {
            eventually(RECORD_TIMEOUT, || {
                let log = envoy.log_text();
                let mut records = log.lines().filter_map(record::in_line);
                records.find(|found| found.contains(&id)).map(str::to_owned)
            })
        });
        Ok(Self {
            response,
            forwarded,
            record,
        })
    }

    /// A string member of the decision record: its `reason`, its `rule`.
    pub fn recorded(&self, member: &str) -> Option<String> {
        let record: Value = serde_json::from_str(self.record.as_deref()?).ok()?;
        Some(record[member].as_str()?.to_owned())
    }

    /// The problem document's `code`, if the answer is one.
    pub fn code(&self) -> Option<String> {
        record::problem(&self.response, "code")
    }

    /// This in the form that expectations are compared with.
    pub fn observed(&self) -> Observed {
        Observed {
            status: self.response.status,
            code: self.code(),
            upstream: self.forwarded.last().map(|echo| Forwarded {
                target: echo.path.clone(),
                headers: echo.headers.clone(),
            }),
            record: self.record.clone().unwrap_or_default(),
        }
    }
}

/// Looks until there is something to see, or time is over.
pub fn eventually<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(POLL);
    }
}
