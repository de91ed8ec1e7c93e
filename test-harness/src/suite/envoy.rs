//! Envoy's configuration: a disabled filter for each gate, and a route for each place, which enables its gate.
//!
//! Behind the gates an RBAC filter serves only what was judged as the route's own: Envoy chooses the route anew
//! whenever a filter changed a header.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{GATEWAY, Gate, Gateway, Place, Plan, ROUTE_HEADER, Topology};
use crate::envoy::{
    ClientCertificates, Cluster, DownstreamTls, GateConfig, Server, Tls, address, gate,
};
use crate::tls::ServerFiles;

/// The cluster of the places whose case names none.
const OWN_CLUSTER: &str = "upstream";

/// The names of the listeners: in the clear, and over TLS.
pub const LISTENERS: [&str; 2] = ["http", "https"];

/// The RBAC filter.
const JUDGED: &str = "judged";

/// The bootstrap. Its listeners are those of a file ([`listeners`]).
pub fn bootstrap(plan: &Plan, topology: &Topology) -> Value {
    let secure = Tls {
        trusted_ca: topology.world.join("authority.pem"),
        name: topology.issuer_name().to_owned(),
    };
    let keys = [
        ("issuer", cluster(&topology.issuer_tls).tls(secure.clone())),
        ("impostor", cluster(&topology.impostor).tls(secure.clone())),
        ("nowhere", cluster(&topology.nowhere).tls(secure)),
    ];
    let keys = keys.iter().map(|(name, cluster)| cluster.json(name));
    let upstream = cluster(&topology.upstream);
    let services: BTreeSet<_> = plan
        .gates
        .iter()
        .flat_map(|gate| &gate.places)
        .map(cluster_of)
        .collect();
    let services = services.into_iter().map(|name| upstream.json(name));
    let source = json!({
        "path_config_source": { "path": topology.world.join("envoy-listeners.json") },
        "resource_api_version": "V3",
    });
    json!({
        "node": { "id": "jobgate-harness", "cluster": "jobgate-harness" },
        "admin": { "address": bind(topology, &topology.envoy_admin) },
        "static_resources": { "clusters": keys.chain(services).collect::<Vec<_>>() },
        "dynamic_resources": { "lds_config": source },
        "layered_runtime": { "layers": [{ "name": "static", "static_layer": {
            // Else the gates can't tell a certificate that is not trusted from a server that is not there.
            "envoy.reloadable_features.hide_transport_failure_reason_in_response_body": false,
        } }] },
    })
}

/// The listeners, as a document of the listener discovery service.
///
/// Another `generation` makes listeners that do the same, another `vm_generation` new VMs in them.
pub fn listeners(plan: &Plan, topology: &Topology, generation: u32, vm_generation: u32) -> Value {
    let gates = plan.gates.iter().map(|each| {
        let configuration = GateConfig::Json(each.configuration(Gateway::Envoy, topology));
        json!({
            "name": filter_name(each),
            "disabled": true,
            "typed_config": gate(&each.name, &configuration, &topology.filter, vm_generation),
        })
    });
    let behind = [
        json!({
            "name": JUDGED,
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC" },
        }),
        json!({
            "name": "router",
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        }),
    ];
    let filters: Vec<_> = gates.chain(behind).collect();
    let routes: Vec<_> = plan
        .gates
        .iter()
        .flat_map(|gate| gate.places.iter().map(move |place| route(gate, place)))
        .collect();
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network\
                  .http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ingress",
        "codec_type": "AUTO",
        "http_protocol_options": { "enable_trailers": true },
        "http_filters": filters,
        "route_config": {
            "name": "places",
            "virtual_hosts": [{ "name": "places", "domains": ["*"], "routes": routes }],
        },
    });
    let ports = [&topology.envoy, &topology.envoy_tls];
    let resources: Vec<_> = LISTENERS
        .iter()
        .zip(ports)
        .map(|(name, port)| {
            json!({
                "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
                "name": name,
                "address": bind(topology, port),
                "metadata": { "filter_metadata": { "harness": { "generation": generation } } },
                "filter_chains": [{ "filters": [{ "name": "http", "typed_config": manager }] }],
            })
        })
        .collect();
    let mut document = json!({ "resources": resources });
    document["resources"][1]["filter_chains"][0]["transport_socket"] = tls(topology);
    document
}

/// How clients are taken: with a certificate, without, and with one that nobody vouches for.
fn tls(topology: &Topology) -> Value {
    let at = |file: String| topology.world.join(file);
    let tls = DownstreamTls {
        server: ServerFiles {
            certificate: at(format!("{GATEWAY}.pem")),
            key: at(format!("{GATEWAY}.key")),
        },
        clients: ClientCertificates::AcceptUntrusted(at("authority.pem".to_owned())),
        // A session that is taken up again shows no certificate.
        resumes: false,
    };
    tls.json()
}

fn route(gate: &Gate, place: &Place) -> Value {
    // Where a case names only the service, the route has no name at all.
    let name = match (&place.route, &place.service) {
        (Some(route), _) => route,
        (None, None) => &place.key,
        (None, Some(_)) => "",
    };
    let mut per_filter = json!({
        filter_name(gate): {
            "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
            "config": {},
        },
    });
    if !name.is_empty() {
        per_filter[JUDGED] = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
            "rbac": { "rules": { "action": "ALLOW", "policies": { "judged-here": {
                "permissions": [{ "any": true }],
                "principals": [{ "filter_state": {
                    "key": "wasm.jobgate.route",
                    "string_match": { "exact": name },
                } }],
            } } } },
        });
    }
    json!({
        "name": name,
        "match": {
            "prefix": "/",
            "headers": [{ "name": ROUTE_HEADER, "string_match": { "exact": place.key } }],
        },
        "route": { "cluster": cluster_of(place) },
        "typed_per_filter_config": per_filter,
    })
}

fn filter_name(gate: &Gate) -> String {
    format!("jobgate-{}", gate.name)
}

fn cluster_of(place: &Place) -> &str {
    place.service.as_deref().unwrap_or(OWN_CLUSTER)
}

fn cluster(at: &str) -> Cluster {
    Cluster::new(match (at.parse(), at.rsplit_once(':')) {
        (Ok(address), _) => Server::Address(address),
        (Err(_), Some((host, port))) => Server::Name(host.to_owned(), port.parse().unwrap_or(0)),
        (Err(_), None) => Server::Name(at.to_owned(), 0),
    })
}

fn bind(topology: &Topology, port_of: &str) -> Value {
    let port = port_of.rsplit_once(':');
    let port = port.and_then(|(_, port)| port.parse().ok());
    address(&topology.envoy_bind, port.unwrap_or(0))
}
