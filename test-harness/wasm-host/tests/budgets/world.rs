//! Gateways with the metered filter in them, an issuer with keys that never change, and a CI job's requests.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use jobgate_harness::keys::{Algorithm, SigningKey};
use jobgate_harness::mint::{Minter, TokenSpec};
use jobgate_harness::repository;
use jobgate_wasm_host::{
    CallResponse, Cluster, Cost, Exchange, FailurePolicy, Gateway, Module, Options, Profile,
    Request, RouteConfig,
};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://ci.example";
const AUDIENCE: &str = "https://deploy.acme.example";
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const BOTH: [Profile; 2] = [Profile::Envoy, Profile::Kong];

/// Longer than the filter's pause between two looks at what is due.
const TICK: Duration = Duration::from_millis(600);

/// The filter, compiled once for all tests of this process.
pub(crate) fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let path = repository().join("dist/jobgate.wasm");
        Module::metered(&path)
            .unwrap_or_else(|error| panic!("{error}\n`make dist` builds {}", path.display()))
    })
}

/// The issuer: the same keys and, for the same claims, the same tokens in every run.
pub(crate) fn minter() -> &'static Minter {
    static MINTER: OnceLock<Minter> = OnceLock::new();
    MINTER.get_or_init(|| {
        let key = SigningKey::fixed(Algorithm::Rs256);
        let mut minter = Minter::with_key(ISSUER, AUDIENCE, key);
        minter.publish_every_algorithm();
        minter
    })
}

/// A token of the job that rule `of_rule` is for. `nth` makes it another token.
pub(crate) fn token(of_rule: usize, nth: u64, change: impl FnOnce(&mut TokenSpec)) -> String {
    let mut spec = TokenSpec::default();
    spec.claims
        .insert("pipeline_slug".into(), json!(format!("app-{of_rule}")));
    spec.claims
        .insert("build_number".into(), json!(100_000 + nth));
    change(&mut spec);
    minter().mint(&spec, NOW)
}

/// A policy as teams write it: each rule lets the main branch of one pipeline deploy one application.
pub(crate) fn policy(profile: Profile, rules: usize) -> Value {
    let cluster = match profile {
        Profile::Envoy => "issuer",
        Profile::Kong => "ci.example:443",
    };
    let rule = |nth: usize| {
        json!({
            "id": format!("rule-{nth}"), "methods": ["POST"], "paths": [format!("/deploy/app-{nth}/**")],
            "claims": {
                "organization_slug": "acme", "pipeline_slug": format!("app-{nth}"), "build_branch": "main",
            },
        })
    };
    json!({
        "issuers": [{
            "preset": "buildkite", "issuer": ISSUER, "audience": AUDIENCE,
            "algorithms": ["RS256", "ES256", "EdDSA"],
            "jwks": { "cluster": cluster, "uri": format!("{ISSUER}/.well-known/jwks"), "wait": "0s" },
        }],
        "rules": (0..rules).map(rule).collect::<Vec<_>>(),
    })
}

/// The policy of a route, like no other's.
pub(crate) fn policy_of_route(profile: Profile, nth: usize) -> Value {
    let mut policy = policy(profile, 10);
    policy["rules"][0]["id"] = json!(format!("rule-of-route-{nth}"));
    policy
}

/// A gateway that has not been started.
fn gateway(profile: Profile) -> Gateway {
    let options = Options {
        start: UNIX_EPOCH + Duration::from_secs(NOW),
        failure_policy: FailurePolicy::Reload,
        clusters: BTreeMap::from([("issuer".to_owned(), Cluster::Ready)]),
        ..Options::default()
    };
    Gateway::new(profile, module(), options)
}

/// A gateway with a route of each policy, and the issuer's keys.
pub(crate) fn ready(profile: Profile, policies: &[Value]) -> Gateway {
    ready_with(profile, policies, &minter().jwks())
}

/// A gateway with a route of each policy, and these keys.
pub(crate) fn ready_with(profile: Profile, policies: &[Value], jwks: &Value) -> Gateway {
    let (mut gateway, _) = started(profile, policies);
    give_keys(&mut gateway, jwks);
    gateway
}

/// A gateway with a route of each policy and no keys, and what it costs to start it.
pub(crate) fn started(profile: Profile, policies: &[Value]) -> (Gateway, Cost) {
    let mut gateway = gateway(profile);
    let route = |(nth, policy): (usize, &Value)| {
        RouteConfig::new(format!("route-{nth}"), policy.to_string())
    };
    let routes: Vec<_> = policies.iter().enumerate().map(route).collect();
    let (result, cost) = gateway.cost_of(|gateway| gateway.start(&routes));
    result.expect("the gateway starts");
    let wrong = |text: &&String| text.contains("config_invalid");
    let mut lines = gateway.logs().iter().map(|(_, text)| text);
    assert_eq!(lines.find(wrong), None);
    (gateway, cost)
}

/// Lets the filter fetch, and answers what it asks.
pub(crate) fn give_keys(gateway: &mut Gateway, jwks: &Value) {
    for _ in 0..2 {
        gateway.advance(TICK);
        for call in gateway.pending_calls() {
            let response = CallResponse::new(200, jwks.to_string()).header("date", "now");
            gateway
                .respond(call.id, response)
                .expect("the call is pending");
        }
    }
}

/// The request of the job that rule `of_rule` is for, with the headers that clients and proxies send, and a token if
/// it has one.
pub(crate) fn request(of_rule: usize, token: Option<&str>) -> Request {
    let mut request = Request::new(
        "POST",
        format!("/deploy/app-{of_rule}/releases?dry_run=false"),
    );
    for (name, value) in [
        ("user-agent", "deploy-cli/4.2.1 (linux; amd64)"),
        ("accept", "application/json"),
        ("accept-encoding", "gzip, deflate"),
        ("content-type", "application/json"),
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "7b0a3c1e-4f1d-4a57-9d6e-0c2f8a5b6d11"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
    ] {
        request = request.header(name, value);
    }
    match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    }
}

/// `allow`, or the code of the refusal.
pub(crate) fn outcome(exchange: &Exchange) -> String {
    assert!(
        exchange.traps.is_empty(),
        "it trapped: {:?}",
        exchange.traps
    );
    match exchange.local() {
        None => {
            assert!(exchange.upstream().is_some(), "{:?}", exchange.outcome);
            exchange
                .upstream()
                .and_then(|it| it.only("x-jobgate-decision"))
                .unwrap_or_default()
        }
        Some(answer) => {
            let problem: Value = serde_json::from_str(&answer.text()).expect("it is a problem");
            problem["code"].as_str().unwrap_or_default().to_owned()
        }
    }
}
