//! Envoy's bootstrap, as JSON.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{EnvoyConfig, EscapedSlashes, GateConfig, Listener};

/// One VM for all listeners, as in a gateway with many routes.
const VM_ID: &str = "jobgate";

pub(super) fn bootstrap(config: &EnvoyConfig) -> Value {
    let listeners: Vec<_> = config
        .listeners
        .iter()
        .map(|each| listener(each, config))
        .collect();
    let clusters: Vec<_> = [("upstream", config.upstream), ("issuer", config.issuer)]
        .into_iter()
        .chain(
            config
                .clusters
                .iter()
                .map(|(name, to)| (name.as_str(), *to)),
        )
        .map(|(name, to)| cluster(name, to))
        .collect();
    json!({
        "node": { "id": "jobgate-harness", "cluster": "jobgate-harness" },
        "admin": { "address": any_port() },
        "static_resources": {
            "listeners": listeners,
            "clusters": clusters,
        },
    })
}

fn listener(listener: &Listener, config: &EnvoyConfig) -> Value {
    let mut filters = Vec::new();
    if let Some(configuration) = &listener.jobgate {
        filters.push(json!({
            "name": "jobgate",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": {
                    "name": listener.name,
                    // What Envoy writes before the lines that are of no request: errors of a configuration, say.
                    "root_id": listener.name,
                    "failure_policy": "FAIL_RELOAD",
                    "configuration": plugin_configuration(configuration),
                    "vm_config": {
                        "vm_id": VM_ID,
                        "runtime": "envoy.wasm.runtime.v8",
                        "code": { "local": { "filename": config.wasm } },
                    },
                },
            },
        }));
    }
    filters.push(json!({
        "name": "router",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
    }));
    json!({
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
                        "routes": [{
                            "name": listener.name,
                            "match": { "prefix": "/" },
                            "route": { "cluster": "upstream" },
                        }],
                    }],
                },
            },
        }]}],
    })
}

fn plugin_configuration(configuration: &GateConfig) -> Value {
    let (kind, value) = match configuration {
        GateConfig::Json(document) => ("StringValue", json!(document.to_string())),
        GateConfig::Raw(text) => ("StringValue", json!(text)),
        GateConfig::Struct(document) => ("Struct", document.clone()),
    };
    json!({ "@type": format!("type.googleapis.com/google.protobuf.{kind}"), "value": value })
}

fn cluster(name: &str, to: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http_protocol_options": { "enable_trailers": true } },
            },
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address(to) } }] }],
        },
    })
}

/// A free port of the loopback interface, which Envoy picks as it binds it.
fn any_port() -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } })
}

fn address(of: SocketAddr) -> Value {
    json!({ "socket_address": { "address": of.ip().to_string(), "port_value": of.port() } })
}
