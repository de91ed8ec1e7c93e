//! What holds on both gateways.

use std::time::{Duration, SystemTime};

use crate::guest::{CALL, Do, GET, Guest, On, PAUSE, REQUEST};
use crate::{said, sent, start, start_with, with_clusters};
use jobgate_wasm_host::{
    CallResponse, Fault, Gateway, HostCall, LoadError, Module, Options, Outcome, Passage, Profile,
    Request, RouteConfig, StartError, Status, decode_map,
};

const BOTH: [Profile; 2] = [Profile::Envoy, Profile::Kong];

#[test]
fn a_filter_that_does_nothing_lets_a_request_through_as_it_came() {
    for profile in BOTH {
        let mut gateway = start(profile, &Guest::new());
        let request = Request::new("POST", "/a?b=c")
            .header("x-one", "1")
            .body("text");
        let exchange = gateway.request(0, request);
        let upstream = exchange.upstream().expect("it went through");
        assert_eq!(upstream.method, b"POST");
        assert_eq!(upstream.path, b"/a?b=c");
        assert_eq!(upstream.body, b"text");
        assert_eq!(upstream.all("host"), ["gateway.example"]);
        assert_eq!(upstream.all("x-one"), ["1"]);
        assert!(exchange.decided());
    }
}

#[test]
fn a_file_that_is_no_proxy_wasm_filter_is_not_loaded() {
    let empty = wat::parse_str("(module)").unwrap();
    assert!(matches!(
        Module::from_bytes(&empty),
        Err(LoadError::NoAbiVersion)
    ));
    assert!(matches!(
        Module::from_bytes(b"no"),
        Err(LoadError::Compile(_))
    ));
    assert!(matches!(
        Module::load("/nowhere.wasm"),
        Err(LoadError::Read { .. })
    ));
}

#[test]
fn a_filter_for_memory64_is_not_loaded() {
    let wide = r#"(module (memory i64 1) (func (export "proxy_abi_version_0_2_1")))"#;
    let wide = wat::parse_str(wide).unwrap();
    assert!(matches!(
        Module::from_bytes(&wide),
        Err(LoadError::Compile(_))
    ));
}

#[test]
fn starting_again_is_a_restart() {
    let guest = Guest::headers([Do::Count]).on(On::Configure, [Do::Tick(1000)]);
    for profile in BOTH {
        let mut gateway = start(profile, &guest);
        gateway.request(0, Request::get("/"));
        gateway.start(&[RouteConfig::new("first", "")]).unwrap();
        gateway.request(0, Request::get("/"));
        assert_eq!(said(&mut gateway), ["1", "1"]);
        assert_eq!(gateway.timers(), 1);
    }
}

#[test]
fn an_unknown_import_fails_the_start_by_its_name() {
    for profile in BOTH {
        let module = Guest::new().import("proxy_make_tea").module();
        let mut gateway = Gateway::new(profile, &module, Options::default());
        let started = gateway.start(&[RouteConfig::new("first", "")]);
        assert_eq!(started.is_ok(), profile == Profile::Kong);
        let Some(StartError::Instantiate(why)) = gateway.start_failure() else {
            panic!("{:?}", gateway.start_failure());
        };
        assert!(why.contains("proxy_make_tea"), "{why}");
    }
}

#[test]
fn the_callbacks_of_a_request_come_in_order() {
    let guest = Guest::new()
        .on(On::Create, [Do::Say("create")])
        .on(On::VmStart, [Do::Say("vm start")])
        .on(On::Configure, [Do::Buffer(7)])
        .on(On::Headers, [Do::Say("headers")])
        .on(On::Body, [Do::Buffer(0)])
        .on(On::Done, [Do::Say("done")])
        .on(On::Log, [Do::Say("log")])
        .on(On::Delete, [Do::Say("delete")]);
    for profile in BOTH {
        let mut gateway = start(profile, &guest);
        assert_eq!(said(&mut gateway), ["create", "vm start", "configuration"]);
        gateway.request(0, Request::get("/").body("the body"));
        let end = match profile {
            Profile::Envoy => ["log", "done", "delete"],
            Profile::Kong => ["done", "log", "delete"],
        };
        let said = said(&mut gateway);
        assert_eq!(said[..3], ["create", "headers", "the body"]);
        assert_eq!(said[3..], end);
    }
}

#[test]
fn the_callbacks_of_an_answered_request_end_it_too() {
    let guest = Guest::headers([Do::Answer(401, &[], "no"), PAUSE])
        .on(On::Body, [Do::Say("body")])
        .on(On::Log, [Do::Say("log")]);
    for profile in BOTH {
        let mut gateway = start(profile, &guest);
        let exchange = gateway.request(0, Request::get("/").body("unread"));
        assert_eq!(exchange.refused_with(), Some(401));
        assert_eq!(said(&mut gateway), ["log"]);
    }
}

#[test]
fn time_is_the_same_by_both_clocks_and_stands_still_in_a_callback() {
    let same = "(drop (call $now (i32.const 32)))
        (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 40)))
        (call $say_number (i32.const 2)
            (i64.eq (i64.load (i32.const 32)) (i64.load (i32.const 40))))
        (call $say_number (i32.const 2)
            (i32.wrap_i64 (i64.div_u (i64.load (i32.const 32)) (i64.const 1000000000))))";
    for profile in BOTH {
        let options = Options {
            start: SystemTime::UNIX_EPOCH + Duration::from_secs(1000),
            ..Options::default()
        };
        let mut gateway = start_with(profile, &Guest::headers([Do::Raw(same)]), options);
        gateway.request(0, Request::get("/"));
        gateway.advance(Duration::from_secs(5));
        gateway.request(0, Request::get("/"));
        assert_eq!(said(&mut gateway), ["1", "1000", "1", "1005"]);
    }
}

#[test]
fn random_bytes_depend_on_nothing_but_the_seed() {
    let random = "(drop (call $random (i32.const 32) (i32.const 4)))
        (call $say_number (i32.const 2) (i32.shr_u (i32.load (i32.const 32)) (i32.const 8)))";
    let draw = |seed| {
        let options = Options {
            seed,
            ..Options::default()
        };
        let guest = Guest::headers([Do::Raw(random)]);
        let mut gateway = start_with(Profile::Envoy, &guest, options);
        gateway.request(0, Request::get("/"));
        said(&mut gateway)
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn what_a_panic_prints_is_logged_as_an_error() {
    let print = r#"(i64.store (i32.const 32) (i64.const 0x0000000A6b6f6f6c))
        (i32.store (i32.const 48) (i32.const 32)) (i32.store (i32.const 52) (i32.const 5))
        (drop (call $fd_write (i32.const 2) (i32.const 48) (i32.const 1) (i32.const 56)))
        (call $say_number (i32.const 2) (i32.load (i32.const 56)))"#;
    let mut gateway = start(Profile::Envoy, &Guest::headers([Do::Raw(print)]));
    gateway.request(0, Request::get("/"));
    let logs = gateway.take_logs();
    assert_eq!(logs[0], (jobgate_wasm_host::Level::Error, "look".into()));
    assert_eq!(logs[1].1, "5");
}

#[test]
fn an_exit_is_a_trap() {
    for profile in BOTH {
        let exit = Do::Raw("(call $exit (i32.const 3))");
        let mut gateway = start(profile, &Guest::headers([exit]));
        let exchange = gateway.request(0, Request::get("/"));
        assert_eq!(exchange.passage, Passage::Trapped);
        assert!(exchange.traps[0].contains("exited with 3"), "{exchange:?}");
    }
}

#[test]
fn memory_beyond_the_limit_can_not_be_had_and_the_guest_traps() {
    for profile in BOTH {
        let options = Options {
            memory_limit: Some(256 * 1024),
            ..Options::default()
        };
        let guest = Guest::headers([Do::Get(REQUEST, "x-padding"), Do::Allocate(90_000)]);
        let mut gateway = start_with(profile, &guest, options);
        assert_eq!(gateway.memory_bytes(), 128 * 1024);
        assert!(gateway.request(0, Request::get("/")).decided());
        assert_eq!(gateway.memory_bytes(), 192 * 1024);
        // The guest's allocator is called by the host here, and fails just so.
        let padded = Request::get("/").header("x-padding", vec![b'a'; 100_000]);
        let exchange = gateway.request(0, padded);
        assert_eq!(exchange.passage, Passage::Trapped, "{exchange:?}");
    }
}

#[test]
fn a_map_is_given_in_the_form_of_the_abi_with_pseudo_headers_first() {
    for profile in BOTH {
        let mut gateway = start(profile, &Guest::headers([Do::GetMap(REQUEST)]));
        gateway.request(0, Request::get("/p").header("x", "1").header("x", "2"));
        let said = said(&mut gateway);
        let names: Vec<_> = decode_map(said[0].as_bytes())
            .expect("it is a map")
            .into_iter()
            .map(|(name, _)| String::from_utf8(name).unwrap())
            .collect();
        let mut expected = vec![":method", ":path", ":authority", ":scheme"];
        if profile == Profile::Kong {
            expected.push("Host");
        }
        expected.extend(["x", "x"]);
        assert_eq!(names, expected);
    }
}

#[test]
fn an_empty_header_is_there_and_an_absent_one_is_not_found() {
    for profile in BOTH {
        let actions = [Do::Get(REQUEST, "x-empty"), Do::Get(REQUEST, "x-none")];
        let mut gateway = start(profile, &Guest::headers(actions));
        gateway.request(0, Request::get("/").header("x-empty", ""));
        assert_eq!(said(&mut gateway), ["", "!1"]);
    }
}

#[test]
fn an_answer_s_callback_may_answer_the_request_it_is_for() {
    let guest = Guest::headers([Do::Dispatch("keys", GET), PAUSE]).on(
        On::CallResponse,
        [Do::Get(6, ":status"), Do::Answer(403, &[], "")],
    );
    for profile in BOTH {
        let mut gateway = start_with(profile, &guest, with_clusters());
        let waiting = gateway.request(0, Request::get("/"));
        assert_eq!(waiting.outcome, Outcome::Paused);
        let call = gateway.pending_calls().remove(0);
        assert_eq!(call.header(":path"), Some("/keys"));
        gateway
            .respond(call.id, CallResponse::new(200, "{}"))
            .unwrap();
        let exchange = gateway.exchange(waiting.id).unwrap();
        assert_eq!(exchange.refused_with(), Some(403));
        assert!(exchange.decided());
        assert!(
            gateway
                .respond(call.id, CallResponse::new(200, ""))
                .is_err()
        );
    }
}

#[test]
fn an_answer_s_callback_may_resume_and_the_body_comes_after_it() {
    let guest = Guest::headers([Do::Dispatch("keys", GET), PAUSE])
        .on(On::CallResponse, [Do::Set("x-late", "1"), Do::Resume])
        .on(On::Body, [Do::Buffer(0)]);
    for profile in BOTH {
        let mut gateway = start_with(profile, &guest, with_clusters());
        let waiting = gateway.request(0, Request::get("/").body("later"));
        said(&mut gateway);
        let call = gateway.pending_calls().remove(0);
        gateway
            .respond(call.id, CallResponse::new(200, ""))
            .unwrap();
        assert_eq!(said(&mut gateway), ["later"]);
        let exchange = gateway.exchange(waiting.id).unwrap();
        assert!(exchange.decided());
        assert_eq!(sent(exchange, "x-late"), ["1"]);
    }
}

#[test]
fn a_server_s_answer_is_shown_with_its_etag_and_status() {
    let guest = Guest::headers([Do::Dispatch("keys", GET), PAUSE]).on(
        On::CallResponse,
        [
            Do::Get(CALL, ":status"),
            Do::Get(CALL, "etag"),
            Do::Buffer(4),
            Do::Get(CALL, "x-envoy-upstream-service-time"),
            Do::Answer(200, &[], ""),
        ],
    );
    for (profile, server) in [(Profile::Envoy, "0"), (Profile::Kong, "!1")] {
        let mut gateway = start_with(profile, &guest, with_clusters());
        gateway.request(0, Request::get("/"));
        said(&mut gateway);
        let call = gateway.pending_calls().remove(0);
        let answer = CallResponse::new(304, "").header("ETag", "\"one\"");
        gateway.respond(call.id, answer).unwrap();
        assert_eq!(said(&mut gateway), ["304", "\"one\"", "", server]);
    }
}

#[test]
fn each_worker_has_a_vm_of_its_own_and_all_share_the_data() {
    let guest = Guest::headers([Do::Count, Do::SharedGet("k"), Do::SharedSet("k", "a", 0)])
        .on(On::Configure, [Do::Tick(1000)])
        .on(On::Tick, [Do::Say("tick")]);
    for profile in BOTH {
        let options = Options {
            workers: 3,
            shared_data_zone: true,
            ..Options::default()
        };
        let mut gateway = start_with(profile, &guest, options);
        gateway.request(0, Request::get("/"));
        gateway.request_on(0, 0, Request::get("/"));
        gateway.request_on(2, 0, Request::get("/"));
        let seen = said(&mut gateway);
        assert_eq!(seen[..2], ["1", "!1"], "the first finds nothing");
        let cas = |profile| match profile {
            Profile::Envoy => vec!["2", "a", "1", "a"],
            Profile::Kong => vec!["2", "a", "!8", "1", "a", "!8"],
        };
        assert_eq!(seen[2..], cas(profile));
        gateway.advance(Duration::from_secs(1));
        assert_eq!(said(&mut gateway), ["tick"; 3]);
        assert!(gateway.memory_bytes_of(2) > 0);
        assert_eq!(gateway.memory_bytes_of(3), 0);
    }
}

#[test]
fn a_trap_in_one_worker_leaves_the_others_alone() {
    let guest = Guest::headers([
        Do::IfHeader("x-wait", vec![Do::Dispatch("keys", GET), PAUSE]),
        Do::IfHeader("x-trap", vec![Do::Trap]),
    ]);
    for profile in BOTH {
        let options = Options {
            workers: 2,
            ..with_clusters()
        };
        let mut gateway = start_with(profile, &guest, options);
        let waiting = gateway.request_on(1, 0, Request::get("/").header("x-wait", "1"));
        gateway.request_on(0, 0, Request::get("/").header("x-trap", "1"));
        assert_eq!(
            gateway.exchange(waiting.id).unwrap().outcome,
            Outcome::Paused
        );
        assert!(gateway.request_on(1, 0, Request::get("/")).decided());
        assert_eq!(gateway.pending_calls().len(), 1);
    }
}

#[test]
fn a_reload_brings_new_vms_and_keeps_the_data_while_a_waiting_request_ends_in_the_old_one() {
    let wait = vec![Do::Dispatch("keys", GET), PAUSE];
    let guest = Guest::headers([Do::Count, Do::IfHeader("x-wait", wait)])
        .on(
            On::Configure,
            [
                Do::Tick(1000),
                Do::SharedGet("k"),
                Do::SharedSet("k", "a", 0),
            ],
        )
        .on(On::Tick, [Do::SayNumber("local.get $ctx")])
        .on(On::CallResponse, [Do::Count, Do::Resume]);
    for profile in BOTH {
        let options = Options {
            shared_data_zone: true,
            ..with_clusters()
        };
        let mut gateway = start_with(profile, &guest, options);
        let waiting = gateway.request(0, Request::get("/").header("x-wait", "1"));
        said(&mut gateway);
        gateway.reload(&[RouteConfig::new("first", "new")]).unwrap();
        assert!(said(&mut gateway).contains(&"a".to_owned()));
        gateway.advance(Duration::from_secs(1));
        let ticks = match profile {
            Profile::Envoy => vec!["1", "3"],
            Profile::Kong => vec!["3"],
        };
        assert_eq!(
            said(&mut gateway),
            ticks,
            "nginx stops its old workers' ticks"
        );
        let call = gateway.pending_calls().remove(0);
        gateway
            .respond(call.id, CallResponse::new(200, ""))
            .unwrap();
        assert_eq!(said(&mut gateway), ["2"], "in the old VM");
        assert!(gateway.exchange(waiting.id).unwrap().upstream().is_some());
        gateway.advance(Duration::from_secs(1));
        assert_eq!(said(&mut gateway), ["3"]);
        gateway.request(0, Request::get("/"));
        assert_eq!(said(&mut gateway), ["1"], "a VM that never counted");
    }
}

#[test]
fn a_reload_that_the_filter_refuses_keeps_envoy_s_gate_and_opens_kong_s_routes() {
    let refuse = "(if (i32.eq (local.get $a) (i32.const 3)) (then (return (i32.const 0))))";
    let guest =
        Guest::headers([Do::Answer(401, &[], ""), PAUSE]).on(On::Configure, [Do::Raw(refuse)]);
    for profile in BOTH {
        let mut gateway = start(profile, &guest);
        let reloaded = gateway.reload(&[RouteConfig::new("first", "bad")]);
        let exchange = gateway.request(0, Request::get("/"));
        match profile {
            Profile::Envoy => {
                assert!(reloaded.is_err());
                assert_eq!(exchange.refused_with(), Some(401));
            }
            Profile::Kong => {
                assert!(reloaded.is_ok());
                assert_eq!(exchange.passage, Passage::ChainsOff);
            }
        }
    }
}

#[test]
fn a_set_fault_strikes_the_call_it_was_set_for_and_only_once() {
    for profile in BOTH {
        let mut gateway = start(profile, &Guest::headers([Do::Get(REQUEST, "x")]));
        gateway.set_fault(
            HostCall::GetHeaderMapValue,
            2,
            Fault::Status(Status::InternalFailure),
        );
        gateway.set_fault(HostCall::GetHeaderMapValue, 4, Fault::Trap);
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(
                gateway
                    .request(0, Request::get("/").header("x", "1"))
                    .passage,
            );
        }
        assert_eq!(said(&mut gateway), ["1", "!10", "1"]);
        assert_eq!(answers[3], Passage::Trapped);
    }
}

#[test]
fn host_calls_are_counted() {
    let mut gateway = start(Profile::Envoy, &Guest::headers([Do::Get(REQUEST, "x")]));
    gateway.reset_host_calls();
    gateway.request(0, Request::get("/").header("x", "1"));
    assert_eq!(gateway.host_calls()[&HostCall::GetHeaderMapValue], 1);
    assert_eq!(gateway.host_calls_total(), 2, "a get and a log");
}

#[test]
fn metrics_outlive_requests_and_are_found_again_by_name() {
    for profile in BOTH {
        let guest = Guest::headers([Do::Metric(0, "jobgate_allowed"), Do::Increment(2)]);
        let mut gateway = start(profile, &guest);
        gateway.request(0, Request::get("/"));
        gateway.request(0, Request::get("/"));
        assert_eq!(gateway.metrics()["jobgate_allowed"].value, 4);
    }
}

#[test]
fn a_line_break_or_nul_in_a_value_is_refused_before_the_filter() {
    for profile in BOTH {
        let mut gateway = start(profile, &Guest::headers([Do::Say("seen")]));
        for value in ["a\rb", "a\nb", "a\0b"] {
            let exchange = gateway.request(0, Request::get("/").header("x", value));
            assert_eq!(exchange.outcome, Outcome::HostError(400));
            assert_eq!(exchange.passage, Passage::HostRefused);
        }
        assert!(said(&mut gateway).is_empty());
    }
}

#[test]
fn a_tick_fires_at_its_period() {
    for profile in BOTH {
        let guest = Guest::new()
            .on(On::Configure, [Do::Tick(1000)])
            .on(On::Tick, [Do::Say("tick")]);
        let mut gateway = start(profile, &guest);
        gateway.advance(Duration::from_millis(999));
        assert!(said(&mut gateway).is_empty());
        gateway.advance(Duration::from_millis(2001));
        assert_eq!(said(&mut gateway), ["tick", "tick", "tick"]);
    }
}

#[test]
fn an_empty_value_is_a_null_pointer_on_envoy_and_an_allocation_on_kong() {
    let pointer = "(drop (call $get (i32.const 0) (i32.const 32) (i32.const 1)
            (i32.const 16) (i32.const 20)))
        (call $say_number (i32.const 2) (i32.ne (i32.load (i32.const 16)) (i32.const 0)))";
    let name = "(i32.store8 (i32.const 32) (i32.const 120))";
    for (profile, allocated) in [(Profile::Envoy, "0"), (Profile::Kong, "1")] {
        let guest = Guest::headers([Do::Raw(name), Do::Raw(pointer)]);
        let mut gateway = start(profile, &guest);
        gateway.request(0, Request::get("/").header("x", ""));
        assert_eq!(said(&mut gateway), [allocated]);
    }
}

#[test]
fn a_pointer_outside_the_memory_is_a_status_on_envoy_and_a_trap_on_kong() {
    let wild = "(call $did (call $remove (i32.const 0) (i32.const -8) (i32.const 16)))";
    for profile in BOTH {
        let mut gateway = start(profile, &Guest::headers([Do::Raw(wild)]));
        let exchange = gateway.request(0, Request::get("/"));
        match profile {
            Profile::Envoy => assert_eq!(said(&mut gateway), ["!6"]),
            Profile::Kong => assert_eq!(exchange.passage, Passage::Trapped),
        }
    }
}

#[test]
fn a_resume_before_the_pause_lets_envoy_continue_and_kong_hang() {
    for profile in BOTH {
        let mut gateway = start(profile, &Guest::headers([Do::Resume, PAUSE]));
        let exchange = gateway.request(0, Request::get("/"));
        match profile {
            Profile::Envoy => assert!(exchange.upstream().is_some()),
            Profile::Kong => assert_eq!(exchange.outcome, Outcome::Paused),
        }
    }
}
