//! Kong.

use super::kong_version::Version;
use super::{Host, RequestLine, exact_property, property, property_bytes, request_headers};
use crate::filter::shared::HostData;
use crate::json;
use crate::keys::{BuiltIn, SignatureVerifier};
use crate::limit::Source;
use crate::policy::{ClientCertificate, normalise_host};
use crate::request::{HeaderMap, HeaderPower};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{MapType, Status};
use std::borrow::Cow;

/// Kong, and any host that has not shown itself to be Envoy: nothing can be taken away, so what cannot be
/// overwritten is refused.
#[derive(Debug)]
pub(super) struct Restricted;

/// nginx's `$remote_addr`, which is what `trusted_ips` and `real_ip_header` make of it.
impl Source for Restricted {
    fn address(&self) -> Option<String> {
        exact_property(&["source", "address"])
    }
}

const HEADERS: MapType = MapType::HttpRequestHeaders;

/// The most headers of a request of which Kong shows all for sure, with room for its pseudo-headers.
const MOST_HEADERS: usize = 90;

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

    fn counts(&self) -> Option<bool> {
        Version::of_kong().map(|version| version.is_some_and(Version::has_metrics))
    }

    /// In the answer of a tick's call Kong has no request any more that another call could belong to, and its
    /// worker ends. So it does where a tick's call waits for the look-up of a name that another began.
    fn calls_at_will(&self) -> bool {
        false
    }

    /// Kong has none unless a zone is configured, and traps without.
    fn shared_data(&self) -> Option<&'static HostData> {
        None
    }

    /// Kong lends none, and to call any function that a proxy may have ends the VM.
    fn verifier(&self) -> &'static dyn SignatureVerifier {
        &BuiltIn
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

    /// Of a hundred and more, pseudo-headers included, Kong shows the first. It measures others than it shows, and
    /// may write past the memory that the filter gave it: the request is lost then, and the VM with it, or what
    /// the filter holds is overwritten with what the client sent.
    fn can_show(&self, told: usize) -> bool {
        told <= MOST_HEADERS
    }

    /// What Kong forwards unseen counts among those that it tells of.
    fn shows_all(&self, headers: &HeaderMap, told: usize) -> bool {
        headers
            .iter()
            .filter(|header| !header.name.starts_with(b":"))
            .count()
            >= told
    }

    fn request_line<'h>(&self, _: &'h HeaderMap) -> Result<RequestLine<'h>, Status> {
        let property = |name| {
            hostcalls::get_property(vec!["request", name])
                .map(|told| Cow::Owned(told.unwrap_or_default()))
        };
        Ok((property("method")?, property("path")?))
    }

    /// What the route's `strip_path` takes off. A proxy that Kong trusts (`trusted_ips`) can say something else here.
    fn cut(&self) -> Vec<u8> {
        property_bytes(&["ngx", "upstream_x_forwarded_prefix"]).unwrap_or_default()
    }

    /// What Kong shows as `:authority` is the server's own name. A second `Host` it refuses itself; a target in
    /// absolute-form may name another host, and the upstream is told both, so then there is none.
    fn authority<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        let header = headers.get("host")?;
        let is_one = property_bytes(&["ngx", "host"])
            .is_none_or(|host| normalise_host(&host) == normalise_host(header));
        is_one.then_some(header)
    }

    fn route(&self) -> Option<String> {
        name_of("route_name", "route")
    }

    fn service(&self) -> Option<String> {
        name_of("service_name", "service")
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

    /// In the table that Kong's Lua plugins share. Whoever has none ends the VM when it is written to.
    fn note_record(&self, record: &str) {
        if let Some(Some(_)) = Version::of_kong() {
            let path = vec!["kong", "ctx", "shared", "jobgate_decision"];
            // A status that is not Ok does not come back: the request ends with an error.
            _ = hostcalls::set_property(path, Some(record.as_bytes()));
        }
    }

    fn set(&self, name: &str, value: &str) -> Result<(), Status> {
        hostcalls::set_map_value(HEADERS, name, Some(value))
    }

    fn take_away(&self, name: &str) -> Result<(), Status> {
        hostcalls::set_map_value(HEADERS, name, Some(""))
    }

    /// Kong's logging plugins write all request headers, and blank out `Authorization` alone. They write removed ones
    /// too, and of one that is there more than once only the first can be overwritten.
    fn keep_from_logs(&self, name: &str, told: usize) {
        if name == "authorization" {
            return;
        }
        let shown = self.can_show(told).then(request_headers);
        let shown = shown.and_then(Result::ok).unwrap_or_default();
        let mut names: Vec<_> = shown
            .like(name)
            .filter_map(|header| str::from_utf8(header.name).ok())
            .collect();
        if names.is_empty() {
            names.push(name);
        }
        names.dedup();
        for name in names {
            if let Ok(Some(_)) = hostcalls::get_map_value_bytes(HEADERS, name) {
                _ = hostcalls::set_map_value(HEADERS, name, Some(""));
            }
        }
    }
}

/// The name of the route or the service, which is in its document too.
fn name_of(property: &str, document: &str) -> Option<String> {
    exact_property(&["kong", property]).or_else(|| {
        let version = Version::of_kong().flatten()?;
        if version.tells_names() {
            return None;
        }
        let document = exact_property(&["kong", "router", document])?;
        let document = json::parse(document.as_bytes()).ok()?;
        Some(document.get("name")?.as_str()?.to_owned())
    })
}
