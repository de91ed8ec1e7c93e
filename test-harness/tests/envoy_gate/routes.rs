//! Gates per route, as `envoy/per-route.yaml` has them.

use std::net::SocketAddr;

use jobgate_harness::client::{Request, Response};
use jobgate_harness::envoy::{Envoy, EnvoyConfig, Listener};
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::repository;
use jobgate_harness::upstream::Upstream;
use serde_json::{Value, json};

use super::world::{issuer, start};

const LISTENER: &str = "ingress";
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// The example with the addresses, keys and module of this test, and with these routes in place of its own if there
/// are any.
fn example(issuer: &Issuer, upstream: SocketAddr, change: impl FnOnce(&mut Value)) -> Value {
    let text = std::fs::read_to_string(repository().join("envoy/per-route.yaml")).unwrap();
    let mut bootstrap: Value = serde_saphyr::from_str(&text).expect("it is YAML");
    bootstrap["admin"] = json!({ "address": any_port() });
    bootstrap["static_resources"]["listeners"][0]["address"] = any_port();
    for cluster in bootstrap["static_resources"]["clusters"]
        .as_array_mut()
        .unwrap()
    {
        let to = match cluster["name"].as_str().unwrap() {
            "upstream" => upstream,
            _ => issuer.addr(),
        };
        cluster["type"] = json!("STATIC");
        cluster.as_object_mut().unwrap().remove("transport_socket");
        cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = json!({ "socket_address": { "address": to.ip().to_string(), "port_value": to.port() } });
    }
    let manager = bootstrap.pointer_mut(MANAGER).unwrap();
    for filter in manager["http_filters"].as_array_mut().unwrap() {
        let Some(plugin) = filter.pointer_mut("/typed_config/config") else {
            continue;
        };
        plugin["vm_config"]["code"]["local"]["filename"] =
            json!(repository().join("dist/jobgate.wasm"));
        let policy = &mut plugin["configuration"]["value"];
        let mut document: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
        document["issuers"][0]["issuer"] = json!(issuer.base_url());
        document["issuers"][0]["jwks"]["uri"] = json!(issuer.jwks_uri());
        *policy = json!(document.to_string());
    }
    change(manager);
    bootstrap
}

fn any_port() -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } })
}

fn run(issuer: &Issuer, upstream: &Upstream, change: impl FnOnce(&mut Value)) -> Envoy {
    let mut config =
        EnvoyConfig::new(upstream.addr(), issuer.addr()).listener(Listener::new(LISTENER));
    config.bootstrap = Some(example(issuer, upstream.addr(), change));
    start(&config)
}

/// A token for one of the gates.
fn token(issuer: &Issuer, gate: &str) -> String {
    let spec = json!({ "claims": { "aud": format!("https://{gate}.acme.example") } });
    let spec: TokenSpec = serde_json::from_value(spec).unwrap();
    issuer.mint(&spec)
}

fn get(envoy: &Envoy, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = headers
        .iter()
        .fold(Request::new("GET", path), |request, (name, value)| {
            request.header(*name, *value)
        });
    request.send(envoy.addr(LISTENER)).unwrap()
}

#[test]
fn each_route_has_its_own_gate_or_none() {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let envoy = run(&issuer, &upstream, |_| {});
    let bearer = |gate| format!("Bearer {}", token(&issuer, gate));
    for (path, gate, status) in [
        ("/production/x", Some("production"), 200),
        ("/staging/x", Some("staging"), 200),
        ("/production/x", Some("staging"), 401),
        ("/staging/x", Some("production"), 401),
        ("/production/x", None, 401),
        ("/", None, 200),
    ] {
        let value = gate.map(bearer);
        let headers: Vec<_> = value
            .iter()
            .map(|value| ("authorization", value.as_str()))
            .collect();
        assert_eq!(
            get(&envoy, path, &headers).status,
            status,
            "{path} {gate:?}"
        );
    }
}

/// Pitfall 25: routes that are told apart by a header which the gate takes out or sets. The gate of the first choice
/// lets the request through, and Envoy chooses another route.
#[test]
fn pitfall_25_a_route_serves_only_what_was_judged_as_that_routes() {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let by_header = |header: &'static str, judged: bool| {
        run(&issuer, &upstream, move |manager| {
            let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
            // A request with the header is staging's, any other production's.
            let staging =
                json!({ "prefix": "/", "headers": [{ "name": header, "present_match": true }] });
            routes[1]["match"] = staging;
            routes[0]["match"] = json!({ "prefix": "/" });
            routes.as_array_mut().unwrap().truncate(2);
            routes.as_array_mut().unwrap().swap(0, 1);
            if !judged {
                for route in routes.as_array_mut().unwrap() {
                    let filters = route["typed_per_filter_config"].as_object_mut().unwrap();
                    filters.remove("judged");
                }
            }
        })
    };
    let bearer = format!("Bearer {}", token(&issuer, "staging"));
    for header in ["authorization", "x-jobgate-anything"] {
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-jobgate-anything", "1"),
        ];
        // Without the filter behind the gates the production route serves what staging's gate let through: this is
        // what must not be.
        let open = by_header(header, false);
        let before = upstream.count();
        assert_eq!(get(&open, "/x", &headers).status, 200);
        assert_eq!(upstream.count(), before + 1);
        let closed = by_header(header, true);
        assert_eq!(get(&closed, "/x", &headers).status, 403);
        assert_eq!(upstream.count(), before + 1, "{header}");
    }
}
