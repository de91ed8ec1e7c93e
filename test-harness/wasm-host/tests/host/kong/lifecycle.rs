//! VMs, ticks and configurations.

use std::time::Duration;

use super::{KONG, trapping, waiting_or_trapping};
use crate::guest::{Do, Guest, On};
use crate::{said, start, start_with};
use jobgate_wasm_host::{
    Gateway, Level, Options, Outcome, Passage, Request, RouteConfig, StartError,
};

#[test]
fn a_trap_in_the_request_phase_is_500_and_the_next_request_is_fine() {
    let guest = waiting_or_trapping().on(On::Configure, [Do::Say("configured")]);
    let mut gateway = start(KONG, &guest);
    gateway.request(0, Request::get("/"));
    gateway.request(0, Request::get("/"));
    assert_eq!(
        gateway.request(0, trapping()).outcome,
        Outcome::HostError(500)
    );
    assert!(gateway.request(0, Request::get("/")).decided());
    assert_eq!(
        said(&mut gateway),
        ["configured", "1", "2", "configured", "1"]
    );
    assert_eq!(gateway.vm_recycled(), 1);
}

#[test]
fn a_recycled_vm_runs_on_configure_of_the_route_asked_for_and_not_on_vm_start() {
    let guest = waiting_or_trapping()
        .on(On::VmStart, [Do::Say("vm")])
        .on(On::Configure, [Do::Buffer(7)]);
    let mut gateway = Gateway::new(KONG, &guest.module(), Options::default());
    gateway
        .start(&[RouteConfig::new("a", "one"), RouteConfig::new("b", "two")])
        .unwrap();
    assert_eq!(said(&mut gateway), ["vm", "one", "vm", "two"]);
    gateway.request(0, trapping());
    gateway.request(1, Request::get("/"));
    assert_eq!(said(&mut gateway), ["two", "1"]);
}

#[test]
fn old_ticks_keep_firing_after_a_recycling_beside_the_new() {
    let guest = waiting_or_trapping()
        .on(On::Configure, [Do::Tick(1000)])
        .on(On::Tick, [Do::Say("tick")]);
    let mut gateway = start(KONG, &guest);
    gateway.request(0, trapping());
    gateway.request(0, Request::get("/"));
    said(&mut gateway);
    gateway.advance(Duration::from_secs(1));
    assert_eq!(said(&mut gateway), ["tick", "tick"]);
    gateway.request(0, trapping());
    gateway.request(0, Request::get("/"));
    assert_eq!(gateway.timers(), 3);
}

#[test]
fn a_tick_alone_brings_a_trapped_vm_back() {
    let guest = waiting_or_trapping()
        .on(On::Configure, [Do::Tick(1000), Do::Say("configured")])
        .on(On::Tick, [Do::Say("tick")]);
    let mut gateway = start(KONG, &guest);
    gateway.request(0, trapping());
    gateway.advance(Duration::from_secs(1));
    assert_eq!(said(&mut gateway), ["configured", "configured", "tick"]);
}

#[test]
fn an_on_configure_that_fails_in_a_recycled_vm_is_500() {
    let refuse_later = "(if (i32.eq (call $shared_get (i32.const 0) (i32.const 1)
        (i32.const 16) (i32.const 20) (i32.const 24)) (i32.const 0))
        (then (return (i32.const 0))))
        (drop (call $shared_set (i32.const 0) (i32.const 1) (i32.const 1) (i32.const 1)
        (i32.const 0)))";
    let guest = waiting_or_trapping().on(On::Configure, [Do::Raw(refuse_later)]);
    let options = Options {
        shared_data_zone: true,
        ..Options::default()
    };
    let mut gateway = start_with(KONG, &guest, options);
    gateway.request(0, trapping());
    let exchange = gateway.request(0, Request::get("/"));
    assert_eq!(exchange.outcome, Outcome::HostError(500));
    assert_eq!(exchange.passage, Passage::NoVm);
}

#[test]
fn a_second_tick_period_in_one_root_context_traps() {
    let guest = Guest::new().on(On::Configure, [Do::Tick(1000), Do::Tick(1000)]);
    let gateway = start(KONG, &guest);
    assert!(gateway.chains_off());
}

#[test]
fn reading_the_plugin_s_name_in_on_configure_kills_the_worker() {
    let guest = Guest::new().on(On::Configure, [Do::Property(&["plugin_name"])]);
    let mut gateway = Gateway::new(KONG, &guest.module(), Options::default());
    let started = gateway.start(&[RouteConfig::new("first", "")]);
    assert!(matches!(started, Err(StartError::WorkerCrashed(_))));
    let exchange = gateway.request(0, Request::get("/"));
    assert_eq!(exchange.outcome, Outcome::NoAnswer);
}

#[test]
fn kong_s_version_is_an_internal_failure_in_on_configure_and_there_in_a_request() {
    let version = Do::Property(&["kong", "version"]);
    let guest = Guest::new()
        .on(On::Configure, [version.clone()])
        .on(On::Headers, [version]);
    let mut gateway = start(KONG, &guest);
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["!10", "3.9.3"]);
}

#[test]
fn a_refused_configuration_at_run_time_leaves_the_old_one_serving() {
    let refuse = "(if (i32.eq (local.get $a) (i32.const 3)) (then (return (i32.const 0))))";
    let guest = Guest::new().on(On::Configure, [Do::Raw(refuse)]);
    let mut gateway = start(KONG, &guest);
    let refused = gateway.reconfigure(&[RouteConfig::new("first", "bad")]);
    assert_eq!(refused, Err(StartError::ConfigureRefused("first".into())));
    assert!(!gateway.chains_off());
    assert!(gateway.request(0, Request::get("/")).decided());
    assert!(
        gateway
            .logs()
            .iter()
            .any(|(level, _)| *level == Level::Error)
    );
}

#[test]
fn a_configuration_at_run_time_reaches_every_worker() {
    let guest = Guest::new()
        .on(On::Configure, [Do::Tick(1000)])
        .on(On::Tick, [Do::SayNumber("local.get $ctx")]);
    let options = Options {
        workers: 2,
        ..Options::default()
    };
    let mut gateway = start_with(KONG, &guest, options);
    gateway
        .reconfigure(&[RouteConfig::new("second", "new")])
        .unwrap();
    gateway.advance(Duration::from_secs(1));
    assert_eq!(said(&mut gateway), ["1", "1", "2", "2"]);
}

#[test]
fn after_a_configuration_at_run_time_old_root_contexts_and_their_ticks_live_on() {
    let guest = Guest::headers([Do::Property(&["kong", "route_name"])])
        .on(On::Configure, [Do::Tick(1000)])
        .on(On::Tick, [Do::SayNumber("local.get $ctx")]);
    let mut gateway = start(KONG, &guest);
    gateway
        .reconfigure(&[RouteConfig::new("second", "new")])
        .unwrap();
    gateway.advance(Duration::from_secs(1));
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["1", "2", "second"]);
}
