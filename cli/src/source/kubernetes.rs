//! Policies in Kubernetes objects: Istio's `WasmPlugin` and Envoy Gateway's `EnvoyExtensionPolicy`.
//!
//! Both take the policy as an object, and hand it to the filter as JSON in a `google.protobuf.StringValue`.

use super::fails_open;
use super::find::{Found, Given, looks_like_a_policy, mentions};
use super::tree::Node;
use std::rc::Rc;

/// Whether this is an object of Kubernetes, of any kind.
pub(super) fn is_object(node: &Node) -> bool {
    let names = |member| node.get(member).is_some_and(|name| name.text().is_some());
    names("apiVersion") && names("kind")
}

/// The policies of an object of one of the two kinds; nothing of any other object.
pub(super) fn find(object: &Node, place: &str, found: &mut Vec<Found>) -> Option<()> {
    let text = |member| object.get(member).and_then(|text| text.text());
    let (group, _) = text("apiVersion")?.split_once('/')?;
    let spec = object.get("spec");
    let named = object
        .get("metadata")
        .and_then(|metadata| metadata.get("name"))
        .is_some_and(|name| mentions(name));
    let at = match place {
        "" => "spec".to_owned(),
        _ => format!("{place}.spec"),
    };
    match (group, text("kind")?) {
        ("extensions.istio.io", "WasmPlugin") => {
            let spec = spec?;
            if named || is_jobgate(spec, &["pluginName", "url"], "pluginConfig") {
                found.push(given(spec, "pluginConfig", &at, &ISTIO_OPENS));
            }
        }
        ("gateway.envoyproxy.io", "EnvoyExtensionPolicy") => {
            let filters = spec?.get("wasm")?.items();
            // The object's name is for all that it holds, other filters too.
            let named = named && filters.len() == 1;
            for (nth, wasm) in filters.iter().enumerate() {
                if named || is_jobgate(wasm, &["name", "rootID", "code"], "config") {
                    found.push(given(
                        wasm,
                        "config",
                        &format!("{at}.wasm[{nth}]"),
                        &GATEWAY_OPENS,
                    ));
                }
            }
        }
        _ => return None,
    }
    Some(())
}

/// Whether the filter has the name in one of these members, or is given a policy.
fn is_jobgate(wasm: &Node, names: &[&str], config: &str) -> bool {
    let mut named = names.iter().filter_map(|name| wasm.get(name));
    named.any(|name| mentions(name))
        || wasm
            .get(config)
            .is_some_and(|config| looks_like_a_policy(config))
}

const ISTIO_OPENS: [(&str, &str, &str); 1] = [(
    "failStrategy",
    "FAIL_OPEN",
    "`failStrategy: FAIL_RELOAD`, before Istio 1.27 FAIL_CLOSE",
)];

const GATEWAY_OPENS: [(&str, &str, &str); 1] = [("failOpen", "true", "`failOpen: false`")];

fn given(wasm: &Rc<Node>, member: &str, place: &str, opens: &[(&str, &str, &str)]) -> Found {
    let what = match wasm.get(member) {
        Some(config) if !config.members().is_empty() => Given::Policy(Rc::clone(config)),
        Some(config) if config.text().is_some() => Given::Nothing {
            at: Rc::clone(config),
            message: "the policy is a text here, and would reach the filter as one",
            fix: "write it as an object",
        },
        other => Given::Nothing {
            at: Rc::clone(other.unwrap_or(wasm)),
            message: "there is no configuration",
            fix: "write the policy as its configuration, an object",
        },
    };
    let place = format!("{place}.{member}");
    Found {
        remarks: fails_open::remark(wasm, opens, &place)
            .into_iter()
            .collect(),
        place,
        what,
    }
}
