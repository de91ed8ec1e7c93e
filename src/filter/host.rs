//! The differences between the proxies, in one place. Nothing else asks which one this is.

use super::shared::{ENVOY, HostData};
use crate::policy::ClientCertificate;
use crate::request::{HeaderMap, HeaderPower};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{MapType, Status};

/// What a proxy can do, and where it keeps what is asked of it.
pub(super) trait Host {
    /// The proxy's name, for the log.
    fn name(&self) -> &'static str;

    /// What the configuration calls this filter, where the log does not say so itself. Asked for in
    /// `on_configure`.
    fn plugin_name(&self) -> Option<String>;

    /// What the names of counters begin with: Kong puts the filter's name before them itself.
    fn metric_prefix(&self) -> &'static str;

    /// Shared data, where it is there for sure.
    fn shared_data(&self) -> Option<&'static HostData>;

    /// Whether a request that is paused before it was decided is held back whatever goes wrong.
    fn holds_paused_requests(&self) -> bool;

    /// Whether the headers of a call's answer may be asked for, by the number that the callback was told.
    fn has_call_headers(&self, told: usize) -> bool;

    /// Why a call has no answer, if the proxy says so.
    fn dispatch_status(&self) -> Option<String>;

    /// What can be done about a client's headers.
    fn header_power(&self) -> HeaderPower;

    /// Whether the headers are all that there are, by the number that the callback was told.
    fn shows_all(&self, headers: &HeaderMap, told: usize) -> bool;

    /// The method and the raw request target.
    fn request_line(&self, headers: &HeaderMap) -> Result<(Vec<u8>, Vec<u8>), Status>;

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

    /// Takes a request header that occurs once away from what goes upstream, or at least its value.
    fn take_away(&self, name: &str) -> Result<(), Status>;
}

/// Envoy: removal is real.
struct Envoy;

impl Host for Envoy {
    fn name(&self) -> &'static str {
        "Envoy"
    }

    fn plugin_name(&self) -> Option<String> {
        property(&["plugin_name"])
    }

    fn metric_prefix(&self) -> &'static str {
        "jobgate_"
    }

    fn shared_data(&self) -> Option<&'static HostData> {
        Some(&ENVOY)
    }

    fn holds_paused_requests(&self) -> bool {
        true
    }

    /// Where an answer broke off there is no map, and asking ends the VM. `:status` counts.
    fn has_call_headers(&self, told: usize) -> bool {
        told > 0
    }

    fn dispatch_status(&self) -> Option<String> {
        None
    }

    fn header_power(&self) -> HeaderPower {
        HeaderPower::Remove
    }

    fn shows_all(&self, headers: &HeaderMap, told: usize) -> bool {
        headers.iter().count() >= told
    }

    fn request_line(&self, headers: &HeaderMap) -> Result<(Vec<u8>, Vec<u8>), Status> {
        let pseudo = |name| headers.get(name).unwrap_or_default().to_vec();
        Ok((pseudo(":method"), pseudo(":path")))
    }

    /// Absolute-form too ends up here.
    fn authority<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        headers.get(":authority")
    }

    fn route(&self) -> Option<String> {
        exact_property(&["xds", "route_name"])
    }

    /// Known as soon as the route is.
    fn service(&self) -> Option<String> {
        exact_property(&["xds", "cluster_name"])
    }

    /// `connection.mtls` is true of any certificate that was presented, `peer_certificate_valid` of one that was
    /// verified in the handshake of this very connection: not where the listener takes any, and not where a session
    /// was resumed. These two can't be told apart; nor can anything by an Envoy that lacks the latter.
    fn certificate(&self) -> ClientCertificate {
        let is = |name| flag(&["connection", name]);
        let verified = match (is("mtls"), is("peer_certificate_valid")) {
            (Some(false), _) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        };
        let told = |name| exact_property(&["connection", name]).filter(|_| verified == Some(true));
        ClientCertificate {
            verified,
            subject: told("subject_peer_certificate"),
            uri_san: told("uri_san_peer_certificate"),
            dns_san: told("dns_san_peer_certificate"),
        }
    }

    /// Envoy chooses the route again after any change of a header, and shows the new one only to filters that
    /// come later: one of these compares (`envoy/per-route.yaml`). The property is their filter state
    /// `wasm.jobgate.route`.
    fn note_route(&self, route: Option<&str>) -> Result<(), Status> {
        let name = route.unwrap_or_default().as_bytes();
        hostcalls::set_property(vec!["jobgate.route"], Some(name))
    }

    fn take_away(&self, name: &str) -> Result<(), Status> {
        hostcalls::remove_map_value(MapType::HttpRequestHeaders, name)
    }
}

/// Kong, and any host that has not shown itself to be Envoy: nothing can be taken away, so what cannot be
/// overwritten is refused.
struct Restricted;

impl Host for Restricted {
    fn name(&self) -> &'static str {
        "Kong, or a host that is treated like it"
    }

    /// Asking Kong for it ends its worker.
    fn plugin_name(&self) -> Option<String> {
        None
    }

    fn metric_prefix(&self) -> &'static str {
        ""
    }

    /// Kong has none unless a zone is configured, and traps without.
    fn shared_data(&self) -> Option<&'static HostData> {
        None
    }

    /// Kong sends paused requests upstream when a callback traps or ends without an answer.
    fn holds_paused_requests(&self) -> bool {
        false
    }

    /// `:status` does not count.
    fn has_call_headers(&self, _: usize) -> bool {
        true
    }

    /// In a header of its own, which is there where no other is.
    fn dispatch_status(&self) -> Option<String> {
        let why =
            hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, ":dispatch_status");
        why.ok()
            .flatten()
            .map(|why| String::from_utf8_lossy(&why).into_owned())
    }

    fn header_power(&self) -> HeaderPower {
        HeaderPower::OverwriteOnce
    }

    /// Kong shows a hundred, pseudo-headers included, and forwards the rest unseen; it counts those that
    /// were sent.
    fn shows_all(&self, headers: &HeaderMap, told: usize) -> bool {
        headers
            .iter()
            .filter(|header| !header.name.starts_with(':'))
            .count()
            >= told
    }

    fn request_line(&self, _: &HeaderMap) -> Result<(Vec<u8>, Vec<u8>), Status> {
        let property =
            |name| hostcalls::get_property(vec!["request", name]).map(Option::unwrap_or_default);
        Ok((property("method")?, property("path")?))
    }

    /// What Kong shows as `:authority` is the server's own name. A second `Host` it refuses itself.
    fn authority<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        headers.get("host")
    }

    fn route(&self) -> Option<String> {
        exact_property(&["kong", "route_name"])
    }

    fn service(&self) -> Option<String> {
        exact_property(&["kong", "service_name"])
    }

    /// nginx's variables. There is none for the alternative names. Any other word than these two, such as
    /// `FAILED:...` for a certificate that was let in all the same, is no proof, and none at all tells nothing.
    fn certificate(&self) -> ClientCertificate {
        let verified = property(&["ngx", "ssl_client_verify"]).map(|word| word == "SUCCESS");
        ClientCertificate {
            verified,
            subject: exact_property(&["ngx", "ssl_client_s_dn"]).filter(|_| verified == Some(true)),
            uri_san: None,
            dns_san: None,
        }
    }

    /// Kong's router has run before.
    fn note_route(&self, _: Option<&str>) -> Result<(), Status> {
        Ok(())
    }

    fn take_away(&self, name: &str) -> Result<(), Status> {
        hostcalls::set_map_value(MapType::HttpRequestHeaders, name, Some(""))
    }
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
    Ok(hostcalls::get_map_bytes(MapType::HttpRequestHeaders)?
        .into_iter()
        .collect())
}

/// For what is only shown.
fn property(path: &[&str]) -> Option<String> {
    property_bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// For what rules compare: what is no text is not there, so that nothing passes for something else.
fn exact_property(path: &[&str]) -> Option<String> {
    String::from_utf8(property_bytes(path)?).ok()
}

/// One byte on Envoy; anything else is no answer.
fn flag(path: &[&str]) -> Option<bool> {
    match property_bytes(path)?.as_slice() {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

fn property_bytes(path: &[&str]) -> Option<Vec<u8>> {
    hostcalls::get_property(path.to_vec())
        .ok()
        .flatten()
        .filter(|bytes| !bytes.is_empty())
}
