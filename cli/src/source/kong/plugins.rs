//! What Kong's plugins do before a gate.
//!
//! Of those that come with Kong 3.9.3 it is read in their handlers; of Kong's Enterprise plugins, whose code is not
//! public, in their documentation.

use super::config::Plugin;
use super::lua;
use crate::source::tree::{Kind, Node};

/// Ordered by how much is known to go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// Nothing that the gate would have kept from happening: it refuses, transforms, logs, answers preflights.
    None,
    /// Can't be told.
    Unknown,
    /// It answers requests in place of the upstream; and how.
    Answers(&'static str),
    /// It makes Kong call the upstream inside the access phase.
    Buffers,
}

const HARMLESS: &[&str] = &[
    "acl",
    "acme",
    "ai-prompt-decorator",
    "ai-prompt-guard",
    "ai-prompt-template",
    "basic-auth",
    "bot-detection",
    "correlation-id",
    "cors",
    "datadog",
    "file-log",
    "grpc-gateway",
    "grpc-web",
    "hmac-auth",
    "http-log",
    "ip-restriction",
    "jwt",
    "key-auth",
    "ldap-auth",
    "loggly",
    "oauth2",
    "opentelemetry",
    "prometheus",
    "rate-limiting",
    "request-size-limiting",
    "request-transformer",
    "response-ratelimiting",
    "response-transformer",
    "session",
    "standard-webhooks",
    "statsd",
    "syslog",
    "tcp-log",
    "udp-log",
    "zipkin",
];

const BY_ITSELF: &str = "what it answers, the gate does not decide on";
const FUNCTION: &str = "the function is called undecided";
const KEPT: &str = "it serves to anyone what it has kept";
const KAFKA: &str = "it hands requests to Kafka undecided";

/// What a plugin does before the gate on a request for which its access phase `runs`.
pub(super) fn effect(plugin: &Plugin, runs: bool) -> Effect {
    let config = plugin.node.get("config");
    match plugin.name.as_str() {
        "pre-function" | "post-function" => {
            let is_global = plugin.scope == Default::default() && !plugin.of_consumer;
            // Before the route is known Kong runs the global ones, whatever is bound more closely.
            let rewrite = is_global.then_some("rewrite");
            let phases = runs.then_some("access").into_iter().chain(rewrite);
            let code = phases.filter_map(|phase| config?.get(phase));
            code.flat_map(|code| texts(code))
                .map(lua::effect)
                .max()
                .unwrap_or(Effect::None)
        }
        _ if !runs => Effect::None,
        "request-termination" => match config.and_then(|config| status(config)) {
            // Without a status it is 503: the route is closed for a while.
            None | Some(400..) => Effect::None,
            _ => Effect::Answers(BY_ITSELF),
        },
        "redirect" | "mocking" => Effect::Answers(BY_ITSELF),
        "aws-lambda" | "azure-functions" => Effect::Answers(FUNCTION),
        "proxy-cache"
        | "proxy-cache-advanced"
        | "graphql-proxy-cache-advanced"
        | "ai-semantic-cache" => Effect::Answers(KEPT),
        "kafka-upstream" | "confluent" => Effect::Answers(KAFKA),
        "ai-proxy" | "ai-proxy-advanced" | "ai-request-transformer" | "ai-response-transformer" => {
            Effect::Buffers
        }
        name if HARMLESS.contains(&name) => Effect::None,
        _ => Effect::Unknown,
    }
}

fn status(config: &Node) -> Option<u64> {
    match &config.get("status_code")?.kind {
        Kind::Bare(status) => status.as_u64(),
        _ => None,
    }
}

/// The functions of a phase.
fn texts(code: &Node) -> impl Iterator<Item = &str> {
    let of_list = code.items().iter().filter_map(|item| item.text());
    code.text().into_iter().chain(of_list)
}
