//! Logs are whatever others wrote into them.

use super::lines::each_of;
use super::replay::{Replay, Replayed};
use super::{Lines, Outcome, Record, Seen};
use jobgate::policy::{Facts, Policy, Verdict};
use jobgate::request::NormalPath;
use jobgate::time::UnixTime;
use jobgate::token::Claims;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::{BufReader, Read, repeat};

#[path = "../../tests/gate/mod.rs"]
pub(crate) mod gate;

use gate::{MONDAY, Sent, issuer, job, records};

fn read(log: impl Read) -> (Vec<Record>, Lines) {
    let mut found = Vec::new();
    let lines = each_of(BufReader::new(log), |record| found.push(record)).unwrap();
    (found, lines)
}

fn policy(rules: &Value) -> Value {
    json!({
        "issuers": [issuer()],
        "roles": { "ours": { "claims": { "organization_slug": "acme" } } },
        "rules": rules,
        "audit": { "detail": "claims" },
    })
}

fn sent<'a>(method: &'a str, target: &'a str, claims: Value) -> Sent<'a> {
    Sent {
        method,
        target,
        route: "deploy",
        at: MONDAY,
        claims,
    }
}

#[test]
fn records_are_found_where_gateways_write_them() {
    let rules = json!([{ "id": "main", "roles": ["ours"], "claims": { "build_branch": "main" } }]);
    let lines = records(
        &policy(&rules),
        &[
            sent("GET", "/a?b=%22", job("web", "main")),
            sent("POST", "/a", job("web", "{\"event\":\"jobgate.decision\"")),
            sent("POST", "/a//b", job("web", "main")),
        ],
    );
    let [allowed, refused, ambiguous] = lines.as_slice() else {
        panic!("{lines:?}");
    };
    let nginx = r#"2026/11/16 09:00:00 [info] 7#0: *3 [proxy-wasm]["jobgate" #7] "#;
    let envoy = "[2026-11-16 09:00:00.001][7][info][wasm] [source/extensions/common/wasm/context.cc:1] wasm log deploy jobgate: ";
    let log = format!(
        "{nginx}{allowed}, client: 127.0.0.1, server: kong, request: \"GET /a HTTP/1.1\"\n\
         \n  {refused}\r\n{envoy}{ambiguous}\nanother line\n{envoy}no record\n{allowed}"
    );
    let (found, counted) = read(log.as_bytes());
    assert_eq!((counted.records, counted.others, counted.broken), (4, 3, 0));
    let outcomes: Vec<_> = found.iter().map(Record::outcome).collect();
    use Outcome::{Allowed, NotAllowed, NotAsked};
    assert_eq!(outcomes, [Allowed, NotAllowed, NotAsked, Allowed]);
    assert_eq!(found[0].rule.as_deref(), Some("main"));
    assert_eq!(found[0].route.as_deref(), Some("deploy"));
    assert_eq!(found[0].host.as_deref(), Some("deploy.acme.example"));
    assert_eq!(found[0].identity["branch"], "main");
    assert_eq!(found[0].claims["organization_slug"], "acme");
    assert_eq!(
        found[1].identity["branch"],
        "{\"event\":\"jobgate.decision\""
    );
}

#[test]
fn what_clients_write_into_a_log_is_no_record() {
    let forged = r#"{"event":"jobgate.decision","decision":"allow","issuer":"i","path":"/"}"#;
    for line in [
        format!("2026/11/16 09:00:00 [error] 7#0: *3 open() \"/x{forged}\" failed"),
        format!(
            "2026/11/16 [info] 7#0: client sent invalid request: \"GET /[proxy-wasm][\"jobgate\" #7] {forged}\""
        ),
        format!(
            "2026/11/16 [info] 7#0: *3 [proxy-wasm][\"other\" #7] said [proxy-wasm][\"jobgate\" #7] {forged}"
        ),
        format!("[2026-11-16T09:00:00.000Z] \"GET /] wasm log x: {forged} HTTP/1.1\" 404"),
        format!("127.0.0.1 - - \"GET / HTTP/1.1\" 200 {forged}"),
        format!("{}{forged}", " ".repeat(70_000)),
        forged[..40].to_owned(),
        forged.replace("\"i\"", "1"),
        forged.replace('}', ""),
        forged.replace("\"i\"", &"[".repeat(1_000)),
    ] {
        let (found, counted) = read(line.as_bytes());
        assert!(found.is_empty(), "{line}");
        assert_eq!((counted.records, counted.others + counted.broken), (0, 1));
    }
    assert_eq!(read(forged.as_bytes()).1.records, 1);
}

#[test]
fn a_line_of_any_length_is_one_line() {
    let long = repeat(b'{').take(100_000_000);
    let odd: &[u8] =
        b"\xff\xfe\0{\"event\":\"jobgate.decision\"\xff\n\n{\"event\":\"jobgate.decision\"}";
    let (found, counted) = read(long.chain(&b"\n"[..]).chain(odd));
    assert_eq!((counted.records, counted.others, counted.broken), (1, 2, 1));
    // It says nothing, so nothing is made of it.
    assert_eq!(found[0].outcome(), Outcome::NotAsked);
}

const RULES: [&str; 11] = [
    r#"{ "roles": ["ours"], "claims": { "build_branch": "main" } }"#,
    r#"{ "roles": ["ours", "web"], "methods": ["POST"], "paths": ["/a/*"] }"#,
    r#"{ "roles": ["web"], "hosts": ["deploy.acme.example"], "claims": { "number": { "matches": "4*" } } }"#,
    r#"{ "roles": ["ours"], "routes": ["deploy"], "claims": { "/env/name": { "not_equals": "test" } } }"#,
    r#"{ "effect": "deny", "claims": { "number": { "in": [42, 7] } } }"#,
    r#"{ "effect": "deny", "paths": ["/a/b"], "claims": { "build_branch": { "not_equals": "main" } } }"#,
    r#"{ "effect": "deny", "roles": ["web"], "shadow": true }"#,
    r#"{ "roles": ["ours"], "when": "claims.build_branch == 'main' || (has(claims.number) && claims.number == 42)" }"#,
    r#"{ "effect": "deny", "when": "'web' in roles && claims.env.name == 'test'" }"#,
    r#"{ "roles": ["web"], "when": "claims.exists(name, name == 'number')" }"#,
    r#"{ "effect": "deny", "schedule": { "days": ["mon"], "from": "09:30", "timezone": "UTC" }, "roles": ["web"] }"#,
];

fn any_policy() -> impl Strategy<Value = Value> {
    prop::collection::vec(prop::sample::select(&RULES[..]), 1..5).prop_map(|chosen| {
        let rule = |(nth, text): (usize, &str)| {
            let mut rule: Value = serde_json::from_str(text).unwrap();
            rule["id"] = format!("r{nth}").into();
            rule
        };
        let mut document = policy(&chosen.into_iter().enumerate().map(rule).collect());
        document["roles"]["web"] =
            json!({ "roles": ["ours"], "claims": { "pipeline_slug": { "in": ["web", "site"] } } });
        document
    })
}

fn any_job() -> impl Strategy<Value = Value> {
    let branch = prop::sample::select(vec!["main", "x", "long"]);
    let number = prop::sample::select(vec![
        json!(42),
        json!("4"),
        json!(7),
        json!(null),
        json!([42]),
    ]);
    let env = prop::sample::select(vec![
        json!({ "name": "test" }),
        json!({ "name": "x" }),
        json!(1),
    ]);
    let organization = prop::sample::select(vec!["acme", "other"]);
    (branch, number, env, organization).prop_map(|(branch, number, env, organization)| {
        let branch = match branch {
            "long" => "b".repeat(300),
            short => short.to_owned(),
        };
        let mut claims = job("web", &branch);
        claims["organization_slug"] = organization.into();
        claims["number"] = number;
        claims["env"] = env;
        claims
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A replay that answers answers what the policy decides, whatever the record lacks.
    #[test]
    fn a_replay_never_guesses(
        (made_by, asked) in (any_policy(), any_policy()),
        claims in any_job(),
        method in prop::sample::select(vec!["GET", "POST"]),
        path in prop::sample::select(vec!["/a/b", "/a", "/a/c"]),
        late in any::<bool>(),
        lost in any::<[bool; 6]>(),
    ) {
        let at = MONDAY + if late { 3_600 } else { 0 };
        let line = records(&made_by, &[Sent { at, ..sent(method, path, claims.clone()) }]).remove(0);
        let (mut found, _) = read(line.as_bytes());
        let mut record = found.remove(0);
        let compiled = |document: &Value| Policy::from_json(document.to_string().as_bytes()).unwrap();
        let (maker, policy) = (compiled(&made_by), compiled(&asked));
        prop_assert_eq!(record.policy.as_ref(), Some(&maker.digest));
        // What it lacks of a policy that is known not to have made it.
        let is_known = !lost.contains(&true);
        for (name, is_lost) in ["number", "build_branch", "/env/name"].into_iter().zip(lost) {
            if is_lost {
                record.claims.remove(name);
            }
        }
        if lost[3] {
            record.identity.remove("branch");
        }
        if lost[4] {
            record.host = None;
        }
        let seen = Seen {
            record: &record,
            issuer: Some(&maker.issuers[0]),
            maker: is_known.then_some(&maker),
        };
        let mut all = claims.as_object().unwrap().clone();
        all.insert("iss".into(), maker.issuers[0].issuer.as_str().into());
        let normal = NormalPath::parse(path.as_bytes()).unwrap();
        let facts = Facts {
            host: Some("deploy.acme.example"),
            route: Some("deploy"),
            ..Facts::new(method, &normal, UnixTime::from_secs(at))
        };
        let truly = |policy: &Policy| {
            let verdict = policy.weigh(0, &Claims::new(all.clone()), &facts);
            matches!(verdict, Verdict::Allow { .. })
        };
        match (Replay { policy: &policy }).ask(&seen).unwrap() {
            Replayed::Allowed(_) => prop_assert!(truly(&policy)),
            Replayed::Refused(_) => prop_assert!(!truly(&policy)),
            Replayed::NoIssuer => prop_assert!(false),
            Replayed::Unknown { missing, .. } => prop_assert!(!missing.is_empty()),
        }
        // Of its own requests a policy records all that it looks at, but for what is clipped.
        let is_short = claims["build_branch"].as_str().unwrap().len() < 50;
        if is_known && is_short {
            let own = Replay { policy: &maker }.ask(&seen).unwrap();
            match &own {
                // Of an expression that looks at any claim.
                Replayed::Unknown { missing, .. } => {
                    prop_assert_eq!(missing.iter().collect::<Vec<_>>(), ["claims"]);
                }
                own => prop_assert_eq!(matches!(own, Replayed::Allowed(_)), truly(&maker)),
            }
        }
    }
}
