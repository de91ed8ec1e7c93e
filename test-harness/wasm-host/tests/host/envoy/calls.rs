//! Dispatched calls.

use std::time::Duration;

use super::ENVOY;
use crate::guest::{CALL, Do, GET, Guest, On, PAUSE};
use crate::{reloading, said, start, start_with, with_clusters};
use jobgate_wasm_host::{CallFailure, CallResponse, Outcome, Request};

#[test]
fn a_dispatch_takes_a_cluster_s_name() {
    let guest = Guest::headers([
        Do::Dispatch("nowhere", GET),
        Do::Dispatch("empty", GET),
        Do::Dispatch("keys", &[(":method", "GET"), (":path", "/")]),
        Do::Dispatch("keys", GET),
        Do::Dispatch("keys", GET),
    ]);
    let mut gateway = start_with(ENVOY, &guest, with_clusters());
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["!2", "!10", "!2", "4", "5"]);
}

#[test]
fn a_failed_call_has_an_answer_of_envoy_s_own() {
    let guest = Guest::headers([Do::Dispatch("keys", GET), PAUSE]).on(
        On::CallResponse,
        [
            Do::Get(CALL, ":status"),
            Do::Get(CALL, "server"),
            Do::Buffer(4),
            Do::Get(CALL, "x-envoy-upstream-service-time"),
            Do::Resume,
        ],
    );
    const BEFORE: &str =
        "upstream connect error or disconnect/reset before headers. reset reason: ";
    let cases = [
        (CallFailure::Timeout, "504", "", "upstream request timeout"),
        (
            CallFailure::Connect,
            "503",
            BEFORE,
            "remote connection failure",
        ),
        (CallFailure::Tls, "503", BEFORE, "remote connection failure"),
        (CallFailure::Reset, "503", BEFORE, "connection termination"),
        (CallFailure::Protocol, "502", BEFORE, "protocol error"),
    ];
    for (failure, status, start, reason) in cases {
        let mut gateway = start_with(ENVOY, &guest, with_clusters());
        gateway.request(0, Request::get("/"));
        said(&mut gateway);
        let call = gateway.pending_calls().remove(0);
        gateway.fail(call.id, failure).unwrap();
        let body = format!("{start}{reason}");
        assert_eq!(said(&mut gateway), [status, "!1", &body, "!1"]);
    }
}

#[test]
fn an_answer_that_breaks_off_is_a_callback_with_no_map_to_look_into() {
    let guest = Guest::headers([Do::Dispatch("keys", GET), PAUSE]).on(
        On::CallResponse,
        [
            Do::SayNumber("local.get $b"),
            Do::SayNumber("local.get $c"),
            Do::Get(CALL, ":status"),
            Do::GetMap(CALL),
            Do::Buffer(4),
        ],
    );
    let mut gateway = start_with(ENVOY, &guest, with_clusters());
    gateway.request(0, Request::get("/"));
    said(&mut gateway);
    let call = gateway.pending_calls().remove(0);
    gateway.fail(call.id, CallFailure::Truncated).unwrap();
    // Asking for a header is BadArgument, of which the Rust SDK makes a panic.
    assert_eq!(said(&mut gateway), ["0", "0", "!2", "", "!1"]);
}

#[test]
fn a_callback_that_does_nothing_leaves_the_request_waiting() {
    let guest = Guest::headers([Do::Dispatch("keys", GET), PAUSE]);
    let mut gateway = start_with(ENVOY, &guest, with_clusters());
    let waiting = gateway.request(0, Request::get("/"));
    let call = gateway.pending_calls().remove(0);
    gateway
        .respond(call.id, CallResponse::new(200, ""))
        .unwrap();
    assert_eq!(
        gateway.exchange(waiting.id).unwrap().outcome,
        Outcome::Paused
    );
}

#[test]
fn a_foreign_function_that_is_not_there_is_not_found() {
    let mut gateway = start(ENVOY, &Guest::headers([Do::Foreign("nothing")]));
    assert!(gateway.request(0, Request::get("/")).decided());
    assert_eq!(said(&mut gateway), ["!1"]);
}

#[test]
fn a_dispatch_works_in_on_configure_and_in_a_tick() {
    let guest = Guest::new()
        .on(On::Configure, [Do::Dispatch("keys", GET), Do::Tick(1000)])
        .on(On::Tick, [Do::Dispatch("keys", GET)])
        .on(On::CallResponse, [Do::Buffer(4)]);
    let mut gateway = start_with(ENVOY, &guest, with_clusters());
    gateway.advance(Duration::from_secs(1));
    for call in gateway.pending_calls() {
        gateway
            .respond(call.id, CallResponse::new(200, "{}"))
            .unwrap();
    }
    assert_eq!(said(&mut gateway), ["4", "5", "{}", "{}"]);
}

#[test]
fn a_trap_in_a_callback_is_503_for_the_request_it_was_for() {
    let guest = Guest::headers([Do::Dispatch("keys", GET), PAUSE]).on(On::CallResponse, [Do::Trap]);
    let mut gateway = start_with(ENVOY, &guest, with_clusters());
    let waiting = gateway.request(0, Request::get("/"));
    let call = gateway.pending_calls().remove(0);
    gateway
        .respond(call.id, CallResponse::new(200, ""))
        .unwrap();
    let exchange = gateway.exchange(waiting.id).unwrap();
    assert_eq!(exchange.outcome, Outcome::HostError(503));
}

#[test]
fn a_call_outlives_its_request_and_a_reloaded_vm_counts_tokens_anew() {
    let dispatch = Do::Dispatch("keys", GET);
    let guest = Guest::headers([Do::IfHeader("x-trap", vec![Do::Trap]), dispatch])
        .on(On::CallResponse, [Do::Say("called back")]);
    let mut gateway = start_with(ENVOY, &guest, reloading());
    gateway.request(0, Request::get("/"));
    let call = gateway.pending_calls().remove(0);
    gateway
        .respond(call.id, CallResponse::new(200, ""))
        .unwrap();
    gateway.request(0, Request::get("/").header("x-trap", "1"));
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["4", "called back", "4"]);
}
