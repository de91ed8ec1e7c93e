//! The index against a look at every rule and role, and how little it looks at.

mod work;

use super::Find;
use crate::policy::condition::Subject;
use crate::policy::{ClientCertificate, Effect, Facts, Policy};
use crate::request::NormalPath;
use crate::time::UnixTime;
use crate::token::Claims;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

/// Looks at every rule and every role.
struct Each;

impl Find for Each {
    fn roles(&self, policy: &Policy, claims: &Claims) -> Vec<usize> {
        let mut held: Vec<usize> = Vec::new();
        for &place in &policy.role_order {
            let is_held = policy.roles[place].any_of.iter().any(|set| {
                let includes = set.roles.is_empty() || set.roles.iter().any(|r| held.contains(r));
                includes && set.claims.first_failing(claims).is_none()
            });
            if is_held {
                held.push(place);
            }
        }
        held.sort_unstable();
        held
    }

    fn candidates(&self, subject: &Subject<'_>) -> Vec<usize> {
        (0..subject.policy.rules.len()).collect()
    }

    fn about(&self, subject: &Subject<'_>) -> impl Iterator<Item = usize> {
        let rules = &subject.policy.rules;
        let is_meant =
            |place: &usize| rules[*place].effect == Effect::Allow && !rules[*place].shadow;
        (0..rules.len())
            .filter(is_meant)
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// Dots, pointers, and a whole name that is written as a pointer.
const CLAIMS: [&str; 4] = ["a", "b.c", "/a/0", "/~1d"];

fn text() -> impl Strategy<Value = Value> {
    select(vec![
        json!("x"),
        json!("xy"),
        json!("42"),
        json!(42),
        json!(true),
        json!(""),
    ])
}

fn claim_test() -> impl Strategy<Value = Value> {
    let globs = || select(vec!["x*", "*y", "x?", "*", "xy", "?2", "4*", "x*y*"]);
    prop_oneof![
        3 => text(),
        1 => vec(text(), 1..4).prop_map(|texts| json!({ "in": texts })),
        1 => vec(globs(), 1..3).prop_map(|globs| json!({ "matches": globs })),
        1 => text().prop_map(|text| json!({ "not_equals": text })),
        1 => (text(), text()).prop_map(|(a, b)| json!({ "equals": a, "not_in": [b], "matches": "*" })),
    ]
}

fn claim_set(least: usize) -> impl Strategy<Value = Value> {
    btree_map(select(&CLAIMS[..]), claim_test(), least..3).prop_map(|set| json!(set))
}

fn some_of(of: &'static [&'static str]) -> impl Strategy<Value = Option<Value>> {
    option::weighted(
        0.6,
        subsequence(of, 1..=of.len().min(3)).prop_map(|some| json!(some)),
    )
}

const ROLES: [&str; 6] = ["f", "b", "d", "a", "e", "c"];

/// Each role may include those before it in [`ROLES`], which is not the order of their names.
fn roles() -> impl Strategy<Value = Value> {
    let set = |before: &'static [&'static str]| {
        let includes = subsequence(before, 0..=before.len().min(2));
        (claim_set(0), includes).prop_map(|(mut claims, includes)| {
            if includes.is_empty() && claims == json!({}) {
                claims = json!({ "a": "x" });
            }
            let mut set = json!({ "claims": claims });
            if !includes.is_empty() {
                set["roles"] = json!(includes);
            }
            set
        })
    };
    let role = move |nth: usize| vec(set(&ROLES[..nth]), 1..4);
    (role(0), role(1), role(2), role(3), role(4), role(5))
        .prop_map(|(f, b, d, a, e, c)| json!({ "f": f, "b": b, "d": d, "a": a, "e": e, "c": c }))
}

fn rule() -> impl Strategy<Value = Value> {
    let paths = &[
        "/a",
        "/a/*",
        "/a/**",
        "/**",
        "/b:c",
        "/b%3Ac",
        "/*/x",
        "/a/*/y",
        "/*/b%3Ac/**",
        "/a*",
        "/x",
        "/*/*/y",
        "/a%2A*",
        "/*Ac",
    ];
    let certificate = select(vec![json!({}), json!({ "subject": "CN=ci*" })]);
    (
        (
            select(&["allow", "allow", "deny"][..]),
            prop::bool::weighted(0.2),
            select(&["allow", "once"][..]),
        ),
        some_of(&["https://one.example", "https://two.example"]),
        some_of(&["GET", "POST", "PUT"]),
        some_of(paths),
        some_of(&["a.example", "*.example", "*.a.example", "b.example"]),
        some_of(&["r1", "r2", "r3"]),
        some_of(&ROLES),
        claim_set(0),
        option::weighted(0.2, certificate),
    )
        .prop_map(
            |(
                (effect, shadow, replay),
                issuer,
                methods,
                paths,
                hosts,
                routes,
                roles,
                claims,
                certificate,
            )| {
                let mut rule = Map::new();
                rule.insert("effect".into(), json!(effect));
                rule.insert("shadow".into(), json!(shadow));
                rule.insert("claims".into(), claims);
                if effect == "allow" {
                    rule.insert("replay".into(), json!(replay));
                }
                for (name, value) in [
                    ("issuer", issuer),
                    ("methods", methods),
                    ("paths", paths),
                    ("hosts", hosts),
                    ("routes", routes),
                    ("roles", roles),
                    ("client_certificate", certificate),
                ] {
                    rule.extend(value.map(|value| (name.to_owned(), value)));
                }
                Value::Object(rule)
            },
        )
}

fn policy() -> impl Strategy<Value = Policy> {
    (vec(rule(), 0..60), roles()).prop_map(|(rules, roles)| compile(rules, &roles))
}

fn compile(mut rules: Vec<Value>, roles: &Value) -> Policy {
    for (nth, rule) in rules.iter_mut().enumerate() {
        rule["id"] = json!(format!("r{nth}"));
    }
    let issuer = |name: &str| json!({ "issuer": name, "audience": "a", "algorithms": ["RS256"] });
    let document = json!({
        "issuers": [issuer("https://one.example"), issuer("https://two.example")],
        "roles": roles,
        "rules": rules,
    });
    Policy::from_json(document.to_string().as_bytes()).unwrap()
}

fn claims() -> impl Strategy<Value = Claims> {
    let odd = vec![
        json!(null),
        json!({ "x": "x" }),
        json!([["x"]]),
        json!(1e17),
        json!(["x", {}]),
    ];
    let claim = prop_oneof![
        6 => text(),
        2 => vec(text(), 0..3).prop_map(Value::Array),
        1 => select(odd),
    ];
    btree_map(select(&["a", "b.c", "/d"][..]), claim, 0..4)
        .prop_map(|claims| Claims::new(json!(claims).as_object().unwrap().clone()))
}

#[derive(Debug)]
struct Asked {
    issuer: usize,
    claims: Claims,
    method: &'static str,
    path: NormalPath,
    host: Option<&'static str>,
    route: Option<&'static str>,
    service: Option<&'static str>,
    certificate: ClientCertificate,
}

impl Asked {
    fn facts(&self) -> Facts<'_> {
        Facts {
            host: self.host,
            route: self.route,
            service: self.service,
            certificate: &self.certificate,
            ..Facts::new(self.method, &self.path, UnixTime::from_secs(1_800_000_000))
        }
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let paths = vec![
        "/",
        "/a",
        "/a/",
        "/a/x",
        "/a/x/y",
        "/a/b:c/y",
        "/a/b%3Ac/y",
        "/b:c",
        "/b%3Ac",
        "/x",
        "/a*",
        "/a%2Ab",
        "/ab",
    ];
    let certificate = (
        select(vec![None, Some(false), Some(true)]),
        select(vec![None, Some("CN=ci-1"), Some("CN=x")]),
    );
    (
        0..2_usize,
        claims(),
        select(&["GET", "get", "POST", "Put"][..]),
        select(paths),
        select(vec![
            None,
            Some("a.example"),
            Some("x.a.example"),
            Some("b.example"),
        ]),
        select(vec![None, Some("r1"), Some("r2"), Some("x")]),
        select(vec![None, Some("r2"), Some("r3")]),
        certificate,
    )
        .prop_map(
            |(issuer, claims, method, path, host, route, service, (verified, subject))| Asked {
                issuer,
                claims,
                method,
                path: NormalPath::parse(path.as_bytes()).unwrap(),
                host,
                route,
                service,
                certificate: ClientCertificate {
                    verified,
                    subject: subject.map(String::from),
                    ..ClientCertificate::default()
                },
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_index_decides_as_a_look_at_every_rule_does(policy in policy(), requests in vec(asked(), 30)) {
        for asked in requests {
            let facts = asked.facts();
            prop_assert_eq!(
                policy.weigh_with(&policy.index, asked.issuer, &asked.claims, &facts),
                policy.weigh_with(&Each, asked.issuer, &asked.claims, &facts),
                "{:?}", asked
            );
        }
    }
}

/// Whatever a deny rule asks for and the request does not tell: whether the rule matches is for the rule to say.
#[test]
fn a_deny_rule_is_a_candidate_wherever_what_it_asks_for_is_not_told() {
    let equals = |nth: usize| json!({ "claims": { "a": format!("x{nth}") } });
    let globs = |nth: usize| json!({ "claims": { "a": { "matches": format!("x{nth}*") } } });
    let pointer = |nth: usize| json!({ "claims": { "/a/b": { "in": [format!("x{nth}")] } } });
    let role = |nth: usize| json!({ "roles": [format!("r{nth}")] });
    let roles: Map<_, _> = (0..20)
        .map(|nth| (format!("r{nth}"), equals(nth)))
        .collect();
    let hosts = |nth: usize| json!({ "hosts": [format!("h{nth}.example")] });
    let routes = |nth: usize| json!({ "routes": [format!("r{nth}")] });
    let count = |rule: &dyn Fn(usize) -> Value, claims: Value, host, route| {
        let rules = (0..20).map(|nth| {
            let mut rule = rule(nth);
            rule["effect"] = json!("deny");
            rule
        });
        let policy = compile(rules.collect(), &json!(roles));
        let claims = Claims::new(claims.as_object().unwrap().clone());
        let path = NormalPath::parse(b"/").unwrap();
        let subject = Subject {
            policy: &policy,
            issuer: 0,
            claims: &claims,
            roles: &policy.held_roles(&claims),
            facts: &Facts {
                host,
                route,
                ..Facts::new("GET", &path, UnixTime::from_secs(0))
            },
        };
        let mut sets = 0;
        policy.index.roles.search(&policy.roles, &claims, &mut sets);
        (policy.index.candidates(&subject).len(), sets)
    };
    for (claim, by_equals, by_globs) in [
        (json!("x7"), 1, 1),
        (json!("x"), 0, 0),
        (json!(7), 0, 20),
        (json!(["x7", "x8"]), 2, 2),
        (json!([]), 0, 0),
        (json!(null), 0, 0),
        (json!(["x7", 7]), 1, 20),
        (json!({ "b": 1 }), 20, 20),
        (json!(1e17), 20, 20),
        (json!(["x7", ["x8"]]), 20, 20),
        (json!(["x7", null]), 20, 20),
    ] {
        let (found, sets) = count(&equals, json!({ "a": claim }), None, None);
        assert_eq!((found, sets), (by_equals, by_equals), "equals on {claim}");
        let (found, _) = count(&globs, json!({ "a": claim }), None, None);
        assert_eq!(found, by_globs, "matches on {claim}");
        let (found, _) = count(&pointer, json!({ "a": { "b": claim } }), None, None);
        assert_eq!(found, by_equals, "a pointer to {claim}");
    }
    for (host, route, by_host, by_route) in [
        (Some("h7.example"), Some("r7"), 1, 1),
        (Some("x"), Some("x"), 0, 0),
        (None, None, 20, 20),
    ] {
        assert_eq!(count(&hosts, json!({}), host, route).0, by_host, "{host:?}");
        assert_eq!(
            count(&routes, json!({}), host, route).0,
            by_route,
            "{route:?}"
        );
    }
    assert_eq!(count(&role, json!({ "a": "x7" }), None, None).0, 1);
}
