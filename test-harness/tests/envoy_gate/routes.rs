//! Gates per route, as `envoy/per-route.yaml` has them.

use jobgate_harness::client::{Request, Response};
use jobgate_harness::envoy::{Envoy, EnvoyConfig, Listener};
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::Upstream;
use serde_json::{Value, json};

use super::example::{LISTENER, MANAGER, example};
use super::world::{issuer, start};

fn run(issuer: &Issuer, upstream: &Upstream, change: impl FnOnce(&mut Value)) -> Envoy {
    let mut config =
        EnvoyConfig::new(upstream.addr(), issuer.addr()).listener(Listener::new(LISTENER));
    let mut bootstrap = example("envoy/per-route.yaml", issuer, upstream.addr());
    change(bootstrap.pointer_mut(MANAGER).unwrap());
    config.bootstrap = Some(bootstrap);
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
