//! A gateway with the filter in it, an issuer's keys, and a good token.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jobgate_harness::case::{Forwarded, Observed};
use jobgate_harness::mint::{Minter, TokenSpec};
use jobgate_harness::repository;
use jobgate_wasm_host::{
    CallResponse, Cluster, Exchange, FailurePolicy, Gateway, HttpCall, Level, Module, Options,
    Outcome, Profile, Request, RouteConfig,
};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://ci.example";
pub(crate) const AUDIENCE: &str = "https://deploy.acme.example";
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const BOTH: [Profile; 2] = [Profile::Envoy, Profile::Kong];

/// Longer than the filter's pause between two looks at what is due.
pub(crate) const TICK: Duration = Duration::from_millis(600);

/// The filter, compiled once for all tests of this process.
pub(crate) fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let path = repository().join("dist/jobgate.wasm");
        Module::load(&path)
            .unwrap_or_else(|error| panic!("{error}\n`make dist` builds {}", path.display()))
    })
}

/// One issuer for all tests of this process: making an RSA key takes a while.
pub(crate) fn minter() -> &'static Minter {
    static MINTER: OnceLock<Minter> = OnceLock::new();
    MINTER.get_or_init(|| Minter::new(ISSUER, AUDIENCE))
}

pub(crate) fn start_time() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

pub(crate) fn unix(gateway: &Gateway) -> u64 {
    gateway
        .now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past the epoch")
        .as_secs()
}

pub(crate) fn options() -> Options {
    Options {
        start: start_time(),
        failure_policy: FailurePolicy::Reload,
        clusters: BTreeMap::from([("issuer".to_owned(), Cluster::Ready)]),
        ..Options::default()
    }
}

/// What the policy calls the issuer's server.
pub(crate) fn cluster(profile: Profile) -> &'static str {
    match profile {
        Profile::Envoy => "issuer",
        Profile::Kong => "ci.example:443",
    }
}

/// What the policy calls another server, of this name.
pub(crate) fn cluster_of(profile: Profile, name: &str) -> String {
    match profile {
        Profile::Envoy => cluster(profile).to_owned(),
        Profile::Kong => format!("{name}:443"),
    }
}

/// A policy that lets every job of acme in.
pub(crate) fn policy(profile: Profile) -> Value {
    json!({
        "issuers": [{
            "preset": "buildkite", "issuer": ISSUER, "audience": AUDIENCE,
            "jwks": {
                "cluster": cluster(profile), "uri": format!("{ISSUER}/.well-known/jwks"), "wait": "0s",
            },
        }],
        "rules": [{ "id": "any-job", "claims": { "organization_slug": "acme" } }],
    })
}

/// A gateway with one route, nothing fetched.
pub(crate) fn gateway_with(profile: Profile, options: Options, configuration: &str) -> Gateway {
    let mut gateway = Gateway::new(profile, module(), options);
    gateway
        .start(&[RouteConfig::new("deploy", configuration)])
        .expect("the gateway starts");
    gateway
}

pub(crate) fn gateway(profile: Profile, configuration: &Value) -> Gateway {
    gateway_with(profile, options(), &configuration.to_string())
}

/// A gateway that has the issuer's keys.
pub(crate) fn ready(profile: Profile, configuration: &Value) -> Gateway {
    let mut gateway = gateway(profile, configuration);
    give_keys(&mut gateway, &minter().jwks());
    gateway
}

/// Lets the filter fetch, and answers what it asks.
pub(crate) fn give_keys(gateway: &mut Gateway, jwks: &Value) {
    gateway.advance(TICK);
    for call in gateway.pending_calls() {
        answer(
            gateway,
            &call,
            CallResponse::new(200, jwks.to_string()).header("date", "now"),
        );
    }
}

pub(crate) fn answer(gateway: &mut Gateway, call: &HttpCall, response: CallResponse) {
    gateway
        .respond(call.id, response)
        .expect("the call is pending");
}

/// A request with this token.
pub(crate) fn with_token(token: &str) -> Request {
    Request::get("/").header("authorization", format!("Bearer {token}"))
}

pub(crate) fn good_token(gateway: &Gateway) -> String {
    minter().mint(&TokenSpec::default(), unix(gateway))
}

/// Sends a request with a good token.
pub(crate) fn send_good(gateway: &mut Gateway) -> Exchange {
    let token = good_token(gateway);
    gateway.request(0, with_token(&token))
}

/// The code of the filter's answer.
pub(crate) fn code(exchange: &Exchange) -> Option<String> {
    let problem: Value = serde_json::from_str(&exchange.local()?.text()).ok()?;
    Some(problem["code"].as_str()?.to_owned())
}

#[track_caller]
pub(crate) fn assert_refused(exchange: &Exchange, expected: &str) {
    assert!(
        exchange.traps.is_empty(),
        "it trapped: {:?}",
        exchange.traps
    );
    assert_eq!(
        code(exchange).as_deref(),
        Some(expected),
        "{:?}",
        exchange.outcome
    );
}

#[track_caller]
pub(crate) fn assert_passed(exchange: &Exchange) {
    assert!(
        exchange.traps.is_empty(),
        "it trapped: {:?}",
        exchange.traps
    );
    assert!(
        exchange.decided() && exchange.upstream().is_some(),
        "{:?}",
        exchange.outcome
    );
}

/// The log's lines that hold this text.
pub(crate) fn lines(gateway: &Gateway, text: &str) -> Vec<(Level, String)> {
    gateway
        .logs()
        .iter()
        .filter(|(_, line)| line.contains(text))
        .cloned()
        .collect()
}

/// What a runner of the shared cases looks at.
pub(crate) fn observe(exchange: &Exchange, log: &[(Level, String)]) -> Observed {
    assert!(
        exchange.traps.is_empty(),
        "it trapped: {:?}",
        exchange.traps
    );
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let upstream = exchange.upstream().map(|request| Forwarded {
        target: text(&request.path),
        headers: request
            .headers
            .iter()
            .map(|(name, value)| (text(name).to_ascii_lowercase(), text(value)))
            .collect(),
    });
    let records: Vec<_> = log
        .iter()
        .filter(|(_, line)| line.contains("jobgate.decision"))
        .collect();
    assert!(records.len() <= 1, "one record a request: {records:?}");
    Observed {
        status: match &exchange.outcome {
            Outcome::Upstream(_) => 200,
            _ => exchange.refused_with().unwrap_or_default(),
        },
        code: code(exchange),
        upstream,
        record: records
            .first()
            .map(|(_, line)| line.clone())
            .unwrap_or_default(),
    }
}
