//! What became of a request, and why.

use crate::abi::Pair;

/// Names a request for the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub(crate) u64);

/// A request and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exchange {
    /// The handle for [`Gateway::exchange`](crate::Gateway::exchange): a paused request has
    /// another outcome later.
    pub id: ExchangeId,
    /// Where it stands.
    pub outcome: Outcome,
    /// How it came to that.
    pub passage: Passage,
    /// The traps that the filter suffered on this request's behalf, first to last.
    pub traps: Vec<String>,
    /// The request's headers as they stood at its end, which is what the gateway's own logs have.
    pub logged: Vec<Pair>,
}

impl Exchange {
    /// The request as the upstream got it, if it did.
    #[must_use]
    pub fn upstream(&self) -> Option<&UpstreamRequest> {
        match &self.outcome {
            Outcome::Upstream(request) => Some(request),
            _ => None,
        }
    }

    /// The filter's own answer, if it gave one.
    #[must_use]
    pub fn local(&self) -> Option<&LocalResponse> {
        match &self.outcome {
            Outcome::Local(response) => Some(response),
            _ => None,
        }
    }

    /// The status that the client sees, when no upstream was asked.
    #[must_use]
    pub fn refused_with(&self) -> Option<u16> {
        match &self.outcome {
            Outcome::Local(response) => Some(response.status),
            Outcome::HostError(status) => Some(*status),
            _ => None,
        }
    }

    /// The filter itself let the request through or answered it; the host didn't go over its
    /// head.
    #[must_use]
    pub fn decided(&self) -> bool {
        self.passage == Passage::Decided
    }
}

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It went to the upstream.
    Upstream(UpstreamRequest),
    /// The filter answered it.
    Local(LocalResponse),
    /// The host answered it, with this status.
    HostError(u16),
    /// It waits. For good, when there is no call pending that could wake it.
    Paused,
    /// Nobody answers: the worker is dead.
    NoAnswer,
    /// The connection ended before an answer: the client went away, or Envoy was done draining.
    Cut,
}

/// How a request came to its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// By the filter's own action: it continued, resumed or answered.
    Decided,
    /// Not yet: it waits.
    Waiting,
    /// It waited when its connection ended.
    Cut,
    /// The host refused the request before the filter saw it.
    HostRefused,
    /// The filter trapped on the request and the host answered.
    Trapped,
    /// There is no VM to ask, or none that could be configured.
    NoVm,
    /// Kong, fail-open 1: the filter trapped in this request's call-response callback.
    CallbackTrapped,
    /// Kong, fail-open 2: the last call ended and the callback neither answered nor resumed.
    CallbackSilent,
    /// Kong, fail-open 3: another request, or a tick, trapped in the same VM.
    NeighbourTrapped,
    /// Kong, fail-open 4: a filter failed at start and every chain is off.
    ChainsOff,
}

/// A request as the upstream gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamRequest {
    /// The method.
    pub method: Vec<u8>,
    /// The request target.
    pub path: Vec<u8>,
    /// Envoy: the route that it took, chosen by its last headers. Kong: the one it came in on.
    pub route: String,
    /// All headers in order, repetitions too, without pseudo-headers but with `host`.
    pub headers: Vec<Pair>,
    /// The trailers.
    pub trailers: Vec<Pair>,
    /// The body.
    pub body: Vec<u8>,
}

impl UpstreamRequest {
    /// Every value of a header, in order, lossily as text. Names match in any case.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        values(&self.headers, name)
    }

    /// The only value of a header: `None` when it is absent or repeated.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<String> {
        only(self.all(name))
    }
}

/// The filter's own answer, as the client gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalResponse {
    /// The status code.
    pub status: u16,
    /// The headers in order, `content-length` as the host computed it last.
    pub headers: Vec<Pair>,
    /// The body.
    pub body: Vec<u8>,
    /// Envoy's `%RESPONSE_CODE_DETAILS%`, as the filter gave it.
    pub details: String,
}

impl LocalResponse {
    /// Every value of a header, in order, lossily as text. Names match in any case.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        values(&self.headers, name)
    }

    /// The only value of a header: `None` when it is absent or repeated.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<String> {
        only(self.all(name))
    }

    /// The body as text, lossily.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn values(headers: &[Pair], name: &str) -> Vec<String> {
    headers
        .iter()
        .filter(|(seen, _)| seen.eq_ignore_ascii_case(name.as_bytes()))
        .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
        .collect()
}

fn only(mut values: Vec<String>) -> Option<String> {
    (values.len() == 1).then(|| values.remove(0))
}
