//! The examples in `envoy/`, as far as they must be changed to be run in a test.

use std::net::SocketAddr;

use jobgate_harness::issuer::Issuer;
use jobgate_harness::repository;
use serde_json::{Value, json};

/// The name of their listener.
pub(crate) const LISTENER: &str = "ingress";

/// Where their HTTP filters and routes are.
pub(crate) const MANAGER: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// An example with the addresses, keys and module of this test.
pub(crate) fn example(file: &str, issuer: &Issuer, upstream: SocketAddr) -> Value {
    let text = std::fs::read_to_string(repository().join(file)).unwrap();
    let mut bootstrap: Value = serde_saphyr::from_str(&text).expect("it is YAML");
    bootstrap["admin"] = json!({ "address": any_port() });
    bootstrap["static_resources"]["listeners"][0]["address"] = any_port();
    lead(&mut bootstrap, "upstream", upstream);
    lead(&mut bootstrap, "buildkite", issuer.addr());
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
    bootstrap
}

/// Lets a cluster lead to this address, without TLS.
pub(crate) fn lead(bootstrap: &mut Value, name: &str, to: SocketAddr) {
    let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
    let cluster = clusters
        .unwrap()
        .iter_mut()
        .find(|cluster| cluster["name"] == name)
        .unwrap_or_else(|| panic!("it has the cluster {name}"));
    cluster["type"] = json!("STATIC");
    cluster.as_object_mut().unwrap().remove("transport_socket");
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] =
        json!({ "socket_address": { "address": to.ip().to_string(), "port_value": to.port() } });
}

fn any_port() -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } })
}
