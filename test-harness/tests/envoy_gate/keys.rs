//! The issuer's keys over time.

use jobgate_harness::issuer::{Endpoint, Fault, FaultOrder};
use jobgate_harness::mint::TokenSpec;
use serde_json::json;

use super::world::{World, bearing, issuer, policy};

/// A token whose `kid` nobody knows: it makes the gate ask for the keys at once.
fn of_an_unknown_key(world: &World) -> String {
    let mut spec = TokenSpec::default();
    spec.header.insert("kid".to_owned(), json!("nobody's"));
    world.issuer.mint(&spec)
}

#[test]
fn before_the_first_keys_all_is_refused_and_once_the_issuer_is_back_it_passes_without_a_restart() {
    let issuer = issuer();
    issuer.order(&FaultOrder {
        endpoint: Endpoint::Jwks,
        fault: Some(Fault::Status(500)),
        times: None,
    });
    let policy = policy(&issuer);
    let world = World::start(issuer, policy);
    let token = world.token();

    let early = world.send(&bearing(&token));
    assert_eq!(early.response.status, 503);
    assert_eq!(early.code().as_deref(), Some("keys_unavailable"));
    assert_eq!(early.response.header("retry-after"), ["1"]);
    world.wait_for_log("the server answered with status 500");
    assert_eq!(
        world.refusal(&token).as_deref(),
        Some("keys_unavailable"),
        "a failed fetch gives no keys"
    );
    assert_eq!(world.upstream.count(), 0);

    world.issuer.heal();
    world.wait_until_it_passes(&token);
}

#[test]
fn a_withdrawn_key_proves_nothing_once_the_keys_were_fetched_again() {
    let world = World::with_keys(|policy| {
        // The shortest there is: the last step takes a fetch that no unknown key may hasten.
        policy["issuers"][0]["jwks"]["refresh"] = json!("10s");
    });
    let of_the_old_key = world.token();
    world.issuer.rotate_keys(false);
    world.wait_until_it_passes(&world.token());
    assert_eq!(
        world.refusal(&of_the_old_key).as_deref(),
        Some("keys_unavailable"),
        "the gate looks once more before it calls a key unknown"
    );
    world.wait_for_refusal(&of_the_old_key, "key_unknown");
}

#[test]
fn the_last_good_keys_outlive_the_issuer() {
    let world = World::with_keys(|_| {});
    let (good, unknown) = (world.token(), of_an_unknown_key(&world));
    let World {
        envoy,
        upstream,
        issuer,
    } = world;
    let another = self::issuer();
    drop(issuer);
    let world = World {
        envoy,
        upstream,
        issuer: another,
    };

    assert_eq!(world.refusal(&unknown).as_deref(), Some("keys_unavailable"));
    world.wait_for_log("no answer came: the server cannot be reached");
    assert_eq!(world.refusal(&good), None);
    assert_eq!(world.refusal(&unknown).as_deref(), Some("keys_unavailable"));
}

#[test]
fn keys_in_the_policy_need_no_fetch() {
    let issuer = issuer();
    let mut policy = policy(&issuer);
    let trusted = policy["issuers"][0].as_object_mut().unwrap();
    trusted.remove("jwks");
    trusted.insert("keys".to_owned(), issuer.jwks());
    let world = World::start(issuer, policy);

    assert_eq!(world.refusal(&world.token()), None);
    assert_eq!(
        world.refusal(&of_an_unknown_key(&world)).as_deref(),
        Some("key_unknown")
    );
    assert_eq!(world.issuer.stats().jwks_requests, 0);
}
