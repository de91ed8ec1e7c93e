//! How much of what is allowed goes on record, and at which level.

use jobgate_wasm_host::Level;
use serde_json::{Value, json};

use crate::common::{
    BOTH, assert_passed, assert_refused, good_token, lines, policy, ready, send_good, with_token,
};

const RECORD: &str = "\"event\":\"jobgate.decision\"";

#[test]
fn allowed_requests_are_recorded_as_the_policy_says_and_refused_ones_always() {
    for profile in BOTH {
        for (allowed, level, recorded) in [
            (json!({}), Level::Info, 200..=200),
            (json!({ "level": "debug" }), Level::Debug, 200..=200),
            // Evenly, so that of a few hundred about the share is there.
            (json!({ "sample": 0.25 }), Level::Info, 45..=55),
            (json!({ "sample": 0 }), Level::Info, 0..=0),
        ] {
            let mut policy: Value = policy(profile);
            policy["audit"] = json!({ "allowed": allowed });
            let mut gateway = ready(profile, &policy);
            let token = good_token(&gateway);
            for _ in 0..200 {
                assert_passed(&gateway.request(0, with_token(&token)));
            }
            let records = lines(&gateway, RECORD);
            assert!(records.iter().all(|(of, _)| *of == level), "{allowed}");
            assert!(
                recorded.contains(&records.len()),
                "{allowed}: {}",
                records.len()
            );
            for _ in 0..5 {
                assert_refused(&gateway.request(0, with_token("forged")), "token_malformed");
            }
            let refused = lines(&gateway, "\"decision\":\"deny\"");
            assert_eq!(refused.len(), 5, "{allowed}");
            assert!(refused.iter().all(|(of, _)| *of == Level::Warn));
        }
    }
}

#[test]
fn what_a_rule_on_trial_would_refuse_is_recorded_whatever_the_share() {
    for profile in BOTH {
        let mut policy: Value = policy(profile);
        policy["audit"] = json!({ "allowed": { "sample": 0 } });
        let rules = policy["rules"].as_array_mut().unwrap();
        rules.push(json!({ "id": "trial", "effect": "deny", "shadow": true, "paths": ["/**"] }));
        let mut gateway = ready(profile, &policy);
        assert_passed(&send_good(&mut gateway));
        assert_eq!(lines(&gateway, "\"trial\":").len(), 1);
    }
}
