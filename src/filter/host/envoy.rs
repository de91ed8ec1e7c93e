//! Envoy.

use super::verify_signature::VerifySignature;
use super::{Host, RequestLine, exact_property, property, property_bytes};
use crate::filter::shared::{ENVOY, HostData};
use crate::keys::SignatureVerifier;
use crate::limit::Source;
use crate::policy::ClientCertificate;
use crate::request::{HeaderMap, HeaderPower};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{MapType, Status};
use std::borrow::Cow;

/// Envoy: removal is real.
#[derive(Debug)]
pub(super) struct Envoy;

/// The trusted client address, with a port: what `use_remote_address` and `xff_num_trusted_hops` make of the
/// connection's and of `X-Forwarded-For`.
impl Source for Envoy {
    fn address(&self) -> Option<String> {
        exact_property(&["source", "address"])
    }
}

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

    fn counts(&self) -> Option<bool> {
        Some(true)
    }

    fn calls_at_will(&self) -> bool {
        true
    }

    fn shared_data(&self) -> Option<&'static HostData> {
        Some(&ENVOY)
    }

    /// It lends its BoringSSL.
    fn verifier(&self) -> &'static dyn SignatureVerifier {
        &VerifySignature
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

    fn can_show(&self, _: usize) -> bool {
        true
    }

    fn shows_all(&self, headers: &HeaderMap, told: usize) -> bool {
        headers.len() >= told
    }

    fn request_line<'h>(&self, headers: &'h HeaderMap) -> Result<RequestLine<'h>, Status> {
        let pseudo = |name| Cow::Borrowed(headers.get(name).unwrap_or_default());
        Ok((pseudo(":method"), pseudo(":path")))
    }

    /// It tells of no rewriting.
    fn cut(&self) -> Vec<u8> {
        Vec::new()
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

    /// Envoy's access log has the identity's headers, and the gate's own log the record.
    fn note_record(&self, _: &str) {}

    /// What the client sent of it was taken away before, so there is nothing to replace: to add one costs less.
    fn set(&self, name: &str, value: &str) -> Result<(), Status> {
        hostcalls::add_map_value(MapType::HttpRequestHeaders, name, value)
    }

    fn take_away(&self, name: &str) -> Result<(), Status> {
        hostcalls::remove_map_value(MapType::HttpRequestHeaders, name)
    }

    /// Envoy logs the headers that it is told to.
    fn keep_from_logs(&self, _: &str, _: usize) {}
}

/// One byte on Envoy; anything else is no answer.
fn flag(path: &[&str]) -> Option<bool> {
    match property_bytes(path)?.as_slice() {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}
