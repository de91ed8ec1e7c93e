//! The route, which Envoy chooses again behind the filter's back when a header has changed.

use super::ENVOY;
use crate::guest::{Do, Guest, On};
use crate::{said, start};
use jobgate_wasm_host::{Gateway, Request};

const NAME: Do = Do::Property(&["xds", "route_name"]);

/// Two routes, told apart by a header.
fn by_team(guest: &Guest) -> Gateway {
    let mut gateway = start(ENVOY, guest);
    gateway.choose_route(|headers| {
        let team = headers.iter().any(|(name, _)| name == b"x-team");
        if team { "team" } else { "default" }.into()
    });
    gateway
}

#[test]
fn the_route_is_another_after_a_change_though_the_filter_still_reads_the_old_name() {
    let changes = [
        (Do::Remove("x-team"), "team", "default"),
        (Do::SetMap(&[(":path", "/")]), "team", "default"),
        (Do::Set("x-team", "b"), "team", "team"),
        (Do::Get(0, "x-other"), "team", "team"),
    ];
    for (change, read, served) in changes {
        let guest = Guest::headers([change, NAME]);
        let mut gateway = by_team(&guest);
        let exchange = gateway.request(0, Request::get("/").header("x-team", "a"));
        assert!(said(&mut gateway).ends_with(&[read.into()]));
        assert_eq!(exchange.upstream().unwrap().route, served);
    }
}

#[test]
fn a_header_that_is_added_changes_the_route_too() {
    for change in [Do::Add("x-team", "a"), Do::Set("x-team", "a")] {
        let mut gateway = by_team(&Guest::headers([change, NAME]));
        let exchange = gateway.request(0, Request::get("/"));
        assert_eq!(said(&mut gateway), ["default"]);
        assert_eq!(exchange.upstream().unwrap().route, "team");
    }
}

#[test]
fn any_change_has_the_route_chosen_again_even_one_that_changes_nothing() {
    let changes = [
        Do::Set("x-other", "1"),
        Do::Add("x-other", "1"),
        Do::Remove("x-nothing"),
        Do::Foreign("clear_route_cache"),
    ];
    for (change, times) in changes.into_iter().map(|c| (c, 2)).chain([(NAME, 1)]) {
        let mut gateway = start(ENVOY, &Guest::headers([change]));
        let asked = std::rc::Rc::new(std::cell::Cell::new(0));
        let count = std::rc::Rc::clone(&asked);
        gateway.choose_route(move |_| {
            count.set(count.get() + 1);
            "first".into()
        });
        gateway.request(0, Request::get("/"));
        assert_eq!(asked.get(), times);
    }
}

#[test]
fn the_new_name_is_read_once_the_headers_have_gone_on() {
    let guest = Guest::headers([Do::Remove("x-team"), NAME]).on(On::Body, [NAME]);
    let mut gateway = by_team(&guest);
    gateway.request(0, Request::get("/").header("x-team", "a").body("b"));
    assert_eq!(said(&mut gateway), ["team", "default"]);
}
