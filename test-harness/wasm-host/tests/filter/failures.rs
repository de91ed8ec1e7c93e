//! Tokens that fail, and sources of too many, as the hosts name them.

use std::time::Duration;

use jobgate_harness::mint::{Tamper, TokenSpec};
use jobgate_wasm_host::{Exchange, Gateway, HostCall, Options, Profile, Request};
use serde_json::{Value, json};

use crate::common::{
    BOTH, assert_passed, assert_refused, gateway_with, give_keys, good_token, lines, minter,
    options, policy, ready, unix, with_token,
};

fn limited(profile: Profile) -> Value {
    let mut policy = policy(profile);
    policy["failed_verifications"] = json!({ "rate": "6/m", "burst": 3 });
    policy
}

/// A token with a claim of this value.
fn token(gateway: &Gateway, nth: u32, tamper: Option<Tamper>) -> String {
    let claims = json!({ "build_number": nth });
    let spec = TokenSpec {
        claims: claims.as_object().unwrap().clone(),
        tamper,
        ..TokenSpec::default()
    };
    minter().mint(&spec, unix(gateway))
}

fn from(peer: &str, token: &str) -> Request {
    Request {
        peer: peer.to_owned(),
        ..with_token(token)
    }
}

fn send_forged(gateway: &mut Gateway, nth: u32, peer: &str) -> Exchange {
    let token = token(gateway, nth, Some(Tamper::Signature));
    gateway.request(0, from(peer, &token))
}

#[test]
fn a_source_of_too_many_forged_tokens_waits_on_each_host() {
    for profile in BOTH {
        for [bad, of_the_same, other] in [
            ["192.0.2.1:40000", "192.0.2.1:40001", "192.0.2.2:40000"],
            [
                "[2001:db8::1]:40000",
                "[2001:db8::2]:40000",
                "[2001:db8:0:1::1]:40000",
            ],
        ] {
            let mut gateway = ready(profile, &limited(profile));
            let proven = good_token(&gateway);
            assert_passed(&gateway.request(0, from(bad, &proven)));
            for nth in 0..3 {
                assert_refused(&send_forged(&mut gateway, nth, bad), "signature_invalid");
            }
            let fresh = token(&gateway, 9, None);
            let refused = gateway.request(0, from(of_the_same, &fresh));
            assert_refused(&refused, "rate_limited");
            let answer = refused.local().unwrap();
            assert_eq!(
                (answer.status, answer.only("retry-after")),
                (429, Some("10".to_owned()))
            );
            assert_eq!(answer.only("ratelimit"), None);
            assert_eq!(lines(&gateway, "from the client's address").len(), 1);
            assert_passed(&gateway.request(0, from(bad, &proven)));
            assert_passed(&gateway.request(0, from(other, &fresh)));
            gateway.advance(Duration::from_secs(10));
            assert_passed(&gateway.request(0, from(bad, &token(&gateway, 10, None))));
        }
    }
}

#[test]
fn in_shadow_mode_a_source_of_too_many_is_recorded_and_goes_on_without_its_token() {
    for profile in BOTH {
        let mut policy = limited(profile);
        policy["mode"] = json!("shadow");
        let mut gateway = ready(profile, &policy);
        for nth in 0..3 {
            send_forged(&mut gateway, nth, "192.0.2.1:1");
        }
        let fresh = token(&gateway, 9, None);
        let exchange = gateway.request(0, from("192.0.2.1:1", &fresh));
        assert_passed(&exchange);
        let sent = exchange.upstream().unwrap();
        let header = |name: &str| {
            let values = sent
                .headers
                .iter()
                .filter(|(known, _)| known == name.as_bytes());
            let values = values.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
            values.collect::<Vec<_>>()
        };
        assert_eq!(header("x-jobgate-reason"), ["rate_limited"]);
        assert!(header("authorization").iter().all(String::is_empty));
    }
}

/// What a request asks of the host.
fn calls(gateway: &mut Gateway, request: Request) -> (u64, u64) {
    gateway.reset_host_calls();
    gateway.request(0, request);
    let calls = gateway.host_calls();
    let of = |call| calls.get(&call).copied().unwrap_or_default();
    (
        of(HostCall::GetProperty),
        of(HostCall::GetSharedData) + of(HostCall::SetSharedData),
    )
}

#[test]
fn the_host_is_asked_for_the_source_where_a_token_failed_and_never_for_shared_data() {
    for profile in BOTH {
        let zone = || Options {
            shared_data_zone: true,
            ..options()
        };
        let (with, without) = (limited(profile), policy(profile));
        let [mut counts, mut does_not] = [with, without].map(|mut policy| {
            policy["shared_data"] = json!(true);
            let mut gateway = gateway_with(profile, zone(), &policy.to_string());
            give_keys(&mut gateway, &minter().jwks());
            gateway
        });
        let mut more = |token: &str| {
            let [with, without] = [&mut counts, &mut does_not]
                .map(|gateway| calls(gateway, from("192.0.2.1:1", token)));
            assert_eq!(with.1, without.1);
            with.0 - without.0
        };
        let at = ready(profile, &policy(profile));
        let forged = |nth| token(&at, nth, Some(Tamper::Signature));
        let good = token(&at, 9, None);
        // A new one, the same from the cache, and forged ones.
        let asked = [&good, &good, &forged(0), &forged(1), &forged(2)].map(|it| more(it));
        assert_eq!(asked, [0, 0, 1, 1, 1], "{profile:?}");
        // Once somebody waits, of each that is not in the cache.
        let asked = [&good, &token(&at, 10, None), &forged(0)].map(|it| more(it));
        assert_eq!(asked, [0, 1, 1], "{profile:?}");
    }
}
