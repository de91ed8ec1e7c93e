//! How many rules and roles are looked at, of very many.

use super::super::probe::Seen;
use super::super::{Find, MAX_LOOKED_AT};
use super::{Asked, compile};
use crate::policy::condition::Subject;
use crate::policy::{ClientCertificate, Effect, Policy};
use crate::request::NormalPath;
use crate::token::Claims;
use serde_json::{Value, json};

/// So many rules or roles there are.
const MANY: usize = 10_000;

/// So many are looked at, at most.
const LITTLE: usize = 8;

fn asked() -> Asked {
    Asked {
        issuer: 0,
        claims: Claims::new(serde_json::Map::new()),
        method: "POST",
        path: NormalPath::parse(b"/deploy").unwrap(),
        host: Some("a.example"),
        route: Some("route"),
        service: None,
        certificate: ClientCertificate::default(),
    }
}

fn with_claims(claims: &Value) -> Asked {
    Asked {
        claims: Claims::new(claims.as_object().unwrap().clone()),
        ..asked()
    }
}

fn on_path(path: &str) -> Asked {
    Asked {
        path: NormalPath::parse(path.as_bytes()).unwrap(),
        ..asked()
    }
}

/// How many rules are candidates, how many are looked at to explain, and how many claim sets of roles are.
fn looked_at(policy: &Policy, asked: &Asked) -> [usize; 3] {
    let mut sets = 0;
    let roles = policy
        .index
        .roles
        .search(&policy.roles, &asked.claims, &mut sets);
    let subject = Subject {
        policy,
        issuer: asked.issuer,
        claims: &asked.claims,
        roles: &roles,
        facts: &asked.facts(),
    };
    let found = &policy.index;
    [
        found.candidates(&subject).len(),
        found.about(&subject).count(),
        sets,
    ]
}

/// Policies of many rules, and for each a request that one of them allows and one that none does.
fn cases() -> Vec<(&'static str, Policy, Asked, Asked)> {
    let rules = |rule: &dyn Fn(usize) -> Value| (0..MANY).map(rule).collect::<Vec<_>>();
    let simple = |rule: &dyn Fn(usize) -> Value| compile(rules(rule), &json!({}));
    let host = |host| Asked {
        host: Some(host),
        ..asked()
    };
    let route = |route| Asked {
        route: Some(route),
        ..asked()
    };
    vec![
        (
            "paths",
            simple(&|nth| json!({ "paths": [format!("/app-{nth}/**"), format!("/{nth}")] })),
            on_path("/app-17/x"),
            on_path("/app-x/17"),
        ),
        (
            "paths behind a star",
            simple(&|nth| json!({ "paths": [format!("/v*/apps/{nth}/**")] })),
            on_path("/v1/apps/17/x"),
            on_path("/v1/apps/x/17"),
        ),
        (
            "methods and paths",
            simple(&|nth| {
                let method = ["GET", "POST", "PUT", "PATCH"][nth % 4];
                json!({ "methods": [method], "paths": [format!("/app-{}", nth / 4)] })
            }),
            on_path("/app-17"),
            on_path("/app-17/"),
        ),
        (
            "a claim",
            simple(&|nth| json!({ "claims": { "team": "t", "pipeline": format!("p{nth}") } })),
            with_claims(&json!({ "team": "t", "pipeline": "p17" })),
            with_claims(&json!({ "team": "t", "pipeline": "x" })),
        ),
        (
            "two claims together",
            simple(&|nth| {
                let claims = [("pipeline", nth / 100), ("branch", nth % 100)];
                json!({ "claims": claims.map(|(name, nth)| (name, nth.to_string())).into_iter().collect::<std::collections::BTreeMap<_, _>>() })
            }),
            with_claims(&json!({ "pipeline": "17", "branch": "42" })),
            with_claims(&json!({ "pipeline": "17", "branch": "x" })),
        ),
        (
            "a list in a claim",
            simple(
                &|nth| json!({ "claims": { "/of/groups": { "in": [format!("g{nth}"), format!("h{nth}")] } } }),
            ),
            with_claims(&json!({ "of": { "groups": ["g1", "h2", "x"] } })),
            with_claims(&json!({ "of": { "groups": ["x"] } })),
        ),
        (
            "globs of a claim",
            simple(&|nth| json!({ "claims": { "pipeline": { "matches": format!("p{nth}-*") } } })),
            with_claims(&json!({ "pipeline": "p17-x" })),
            with_claims(&json!({ "pipeline": "x" })),
        ),
        (
            "the names of claims",
            simple(&|nth| json!({ "claims": { (format!("team-{nth}")): true } })),
            with_claims(&json!({ "team-17": true, "x": true })),
            with_claims(&json!({ "team-17": false, "x": true })),
        ),
        (
            "hosts",
            simple(&|nth| json!({ "hosts": [format!("h{nth}.example")] })),
            host("h17.example"),
            host("x.example"),
        ),
        (
            "routes",
            simple(&|nth| json!({ "routes": [format!("route-{nth}")] })),
            route("route-17"),
            route("x"),
        ),
        (
            "roles",
            compile(
                rules(&|nth| json!({ "roles": [format!("r{nth}")] })),
                &(0..MANY)
                    .map(|nth| {
                        (
                            format!("r{nth}"),
                            json!({ "claims": { "pipeline": format!("p{nth}") } }),
                        )
                    })
                    .collect(),
            ),
            with_claims(&json!({ "pipeline": "p17" })),
            with_claims(&json!({ "pipeline": "x" })),
        ),
        (
            "roles that include others",
            compile(
                rules(&|nth| json!({ "roles": [format!("b{nth}")], "paths": ["/deploy"] })),
                &(0..MANY)
                    .flat_map(|nth| {
                        let above =
                            json!({ "roles": [format!("a{nth}")], "claims": { "team": "t" } });
                        let base =
                            json!({ "claims": { "team": "t", "pipeline": format!("p{nth}") } });
                        [(format!("a{nth}"), base), (format!("b{nth}"), above)]
                    })
                    .collect(),
            ),
            with_claims(&json!({ "team": "t", "pipeline": "p17" })),
            with_claims(&json!({ "team": "t", "pipeline": "x" })),
        ),
        (
            "deny rules",
            simple(&|nth| match nth {
                0 => json!({ "claims": { "pipeline": "p17" } }),
                _ => {
                    json!({ "effect": "deny", "methods": ["POST"], "claims": { "pipeline": format!("d{nth}") } })
                }
            }),
            with_claims(&json!({ "pipeline": "p17" })),
            with_claims(&json!({ "pipeline": "d17" })),
        ),
        (
            "half by path, half by claim",
            simple(&|nth| match nth % 2 {
                0 => json!({ "paths": [format!("/app-{nth}")] }),
                _ => json!({ "claims": { "pipeline": format!("p{nth}") } }),
            }),
            on_path("/app-16"),
            with_claims(&json!({ "pipeline": "p16" })),
        ),
    ]
}

#[test]
fn of_ten_thousand_rules_a_few_are_looked_at() {
    for (name, policy, allowed, refused) in cases() {
        for (asked, is_allowed) in [(allowed, true), (refused, false)] {
            let [candidates, about, sets] = looked_at(&policy, &asked);
            assert!(candidates <= LITTLE, "{name}: {candidates} candidates");
            assert!(
                about <= MAX_LOOKED_AT,
                "{name}: {about} rules to explain with"
            );
            assert!(sets <= LITTLE, "{name}: {sets} claim sets of roles");
            let subject = asked.facts();
            let verdict = policy.weigh(asked.issuer, &asked.claims, &subject);
            let allows = matches!(verdict, crate::policy::Verdict::Allow { .. });
            assert_eq!(allows, is_allowed, "{name}: {verdict:?}");
        }
    }
}

/// Else a job that may write lists into its token would choose how long a decision takes.
#[test]
fn what_a_token_says_a_hundred_times_is_followed_once() {
    let rule = |nth: usize, effect: &str| {
        json!({ "effect": effect, "claims": {
            "a": { "matches": format!("a{}-*", nth / 8) },
            "b": { "in": [format!("b{nth}"), "b"] },
        } })
    };
    let effects = [Effect::Allow, Effect::Deny];
    let policy = ["allow", "deny"].map(|effect| (0..64).map(move |nth| rule(nth, effect)));
    let policy = compile(policy.into_iter().flatten().collect(), &json!({}));
    let often = |text: &str, odd: Value| {
        let texts = (0..100).map(|nth| json!(format!("{text}{}", nth % 10)));
        texts.chain([odd]).collect::<Value>()
    };
    for odd in [json!("x"), json!({})] {
        let claims = json!({ "a": often("a3-", odd.clone()), "b": often("b2", odd.clone()) });
        let asked = with_claims(&claims);
        for (effect, tree) in effects
            .into_iter()
            .zip([&policy.index.allows, &policy.index.denies])
        {
            let subject = Subject {
                policy: &policy,
                issuer: asked.issuer,
                claims: &asked.claims,
                roles: &[],
                facts: &asked.facts(),
            };
            let mut lists = Vec::new();
            let seen = Seen {
                effect,
                subject: &subject,
            };
            tree.find(&seen, &mut |found| lists.push(found.as_ptr()));
            let all = lists.len();
            lists.sort_unstable();
            lists.dedup();
            assert_eq!(lists.len(), all, "{effect:?}, with {odd}");
        }
    }
}
