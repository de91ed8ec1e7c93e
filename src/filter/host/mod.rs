//! The differences between the proxies, in one place. Nothing else asks which one this is.

mod envoy;
mod kong_version;
mod map;
mod restricted;
mod verify_signature;

use self::envoy::Envoy;
use self::restricted::Restricted;
use super::shared::HostData;
use crate::keys::SignatureVerifier;
use crate::limit::Source;
use crate::policy::ClientCertificate;
use crate::request::{HeaderMap, HeaderPower};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{MapType, Status};
use std::borrow::Cow;

/// A request's method and its raw target.
pub(super) type RequestLine<'h> = (Cow<'h, [u8]>, Cow<'h, [u8]>);

/// What a proxy can do, and where it keeps what is asked of it.
pub(super) trait Host: Source {
    /// The proxy's name, for the log.
    fn name(&self) -> &'static str;

    /// What the configuration calls this filter, where the log does not say so itself. Asked for in
    /// `on_configure`.
    fn plugin_name(&self) -> Option<String>;

    /// What the names of counters begin with: Kong puts the filter's name before them itself.
    fn metric_prefix(&self) -> &'static str;

    /// Whether it has counters; none as long as it does not say.
    fn counts(&self) -> Option<bool>;

    /// Whether a call can be made at any time: while the answer to another is being told, and while another to a server
    /// of the same name is under way.
    fn calls_at_will(&self) -> bool;

    /// Shared data, where it is there for sure.
    fn shared_data(&self) -> Option<&'static HostData>;

    /// Who verifies signatures faster than the filter does.
    fn verifier(&self) -> &'static dyn SignatureVerifier;

    /// Whether a request that is paused before it was decided is held back whatever goes wrong.
    fn holds_paused_requests(&self) -> bool;

    /// Whether the headers of a call's answer may be asked for, by the number that the callback was told.
    fn has_call_headers(&self, told: usize) -> bool;

    /// Why a call has no answer, if the proxy says so.
    fn dispatch_status(&self) -> Option<String>;

    /// What can be done about a client's headers.
    fn header_power(&self) -> HeaderPower;

    /// Whether the headers may be asked for where the callback was told of this many.
    fn can_show(&self, told: usize) -> bool;

    /// Whether the headers are all that there are, by the number that the callback was told.
    fn shows_all(&self, headers: &HeaderMap, told: usize) -> bool;

    /// The method and the raw request target.
    fn request_line<'h>(&self, headers: &'h HeaderMap) -> Result<RequestLine<'h>, Status>;

    /// What the proxy cuts off the target's beginning before it hands the request on.
    fn cut(&self) -> Vec<u8>;

    /// The host that the request is for, as the upstream sees it and the proxy's router did.
    fn authority<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]>;

    /// The proxy's own name for the route by which the request came to the gate.
    fn route(&self) -> Option<String>;

    /// The proxy's own name for the service or cluster that this route leads to.
    fn service(&self) -> Option<String>;

    /// What the client of this connection has proven.
    fn certificate(&self) -> ClientCertificate;

    /// Leaves word of the route that the decision was made for, where the proxy may choose another one after it.
    fn note_route(&self, route: Option<&str>) -> Result<(), Status>;

    /// Leaves the decision record where the proxy's other plugins can read it.
    fn note_record(&self, record: &str);

    /// Sets a request header that the client has not sent, or that can be overwritten.
    fn set(&self, name: &str, value: &str) -> Result<(), Status>;

    /// Takes a request header that occurs once away from what goes upstream, or at least its value.
    fn take_away(&self, name: &str) -> Result<(), Status>;

    /// Keeps the token in this header of a refused request from the proxy's own logs of it, however the header is
    /// spelled and how often it is there. `told` is as for [`Self::can_show`].
    fn keep_from_logs(&self, name: &str, told: usize);
}

/// Finds out which proxy this is; called from `on_configure`.
///
/// Only what has shown itself to be Envoy is treated as Envoy: taking Kong for it would forward headers
/// that were thought removed. Kong does not know the property, and says so without harm.
pub(super) fn detect() -> &'static dyn Host {
    match property(&["xds", "node", "user_agent_name"]).as_deref() {
        Some("envoy") => &Envoy,
        _ => &Restricted,
    }
}

/// All request headers, in order.
///
/// Both hosts refuse header names that are not tokens (RFC 9110, section 5.6.2), so names are ASCII; values
/// can be any bytes.
pub(super) fn request_headers() -> Result<HeaderMap, Status> {
    headers_of(MapType::HttpRequestHeaders)
}

/// All request trailers, in order; none where the host has none.
///
/// Names are whatever the host lets through: they need be no text.
pub(super) fn request_trailers() -> Result<HeaderMap, Status> {
    headers_of(MapType::HttpRequestTrailers)
}

fn headers_of(map: MapType) -> Result<HeaderMap, Status> {
    map::block(map).and_then(|block| HeaderMap::from_block(block).map_err(|_| Status::ParseFailure))
}

/// For what is only shown.
fn property(path: &[&str]) -> Option<String> {
    property_bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// For what rules compare: what is no text is not there, so that nothing passes for something else.
fn exact_property(path: &[&str]) -> Option<String> {
    String::from_utf8(property_bytes(path)?).ok()
}

fn property_bytes(path: &[&str]) -> Option<Vec<u8>> {
    hostcalls::get_property(path.to_vec())
        .ok()
        .flatten()
        .filter(|bytes| !bytes.is_empty())
}
