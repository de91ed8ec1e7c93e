//! HTTP calls that the filter dispatched: what it asked for, and how each can end.

use crate::abi::Pair;
use crate::profile::Profile;
use std::time::SystemTime;

/// Names an HTTP call for the test. Not the guest's token, which repeats over VMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(crate) u64);

/// A call that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpCall {
    /// The handle for [`Gateway::respond`](crate::Gateway::respond).
    pub id: CallId,
    /// The token that the guest was given.
    pub token: u32,
    /// The VM that made it.
    pub vm: usize,
    /// The context that made it: a root context's id or a request's.
    pub context: u32,
    /// The root context that it belongs to.
    pub root: u32,
    /// Envoy: a cluster's name. Kong: `host:port`.
    pub upstream: String,
    /// All headers, pseudo-headers too, in order.
    pub headers: Vec<Pair>,
    /// The body.
    pub body: Vec<u8>,
    /// The timeout in milliseconds.
    pub timeout_ms: u32,
    /// When it was made.
    pub at: SystemTime,
}

impl HttpCall {
    /// The first value of a header, if it is UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name.as_bytes()).and_then(|value| std::str::from_utf8(value).ok())
    }
}

/// A server's answer to a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallResponse {
    /// The status code.
    pub status: u16,
    /// The headers, without `:status`.
    pub headers: Vec<Pair>,
    /// The body.
    pub body: Vec<u8>,
}

impl CallResponse {
    /// An answer with a body and no headers.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.as_bytes().to_vec(), value.as_ref().to_vec()));
        self
    }
}

/// Why a call had no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallFailure {
    /// The server was too slow.
    Timeout,
    /// The connection was refused, or not established in time.
    Connect,
    /// The name didn't resolve. On Envoy the cluster has no hosts then, and the dispatch itself
    /// fails: see [`Cluster::Empty`](crate::Cluster::Empty). It is like [`Connect`](Self::Connect)
    /// where a call is under way.
    Resolve,
    /// The TLS handshake failed: an untrusted certificate, a wrong name, no TLS at all. Envoy says
    /// of it what it says of [`Connect`](Self::Connect).
    Tls,
    /// The server closed the connection instead of answering.
    Reset,
    /// The server sent what is no HTTP, or headers without end.
    Protocol,
    /// The connection broke, or time ran out, in the middle of the answer's body. Envoy calls back
    /// with nothing at all; Kong's `:dispatch_status` is `ok`.
    Truncated,
}

impl CallFailure {
    /// What Envoy answers in the server's place.
    const fn envoy(self) -> Option<(u16, &'static str)> {
        Some(match self {
            Self::Timeout => (504, "upstream request timeout"),
            Self::Connect | Self::Resolve | Self::Tls => (
                503,
                "upstream connect error or disconnect/reset before headers. \
                 reset reason: remote connection failure",
            ),
            Self::Reset => (
                503,
                "upstream connect error or disconnect/reset before headers. \
                 reset reason: connection termination",
            ),
            Self::Protocol => (
                502,
                "upstream connect error or disconnect/reset before headers. \
                 reset reason: protocol error",
            ),
            Self::Truncated => return None,
        })
    }

    /// Kong's `:dispatch_status`.
    const fn kong(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect | Self::Reset => "broken connection",
            Self::Resolve => "resolver failure",
            Self::Tls => "tls handshake failure",
            Self::Protocol => "reader failure",
            Self::Truncated => "ok",
        }
    }
}

/// What the guest sees of a call's end, in its callback.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallView {
    /// With pseudo-headers, in the order of the map.
    pub(crate) headers: Vec<Pair>,
    /// The count that the callback is told.
    pub(crate) header_count: usize,
    /// None where Envoy has no response to show, not even an empty one.
    pub(crate) body: Option<Vec<u8>>,
}

impl CallView {
    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        find(&self.headers, name)
    }

    /// Both hosts put `:status` in front. Envoy notes on a server's answers how long they took,
    /// which tells them from its own. Kong has `:dispatch_status` too, and doesn't count
    /// pseudo-headers.
    pub(crate) fn of_response(profile: Profile, response: CallResponse) -> Self {
        let mut view = Self::shown(profile, response);
        if profile == Profile::Envoy {
            view.headers
                .push(pair("x-envoy-upstream-service-time", "0"));
            view.header_count += 1;
        }
        view
    }

    fn shown(profile: Profile, response: CallResponse) -> Self {
        let status = pair(":status", response.status.to_string());
        let count = response.headers.len();
        let (mut headers, header_count) = match profile {
            Profile::Envoy => (vec![status], count + 1),
            Profile::Kong => (vec![status, pair(":dispatch_status", "ok")], count),
        };
        headers.extend(
            response
                .headers
                .into_iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value)),
        );
        Self {
            headers,
            header_count,
            body: Some(response.body),
        }
    }

    /// Envoy answers in the server's place; Kong calls back with nothing but
    /// `:dispatch_status`.
    pub(crate) fn of_failure(profile: Profile, failure: CallFailure) -> Self {
        match profile {
            Profile::Envoy => {
                let Some((status, body)) = failure.envoy() else {
                    return Self::default();
                };
                let own = CallResponse::new(status, body)
                    .header("content-length", body.len().to_string())
                    .header("content-type", "text/plain");
                Self::shown(profile, own)
            }
            Profile::Kong => Self {
                headers: vec![pair(":dispatch_status", failure.kong())],
                body: Some(Vec::new()),
                ..Self::default()
            },
        }
    }
}

/// All calls under way, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    pending: Vec<HttpCall>,
    next_id: u64,
    /// Per VM: tokens count up from the profile's first.
    issued: Vec<u32>,
}

impl Calls {
    pub(crate) fn pending(&self) -> &[HttpCall] {
        &self.pending
    }

    pub(crate) fn next_id(&mut self) -> CallId {
        self.next_id += 1;
        CallId(self.next_id)
    }

    /// The next token of a VM.
    pub(crate) fn next_token(&mut self, profile: Profile, vm: usize) -> u32 {
        if self.issued.len() <= vm {
            self.issued.resize(vm + 1, 0);
        }
        let token = profile.first_token() + self.issued[vm];
        self.issued[vm] += 1;
        token
    }

    pub(crate) fn push(&mut self, call: HttpCall) {
        self.pending.push(call);
    }

    pub(crate) fn take(&mut self, id: CallId) -> Option<HttpCall> {
        let index = self.pending.iter().position(|call| call.id == id)?;
        Some(self.pending.remove(index))
    }

    pub(crate) fn any_of(&self, vm: usize, context: u32) -> bool {
        self.pending
            .iter()
            .any(|call| (call.vm, call.context) == (vm, context))
    }

    /// A root context is gone, and with it the calls of its own and of its requests.
    pub(crate) fn drop_root(&mut self, vm: usize, root: u32) {
        self.pending
            .retain(|call| (call.vm, call.root) != (vm, root));
    }

    pub(crate) fn drop_context(&mut self, vm: usize, context: u32) {
        self.pending
            .retain(|call| (call.vm, call.context) != (vm, context));
    }

    /// Every VM is gone, and tokens start anew.
    pub(crate) fn drop_all(&mut self) {
        self.pending.clear();
        self.issued.clear();
    }

    /// The VM is gone, and nobody is left to hear of its calls. Envoy's next VM counts its
    /// tokens from the start; on Kong the worker counts them.
    pub(crate) fn drop_vm(&mut self, profile: Profile, vm: usize) {
        self.pending.retain(|call| call.vm != vm);
        if let (Profile::Envoy, Some(issued)) = (profile, self.issued.get_mut(vm)) {
            *issued = 0;
        }
    }
}

fn pair(name: &str, value: impl Into<String>) -> Pair {
    (name.as_bytes().to_vec(), value.into().into_bytes())
}

fn find<'a>(headers: &'a [Pair], name: &[u8]) -> Option<&'a [u8]> {
    headers
        .iter()
        .find(|(seen, _)| seen.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_slice())
}
