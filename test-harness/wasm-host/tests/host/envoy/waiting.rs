//! A request that waits, and a root context that acts for it.

use std::time::Duration;

use super::ENVOY;
use crate::guest::{Do, GET, Guest, On, PAUSE, REQUEST, TRAILERS};
use crate::{said, sent, start, start_with, with_clusters};
use jobgate_wasm_host::{CallResponse, Exchange, Gateway, Options, Outcome, Request};

const SECOND: Duration = Duration::from_secs(1);

/// Requests wait, and a tick a second does this.
fn ticking(actions: impl Into<Vec<Do>>) -> Guest {
    Guest::headers([PAUSE])
        .on(On::Configure, [Do::Tick(1000)])
        .on(On::Tick, actions)
}

/// What a request comes to that waits for the first tick, and what the guest says meanwhile.
fn after_a_tick(actions: impl Into<Vec<Do>>) -> (Exchange, Vec<String>) {
    let mut gateway = start(ENVOY, &ticking(actions));
    let waiting = gateway.request(0, Request::get("/").header("x", "1"));
    assert_eq!(waiting.outcome, Outcome::Paused);
    gateway.advance(SECOND);
    let exchange = gateway.exchange(waiting.id).unwrap().clone();
    (exchange, said(&mut gateway))
}

#[test]
fn a_tick_reads_and_changes_a_waiting_request_and_resumes_it() {
    let (exchange, said) = after_a_tick([
        Do::Get(REQUEST, "x"),
        Do::ForTheLast,
        Do::Get(REQUEST, "x"),
        Do::Set("x-late", "1"),
        Do::Property(&["request", "path"]),
        Do::Resume,
        Do::Set("x-too-late", "1"),
        Do::Get(REQUEST, "x"),
    ]);
    assert_eq!(said, ["!2", "1", "/", "!2", "!2"]);
    assert!(exchange.decided());
    assert_eq!(sent(&exchange, "x-late"), ["1"]);
    assert!(sent(&exchange, "x-too-late").is_empty());
}

#[test]
fn a_tick_answers_a_waiting_request_and_the_last_answer_stands() {
    let (exchange, said) = after_a_tick([
        Do::ForTheLast,
        Do::Answer(401, &[], "one"),
        Do::Resume,
        Do::Answer(403, &[], "two"),
    ]);
    assert!(said.is_empty());
    assert_eq!(
        exchange.refused_with(),
        Some(401),
        "it was resumed in between"
    );
    let (exchange, _) = after_a_tick([
        Do::ForTheLast,
        Do::Answer(401, &[], "one"),
        Do::Answer(403, &[], "two"),
    ]);
    assert_eq!(exchange.refused_with(), Some(403));
}

#[test]
fn in_its_own_callback_the_first_answer_stands() {
    let answers = [
        Do::Answer(401, &[], ""),
        Do::Answer(403, &[], ""),
        Do::Resume,
    ];
    let mut gateway = start(ENVOY, &Guest::headers(answers));
    let exchange = gateway.request(0, Request::get("/"));
    assert_eq!(exchange.refused_with(), Some(401));
}

#[test]
fn an_answer_after_a_resume_does_not_keep_the_request_from_the_upstream() {
    let (exchange, _) = after_a_tick([Do::ForTheLast, Do::Resume, Do::Answer(403, &[], "")]);
    assert!(exchange.upstream().is_some());
}

#[test]
fn the_answer_to_a_root_context_s_own_call_resumes_a_waiting_request() {
    let guest = Guest::headers([PAUSE])
        .on(On::Configure, [Do::Tick(1000)])
        .on(On::Tick, [Do::Dispatch("keys", GET)])
        .on(
            On::CallResponse,
            [Do::ForTheLast, Do::Set("x-late", "1"), Do::Resume],
        );
    let mut gateway = start_with(ENVOY, &guest, with_clusters());
    let waiting = gateway.request(0, Request::get("/"));
    gateway.advance(SECOND);
    let call = gateway.pending_calls().remove(0);
    gateway
        .respond(call.id, CallResponse::new(200, ""))
        .unwrap();
    assert_eq!(sent(gateway.exchange(waiting.id).unwrap(), "x-late"), ["1"]);
}

#[test]
fn a_request_whose_client_went_away_is_no_context_any_more() {
    let guest = ticking([
        Do::ForTheLast,
        Do::Get(REQUEST, "x"),
        Do::Resume,
        Do::Answer(403, &[], ""),
    ])
    .on(On::Done, [Do::Get(REQUEST, "x")])
    .on(On::Delete, [Do::Say("deleted")]);
    let mut gateway = start(ENVOY, &guest);
    let waiting = gateway.request(0, Request::get("/").header("x", "1"));
    assert!(gateway.disconnect(waiting.id));
    assert_eq!(said(&mut gateway), ["1", "deleted"]);
    assert!(!gateway.disconnect(waiting.id));
    gateway.advance(SECOND);
    // The rest is asked of the root context, which has no headers, and does nothing.
    assert_eq!(said(&mut gateway), ["!2", "!2"]);
    let exchange = gateway.exchange(waiting.id).unwrap();
    assert_eq!(exchange.outcome, Outcome::Cut);
}

#[test]
fn a_request_that_is_over_is_no_context_any_more() {
    let guest = Guest::new()
        .on(On::Configure, [Do::Tick(1000)])
        .on(On::Tick, [Do::ForTheLast, Do::Resume]);
    let mut gateway = start(ENVOY, &guest);
    gateway.request(0, Request::get("/"));
    gateway.advance(SECOND);
    assert_eq!(said(&mut gateway), ["!2"]);
}

#[test]
fn another_worker_s_request_is_out_of_reach() {
    let guest = ticking([Do::Raw("(call $did (call $effective (i32.const 2)))")]);
    let options = Options {
        workers: 2,
        ..Options::default()
    };
    let mut gateway: Gateway = start_with(ENVOY, &guest, options);
    gateway.request_on(1, 0, Request::get("/"));
    gateway.advance(SECOND);
    assert_eq!(
        said(&mut gateway),
        ["!2"],
        "one of the two workers finds it"
    );
}

#[test]
fn once_the_headers_have_gone_on_their_map_is_closed() {
    let guest = Guest::new()
        .on(
            On::Body,
            [
                Do::Get(REQUEST, "x"),
                Do::Set("x", "2"),
                Do::Remove("x"),
                Do::GetMap(REQUEST),
            ],
        )
        .on(On::Trailers, [Do::Get(TRAILERS, "x-sum")])
        .on(On::Log, [Do::Get(REQUEST, "x")]);
    let mut gateway = start(ENVOY, &guest);
    let request = Request::get("/")
        .header("x", "1")
        .body("b")
        .trailer("x-sum", "3");
    let exchange = gateway.request(0, request);
    assert_eq!(said(&mut gateway), ["!2", "!2", "!2", "", "3", "1"]);
    assert_eq!(sent(&exchange, "x"), ["1"]);
}
