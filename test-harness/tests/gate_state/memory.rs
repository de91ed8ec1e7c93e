//! The bound in bytes is one: the cache holds no more memory than it says.

// The allocator is what knows.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use jobgate::gate::{Pool, State};
use jobgate::time::UnixTime;
use jobgate::token::Budget;
use serde_json::{Map, Value, json};

use crate::assertions::assertion;
use crate::world::{NOW, ask, documents, fetch, outcome, policy, token};

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that ends has no counter any more.
    _ = HELD.try_with(|held| held.set(held.get() + change));
}

/// The system's allocator, which counts what each thread holds.
struct Counting;

// SAFETY: every call is the system allocator's, with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_cache_takes_no_more_memory_than_it_says() {
    let odd: Map<String, Value> = (0..40)
        .map(|nth| {
            let value = match nth % 4 {
                0 => json!(vec!["a", "bc", ""]),
                1 => json!({ "nested": { "a": [1, 2, [null]], "b": "c" }, "n": nth }),
                2 => json!("x".repeat(nth)),
                _ => json!(nth),
            };
            (format!("claim:{nth}"), value)
        })
        .collect();
    let few = (0..30).map(|nth| token(json!({ "claims": { "build_number": nth } })));
    let odd = (0..10).map(|nth| {
        let mut claims = odd.clone();
        claims.insert("build_number".into(), nth.into());
        token(json!({ "claims": claims }))
    });
    let tokens: Vec<String> = few.chain(odd).collect();
    let assertion = assertion();
    let plain = json!({});
    let with_assertions = json!({ "assertion": assertion });
    for (entries, over) in [1, 7, 1_000]
        .into_iter()
        .flat_map(|entries| [(entries, &plain), (entries, &with_assertions)])
    {
        let mut over = over.clone();
        over["cache"] = json!({ "entries": entries, "bytes": "128KiB" });
        let policy = policy(over);
        let budget = Budget::new(1 << 20);
        let mut state = State::new(&policy, &mut Pool::new(0), &budget);
        let now = UnixTime::from_secs(NOW);
        fetch(&mut state, &documents()[1], now);
        let before = HELD.get();
        let mut most = 0;
        for token in tokens.iter().chain(&tokens) {
            let decision = ask(&policy, &mut state, None, "/", token, now);
            assert_eq!(outcome(&decision), "allow");
            drop(decision);
            let held = (HELD.get() - before).unsigned_abs();
            let said = state.cache.bytes();
            assert!(held <= said, "{held} bytes are held, {said} are said");
            assert!(said <= 128 * 1024 && said == budget.used());
            most = most.max(held);
        }
        // And it says no more than about twice of what it is.
        let said = state.cache.bytes();
        let held = (HELD.get() - before).unsigned_abs();
        assert!(
            said <= held * 5 / 2,
            "{held} bytes are held, {said} are said"
        );
        println!("{entries}: {held} held, {said} said, {most} at most");
    }
}
