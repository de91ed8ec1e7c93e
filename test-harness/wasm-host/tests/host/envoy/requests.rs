//! What a request and its headers come to.

use super::ENVOY;
use crate::guest::{Do, Guest, On, PAUSE, REQUEST, TRAILERS};
use crate::{said, sent, start};
use jobgate_wasm_host::{Outcome, Request};

#[test]
fn a_removed_header_is_gone() {
    let mut gateway = start(ENVOY, &Guest::headers([Do::Remove("X-Secret")]));
    let request = Request::get("/")
        .header("x-secret", "1")
        .header("X-SECRET", "2");
    assert!(sent(&gateway.request(0, request), "x-secret").is_empty());
}

#[test]
fn a_set_header_replaces_every_copy() {
    let mut gateway = start(ENVOY, &Guest::headers([Do::Set("x-user", "mine")]));
    let request = Request::get("/")
        .header("x-user", "a")
        .header("X-User", "b");
    assert_eq!(sent(&gateway.request(0, request), "x-user"), ["mine"]);
}

#[test]
fn setting_the_whole_map_replaces_it() {
    let map = Do::SetMap(&[
        (":method", "GET"),
        (":path", "/"),
        (":authority", "a"),
        ("x", "1"),
    ]);
    let mut gateway = start(ENVOY, &Guest::headers([map]));
    let exchange = gateway.request(0, Request::get("/").header("x-secret", "1"));
    assert!(sent(&exchange, "x-secret").is_empty());
    assert_eq!(sent(&exchange, "x"), ["1"]);
}

#[test]
fn repeated_authorization_headers_arrive_as_one() {
    let mut gateway = start(ENVOY, &Guest::headers([Do::Get(REQUEST, "authorization")]));
    let request = Request::get("/")
        .header("Authorization", "Bearer one")
        .header("authorization", "Bearer two");
    let exchange = gateway.request(0, request);
    assert_eq!(said(&mut gateway), ["Bearer one,Bearer two"]);
    assert_eq!(sent(&exchange, "authorization"), ["Bearer one,Bearer two"]);
}

#[test]
fn other_repeated_headers_stay_apart_and_the_first_is_read() {
    for name in ["cookie", "x-user"] {
        let actions = [Do::Get(REQUEST, "cookie"), Do::Get(REQUEST, "x-user")];
        let mut gateway = start(ENVOY, &Guest::headers(actions));
        let request = Request::get("/").header(name, "a").header(name, "b");
        let exchange = gateway.request(0, request);
        assert!(said(&mut gateway).contains(&"a".into()));
        assert_eq!(sent(&exchange, name), ["a", "b"]);
    }
}

#[test]
fn header_names_are_in_lower_case() {
    let mut gateway = start(ENVOY, &Guest::new());
    let exchange = gateway.request(0, Request::get("/").header("X-Mixed", "1"));
    let upstream = exchange.upstream().unwrap();
    assert!(
        upstream
            .headers
            .contains(&(b"x-mixed".to_vec(), b"1".to_vec()))
    );
}

#[test]
fn a_header_name_that_is_no_token_is_400() {
    let mut gateway = start(ENVOY, &Guest::headers([Do::Say("seen")]));
    for name in ["x\u{e9}", "x y", "", "x(y)"] {
        let exchange = gateway.request(0, Request::get("/").header(name, "1"));
        assert_eq!(exchange.outcome, Outcome::HostError(400), "{name}");
    }
    assert!(said(&mut gateway).is_empty());
}

#[test]
fn a_changed_path_is_what_the_upstream_gets() {
    let mut gateway = start(ENVOY, &Guest::headers([Do::Set(":path", "/other")]));
    let exchange = gateway.request(0, Request::get("/"));
    assert_eq!(exchange.upstream().unwrap().path, b"/other");
}

#[test]
fn trailers_are_seen_and_a_removed_one_is_gone() {
    let guest = Guest::headers([Do::SayNumber("local.get $b")]).on(
        On::Trailers,
        [Do::Get(TRAILERS, "x-sum"), Do::RemoveIn(TRAILERS, "x-sum")],
    );
    let mut gateway = start(ENVOY, &guest);
    let request = Request::get("/")
        .trailer("X-Sum", "1")
        .trailer("x-other", "2");
    let exchange = gateway.request(0, request);
    assert_eq!(said(&mut gateway), ["0", "1"]);
    let trailers = &exchange.upstream().unwrap().trailers;
    assert_eq!(*trailers, [(b"x-other".to_vec(), b"2".to_vec())]);
}

#[test]
fn the_header_step_says_that_nothing_follows() {
    let mut gateway = start(ENVOY, &Guest::headers([Do::SayNumber("local.get $b")]));
    gateway.request(0, Request::get("/"));
    gateway.request(0, Request::get("/").body("a"));
    assert_eq!(said(&mut gateway), ["1", "0"]);
}

#[test]
fn a_local_response_is_what_the_filter_said() {
    let headers = &[("x-a", "1"), ("x-a", "2"), ("content-length", "99")];
    let guest = Guest::headers([Do::Answer(429, headers, "slow"), PAUSE]);
    let mut gateway = start(ENVOY, &guest);
    let exchange = gateway.request(0, Request::get("/"));
    let local = exchange.local().unwrap();
    assert_eq!((local.status, local.text().as_str()), (429, "slow"));
    assert_eq!(local.all("x-a"), ["1", "2"]);
    assert_eq!(local.only("content-length").as_deref(), Some("4"));
}

#[test]
fn a_target_that_envoy_can_not_route_is_400_and_absolute_form_loses_its_authority() {
    let mut gateway = start(ENVOY, &Guest::headers([Do::Get(REQUEST, ":path")]));
    for target in ["*", "/a#b", "/\u{e9}", "a"] {
        let exchange = gateway.request(0, Request::get(target));
        assert_eq!(exchange.outcome, Outcome::HostError(400), "{target}");
    }
    gateway.request(0, Request::get("http://elsewhere.example/a?b"));
    gateway.request(0, Request::get("/a/../b//%2e%2e%2f;\\"));
    assert_eq!(said(&mut gateway), ["/a?b", "/a/../b//%2e%2e%2f;\\"]);
}
