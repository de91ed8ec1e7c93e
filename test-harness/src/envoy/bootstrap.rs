//! Envoy's bootstrap, as JSON.

use std::path::Path;

use serde_json::{Value, json};

use super::cluster::address;
use super::{Cluster, EnvoyConfig, EscapedSlashes, GateConfig, Listener, Route};

/// One VM for all listeners, as in a gateway with many routes.
const VM_ID: &str = "jobgate";

/// The bootstrap; its listeners are those of the file `listeners`, if they may change.
pub(super) fn bootstrap(config: &EnvoyConfig, listeners: &Path) -> Value {
    let own = [("upstream", config.upstream), ("issuer", config.issuer)];
    let own = own.map(|(name, to)| Cluster::from(to).json(name));
    let further = config
        .clusters
        .iter()
        .map(|(name, cluster)| cluster.json(name));
    let clusters: Vec<_> = own.into_iter().chain(further).collect();
    let mut bootstrap = json!({
        "node": { "id": "jobgate-harness", "cluster": "jobgate-harness" },
        "admin": { "address": any_port() },
        "static_resources": { "clusters": clusters },
        "layered_runtime": { "layers": [{ "name": "static", "static_layer": config.runtime }] },
    });
    if config.dynamic_listeners {
        let source =
            json!({ "path_config_source": { "path": listeners }, "resource_api_version": "V3" });
        bootstrap["dynamic_resources"] = json!({ "lds_config": source });
    } else {
        let listeners: Vec<_> = config
            .listeners
            .iter()
            .map(|each| listener(each, config))
            .collect();
        bootstrap["static_resources"]["listeners"] = json!(listeners);
    }
    bootstrap
}

/// The listeners as a document of the listener discovery service.
pub(super) fn listeners(config: &EnvoyConfig) -> Value {
    let resources: Vec<_> = config
        .listeners
        .iter()
        .map(|each| {
            let mut resource = listener(each, config);
            resource["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
            resource
        })
        .collect();
    json!({ "resources": resources })
}

fn listener(listener: &Listener, config: &EnvoyConfig) -> Value {
    let mut filters = Vec::new();
    if let Some(configuration) = &listener.jobgate {
        let mut gate = gate(
            &listener.name,
            configuration,
            &config.wasm,
            config.vm_generation,
        );
        if !config.environment.is_empty() {
            let names: Vec<_> = config.environment.keys().collect();
            gate["config"]["vm_config"]["environment_variables"] =
                json!({ "host_env_keys": names });
        }
        filters.push(json!({ "name": "jobgate", "typed_config": gate }));
    }
    filters.push(json!({
        "name": "router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    }));
    let further = listener.routes.iter().map(|route| {
        json!({
            "name": route.name.as_deref().unwrap_or_default(),
            "match": {
                "prefix": "/",
                "headers": [{ "name": Route::HEADER, "string_match": { "exact": route.key() } }],
            },
            "route": { "cluster": route.cluster },
        })
    });
    let mut own = json!({
        "name": listener.name,
        "match": { "prefix": "/" },
        "route": { "cluster": "upstream" },
    });
    if let Some(host) = &listener.host {
        own["route"]["host_rewrite_literal"] = json!(host);
    }
    let routes: Vec<_> = further.chain([own]).collect();
    let mut json = json!({
        "name": listener.name,
        "address": any_port(),
        "filter_chains": [{ "filters": [{
            "name": "http",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network\
                          .http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": listener.name,
                "codec_type": "AUTO",
                "http_protocol_options": { "enable_trailers": true },
                "normalize_path": listener.paths.normalize,
                "merge_slashes": listener.paths.merge_slashes,
                "path_with_escaped_slashes_action": match listener.paths.escaped_slashes {
                    EscapedSlashes::Keep => "KEEP_UNCHANGED",
                    EscapedSlashes::Reject => "REJECT_REQUEST",
                    EscapedSlashes::UnescapeAndRedirect => "UNESCAPE_AND_REDIRECT",
                    EscapedSlashes::UnescapeAndForward => "UNESCAPE_AND_FORWARD",
                },
                "http_filters": filters,
                "route_config": {
                    "name": listener.name,
                    "virtual_hosts": [{
                        "name": listener.name,
                        "domains": ["*"],
                        "routes": routes,
                    }],
                },
            },
        }]}],
    });
    if let Some(tls) = &listener.tls {
        json["filter_chains"][0]["transport_socket"] = tls.json();
    }
    json
}

/// A gate's Wasm filter, by this name in the log.
pub(crate) fn gate(
    name: &str,
    configuration: &GateConfig,
    wasm: &Path,
    vm_generation: u32,
) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": name,
            // What Envoy writes before the lines that are of no request: errors of a configuration, say.
            "root_id": name,
            "failure_policy": "FAIL_RELOAD",
            "allow_on_headers_stop_iteration": matches!(configuration, GateConfig::ToldOfBodies(_)),
            "configuration": plugin_configuration(configuration),
            "vm_config": {
                "vm_id": VM_ID,
                // Part of what tells VMs apart, and not of what tells their shared data apart.
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": vm_generation.to_string(),
                },
                "runtime": "envoy.wasm.runtime.v8",
                "code": { "local": { "filename": wasm } },
            },
        },
    })
}

fn plugin_configuration(configuration: &GateConfig) -> Value {
    let (kind, value) = match configuration {
        GateConfig::Json(document) | GateConfig::ToldOfBodies(document) => {
            ("StringValue", json!(document.to_string()))
        }
        GateConfig::Raw(text) => ("StringValue", json!(text)),
        GateConfig::Struct(document) => ("Struct", document.clone()),
    };
    json!({ "@type": format!("type.googleapis.com/google.protobuf.{kind}"), "value": value })
}

/// A free port of the loopback interface, which Envoy picks as it binds it.
fn any_port() -> Value {
    address("127.0.0.1", 0)
}
