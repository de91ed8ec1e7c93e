//! Requests that turn their connection into something else, which keep their `Connection` header and may have filters of
//! their own.

use jobgate_harness::client::{Request, Response};
use jobgate_harness::envoy::{Envoy, EnvoyConfig, Listener};
use jobgate_harness::exchange::eventually;
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::Upstream;
use serde_json::{Value, json};

use super::example::{LISTENER, MANAGER, example};
use super::world::{SOON, issuer, start};

/// An Envoy as `envoy/jobgate.yaml` has it, which lets connections become WebSockets.
fn run(issuer: &Issuer, upstream: &Upstream, filters: Option<Value>) -> Envoy {
    let mut config =
        EnvoyConfig::new(upstream.addr(), issuer.addr()).listener(Listener::new(LISTENER));
    let mut bootstrap = example("envoy/jobgate.yaml", issuer, upstream.addr());
    let mut upgrade = json!({ "upgrade_type": "websocket" });
    if let Some(filters) = filters {
        upgrade["filters"] = filters;
    }
    bootstrap.pointer_mut(MANAGER).unwrap()["upgrade_configs"] = json!([upgrade]);
    config.bootstrap = Some(bootstrap);
    start(&config)
}

fn upgrade(envoy: &Envoy, connection: &str, token: Option<&str>) -> Response {
    let mut request = Request::new("POST", "/deploy/production/web")
        .header("connection", connection)
        .header("upgrade", "websocket");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.send(envoy.addr(LISTENER)).unwrap()
}

fn code(response: &Response) -> Option<String> {
    let problem: Value = response.json().ok()?;
    Some(problem["code"].as_str()?.to_owned())
}

#[test]
fn a_connection_becomes_something_else_only_where_the_request_is_let_in() {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let envoy = run(&issuer, &upstream, None);
    let token = issuer.mint(&TokenSpec::default());
    eventually(SOON, || {
        (upgrade(&envoy, "upgrade", Some(&token)).status == 200).then_some(())
    })
    .expect("it passes as soon as there are keys");
    let before = upstream.count();
    for (connection, token, expected) in [
        ("upgrade", None, "token_missing"),
        ("upgrade", Some("e30.e30.e30"), "token_malformed"),
        (
            "upgrade, x-jobgate-decision",
            Some(token.as_str()),
            "header_reserved",
        ),
        ("X_Jobgate_Rule,Upgrade", Some(&token), "header_reserved"),
        ("authorization, upgrade", Some(&token), "header_reserved"),
    ] {
        let refused = upgrade(&envoy, connection, token);
        assert_eq!(code(&refused).as_deref(), Some(expected), "{connection}");
    }
    assert_eq!(upstream.count(), before);
    assert_eq!(upgrade(&envoy, "upgrade", Some(&token)).status, 200);
    let requests = upstream.requests();
    let passed = requests.last().expect("it arrived");
    assert_eq!(passed.header("upgrade"), ["websocket"]);
    assert_eq!(passed.header("x-jobgate-decision"), ["allow"]);
    assert!(passed.header("authorization").is_empty());
}

/// What the gate can't help: docs/envoy.md says so.
#[test]
fn filters_of_an_upgrades_own_take_the_gates_place() {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let envoy = run(
        &issuer,
        &upstream,
        Some(json!([{
            "name": "envoy.filters.http.router",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            },
        }])),
    );
    assert_eq!(upgrade(&envoy, "upgrade", None).status, 200);
    assert_eq!(upstream.count(), 1);
    let plain = Request::new("POST", "/deploy/production/web");
    let plain = plain.send(envoy.addr(LISTENER)).unwrap();
    assert_eq!(code(&plain).as_deref(), Some("token_missing"));
}
