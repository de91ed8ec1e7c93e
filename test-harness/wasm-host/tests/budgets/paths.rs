//! Every way that a request can take through the filter, and what it costs.

use std::collections::BTreeMap;

use jobgate_harness::keys::Algorithm;
use jobgate_harness::mint::{Tamper, TokenSpec};
use jobgate_wasm_host::{Cost, Gateway, Profile, Request};
use serde_json::json;

use crate::world::{
    give_keys, minter, outcome, policy, policy_of_route, ready, request, started, token,
};

/// How many requests are looked at; the one in the middle counts.
const SAMPLES: u64 = 9;

/// Costs by what was done.
pub(crate) type Sheet = BTreeMap<&'static str, Cost>;

/// The job whose requests are sent: of the rules in the middle.
const JOB: usize = 7;

/// What it costs to send the `nth` of these requests: the median, after some that are not looked at. Each must come to
/// `expected`, with the same calls to the host.
pub(crate) fn cost(
    gateway: &mut Gateway,
    route: usize,
    expected: &str,
    mut request: impl FnMut(u64) -> Request,
) -> Cost {
    let mut costs: Vec<Cost> = Vec::new();
    for nth in 0..2 * SAMPLES {
        let request = request(nth);
        let (exchange, cost) = gateway.cost_of(|gateway| gateway.request(route, request));
        assert_eq!(outcome(&exchange), expected);
        if nth >= SAMPLES {
            assert!(
                costs.iter().all(|other| other.calls == cost.calls),
                "{:?}: {:?}",
                cost.calls,
                costs
            );
            costs.push(cost);
        }
    }
    costs.sort_by_key(|cost| cost.fuel);
    costs.swap_remove(costs.len() / 2)
}

/// What everything costs on this gateway.
pub(crate) fn measure(profile: Profile) -> Sheet {
    let mut sheet = Sheet::new();
    let good = token(JOB, 0, |_| ());
    let with = |token: &str| request(JOB, Some(token));

    let mut small = ready(profile, &[policy(profile, 10)]);
    let plain = with(&good);
    sheet.insert("warm", cost(&mut small, 0, "allow", |_| plain.clone()));
    let mut unrecorded = policy(profile, 10);
    unrecorded["audit"] = json!({ "allowed": { "sample": 0 } });
    let mut unrecorded = ready(profile, &[unrecorded]);
    sheet.insert(
        "warm, not recorded",
        cost(&mut unrecorded, 0, "allow", |_| plain.clone()),
    );
    let long = plain
        .clone()
        .body(vec![b'x'; 1000])
        .trailer("checksum", "abc");
    sheet.insert(
        "warm, body and trailers",
        cost(&mut small, 0, "allow", |_| long.clone()),
    );
    for (name, algorithm) in [
        ("cold RS256", Algorithm::Rs256),
        ("cold ES256", Algorithm::Es256),
        ("cold EdDSA", Algorithm::EdDsa),
    ] {
        let fresh = |nth| {
            with(&token(JOB, 1_000 + nth, |spec| {
                spec.algorithm = Some(algorithm)
            }))
        };
        sheet.insert(name, cost(&mut small, 0, "allow", fresh));
    }

    let mut refused = |name, code, request: &mut dyn FnMut(u64) -> Request| {
        sheet.insert(name, cost(&mut small, 0, code, request));
    };
    refused("no token", "token_missing", &mut |_| request(JOB, None));
    let garbage = "x".repeat(900);
    refused("malformed token", "token_malformed", &mut |_| {
        with(&garbage)
    });
    let bad = |nth, change: fn(&mut TokenSpec)| with(&token(JOB, nth, change));
    refused("expired token", "token_expired", &mut |nth| {
        bad(nth, |spec| spec.age = 3_000)
    });
    refused("unknown key", "keys_unavailable", &mut |nth| {
        bad(nth, |spec| {
            spec.header.insert("kid".into(), json!("made-up"));
        })
    });
    let forge: fn(&mut TokenSpec) = |spec| spec.tamper = Some(Tamper::Signature);
    refused("bad signature", "signature_invalid", &mut |nth| {
        bad(nth, forge)
    });
    let forged = bad(0, forge);
    refused("bad signature again", "signature_invalid", &mut |_| {
        forged.clone()
    });
    let stranger = token(JOB, 0, |spec| {
        spec.claims
            .insert("build_branch".into(), json!("feature/other"));
    });
    let stranger = with(&stranger);
    refused("no rule matches", "no_rule_matched", &mut |_| {
        stranger.clone()
    });

    let mut shadow = policy(profile, 10);
    shadow["mode"] = json!("shadow");
    let mut shadow = ready(profile, &[shadow]);
    sheet.insert(
        "shadow, no rule matches",
        cost(&mut shadow, 0, "shadow-deny", |_| stranger.clone()),
    );
    sheet.insert(
        "shadow, no token",
        cost(&mut shadow, 0, "shadow-deny", |_| request(JOB, None)),
    );

    let (mut large, configuring) = started(profile, &[policy(profile, 10_000)]);
    sheet.insert("configure 10,000 rules", configuring);
    give_keys(&mut large, &minter().jwks());
    sheet.insert(
        "warm, 10,000 rules",
        cost(&mut large, 0, "allow", |_| plain.clone()),
    );
    sheet.insert(
        "no rule matches, 10,000 rules",
        cost(&mut large, 0, "no_rule_matched", |_| stranger.clone()),
    );

    let policies: Vec<_> = (0..200).map(|nth| policy_of_route(profile, nth)).collect();
    let mut many = ready(profile, &policies);
    for route in 0..policies.len() {
        many.request(route, plain.clone());
    }
    sheet.insert(
        "warm, 200 routes",
        cost(&mut many, 150, "allow", |_| plain.clone()),
    );
    for (name, gateway) in [
        ("a second's ticks", &mut shadow),
        ("a second's ticks, 200 routes", &mut many),
    ] {
        let ((), ticks) =
            gateway.cost_of(|gateway| gateway.advance(std::time::Duration::from_secs(1)));
        sheet.insert(name, ticks);
    }
    sheet
}
