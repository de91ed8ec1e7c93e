//! Metrics and properties.

use super::KONG;
use crate::guest::{Do, Guest};
use crate::{said, start};
use jobgate_wasm_host::{Certificate, Client, Passage, Request};

#[test]
fn properties_are_nginx_s_own() {
    let guest = Guest::headers([
        Do::Set(":path", "/changed"),
        Do::Property(&["request", "path"]),
        Do::Property(&["request", "url_path"]),
        Do::Property(&["request", "query"]),
        Do::Property(&["request", "method"]),
        Do::Property(&["request", "scheme"]),
        Do::Property(&["source", "address"]),
        Do::Property(&["kong", "route_name"]),
        Do::Property(&["kong", "service_name"]),
        Do::Property(&["node", "id"]),
        Do::Property(&["xds", "route_name"]),
        Do::Property(&["kong", "nothing"]),
    ]);
    let mut gateway = start(KONG, &guest);
    gateway.request(0, Request::get("/a/%2e%2e/b%20c?d=e"));
    assert_eq!(
        said(&mut gateway),
        [
            "/a/%2e%2e/b%20c?d=e",
            "/b c",
            "d=e",
            "GET",
            "http",
            "192.0.2.1",
            "first",
            "upstream",
            "!1",
            "!1",
            "!1"
        ]
    );
}

#[test]
fn nginx_tells_of_a_clients_certificate_whether_it_was_verified_and_its_subject() {
    let guest = Guest::headers([
        Do::Property(&["ngx", "ssl_client_verify"]),
        Do::Property(&["ngx", "ssl_client_s_dn"]),
        Do::Property(&["connection", "mtls"]),
    ]);
    let certificate = |verified| {
        Client::Certified(Certificate {
            verified,
            subject: "CN=ci".into(),
            ..Certificate::default()
        })
    };
    let mut gateway = start(KONG, &guest);
    for (client, properties) in [
        (Client::Plain, ["!1", "!1", "!1"]),
        (Client::Anonymous, ["NONE", "!1", "!1"]),
        (
            certificate(false),
            ["FAILED:self-signed certificate", "CN=ci", "!1"],
        ),
        (certificate(true), ["SUCCESS", "CN=ci", "!1"]),
    ] {
        gateway.request(0, Request::get("/").client(client));
        assert_eq!(said(&mut gateway), properties);
    }
}

#[test]
fn kong_ctx_shared_is_read_and_written() {
    let path = &["kong", "ctx", "shared", "jobgate"];
    let guest = Guest::headers([Do::SetProperty(path, "1"), Do::Property(path)]);
    let mut gateway = start(KONG, &guest);
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["1"]);
    assert_eq!(gateway.property_writes()[0].path, "kong.ctx.shared.jobgate");
}

#[test]
fn setting_another_property_of_kong_s_or_nginx_s_traps() {
    for path in [["kong", "nothing"], ["ngx", "request_uri"]] {
        let path: &'static [&'static str] = Box::leak(Box::new(path));
        let mut gateway = start(KONG, &Guest::headers([Do::SetProperty(path, "1")]));
        let exchange = gateway.request(0, Request::get("/"));
        assert_eq!(exchange.passage, Passage::Trapped, "{path:?}");
    }
}

#[test]
fn reading_the_response_s_status_in_the_request_phase_traps() {
    let path = &["kong", "service", "response", "status"];
    let mut gateway = start(KONG, &Guest::headers([Do::Property(path)]));
    assert_eq!(
        gateway.request(0, Request::get("/")).passage,
        Passage::Trapped
    );
}

#[test]
fn misused_metrics_trap() {
    let misuses = [
        [Do::Metric(1, "gauge"), Do::Increment(1)],
        [Do::Metric(0, "counter"), Do::Record(1)],
    ];
    for misuse in misuses {
        let mut gateway = start(KONG, &Guest::headers(misuse));
        let exchange = gateway.request(0, Request::get("/"));
        assert_eq!(exchange.passage, Passage::Trapped);
    }
}
