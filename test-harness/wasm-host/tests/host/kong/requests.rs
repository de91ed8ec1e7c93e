//! What a request and its headers come to.

use super::KONG;
use crate::guest::{Do, Guest, On, PAUSE, REQUEST};
use crate::{said, sent, start};
use jobgate_wasm_host::{Outcome, Passage, Request, decode_map};

#[test]
fn setting_a_header_that_occurs_once_overwrites_it_in_place() {
    let guest = Guest::headers([Do::Set("x-user", "mine"), Do::Set("x-token", "")]);
    let mut gateway = start(KONG, &guest);
    let request = Request::get("/")
        .header("X-User", "a")
        .header("x-token", "b");
    let exchange = gateway.request(0, request);
    assert_eq!(sent(&exchange, "x-user"), ["mine"]);
    assert_eq!(sent(&exchange, "x-token"), [""]);
}

#[test]
fn setting_a_header_after_removing_it_forwards_both_unless_nginx_knows_it() {
    let guest = Guest::headers([
        Do::Remove("x-user"),
        Do::Set("x-user", "mine"),
        Do::Remove("authorization"),
        Do::Set("authorization", ""),
    ]);
    let mut gateway = start(KONG, &guest);
    let request = Request::get("/")
        .header("x-user", "a")
        .header("authorization", "b");
    let exchange = gateway.request(0, request);
    assert_eq!(sent(&exchange, "x-user"), ["a", "mine"]);
    assert_eq!(sent(&exchange, "authorization"), [""]);
}

#[test]
fn a_map_of_more_than_100_headers_is_cut_off() {
    let guest = Guest::headers([
        Do::SayNumber("local.get $a"),
        Do::GetMap(REQUEST),
        Do::Get(REQUEST, "x-last"),
    ]);
    let mut gateway = start(KONG, &guest);
    let mut request = Request::get("/");
    for _ in 0..200 {
        request = request.header("x", "as long as a pseudo-header");
    }
    let exchange = gateway.request(0, request.header("x-last", "hidden"));
    let said = said(&mut gateway);
    assert_eq!(
        said[0], "202",
        "the callback is told of all but the pseudo-headers"
    );
    assert_eq!(said[1], "!marshalled map truncated to 100 elements");
    // What was measured and not written is left as it was.
    let written = format!("{}\0", said[2].trim_end_matches('\0'));
    assert!(said[2].len() > written.len());
    let seen = decode_map(written.as_bytes()).unwrap();
    assert_eq!(seen.len(), 100);
    assert!(seen.iter().all(|(name, _)| name != b"x-last"));
    assert_eq!(said[3], "hidden");
    assert_eq!(sent(&exchange, "x-last"), ["hidden"]);
}

#[test]
fn a_map_that_is_cut_off_is_written_past_the_memory_that_was_made_for_it() {
    let guest = Guest::headers([Do::GetMap(REQUEST)]);
    let mut gateway = start(KONG, &guest);
    let target = format!("/{}", "a".repeat(1000));
    let passage = |gateway: &mut jobgate_wasm_host::Gateway, headers: usize| {
        let mut request = Request::get(&target);
        // With the host.
        for _ in 1..headers {
            request = request.header("x", "");
        }
        gateway.request(0, request).passage
    };
    assert_eq!(passage(&mut gateway, 96), Passage::Decided);
    for headers in [99, 100, 150] {
        assert_eq!(
            passage(&mut gateway, headers),
            Passage::Trapped,
            "{headers}"
        );
    }
}

#[test]
fn authority_is_not_the_host_header() {
    let actions = [Do::Get(REQUEST, ":authority"), Do::Get(REQUEST, "host")];
    let mut gateway = start(KONG, &Guest::headers(actions));
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["kong:8000", "gateway.example"]);
}

#[test]
fn repeated_authorization_headers_are_400_before_the_filter() {
    let mut gateway = start(KONG, &Guest::headers([Do::Say("seen")]));
    let request = Request::get("/")
        .header("Authorization", "Bearer one")
        .header("authorization", "Bearer two");
    let exchange = gateway.request(0, request);
    assert_eq!(exchange.outcome, Outcome::HostError(400));
    assert_eq!(exchange.passage, Passage::HostRefused);
    assert!(said(&mut gateway).is_empty());
}

#[test]
fn underscores_pass_and_names_that_nginx_holds_invalid_are_dropped() {
    let mut gateway = start(KONG, &Guest::new());
    let request = Request::get("/")
        .header("x_user", "1")
        .header("x\u{e9}", "2")
        .header("x.user", "3")
        .header("X-Mixed", "4");
    let exchange = gateway.request(0, request);
    let names: Vec<_> = exchange
        .upstream()
        .unwrap()
        .headers
        .iter()
        .map(|(name, _)| String::from_utf8_lossy(name).into_owned())
        .collect();
    assert_eq!(names, ["Host", "x_user", "X-Mixed"]);
}

#[test]
fn line_breaks_that_the_filter_sets_arrive_encoded() {
    let guest = Guest::headers([Do::Set("x-a", "1\r\nx-b: 2"), Do::Add("x-c", "\n")]);
    let mut gateway = start(KONG, &guest);
    let exchange = gateway.request(0, Request::get("/"));
    assert_eq!(sent(&exchange, "x-a"), ["1%0D%0Ax-b: 2"]);
    assert_eq!(sent(&exchange, "x-c"), ["%0A"]);
}

#[test]
fn changes_to_path_host_and_x_forwarded_for_do_not_reach_the_upstream() {
    let guest = Guest::headers([
        Do::Set(":path", "/other"),
        Do::Set("host", "other"),
        Do::Set("x-forwarded-for", "10.0.0.1"),
    ]);
    let mut gateway = start(KONG, &guest);
    let exchange = gateway.request(0, Request::get("/a").header("X-Forwarded-For", "192.0.2.9"));
    assert_eq!(exchange.upstream().unwrap().path, b"/a");
    assert_eq!(sent(&exchange, "host"), ["gateway.example"]);
    assert_eq!(sent(&exchange, "x-forwarded-for"), ["192.0.2.9"]);
}

#[test]
fn the_header_step_never_says_that_nothing_follows() {
    let mut gateway = start(KONG, &Guest::headers([Do::SayNumber("local.get $b")]));
    gateway.request(0, Request::get("/"));
    gateway.request(0, Request::get("/").body("a"));
    assert_eq!(said(&mut gateway), ["0", "0"]);
}

#[test]
fn request_trailers_reach_neither_the_filter_nor_the_upstream() {
    let guest = Guest::new().on(On::Trailers, [Do::Say("trailers")]);
    let mut gateway = start(KONG, &guest);
    let exchange = gateway.request(0, Request::get("/").body("a").trailer("x-sum", "1"));
    assert!(said(&mut gateway).is_empty());
    assert!(exchange.upstream().unwrap().trailers.is_empty());
}

#[test]
fn a_local_response_gets_a_newline_its_own_length_and_the_last_of_repeated_headers() {
    let headers = &[("x-a", "1"), ("content-length", "99"), ("X-A", "2")];
    let guest = Guest::headers([Do::Answer(429, headers, "slow"), PAUSE]);
    let mut gateway = start(KONG, &guest);
    let exchange = gateway.request(0, Request::get("/"));
    let local = exchange.local().unwrap();
    assert_eq!(local.text(), "slow\n");
    assert_eq!(local.all("x-a"), ["2"]);
    assert_eq!(local.all("content-length"), ["5"]);
}

#[test]
fn adding_a_header_that_nginx_knows_does_nothing_when_it_is_there() {
    let guest = Guest::headers([Do::Add("authorization", "mine"), Do::Add("x-user", "mine")]);
    let mut gateway = start(KONG, &guest);
    let request = Request::get("/")
        .header("authorization", "a")
        .header("x-user", "a");
    let exchange = gateway.request(0, request);
    assert_eq!(sent(&exchange, "authorization"), ["a"]);
    assert_eq!(sent(&exchange, "x-user"), ["a", "mine"]);
}
