//! Shared data: a zone of nginx's.

use super::KONG;
use crate::guest::{Do, Guest};
use crate::{said, start, start_with};
use jobgate_wasm_host::{Gateway, Options, Passage, Request};

/// A gateway with a zone of so many bytes.
fn with_zone(guest: &Guest, shared_data_bytes: usize) -> Gateway {
    let options = Options {
        shared_data_zone: true,
        shared_data_bytes,
        ..Options::default()
    };
    start_with(KONG, guest, options)
}

const MIB: usize = 1024 * 1024;

#[test]
fn shared_data_without_a_zone_traps() {
    for action in [Do::SharedGet("k"), Do::SharedSet("k", "a", 0)] {
        let mut gateway = start(KONG, &Guest::headers([action]));
        let exchange = gateway.request(0, Request::get("/"));
        assert_eq!(exchange.passage, Passage::Trapped);
    }
}

#[test]
fn shared_data_is_not_overwritten_without_its_cas() {
    let guest = Guest::headers([
        Do::SharedSet("k", "a", 0),
        Do::SharedSet("k", "b", 0),
        Do::SharedSet("k", "b", 1),
        Do::SharedGet("k"),
    ]);
    let mut gateway = with_zone(&guest, MIB);
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["!8", "b"]);
    assert_eq!(gateway.shared_data("k"), Some(b"b".as_slice()));
}

#[test]
fn each_key_counts_its_own_cas_and_where_nothing_is_only_none_will_do() {
    let guest = Guest::headers([
        Do::SharedSet("k", "a", 7),
        Do::SharedSet("k", "a", 0),
        Do::SharedSet("l", "a", 0),
        Do::SharedSet("l", "b", 1),
        Do::SharedSet("l", "c", 2),
    ]);
    let mut gateway = with_zone(&guest, MIB);
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["!8"]);
    assert_eq!(gateway.shared_data("l"), Some(b"c".as_slice()));
}

/// Deletes the key of one NUL byte.
fn delete(cas: u32) -> Do {
    Do::Raw(match cas {
        0 => {
            "(call $did (call $shared_set (i32.const 0) (i32.const 1) (i32.const 0)
            (i32.const 0) (i32.const 0)))"
        }
        _ => {
            "(call $did (call $shared_set (i32.const 0) (i32.const 1) (i32.const 0)
            (i32.const 0) (i32.const 1)))"
        }
    })
}

#[test]
fn a_null_value_deletes_shared_data_with_its_cas_only_and_not_twice() {
    let set = "(call $did (call $shared_set (i32.const 0) (i32.const 1) (i32.const 1)
        (i32.const 1) (i32.const 0)))";
    let guest = Guest::headers([Do::Raw(set), delete(0), delete(1), delete(0)]);
    let mut gateway = with_zone(&guest, MIB);
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["!8", "!8"]);
    assert_eq!(gateway.shared_data("\0"), None);
}

#[test]
fn a_cas_number_comes_again_after_a_key_was_deleted() {
    let set = "(call $did (call $shared_set (i32.const 0) (i32.const 1) (i32.const 1)
        (i32.const 1) (i32.const 0)))";
    // The second deletion holds a number of before the first.
    let guest = Guest::headers([Do::Raw(set), delete(1), Do::Raw(set), delete(1)]);
    let mut gateway = with_zone(&guest, MIB);
    gateway.request(0, Request::get("/"));
    assert!(said(&mut gateway).is_empty());
}

/// A text of so many bytes, for good.
fn long(bytes: usize) -> &'static str {
    String::leak("x".repeat(bytes))
}

#[test]
fn a_full_zone_evicts_what_was_used_least_recently() {
    let page = long(3900);
    let guest = Guest::headers([
        Do::SharedSet("a", page, 0),
        Do::SharedSet("b", page, 0),
        Do::SharedGet("a"),
        Do::SharedSet("c", page, 0),
        Do::SharedSet("d", page, 0),
    ]);
    let mut gateway = with_zone(&guest, 4 * 4096);
    gateway.request(0, Request::get("/"));
    let there = |key| gateway.shared_data(key).is_some();
    assert_eq!(["a", "b", "c", "d"].map(there), [true, false, true, true]);
    assert_eq!(gateway.shared_data_len(), 3);
}

#[test]
fn a_value_that_the_zone_cannot_hold_traps_and_has_evicted_everything() {
    let guest = Guest::headers([
        Do::SharedSet("a", "1", 0),
        Do::SharedSet("b", long(5000), 0),
    ]);
    let mut gateway = with_zone(&guest, 2 * 4096);
    let exchange = gateway.request(0, Request::get("/"));
    assert_eq!(exchange.passage, Passage::Trapped);
    assert_eq!(gateway.shared_data_len(), 0);
}

#[test]
fn keys_of_the_same_crc_32_are_the_same_key() {
    let guest = Guest::headers([
        Do::SharedSet("plumless", "1", 0),
        Do::SharedSet("buckaroo", "2", 0),
        Do::SharedSet("buckeroo", "3", 0),
        Do::SharedGet("buckeroo"),
    ]);
    let mut gateway = with_zone(&guest, MIB);
    gateway.request(0, Request::get("/"));
    assert_eq!(said(&mut gateway), ["!8", "1"]);
}
