//! Configurations that are wrong: the gateway starts, the log says why, and nothing gets through.

use jobgate_harness::configurations;
use jobgate_wasm_host::{Level, Profile, RouteConfig};

use crate::common::{
    BOTH, assert_passed, assert_refused, gateway_with, give_keys, lines, minter, module, options,
    policy, send_good,
};

#[test]
fn a_wrong_configuration_refuses_every_request_and_says_why() {
    for wrong in configurations::load().expect("configurations.yaml is sound") {
        for profile in BOTH {
            let mut gateway = gateway_with(profile, options(), &wrong.document);
            assert!(
                !gateway.chains_off(),
                "{}: Kong opened its routes",
                wrong.name
            );
            give_keys(&mut gateway, &minter().jwks());
            assert_refused(&send_good(&mut gateway), "config_invalid");
            for error in &wrong.errors {
                let said = lines(&gateway, error);
                assert!(
                    said.iter().any(|(level, _)| *level == Level::Error),
                    "{}: not said: {error}",
                    wrong.name
                );
            }
        }
    }
}

#[test]
fn bytes_that_are_no_configuration_refuse_every_request() {
    for document in [
        &b""[..],
        b"\0",
        b"\xff\xfe{}",
        b"{",
        b"null",
        b"[1,2,3]",
        &[b'['; 100_000],
        &[b'"'; 3],
    ] {
        for profile in BOTH {
            let mut gateway = jobgate_wasm_host::Gateway::new(profile, module(), options());
            gateway
                .start(&[RouteConfig::new("deploy", document)])
                .expect("the gateway starts");
            assert!(!gateway.chains_off());
            assert_refused(&send_good(&mut gateway), "config_invalid");
        }
    }
}

#[test]
fn one_routes_wrong_configuration_leaves_the_others_alone() {
    for profile in BOTH {
        let mut gateway = jobgate_wasm_host::Gateway::new(profile, module(), options());
        let routes = [
            RouteConfig::new("wrong", r#"{"rulez":[]}"#),
            RouteConfig::new("right", policy(profile).to_string()),
        ];
        gateway.start(&routes).expect("the gateway starts");
        give_keys(&mut gateway, &minter().jwks());
        let token = crate::common::good_token(&gateway);
        assert_refused(
            &gateway.request(0, crate::common::with_token(&token)),
            "config_invalid",
        );
        assert_passed(&gateway.request(1, crate::common::with_token(&token)));
    }
}

#[test]
fn a_reload_with_a_wrong_configuration_closes_and_with_a_right_one_opens_again() {
    for profile in [Profile::Envoy, Profile::Kong] {
        let mut gateway = gateway_with(profile, options(), &policy(profile).to_string());
        give_keys(&mut gateway, &minter().jwks());
        assert_passed(&send_good(&mut gateway));
        gateway
            .reconfigure(&[RouteConfig::new("deploy", "{}")])
            .expect("the gateway takes it");
        assert_refused(&send_good(&mut gateway), "config_invalid");
        let right = RouteConfig::new("deploy", policy(profile).to_string());
        gateway.reconfigure(&[right]).expect("the gateway takes it");
        // With the keys that were fetched before: a reload leaves no gap.
        assert_passed(&send_good(&mut gateway));
    }
}

#[test]
fn what_is_probably_wrong_with_a_policy_is_logged_once_and_changes_nothing() {
    for profile in BOTH {
        let mut document = policy(profile);
        let rules = document["rules"].as_array_mut().expect("there are rules");
        rules.push(serde_json::json!({
            "id": "narrow", "claims": { "organization_slug": "acme" }, "paths": ["/deploy"],
        }));
        let document = document.to_string();
        let mut gateway = jobgate_wasm_host::Gateway::new(profile, module(), options());
        let routes = ["one", "other"].map(|route| RouteConfig::new(route, document.clone()));
        gateway.start(&routes).expect("the gateway starts");
        assert!(!gateway.chains_off());
        let warned =
            "rules[1]: whatever it lets through, the rule \"any-job\" (rules[0]) lets through too";
        let noted = "rules[0]: every job of the pinned tenants";
        for (said, expected) in [(warned, Level::Warn), (noted, Level::Info)] {
            let levels: Vec<_> = lines(&gateway, said)
                .into_iter()
                .map(|(level, _)| level)
                .collect();
            assert_eq!(levels, [expected], "{said}: {:?}", gateway.logs());
        }
        give_keys(&mut gateway, &minter().jwks());
        assert_passed(&send_good(&mut gateway));
    }
}
