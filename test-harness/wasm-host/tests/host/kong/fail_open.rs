//! The six ways in which Kong fails open, by their numbers.

use std::time::Duration;

use super::{KONG, respond, trapping, waiting, waiting_or_trapping};
use crate::guest::{Do, GET, Guest, On, PAUSE, REQUEST};
use crate::{said, sent, start};
use jobgate_wasm_host::{Gateway, Options, Outcome, Passage, Request, RouteConfig, decode_map};

#[test]
fn fail_open_1_a_trap_in_a_callback_sends_the_request_upstream() {
    let guest = waiting_or_trapping().on(On::CallResponse, [Do::Trap]);
    let mut gateway = start(KONG, &guest);
    let request = gateway.request(0, waiting());
    respond(&mut gateway);
    let exchange = gateway.exchange(request.id).unwrap();
    assert_eq!(exchange.passage, Passage::CallbackTrapped);
    assert!(exchange.upstream().is_some());
    assert!(!exchange.decided());
    assert_eq!(exchange.traps.len(), 1);
}

#[test]
fn fail_open_2_a_callback_that_neither_answers_nor_resumes_sends_the_request_upstream() {
    let guest = Guest::headers([
        Do::Dispatch("keys:80", GET),
        Do::Dispatch("keys:80", GET),
        PAUSE,
    ])
    .on(On::CallResponse, [Do::Say("called back")]);
    let mut gateway = start(KONG, &guest);
    let request = gateway.request(0, Request::get("/"));
    respond(&mut gateway);
    assert_eq!(
        gateway.exchange(request.id).unwrap().outcome,
        Outcome::Paused
    );
    respond(&mut gateway);
    let exchange = gateway.exchange(request.id).unwrap();
    assert_eq!(exchange.passage, Passage::CallbackSilent);
    assert!(exchange.upstream().is_some());
}

#[test]
fn fail_open_3_a_neighbour_s_trap_sends_a_waiting_request_upstream() {
    let module = waiting_or_trapping().module();
    let mut gateway = Gateway::new(KONG, &module, Options::default());
    gateway
        .start(&[RouteConfig::new("a", ""), RouteConfig::new("b", "")])
        .unwrap();
    let request = gateway.request(0, waiting());
    let other = gateway.request(1, trapping());
    assert_eq!(other.outcome, Outcome::HostError(500));
    let exchange = gateway.exchange(request.id).unwrap();
    assert_eq!(exchange.passage, Passage::NeighbourTrapped);
    assert!(exchange.upstream().is_some());
    assert!(gateway.pending_calls().is_empty());
}

#[test]
fn fail_open_3_a_tick_s_trap_does_the_same() {
    let guest = waiting_or_trapping()
        .on(On::Configure, [Do::Tick(1000)])
        .on(On::Tick, [Do::Trap]);
    let mut gateway = start(KONG, &guest);
    let request = gateway.request(0, waiting());
    gateway.advance(Duration::from_secs(1));
    let exchange = gateway.exchange(request.id).unwrap();
    assert_eq!(exchange.passage, Passage::NeighbourTrapped);
}

#[test]
fn fail_open_4_a_filter_that_fails_at_start_switches_every_chain_off() {
    let failing = [
        Guest::new().on(On::Configure, [Do::Return(0)]),
        Guest::new().on(On::Configure, [Do::Trap]),
        Guest::new().on(On::VmStart, [Do::Return(0)]),
        Guest::new().import("proxy_make_tea"),
        Guest::new().import("proxy_get_log_level"),
    ];
    for guest in failing {
        let guest = guest.on(On::Headers, [Do::Answer(401, &[], ""), PAUSE]);
        let mut gateway = Gateway::new(KONG, &guest.module(), Options::default());
        let routes = [RouteConfig::new("a", ""), RouteConfig::new("b", "")];
        gateway.start(&routes).expect("Kong says that it started");
        assert!(gateway.chains_off());
        assert!(gateway.start_failure().is_some());
        for route in 0..2 {
            let exchange = gateway.request(route, Request::get("/"));
            assert_eq!(exchange.passage, Passage::ChainsOff);
            assert!(exchange.upstream().is_some());
        }
    }
}

#[test]
fn fail_open_5_a_removed_header_is_out_of_sight_and_still_forwarded() {
    let guest = Guest::headers([Do::Remove("x-secret"), Do::Get(REQUEST, "x-secret")]);
    let mut gateway = start(KONG, &guest);
    let exchange = gateway.request(0, Request::get("/").header("X-Secret", "1"));
    assert_eq!(said(&mut gateway), ["!1"]);
    assert_eq!(sent(&exchange, "x-secret"), ["1"]);
}

#[test]
fn fail_open_6_setting_a_header_that_occurs_twice_forwards_the_other_copies() {
    let guest = Guest::headers([Do::Set("x-user", "mine"), Do::GetMap(REQUEST)]);
    let mut gateway = start(KONG, &guest);
    let request = Request::get("/")
        .header("x-user", "a")
        .header("X-User", "b")
        .header("x-user", "c");
    let exchange = gateway.request(0, request);
    let seen = decode_map(said(&mut gateway)[0].as_bytes()).unwrap();
    let seen: Vec<_> = seen.iter().filter(|(name, _)| name == b"x-user").collect();
    assert_eq!(seen.len(), 1, "the filter sees one copy");
    assert_eq!(sent(&exchange, "x-user"), ["mine", "b", "c"]);
}

#[test]
fn fail_open_6_setting_the_whole_map_forwards_the_originals() {
    let guest = Guest::headers([
        Do::SetMap(&[("x-user", "mine")]),
        Do::Get(REQUEST, "x-secret"),
    ]);
    let mut gateway = start(KONG, &guest);
    let request = Request::get("/")
        .header("x-user", "a")
        .header("x-secret", "1");
    let exchange = gateway.request(0, request);
    assert_eq!(said(&mut gateway), ["!1"]);
    assert_eq!(sent(&exchange, "x-user"), ["a", "mine"]);
    assert_eq!(sent(&exchange, "x-secret"), ["1"]);
}
