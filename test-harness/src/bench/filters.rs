//! The filters of each variant, and the bootstrap around them. What is asked of a request is the same everywhere:
//! issuer, audience, three claims, method and the path's beginning.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::job::{AUDIENCE, ISSUER, METHOD, PINS, PREFIX};
use crate::keys::Algorithm;
use crate::mint::Minter;

/// What stands before the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filters {
    /// Nothing.
    None,
    /// A Wasm filter that does nothing.
    Empty,
    /// A Wasm filter that makes the gate's calls to the host, and does nothing else.
    Calls,
    /// Envoy's `jwt_authn`.
    Jwt {
        /// What tokens are signed with.
        algorithm: Algorithm,
        /// Whether it remembers tokens that were verified.
        cache: bool,
        /// Whether it tells the upstream the job's claims, and RBAC decides by them.
        policy: bool,
    },
    /// The gate.
    Jobgate {
        /// What tokens are signed with.
        algorithm: Algorithm,
        /// How many rules the policy has. One is for the request.
        rules: usize,
        /// Whether it may ask the host to verify signatures.
        host_crypto: bool,
        /// Whether what it allows goes on record.
        recorded: bool,
    },
}

/// The modules that are built for this.
#[derive(Clone, Debug)]
pub(super) struct Modules {
    /// The gate.
    pub(super) jobgate: PathBuf,
    /// The filter that does nothing.
    pub(super) empty: PathBuf,
}

/// The listener's name, and that of its statistics.
pub(super) const LISTENER: &str = "ingress";

impl Filters {
    /// A whole bootstrap: the filters before a route that Envoy answers itself.
    pub(super) fn bootstrap(self, modules: &Modules, issuer: &Minter) -> Value {
        let mut filters = self.filters(modules, issuer);
        filters.push(typed(
            "envoy.filters.http.router",
            "router.v3.Router",
            json!({}),
        ));
        json!({
            "node": { "id": "bench", "cluster": "bench" },
            "admin": { "address": any_port() },
            "static_resources": { "listeners": [{
                "name": LISTENER,
                "address": any_port(),
                "filter_chains": [{ "filters": [{
                    "name": "http",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.network\
                                  .http_connection_manager.v3.HttpConnectionManager",
                        "stat_prefix": LISTENER,
                        "http_filters": filters,
                        "route_config": {
                            "name": LISTENER,
                            "virtual_hosts": [{ "name": LISTENER, "domains": ["*"], "routes": [{
                                "name": LISTENER,
                                "match": { "prefix": "/" },
                                "direct_response": { "status": 200 },
                            }]}],
                        },
                    },
                }]}],
            }]},
        })
    }

    /// What production has. (Envoy's default is `info`.)
    pub(super) fn log_level(self) -> &'static str {
        match self {
            // Envoy logs each call that it withholds as an error.
            Self::Jobgate {
                host_crypto: false, ..
            } => "warning,wasm:critical",
            _ => "warning",
        }
    }

    fn filters(self, modules: &Modules, issuer: &Minter) -> Vec<Value> {
        match self {
            Self::None => Vec::new(),
            Self::Empty => vec![wasm("empty", &modules.empty, "", true)],
            Self::Calls => vec![wasm("calls", &modules.empty, "ask", true)],
            Self::Jwt { cache, policy, .. } => {
                let jwt = jwt_authn(issuer, cache, policy);
                if policy { vec![jwt, rbac()] } else { vec![jwt] }
            }
            Self::Jobgate {
                rules,
                host_crypto,
                recorded,
                ..
            } => {
                let mut policy = policy(issuer, rules);
                if !recorded {
                    policy["audit"] = json!({ "allowed": { "sample": 0 } });
                }
                let policy = policy.to_string();
                vec![wasm("jobgate", &modules.jobgate, &policy, host_crypto)]
            }
        }
    }
}

/// The gate's policy: all of its settings are the defaults but for what the tokens make necessary.
pub(super) fn policy(issuer: &Minter, rules: usize) -> Value {
    let pins = |pipeline: &str| {
        let pins = PINS.map(|(name, value)| {
            let value = if name == "pipeline_slug" {
                pipeline
            } else {
                value
            };
            (name.to_owned(), json!(value))
        });
        Value::Object(pins.into_iter().collect())
    };
    let others = (1..rules).map(|nth| {
        let pipeline = format!("app-{nth}");
        json!({
            "id": pipeline, "methods": [METHOD], "paths": [format!("/deploy/{pipeline}/**")], "claims": pins(&pipeline),
        })
    });
    let own = json!({
        "id": "deploy-production", "methods": [METHOD], "paths": [format!("{PREFIX}**")], "claims": pins("deploy-web"),
    });
    json!({
        "issuers": [{
            "preset": "buildkite",
            "audience": AUDIENCE,
            "algorithms": issuer.algorithms(),
            "max_lifetime": "7d",
            "keys": issuer.jwks(),
        }],
        "rules": others.chain([own]).collect::<Vec<_>>(),
    })
}

/// The claims that the gate tells the upstream by default for a Buildkite job.
const TOLD: [(&str, &str); 10] = [
    ("issuer", "iss"),
    ("subject", "sub"),
    ("organization", "organization_slug"),
    ("pipeline", "pipeline_slug"),
    ("build", "build_number"),
    ("branch", "build_branch"),
    ("commit", "build_commit"),
    ("job", "job_id"),
    ("step", "step_key"),
    ("agent", "agent_id"),
];

const PROVIDER: &str = "ci";
const PAYLOAD: &str = "payload";
const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";

fn jwt_authn(issuer: &Minter, cache: bool, policy: bool) -> Value {
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": { "inline_string": issuer.jwks().to_string() },
    });
    if cache {
        provider["jwt_cache_config"] = json!({});
    }
    if policy {
        let headers = TOLD.map(|(header, claim)| {
            json!({ "header_name": format!("x-jobgate-{header}"), "claim_name": claim })
        });
        provider["claim_to_headers"] = json!(headers);
        provider["payload_in_metadata"] = json!(PAYLOAD);
    }
    let config = json!({
        "providers": { PROVIDER: provider },
        "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": PROVIDER } }],
    });
    typed(JWT_AUTHN, "jwt_authn.v3.JwtAuthentication", config)
}

fn rbac() -> Value {
    let claims = PINS.map(|(claim, value)| {
        json!({ "metadata": {
            "filter": JWT_AUTHN,
            "path": [{ "key": PAYLOAD }, { "key": claim }],
            "value": { "string_match": { "exact": value } },
        }})
    });
    let permission = json!({ "and_rules": { "rules": [
        { "header": { "name": ":method", "string_match": { "exact": METHOD } } },
        { "url_path": { "path": { "prefix": PREFIX } } },
    ]}});
    let config = json!({ "rules": { "action": "ALLOW", "policies": { "deploy-production": {
        "permissions": [permission],
        "principals": [{ "and_ids": { "ids": claims } }],
    }}}});
    typed("envoy.filters.http.rbac", "rbac.v3.RBAC", config)
}

fn wasm(name: &str, module: &Path, configuration: &str, all_calls: bool) -> Value {
    let mut config = json!({
        "name": name,
        "root_id": name,
        "failure_policy": "FAIL_RELOAD",
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": configuration,
        },
        "vm_config": {
            "vm_id": name,
            "runtime": "envoy.wasm.runtime.v8",
            "code": { "local": { "filename": module } },
        },
    });
    if !all_calls {
        let allowed = super::capabilities::all_but_foreign_functions()
            .map(|name| (name.to_owned(), json!({})));
        let allowed: serde_json::Map<_, _> = allowed.collect();
        config["capability_restriction_config"] = json!({ "allowed_capabilities": allowed });
    }
    typed(name, "wasm.v3.Wasm", json!({ "config": config }))
}

fn typed(name: &str, kind: &str, mut config: Value) -> Value {
    config["@type"] = json!(format!(
        "type.googleapis.com/envoy.extensions.filters.http.{kind}"
    ));
    json!({ "name": name, "typed_config": config })
}

fn any_port() -> Value {
    crate::envoy::address("127.0.0.1", 0)
}
