//! Dispatched calls.

use std::time::Duration;

use super::{KONG, respond, waiting, waiting_or_trapping};
use crate::guest::{CALL, Do, GET, Guest, On, PAUSE};
use crate::{said, start};
use jobgate_wasm_host::{CallFailure, Outcome, Passage, Request, StartError};

#[test]
fn an_answer_stands_even_if_the_callback_traps_after_it() {
    let answer = [Do::Answer(403, &[], ""), Do::Trap];
    let guest = waiting_or_trapping().on(On::CallResponse, answer);
    let mut gateway = start(KONG, &guest);
    let request = gateway.request(0, waiting());
    respond(&mut gateway);
    let exchange = gateway.exchange(request.id).unwrap();
    assert_eq!(exchange.refused_with(), Some(403));
    assert!(exchange.decided());
}

#[test]
fn a_dispatch_in_on_configure_traps() {
    let guest = Guest::new().on(On::Configure, [Do::Dispatch("keys:80", GET)]);
    let mut gateway = start(KONG, &guest);
    assert!(gateway.chains_off());
    assert!(matches!(
        gateway.start_failure(),
        Some(StartError::Trapped(_))
    ));
    assert!(gateway.request(0, Request::get("/")).upstream().is_some());
}

#[test]
fn a_dispatch_without_a_host_or_with_a_scheme_or_without_method_and_path_traps() {
    let cases = [
        Do::Dispatch("", GET),
        Do::Dispatch("https://keys", GET),
        Do::Dispatch("keys:80", &[(":path", "/")]),
        Do::Dispatch("keys:80", &[(":method", "GET")]),
    ];
    for dispatch in cases {
        let mut gateway = start(KONG, &Guest::headers([dispatch, PAUSE]));
        let exchange = gateway.request(0, Request::get("/"));
        assert_eq!(exchange.outcome, Outcome::HostError(500));
    }
}

#[test]
fn tokens_start_at_zero() {
    let mut gateway = start(KONG, &waiting_or_trapping());
    gateway.request(0, waiting());
    gateway.request(0, waiting());
    assert_eq!(said(&mut gateway), ["0", "1"]);
}

#[test]
fn a_failed_call_comes_back_with_nothing_but_its_dispatch_status() {
    let guest = waiting_or_trapping().on(
        On::CallResponse,
        [
            Do::SayNumber("local.get $b"),
            Do::SayNumber("local.get $c"),
            Do::Get(CALL, ":status"),
            Do::Get(CALL, ":dispatch_status"),
            Do::Answer(503, &[], ""),
        ],
    );
    let cases = [
        (CallFailure::Timeout, "timeout"),
        (CallFailure::Connect, "broken connection"),
        (CallFailure::Resolve, "resolver failure"),
        (CallFailure::Tls, "tls handshake failure"),
        (CallFailure::Reset, "broken connection"),
        (CallFailure::Protocol, "reader failure"),
        (CallFailure::Truncated, "ok"),
    ];
    for (failure, status) in cases {
        let mut gateway = start(KONG, &guest);
        let request = gateway.request(0, waiting());
        said(&mut gateway);
        let call = gateway.pending_calls().remove(0);
        gateway.fail(call.id, failure).unwrap();
        assert_eq!(said(&mut gateway), ["0", "0", "!1", status]);
        let exchange = gateway.exchange(request.id).unwrap();
        assert_eq!(exchange.refused_with(), Some(503));
    }
}

#[test]
fn a_second_answer_traps_and_the_first_stands() {
    let answers = [Do::Answer(401, &[], ""), Do::Answer(403, &[], "")];
    let mut gateway = start(KONG, &Guest::headers(answers));
    let exchange = gateway.request(0, Request::get("/"));
    assert_eq!(exchange.refused_with(), Some(401));
    assert_eq!(exchange.traps.len(), 1);
}

#[test]
fn a_tick_can_not_act_for_a_waiting_request() {
    for action in [Do::Resume, Do::Answer(403, &[], "")] {
        let guest = Guest::headers([PAUSE])
            .on(On::Configure, [Do::Tick(1000)])
            .on(On::Tick, [Do::ForTheLast, action]);
        let mut gateway = start(KONG, &guest);
        let request = gateway.request(0, Request::get("/"));
        gateway.advance(Duration::from_secs(1));
        let exchange = gateway.exchange(request.id).unwrap();
        assert_eq!(exchange.passage, Passage::NeighbourTrapped);
    }
}

#[test]
fn a_pause_without_a_dispatch_hangs() {
    let mut gateway = start(KONG, &Guest::headers([PAUSE]));
    let request = gateway.request(0, Request::get("/"));
    gateway.advance(Duration::from_secs(3600));
    assert_eq!(
        gateway.exchange(request.id).unwrap().outcome,
        Outcome::Paused
    );
}

#[test]
fn any_foreign_function_traps() {
    let mut gateway = start(KONG, &Guest::headers([Do::Foreign("verify_signature")]));
    let exchange = gateway.request(0, Request::get("/"));
    assert_eq!(exchange.passage, Passage::Trapped);
}

#[test]
fn a_request_that_went_on_takes_its_calls_with_it() {
    let mut gateway = start(KONG, &Guest::headers([Do::Dispatch("keys:80", GET)]));
    assert!(gateway.request(0, Request::get("/")).decided());
    assert!(gateway.pending_calls().is_empty());
}
