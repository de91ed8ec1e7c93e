//! VMs, ticks and configurations.

use std::time::Duration;

use super::{ENVOY, trapping};
use crate::guest::{Do, GET, Guest, On, PAUSE};
use crate::{reloading, said, start, start_with, with_clusters};
use jobgate_wasm_host::{Gateway, Options, Outcome, Passage, Request, RouteConfig, StartError};

#[test]
fn a_configuration_that_the_filter_refuses_keeps_envoy_from_starting() {
    for (configure, policy) in [(Do::Return(0), Options::default()), (Do::Trap, reloading())] {
        let module = Guest::new().on(On::Configure, [configure]).module();
        let mut gateway = Gateway::new(ENVOY, &module, policy);
        assert!(gateway.start(&[RouteConfig::new("first", "")]).is_err());
        let exchange = gateway.request(0, Request::get("/"));
        assert_eq!(exchange.outcome, Outcome::NoAnswer);
    }
}

#[test]
fn a_vm_start_that_says_no_keeps_envoy_from_starting() {
    let module = Guest::new().on(On::VmStart, [Do::Return(0)]).module();
    let mut gateway = Gateway::new(ENVOY, &module, Options::default());
    let started = gateway.start(&[RouteConfig::new("first", "")]);
    assert_eq!(started, Err(StartError::VmStartRefused));
}

#[test]
fn after_a_trap_every_later_request_is_503_by_default() {
    let mut gateway = start(ENVOY, &trapping());
    let exchange = gateway.request(0, Request::get("/").header("x-trap", "1"));
    assert_eq!(exchange.outcome, Outcome::HostError(503));
    assert_eq!(exchange.passage, Passage::Trapped);
    for _ in 0..2 {
        let exchange = gateway.request(0, Request::get("/"));
        assert_eq!(exchange.outcome, Outcome::HostError(503));
        assert_eq!(exchange.passage, Passage::NoVm);
    }
    assert_eq!(gateway.vm_recycled(), 0);
}

#[test]
fn with_fail_reload_the_next_request_finds_a_fresh_vm() {
    let mut gateway = start_with(ENVOY, &trapping(), reloading());
    gateway.request(0, Request::get("/"));
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["configured", "1", "2"]);
    let exchange = gateway.request(0, Request::get("/").header("x-trap", "1"));
    assert_eq!(exchange.outcome, Outcome::HostError(503));
    assert!(gateway.request(0, Request::get("/")).decided());
    assert_eq!(said(&mut gateway), ["configured", "1"]);
    assert_eq!(gateway.vm_recycled(), 1);
}

#[test]
fn a_reloaded_vm_has_the_ticks_of_its_own_configuration_only() {
    let guest = trapping()
        .on(On::Configure, [Do::Tick(1000)])
        .on(On::Tick, [Do::Say("tick")]);
    let mut gateway = start_with(ENVOY, &guest, reloading());
    gateway.request(0, Request::get("/").header("x-trap", "1"));
    gateway.advance(Duration::from_secs(3));
    assert!(said(&mut gateway).is_empty());
    gateway.request(0, Request::get("/"));
    gateway.advance(Duration::from_secs(1));
    assert_eq!(said(&mut gateway), ["1", "tick"]);
}

#[test]
fn setting_the_tick_period_again_replaces_it() {
    let guest = Guest::new()
        .on(On::Configure, [Do::Tick(10), Do::Tick(1000)])
        .on(On::Tick, [Do::Say("tick")]);
    let mut gateway = start(ENVOY, &guest);
    gateway.advance(Duration::from_secs(1));
    assert_eq!(said(&mut gateway), ["tick"]);
    assert_eq!(gateway.timers(), 1);
}

#[test]
fn a_neighbour_s_trap_never_lets_a_waiting_request_through() {
    let wait = vec![Do::Dispatch("keys", GET), PAUSE];
    let guest = Guest::headers([Do::IfHeader("x-wait", wait), Do::Trap]);
    let mut gateway = start_with(ENVOY, &guest, reloading());
    let waiting = gateway.request(0, Request::get("/").header("x-wait", "1"));
    gateway.request(0, Request::get("/"));
    assert_eq!(
        gateway.exchange(waiting.id).unwrap().outcome,
        Outcome::Paused
    );
    assert!(gateway.pending_calls().is_empty());
}

#[test]
fn an_answer_before_a_trap_does_not_stand() {
    let mut gateway = start(ENVOY, &Guest::headers([Do::Answer(401, &[], ""), Do::Trap]));
    let exchange = gateway.request(0, Request::get("/"));
    assert_eq!(exchange.outcome, Outcome::HostError(503));
}

#[test]
fn every_vm_is_configured_and_ticks_though_one_serves() {
    let guest = Guest::headers([Do::Count])
        .on(On::Configure, [Do::Say("configured"), Do::Tick(1000)])
        .on(On::Tick, [Do::Dispatch("keys", GET)]);
    let options = Options {
        workers: 3,
        ..with_clusters()
    };
    let mut gateway = start_with(ENVOY, &guest, options);
    assert_eq!(said(&mut gateway), ["configured"; 3]);
    gateway.advance(Duration::from_secs(1));
    assert_eq!(
        said(&mut gateway),
        ["4"; 3],
        "each VM counts its own tokens"
    );
    let vms: Vec<_> = gateway.pending_calls().iter().map(|call| call.vm).collect();
    assert_eq!(vms, [0, 1, 2]);
}

#[test]
fn the_main_thread_s_vm_ticks_and_the_one_apart_is_only_configured() {
    let guest = Guest::headers([Do::Count])
        .on(On::Configure, [Do::Say("configured"), Do::Tick(1000)])
        .on(On::Tick, [Do::Say("tick")]);
    let options = Options {
        workers: 2,
        main_thread: true,
        ..Options::default()
    };
    let mut gateway = start_with(ENVOY, &guest, options);
    assert_eq!(said(&mut gateway), ["configured"; 4]);
    gateway.advance(Duration::from_secs(1));
    assert_eq!(said(&mut gateway), ["tick"; 3]);
    gateway.request_on(1, 0, Request::get("/"));
    gateway.request_on(1, 0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["1", "2"]);
}

#[test]
fn while_a_listener_drains_old_and_new_root_contexts_tick_side_by_side() {
    let guest = Guest::headers([PAUSE])
        .on(On::Configure, [Do::Tick(1000)])
        .on(On::Tick, [Do::SayNumber("local.get $ctx")])
        .on(On::Delete, [Do::Say("deleted")]);
    let options = Options {
        drain: Some(Duration::from_millis(2500)),
        ..Options::default()
    };
    let mut gateway = start_with(ENVOY, &guest, options);
    let waiting = gateway.request(0, Request::get("/"));
    gateway
        .reconfigure(&[RouteConfig::new("first", "new")])
        .unwrap();
    gateway.advance(Duration::from_secs(2));
    assert_eq!(said(&mut gateway), ["1", "3", "1", "3"]);
    gateway.advance(Duration::from_secs(1));
    assert_eq!(said(&mut gateway), ["deleted", "deleted", "3"]);
    let exchange = gateway.exchange(waiting.id).unwrap();
    assert_eq!(exchange.outcome, Outcome::Cut);
}

#[test]
fn without_a_drain_an_old_root_context_ends_with_its_last_request() {
    let guest = Guest::headers([Do::Dispatch("keys", GET), PAUSE])
        .on(On::CallResponse, [Do::Resume])
        .on(On::Delete, [Do::SayNumber("local.get $ctx")]);
    let mut gateway = start_with(ENVOY, &guest, with_clusters());
    gateway.request(0, Request::get("/"));
    gateway
        .reconfigure(&[RouteConfig::new("first", "new")])
        .unwrap();
    assert_eq!(said(&mut gateway), ["4"]);
    let call = gateway.pending_calls().remove(0);
    gateway
        .respond(call.id, jobgate_wasm_host::CallResponse::new(200, ""))
        .unwrap();
    assert_eq!(said(&mut gateway), ["2", "1"]);
}

#[test]
fn a_request_that_waits_through_two_updates_ends_in_the_vm_it_began_in() {
    let guest = Guest::headers([Do::Dispatch("keys", GET), PAUSE])
        .on(On::CallResponse, [Do::Say("called back"), Do::Resume]);
    let mut gateway = start_with(ENVOY, &guest, with_clusters());
    let waiting = gateway.request(0, Request::get("/"));
    let routes = [RouteConfig::new("first", "new")];
    gateway.reconfigure(&routes).unwrap();
    gateway.reload(&routes).unwrap();
    let call = gateway.pending_calls().remove(0);
    gateway
        .respond(call.id, jobgate_wasm_host::CallResponse::new(200, ""))
        .unwrap();
    assert_eq!(said(&mut gateway), ["4", "called back"]);
    assert!(gateway.exchange(waiting.id).unwrap().upstream().is_some());
}

#[test]
fn a_refused_update_leaves_the_old_configuration_serving() {
    let refuse = "(if (i32.eq (local.get $a) (i32.const 3)) (then (return (i32.const 0))))";
    let guest = Guest::new().on(On::Configure, [Do::Raw(refuse), Do::Buffer(7)]);
    let mut gateway = start(ENVOY, &guest);
    let refused = gateway.reconfigure(&[RouteConfig::new("first", "bad")]);
    assert_eq!(refused, Err(StartError::ConfigureRefused("first".into())));
    assert!(gateway.request(0, Request::get("/")).decided());
    gateway
        .reconfigure(&[RouteConfig::new("first", "good")])
        .unwrap();
    let said = said(&mut gateway);
    // Once apart and once in the VM that serves.
    assert_eq!(said, ["configuration", "good", "good"]);
}

#[test]
fn an_update_ends_the_old_root_contexts_and_their_ticks() {
    let guest = Guest::new()
        .on(On::Configure, [Do::Tick(1000)])
        .on(On::Tick, [Do::SayNumber("local.get $ctx")])
        .on(On::Delete, [Do::Say("deleted")]);
    let mut gateway = start(ENVOY, &guest);
    gateway
        .reconfigure(&[RouteConfig::new("first", "new")])
        .unwrap();
    gateway.advance(Duration::from_secs(1));
    assert_eq!(said(&mut gateway), ["deleted", "2"]);
}

#[test]
fn on_vm_start_runs_once_for_a_vm_with_two_root_contexts() {
    let guest = Guest::new()
        .on(On::VmStart, [Do::Say("vm")])
        .on(On::Configure, [Do::Say("root")]);
    let mut gateway = Gateway::new(ENVOY, &guest.module(), Options::default());
    gateway
        .start(&[RouteConfig::new("a", ""), RouteConfig::new("b", "")])
        .unwrap();
    assert_eq!(said(&mut gateway), ["vm", "root", "root"]);
}
