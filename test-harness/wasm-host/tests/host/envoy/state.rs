//! Shared data, metrics and properties.

use super::ENVOY;
use crate::guest::{Do, Guest};
use crate::{said, start};
use jobgate_wasm_host::{Certificate, Client, Request};

#[test]
fn properties_are_envoy_s_own() {
    let guest = Guest::headers([
        Do::Property(&["request", "path"]),
        Do::Property(&["source", "address"]),
        Do::Property(&["xds", "cluster_name"]),
        Do::Property(&["route_name"]),
        Do::Property(&["node", "id"]),
    ]);
    let mut gateway = start(ENVOY, &guest);
    gateway.request(0, Request::get("/a?b"));
    assert_eq!(
        said(&mut gateway),
        ["/a?b", "192.0.2.1:40000", "upstream", "!1", "!1"]
    );
}

#[test]
fn a_certificate_that_is_not_verified_is_presented_all_the_same() {
    let guest = Guest::headers([
        Do::Property(&["connection", "mtls"]),
        Do::Property(&["connection", "peer_certificate_valid"]),
        Do::Property(&["connection", "uri_san_peer_certificate"]),
        Do::Property(&["connection", "dns_san_peer_certificate"]),
    ]);
    let certificate = |verified| {
        Client::Certified(Certificate {
            verified,
            uri_san: "spiffe://ci/job".into(),
            ..Certificate::default()
        })
    };
    let mut gateway = start(ENVOY, &guest);
    for (client, properties) in [
        (Client::Plain, ["\0", "\0", "!1", "!1"]),
        (Client::Anonymous, ["\0", "\0", "!1", "!1"]),
        (certificate(false), ["\x01", "\0", "spiffe://ci/job", "!1"]),
        (certificate(true), ["\x01", "\x01", "spiffe://ci/job", "!1"]),
    ] {
        gateway.request(0, Request::get("/").client(client));
        assert_eq!(said(&mut gateway), properties);
    }
}

#[test]
fn a_set_property_becomes_filter_state_and_can_be_read_back() {
    let guest = Guest::headers([
        Do::SetProperty(&["jobgate.x"], "1"),
        Do::Property(&["jobgate.x"]),
    ]);
    let mut gateway = start(ENVOY, &guest);
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["1"]);
    assert_eq!(gateway.property_writes()[0].path, "jobgate.x");
}

#[test]
fn shared_data_is_overwritten_without_a_cas_and_guarded_with_one() {
    let guest = Guest::headers([
        Do::SharedGet("k"),
        Do::SharedSet("k", "a", 0),
        Do::SharedSet("k", "b", 0),
        Do::SharedGet("k"),
        Do::SharedSet("k", "c", 9),
        Do::SharedSet("k", "c", 2),
        Do::SharedGet("k"),
    ]);
    let mut gateway = start(ENVOY, &guest);
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["!1", "b", "!8", "c"]);
}

#[test]
fn misused_metrics_are_a_status() {
    let guest = Guest::headers([Do::Metric(2, "h"), Do::Increment(1), Do::Record(7)]);
    let mut gateway = start(ENVOY, &guest);
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["!2"]);
    assert_eq!(gateway.metrics()["h"].recorded, [7]);
}
