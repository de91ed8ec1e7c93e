//! The decision against a model of it that reads the configuration as it is written.

mod model;

use self::model::model;
use super::{ClientCertificate, Facts, Policy, Ruling, Verdict};
use crate::request::NormalPath;
use crate::time::UnixTime;
use crate::token::{Claims, VerifiedToken};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

/// What is asked, beside the token.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    method: &'static str,
    path: &'static str,
    host: Option<&'static str>,
    route: Option<&'static str>,
    service: Option<&'static str>,
    certificate: ClientCertificate,
}

impl Asked {
    /// As rules see it; `path` is its own.
    pub(super) fn facts<'a>(&'a self, path: &'a NormalPath) -> Facts<'a> {
        Facts {
            host: self.host,
            route: self.route,
            service: self.service,
            certificate: &self.certificate,
            ..Facts::new(self.method, path, UnixTime::from_secs(1_800_000_000))
        }
    }

    pub(super) fn path(&self) -> NormalPath {
        NormalPath::parse(self.path.as_bytes()).unwrap()
    }
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    allowed: bool,
    /// The rule that decided.
    rule: Option<String>,
    /// The rules on trial that would have it otherwise.
    trial: Vec<String>,
    lacks_certificate: bool,
}

fn decide(configuration: &Value, issuer: usize, claims: &Value, asked: &Asked) -> Answer {
    let policy = Policy::from_json(configuration.to_string().as_bytes()).unwrap();
    let claims = Claims::new(claims.as_object().unwrap().clone());
    let path = asked.path();
    let facts = asked.facts(&path);
    let id = |rule: usize| policy.rules[rule].id.clone();
    let ids = |rules: &[usize]| rules.iter().map(|rule| id(*rule)).collect();
    let answer = match policy.weigh(issuer, &claims, &facts) {
        Verdict::Allow { rule, shadow, .. } => Answer {
            allowed: true,
            rule: Some(id(rule)),
            trial: ids(&shadow),
            lacks_certificate: false,
        },
        Verdict::Deny(denial) => Answer {
            allowed: false,
            rule: denial.rule.map(id),
            trial: ids(&denial.shadow),
            lacks_certificate: denial.lacks_certificate,
        },
    };
    // Whose token is proven is decided as is said of its claims.
    let token = VerifiedToken::unproven_of(issuer, claims);
    match policy.decide(&token, &facts) {
        Ruling::Allow(permit) => {
            let rule = &policy.rules[permit.rule()];
            assert_eq!(rule.replay, permit.replay());
            assert_eq!(
                (true, Some(&rule.id)),
                (answer.allowed, answer.rule.as_ref())
            );
        }
        Ruling::Deny(denial) => {
            assert_eq!(
                (false, denial.rule.map(id)),
                (answer.allowed, answer.rule.clone())
            );
        }
    }
    answer
}

fn scalar() -> impl Strategy<Value = Value> {
    select(vec![
        json!("x"),
        json!("xy"),
        json!("42"),
        json!(42),
        json!(true),
        json!("true"),
        json!(""),
    ])
}

fn claim_rule() -> impl Strategy<Value = Value> {
    let list = || proptest::collection::vec(scalar(), 1..3);
    prop_oneof![
        scalar(),
        scalar().prop_map(|value| json!({ "equals": value })),
        scalar().prop_map(|value| json!({ "not_equals": value })),
        list().prop_map(|values| json!({ "in": values })),
        list().prop_map(|values| json!({ "not_in": values })),
        select(vec!["x*", "*", "42", "xy"]).prop_map(|glob| json!({ "matches": glob })),
        (scalar(), scalar())
            .prop_map(|(a, b)| json!({ "matches": "*", "not_equals": a, "not_in": [b] })),
    ]
}

/// With names of claims, and ways into them.
const CLAIMS: [&str; 5] = ["a", "b.c", "d:e", "/a/x", "/d:e/0"];

pub(super) fn claim_set(least: usize) -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(select(&CLAIMS[..]), claim_rule(), least..3)
        .prop_map(|set| json!(set))
}

const ROLES: [&str; 5] = ["one", "two", "none", "a-over", "b-over"];

fn part(items: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<&'static str>>> {
    proptest::option::weighted(0.3, subsequence(items, 1..items.len()))
}

fn rule() -> impl Strategy<Value = Value> {
    let lists = (
        part(&["GET", "POST", "PUT"]),
        part(&["/a", "/a/*", "/a/**", "/**", "/b"]),
        part(&ROLES),
        part(&["r", "s", "t"]),
        part(&["h.example", "i.example"]),
    );
    let certificate = select(vec![
        json!({}),
        json!({ "subject": "CN=a" }),
        json!({ "subject": ["CN=b", "CN=*"], "uri_san": "u*" }),
    ]);
    (
        select(&["allow", "allow", "deny"][..]),
        lists,
        claim_set(0),
        proptest::option::of(select(vec![
            json!("https://ci.example"),
            json!("gitlab"),
            json!(["https://git.example"]),
            json!(["gitlab", "https://ci.example"]),
        ])),
        select(&["allow", "once"][..]),
        proptest::bool::weighted(0.3),
        proptest::option::weighted(0.2, certificate),
    )
        .prop_map(
            |(effect, lists, claims, issuer, replay, shadow, certificate)| {
                let (methods, paths, roles, routes, hosts) = lists;
                let mut rule = Map::new();
                rule.extend(issuer.map(|issuer| ("issuer".into(), issuer)));
                rule.extend(certificate.map(|test| ("client_certificate".into(), test)));
                if effect == "allow" {
                    rule.insert("replay".into(), json!(replay));
                }
                rule.insert("effect".into(), json!(effect));
                rule.insert("shadow".into(), json!(shadow));
                rule.insert("claims".into(), claims);
                for (name, list) in [
                    ("methods", methods),
                    ("paths", paths),
                    ("roles", roles),
                    ("routes", routes),
                    ("hosts", hosts),
                ] {
                    if let Some(list) = list {
                        rule.insert(name.into(), json!(list));
                    }
                }
                Value::Object(rule)
            },
        )
}

fn with_rules(required: Option<Value>, roles: Value, mut rules: Vec<Value>) -> Value {
    for (nth, rule) in rules.iter_mut().enumerate() {
        if rule.get("id").is_none() {
            rule["id"] = json!(format!("r{nth}"));
        }
    }
    let mut issuers = json!([
        { "issuer": "https://ci.example", "audience": "a", "algorithms": ["RS256"] },
        { "preset": "gitlab", "issuer": "https://git.example", "audience": "a", "tenant_claims": [] },
    ]);
    if let Some(required) = required {
        issuers[1]["claims"] = required;
    }
    json!({ "issuers": issuers, "roles": roles, "rules": rules })
}

/// Three roles, one that includes some of them, and one that may include that. What includes comes first by name.
fn roles() -> impl Strategy<Value = Value> {
    let including = |roles: &'static [&'static str]| {
        (subsequence(roles, 1..roles.len()), claim_set(0))
            .prop_map(|(roles, claims)| json!({ "roles": roles, "claims": claims }))
    };
    (
        proptest::collection::vec(claim_set(1).prop_map(|claims| json!({ "claims": claims })), 4),
        including(&ROLES[..3]),
        including(&["one", "two", "b-over"]),
    )
        .prop_map(|(sets, over, above)| {
            json!({
                "one": [sets[0]], "two": [sets[1], sets[2]], "none": [{ "claims": { "never": "x" } }],
                "b-over": [over], "a-over": [above, sets[3]],
            })
        })
}

pub(super) fn policy() -> impl Strategy<Value = Value> {
    (
        proptest::option::of(claim_set(1)),
        roles(),
        proptest::collection::vec(rule(), 0..5),
    )
        .prop_map(|(required, roles, rules)| with_rules(required, roles, rules))
}

pub(super) fn claims() -> impl Strategy<Value = Value> {
    let claim = prop_oneof![
        4 => scalar(),
        1 => proptest::collection::vec(scalar(), 0..3).prop_map(Value::Array),
        1 => scalar().prop_map(|inner| json!({ "x": inner })),
        1 => select(vec![
            json!(null), json!({ "x": [{}] }), json!([null]), json!([["x"]]), json!(["x", {}]), json!(1e30),
        ]),
    ];
    proptest::collection::btree_map(select(&["a", "b.c", "d:e", "/a/x"][..]), claim, 0..4)
        .prop_map(|claims| json!(claims))
}

pub(super) fn asked() -> impl Strategy<Value = Asked> {
    let name = || select(&[None, Some("r"), Some("s"), Some("u")][..]);
    let certificate = (
        select(&[None, Some(false), Some(true), Some(true)][..]),
        select(&[None, Some("CN=a"), Some("CN=b"), Some("O=a")][..]),
        select(&[None, Some("u"), Some("v")][..]),
    );
    (
        select(&["GET", "POST"][..]),
        select(&["/a", "/a/", "/a/x", "/a/x/y", "/b", "/ab", "/"][..]),
        select(
            &[
                None,
                Some("h.example"),
                Some("i.example"),
                Some("j.example"),
            ][..],
        ),
        (name(), name()),
        certificate,
    )
        .prop_map(|(method, path, host, (route, service), certificate)| {
            let (verified, subject, uri_san) = certificate;
            Asked {
                method,
                path,
                host,
                route,
                service,
                certificate: ClientCertificate {
                    verified,
                    subject: subject.map(String::from),
                    uri_san: uri_san.map(String::from),
                    dns_san: None,
                },
            }
        })
}

fn without_shadow(policy: &Value, keep: impl Fn(&Value) -> bool) -> Value {
    let mut changed = policy.clone();
    let rules = changed["rules"].as_array_mut().unwrap();
    rules.retain(keep);
    for rule in rules {
        rule["shadow"] = json!(false);
    }
    changed
}

/// Issuers, roles and a rule, in which some claims may pin a tenant.
fn shared_policy() -> impl Strategy<Value = (Value, Value, Value)> {
    let names = &["organization_slug", "namespace_path", "a"][..];
    let claims = move |least| {
        proptest::collection::btree_map(select(names), claim_rule(), least..3)
            .prop_map(|set| json!(set))
    };
    let issuer = |preset: &'static str| {
        proptest::option::of(claims(1)).prop_map(move |required| {
            let mut issuer = json!({ "preset": preset, "audience": "a" });
            if let Some(required) = required {
                issuer["claims"] = required;
            }
            issuer
        })
    };
    let role = claims(1).prop_map(|claims| json!({ "claims": claims }));
    // A role that includes it, with claims of its own or without.
    let over = (claims(0), proptest::option::of(claims(1))).prop_map(|(claims, another)| {
        let mut sets = vec![json!({ "roles": ["one"], "claims": claims })];
        sets.extend(another.map(|claims| json!({ "claims": claims })));
        json!(sets)
    });
    let rule = (
        proptest::option::of(select(&["buildkite", "gitlab"][..])),
        proptest::option::of(select(vec![
            json!(["one"]),
            json!(["over"]),
            json!(["one", "over"]),
        ])),
        claims(0),
    )
        .prop_map(|(issuer, roles, claims)| {
            let mut rule = json!({ "id": "a", "claims": claims });
            for (name, part) in [("issuer", issuer.map(Value::from)), ("roles", roles)] {
                if let Some(part) = part {
                    rule[name] = part;
                }
            }
            rule
        });
    (
        (issuer("buildkite"), issuer("gitlab")),
        (proptest::collection::vec(role, 1..3), over),
        rule,
    )
        .prop_map(|((one, other), (roles, over), rule)| {
            (
                json!([one, other]),
                json!({ "one": roles, "over": over }),
                json!([rule]),
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_decision_is_the_models(policy in policy(), issuer in 0..2_usize, claims in claims(), asked in asked()) {
        prop_assert_eq!(
            decide(&policy, issuer, &claims, &asked),
            model(&policy, issuer, &claims, &asked)
        );
    }

    #[test]
    fn the_order_of_rules_never_matters(policy in policy(), issuer in 0..2_usize, claims in claims(), asked in asked()) {
        let mut turned = policy.clone();
        turned["rules"].as_array_mut().unwrap().reverse();
        prop_assert_eq!(
            decide(&policy, issuer, &claims, &asked),
            decide(&turned, issuer, &claims, &asked)
        );
    }

    #[test]
    fn rules_on_trial_never_change_a_decision_and_tell_what_they_would_make_of_it(
        policy in policy(), issuer in 0..2_usize, claims in claims(), asked in asked(),
    ) {
        let decided = decide(&policy, issuer, &claims, &asked);
        let without = without_shadow(&policy, |rule| rule["shadow"] == false);
        let without = decide(&without, issuer, &claims, &asked);
        prop_assert_eq!(&Answer { trial: Vec::new(), ..decided.clone() }, &without);
        let in_force = decide(&without_shadow(&policy, |_| true), issuer, &claims, &asked);
        prop_assert_eq!(!decided.trial.is_empty(), decided.allowed != in_force.allowed);
    }

    #[test]
    fn a_condition_more_on_an_issuers_tokens_never_allows_more_and_denies_as_before(
        policy in policy(), required in claim_set(1), claims in claims(), asked in asked(),
    ) {
        let mut narrowed = policy.clone();
        let mut before = policy;
        before["issuers"][1].as_object_mut().unwrap().remove("claims");
        narrowed["issuers"][1]["claims"] = required;
        let (before, after) = (
            decide(&before, 1, &claims, &asked),
            decide(&narrowed, 1, &claims, &asked),
        );
        if before.allowed && !after.allowed {
            prop_assert_eq!(after.rule, None);
        } else {
            prop_assert_eq!((after.allowed, after.rule), (before.allowed, before.rule));
        }
    }

    /// Of random policies over two issuers that many customers share, those that are accepted let no stranger in.
    #[test]
    fn pitfall_18_whatever_is_accepted_lets_no_other_customer_in(
        (issuers, roles, rules) in shared_policy(),
        issuer in 0..2_usize,
        claims in claims(),
    ) {
        let document = json!({ "issuers": issuers, "roles": roles, "rules": rules });
        let Ok(policy) = Policy::from_json(document.to_string().as_bytes()) else {
            return Ok(());
        };
        let mut claims = claims.as_object().unwrap().clone();
        for tenant in &policy.issuers[issuer].tenant_claims {
            claims.insert(tenant.clone(), json!("a-stranger"));
        }
        let token = VerifiedToken::unproven_of(issuer, Claims::new(claims));
        let path = NormalPath::parse(b"/a").unwrap();
        let facts = Facts::new("GET", &path, UnixTime::from_secs(1_800_000_000));
        prop_assert!(matches!(policy.decide(&token, &facts), Ruling::Deny(_)));
    }

    #[test]
    fn a_deny_more_never_allows_more_and_an_allow_more_never_refuses_more(
        policy in policy(), extra in rule(), issuer in 0..2_usize, claims in claims(), asked in asked(),
    ) {
        let mut extra = extra;
        extra["id"] = json!("extra");
        let mut more = policy.clone();
        more["rules"].as_array_mut().unwrap().push(extra.clone());
        let before = decide(&policy, issuer, &claims, &asked).allowed;
        let after = decide(&more, issuer, &claims, &asked).allowed;
        if extra["effect"] == "deny" {
            prop_assert!(before || !after);
        } else {
            prop_assert!(after || !before);
        }
    }
}

/// What a policy of a rule that allows all and these deny rules makes of a request to a host.
fn is_denied(denies: &Value, claims: &Value, host: Option<&[u8]>) -> bool {
    let mut rules = vec![json!({ "id": "all" })];
    for (nth, deny) in denies.as_array().unwrap().iter().enumerate() {
        let mut rule = deny.clone();
        rule["id"] = json!(format!("deny-{nth}"));
        rule["effect"] = json!("deny");
        rules.push(rule);
    }
    let document = json!({
        "issuers": [{ "issuer": "https://ci.example", "audience": "a", "algorithms": ["RS256"] }],
        "rules": rules,
    });
    let policy = Policy::from_json(document.to_string().as_bytes()).unwrap();
    let path = NormalPath::parse(b"/deploy").unwrap();
    let host = host.and_then(super::normalise_host);
    let facts = Facts {
        host: host.as_deref(),
        ..Facts::new("POST", &path, UnixTime::from_secs(1_800_000_000))
    };
    let claims = Claims::new(claims.as_object().unwrap().clone());
    matches!(policy.weigh(0, &claims, &facts), Verdict::Deny(_))
}

/// Among as many other deny rules as it takes for them to be found by their hosts.
#[test]
fn no_spelling_of_a_host_is_a_way_around_a_deny_rule() {
    let hosts = ["admin.acme.example", "*.internal.example", "[::1]"];
    let others = (0..20).map(|nth| json!({ "hosts": [format!("h{nth}.example")] }));
    let denies = others.chain(hosts.map(|host| json!({ "hosts": [host] })));
    let denies = denies.collect::<Value>();
    for (host, denied) in [
        (Some(&b"web.acme.example"[..]), false),
        (Some(b"internal.example"), false),
        (Some(b"admin.acme.example"), true),
        (Some(b"ADMIN.Acme.Example."), true),
        (Some(b"admin.acme.example.:8443"), true),
        (Some(b"a.b.INTERNAL.example:0443"), true),
        (Some(b"_x.internal.example."), true),
        (Some(b"[0:0:0:0:0:0:0:1]:80"), true),
        // None of these is one host that all servers would read alike.
        (Some(b"web.acme.example, admin.acme.example"), true),
        (Some(b"web.acme.example@admin.acme.example"), true),
        (Some(b"admin.acme.example:"), true),
        (Some(b"admin.acme.example:99999"), true),
        (Some(b"admin.acme.example.."), true),
        (Some(b" admin.acme.example"), true),
        (Some(b"admin%2eacme.example"), true),
        (Some("admin\u{3002}acme.example".as_bytes()), true),
        (Some(b"admin.acme.example\xff"), true),
        (Some(b""), true),
        (None, true),
    ] {
        assert_eq!(is_denied(&denies, &json!({}), host), denied, "{host:?}");
    }
}

/// Whatever stands in a claim, a rule that denies all but one value of it lets no other pass.
#[test]
fn no_shape_of_a_claim_is_a_way_around_a_deny_rule_that_makes_one_exception() {
    for deny in [
        json!({ "when": "claims.env != 'dev'" }),
        json!({ "when": "!(claims.env == 'dev')" }),
        json!({ "when": "!(claims.env in ['dev'])" }),
        json!({ "when": "!has(claims.env) || claims.env != 'dev'" }),
        json!({ "when": "![claims.env].exists(env, env == 'dev')" }),
        json!({ "when": "claims.env.startsWith('dev') ? claims.env.size() != 3 : true" }),
    ] {
        for (claims, denied) in [
            (json!({ "env": "dev" }), false),
            (json!({ "env": "production" }), true),
            (json!({}), true),
            (json!({ "env": null }), true),
            (json!({ "env": ["dev"] }), true),
            (json!({ "env": { "dev": "dev" } }), true),
            (json!({ "env": true }), true),
            (json!({ "env": 1e300 }), true),
            (json!({ "env": "" }), true),
            (json!({ "env": "dev\u{0}" }), true),
            (json!({ "env": "dev ".repeat(50_000) }), true),
        ] {
            let is_denied = is_denied(&json!([deny]), &claims, None);
            assert_eq!(is_denied, denied, "{deny} on {claims}");
        }
    }
}
