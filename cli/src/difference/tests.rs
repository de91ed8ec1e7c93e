//! What a change does is found by requests that both policies decide on.

use super::settings::Effect::{
    self, Narrows, NotCompared, Nothing, NothingFound, Widens, WidensAndNarrows, WithOthers,
};
use super::{Report, Side, compare};
use jobgate::policy::Policy;
use serde_json::{Value, json};

fn compiled(document: &Value) -> Option<Policy> {
    Policy::from_json(document.to_string().as_bytes()).ok()
}

fn report(old: &Value, new: &Value) -> Report {
    let (old_policy, new_policy) = (compiled(old).unwrap(), compiled(new).unwrap());
    let side = |written, policy| Side { written, policy };
    compare(&side(old, &old_policy), &side(new, &new_policy), compiled)
}

fn old() -> Value {
    json!({
        "issuers": [{ "preset": "buildkite", "audience": "a", "claims": { "organization_slug": "acme" } }],
        "roles": {
            "web": { "claims": { "pipeline_slug": { "matches": "web-*" } } },
            "any": [{ "roles": ["web"] }, { "claims": { "pipeline_slug": "app" } }],
        },
        "rules": [
            { "id": "read", "methods": ["GET"], "paths": ["/r/**"] },
            { "id": "deploy", "roles": ["any"], "methods": ["POST"], "paths": ["/d/*"],
              "claims": { "build_branch": { "in": ["main", "next"] } } },
            { "id": "site", "hosts": ["*.acme.example"], "routes": ["site"], "claims": { "/env/name": "prod" },
              "client_certificate": { "subject": "CN=ci-*" } },
            { "id": "freeze", "effect": "deny", "paths": ["/d/**"],
              "schedule": { "days": ["fri"], "from": "16:00", "timezone": "Europe/Berlin" } },
            { "id": "no-bots", "effect": "deny", "claims": { "build_creator": { "matches": "*-bot" } } },
        ],
    })
}

#[test]
fn a_change_is_found_in_the_last_of_very_many_rules() {
    let policy = |last: &str| {
        let rule = |nth: usize| {
            let pipeline = if nth == 999 {
                last.to_owned()
            } else {
                format!("p{nth}")
            };
            json!({ "id": format!("r{nth}"), "paths": [format!("/d/{nth}/**")],
                    "claims": { "pipeline_slug": pipeline } })
        };
        json!({
            "issuers": [{ "preset": "buildkite", "audience": "a", "claims": { "organization_slug": "acme" } }],
            "rules": (0..1000).map(rule).collect::<Vec<_>>(),
        })
    };
    let report = report(&policy("a"), &policy("b"));
    assert_eq!(report.changes[0].effect, WidensAndNarrows);
    assert_eq!(report.verdict(), (true, true));
}

#[test]
fn what_a_change_does_is_found() {
    let rules = ["/rules/0", "/rules/1", "/rules/2", "/rules/3", "/rules/4"];
    let [read, deploy, site, freeze, bots] =
        rules.map(|rule| move |rest: &str| format!("{rule}{rest}"));
    let add = || "/rules/-".to_owned();
    let cases: Vec<(String, Value, Effect)> = vec![
        (read("/methods"), json!(["GET", "HEAD"]), Widens),
        (read("/methods"), json!(["HEAD"]), WidensAndNarrows),
        (read("/paths"), json!(["/r/*"]), Narrows),
        (read("/paths"), json!(["/r/**", "/r/x/y"]), NothingFound),
        (read("/shadow"), json!(true), Narrows),
        (read("/replay"), json!("once"), Narrows),
        (
            read("/claims"),
            json!({ "build_branch": { "not_equals": "x" } }),
            Narrows,
        ),
        (
            deploy("/claims/build_branch/in"),
            json!(["next", "main"]),
            NothingFound,
        ),
        (deploy("/claims/build_branch/in"), json!(["main"]), Narrows),
        (
            deploy("/claims/build_branch/in"),
            json!(["main", "next", "x"]),
            Widens,
        ),
        (
            deploy("/claims/build_branch"),
            json!({ "matches": "ma*" }),
            WidensAndNarrows,
        ),
        (deploy("/roles"), json!(["web"]), Narrows),
        (
            deploy("/schedule"),
            json!({ "dates": { "from": "2030-03-01" }, "timezone": "UTC" }),
            Narrows,
        ),
        (
            site("/hosts"),
            json!(["*.acme.example", "acme.example"]),
            Widens,
        ),
        (site("/routes"), json!(["site", "admin"]), Widens),
        (
            site("/claims"),
            json!({ "/env/name": { "in": ["prod", "test"] } }),
            Widens,
        ),
        (
            site("/client_certificate"),
            json!({ "subject": "CN=ci-a*" }),
            Narrows,
        ),
        (freeze("/schedule/from"), json!("12:00"), Narrows),
        (freeze("/schedule/days"), json!(["mon"]), WidensAndNarrows),
        (freeze("/effect"), json!("allow"), Widens),
        (
            bots("/claims/build_creator"),
            json!({ "matches": ["*-bot", "robot"] }),
            Narrows,
        ),
        (bots("/shadow"), json!(true), Widens),
        (
            deploy("/when"),
            json!("claims.build_source != 'ui'"),
            Narrows,
        ),
        (
            bots("/when"),
            json!("claims.build_source == \"api\""),
            Widens,
        ),
        (
            "/roles/web/claims/pipeline_slug".into(),
            json!({ "matches": "web-a*" }),
            Narrows,
        ),
        (
            "/roles/any/1/claims/pipeline_slug".into(),
            json!({ "in": ["app", "api"] }),
            Widens,
        ),
        (
            "/issuers/0/claims/organization_slug".into(),
            json!({ "in": ["acme", "b"] }),
            Widens,
        ),
        ("/issuers/0/audience".into(), json!(["a", "b"]), Widens),
        ("/issuers/0/max_lifetime".into(), json!("1h"), Narrows),
        (
            "/issuers/0/jwks".into(),
            json!({ "cluster": "c" }),
            NotCompared,
        ),
        ("/mode".into(), json!("shadow"), Widens),
        ("/cache".into(), json!({ "entries": 5 }), Nothing),
        (
            "/revocations".into(),
            json!({ "entries": [{ "kid": "k" }] }),
            NotCompared,
        ),
        (
            add(),
            json!({ "id": "new", "methods": ["PUT"], "paths": ["/x"] }),
            Widens,
        ),
        (
            add(),
            json!({ "id": "new", "effect": "deny", "paths": ["/**/secret"] }),
            Narrows,
        ),
        (
            add(),
            json!({ "id": "new", "effect": "deny", "paths": ["/x"], "hosts": ["nowhere.example"] }),
            NothingFound,
        ),
        (
            add(),
            json!({ "id": "new", "methods": ["GET"], "paths": ["/r/a"] }),
            NothingFound,
        ),
    ];
    for (pointer, value, expected) in cases {
        let mut new = old();
        let (parent, last) = pointer.rsplit_once('/').unwrap();
        match new.pointer_mut(parent).unwrap() {
            Value::Array(items) if last == "-" => items.push(value.clone()),
            Value::Array(items) => items[last.parse::<usize>().unwrap()] = value.clone(),
            object => object[last] = value.clone(),
        }
        let found = report(&old(), &new);
        let effects: Vec<_> = found.changes.iter().map(|change| change.effect).collect();
        let place = format!("{pointer} {value}");
        match expected {
            // What means the same is no change.
            NothingFound if effects.is_empty() => {}
            expected => assert_eq!(effects, [expected], "{place}"),
        }
        // What requests show is shown with one, and the other way round.
        let by_request = !matches!(
            last,
            "replay" | "audience" | "max_lifetime" | "jwks" | "mode" | "cache" | "revocations"
        );
        if by_request {
            let now = |which: &str| {
                found
                    .differences
                    .iter()
                    .any(|each| format!("{:?}", each.now) == which)
            };
            let shown = Effect::of(now("Allowed"), now("Refused"));
            assert_eq!(shown, expected, "{place}");
        }
        let (widens, differs) = found.verdict();
        assert_eq!(widens, expected.widens(), "{place}");
        assert_eq!(
            differs,
            !matches!(expected, NothingFound | Nothing),
            "{place}"
        );
        // The way back does the opposite.
        let back = report(&new, &old());
        assert_eq!(back.verdict().0, expected.narrows(), "{place}");
    }
}

#[test]
fn what_goes_together_is_not_judged_alone() {
    let mut new = old();
    new["roles"]["web"] = json!({ "claims": { "pipeline_slug": "web-a" } });
    new["roles"].as_object_mut().unwrap().remove("any");
    new["rules"][1]["roles"] = json!(["web"]);
    let found = report(&old(), &new);
    let effects: Vec<_> = found
        .changes
        .iter()
        .map(|change| (change.path.as_str(), change.effect))
        .collect();
    assert_eq!(
        effects,
        [
            ("roles.any", WithOthers),
            ("roles.web", Narrows),
            ("rules.deploy", Narrows)
        ]
    );
    assert!(!found.verdict().0 && found.verdict().1);
}

#[test]
fn how_a_policy_is_written_is_no_change() {
    let mut new = old();
    new["rules"].as_array_mut().unwrap().reverse();
    new["rules"][4]["effect"] = "allow".into();
    new["rules"][3]["claims"]["build_branch"]["in"] = json!(["next", "main"]);
    new["roles"]["web"] = json!([{ "claims": { "pipeline_slug": { "matches": ["web-*"] } } }]);
    new["issuers"][0]["claims"]["organization_slug"] = json!({ "equals": "acme" });
    let found = report(&old(), &new);
    assert!(
        found.changes.is_empty() && found.differences.is_empty(),
        "{found:?}"
    );
    assert_eq!(found.verdict(), (false, false));
}

/// A policy as large as they get does not take forever, and says that more could be tried.
#[test]
fn large_policies_are_compared_within_bounds() {
    let mut large = old();
    let rules = large["rules"].as_array_mut().unwrap();
    rules.extend((0..500).map(|nth| {
        json!({ "id": format!("r{nth}"), "paths": [format!("/p{nth}/**")], "claims": { "step_key": format!("s{nth}") } })
    }));
    let mut new = large.clone();
    new["issuers"][0]["claims"]["organization_slug"] = "b".into();
    let found = report(&large, &new);
    assert!(found.more_to_try && found.requests_tried == super::requests::MOST);
    assert!(found.verdict().0);
}
