//! Where in a gateway's configuration the policies are.

use super::fails_open;
use super::kubernetes;
use super::remark::Remark;
use super::tree::Node;
use super::upgrades;
use std::rc::Rc;

/// Something that a gateway gives to the filter.
pub(super) struct Found {
    /// Where: `services[0].plugins[1].config`; empty for a document that is a policy itself.
    pub(super) place: String,
    pub(super) what: Given,
    /// By what the gateway lets requests past it.
    pub(super) remarks: Vec<Remark>,
}

pub(super) enum Given {
    /// An object, or a text that holds one.
    Policy(Rc<Node>),
    /// Nothing that the filter could read.
    Nothing {
        at: Rc<Node>,
        message: &'static str,
        fix: &'static str,
    },
}

/// The members by which a document is known to be a policy itself.
const OF_A_POLICY: [&str; 2] = ["issuers", "rules"];

/// All policies of a document, in its order.
pub(super) fn find(document: &Rc<Node>) -> Vec<Found> {
    let whole = || Found {
        place: String::new(),
        what: Given::Policy(Rc::clone(document)),
        remarks: Vec::new(),
    };
    if looks_like_a_policy(document) {
        return vec![whole()];
    }
    let mut found = Vec::new();
    walk(document, "", &mut found);
    // A policy whose members are all misspelt is told so, rather than that there is none.
    if found.is_empty()
        && document
            .members()
            .iter()
            .any(|member| is_member(&member.key))
    {
        found.push(whole());
    }
    found
}

fn is_member(name: &str) -> bool {
    let alike = [
        "mode",
        "token",
        "headers",
        "roles",
        "audit",
        "cache",
        "revocations",
        "failed_verifications",
        "assertion",
        "exchange",
        "sessions",
    ];
    alike.contains(&name)
}

pub(super) fn looks_like_a_policy(node: &Node) -> bool {
    OF_A_POLICY.iter().any(|name| node.get(name).is_some())
}

fn walk(node: &Rc<Node>, place: &str, found: &mut Vec<Found>) {
    for (nth, item) in node.items().iter().enumerate() {
        walk(item, &format!("{place}[{nth}]"), found);
    }
    if is_wasm(node) && is_jobgate(node, place) {
        found.push(of_envoy(node, place));
        return;
    }
    if kubernetes::find(node, place, found).is_some() {
        return;
    }
    for member in node.members() {
        let below = match place {
            "" => member.key.clone(),
            _ => format!("{place}.{}", member.key),
        };
        // Kong: `plugins` at the top, of services, routes and consumers; `filters` of filter chains.
        if matches!(member.key.as_str(), "plugins" | "filters") {
            for (nth, entry) in member.value.items().iter().enumerate() {
                if is_kongs(entry) {
                    found.push(of_kong(entry, &format!("{below}[{nth}]")));
                }
            }
        }
        walk(&member.value, &below, found);
    }
    upgrades::look(node, place, found);
}

fn is_kongs(entry: &Node) -> bool {
    entry.get("name").and_then(|name| name.text()) == Some("jobgate")
        // A filter of Envoy's, which has its configuration elsewhere.
        && entry.get("typed_config").is_none()
}

fn of_kong(entry: &Rc<Node>, place: &str) -> Found {
    let what = match entry.get("config") {
        Some(config) if config.text().is_some() || !config.members().is_empty() => {
            Given::Policy(Rc::clone(config))
        }
        other => Given::Nothing {
            at: Rc::clone(other.unwrap_or(entry)),
            message: "there is no configuration",
            fix: "write the policy as its config",
        },
    };
    Found {
        place: format!("{place}.config"),
        what,
        // Kong's plugins and routes open gates, which concern all of the document.
        remarks: Vec::new(),
    }
}

fn type_of(node: &Node) -> &str {
    let name = node.get("@type").and_then(|name| name.text());
    name.unwrap_or_default()
}

fn is_wasm(node: &Node) -> bool {
    type_of(node).ends_with(".wasm.v3.Wasm")
}

/// Whether a Wasm filter is this one: it has the name somewhere, or it is given a policy.
fn is_jobgate(wasm: &Node, place: &str) -> bool {
    let Some(config) = wasm.get("config") else {
        return false;
    };
    let named = |node: Option<&Rc<Node>>| node.is_some_and(|node| mentions(node));
    let vm = config.get("vm_config");
    let given = config
        .get("configuration")
        .and_then(|configuration| configuration.get("value"));
    place.contains("jobgate")
        || ["name", "root_id"]
            .iter()
            .any(|name| named(config.get(name)))
        || named(vm.and_then(|vm| vm.get("vm_id")))
        || named(vm.and_then(|vm| vm.get("code")))
        || given.is_some_and(|given| {
            let text = given.text().unwrap_or_default();
            looks_like_a_policy(given)
                || super::json::parse(text).is_ok_and(|policy| looks_like_a_policy(&policy))
        })
}

/// Whether the filter's name is in any text of these.
pub(super) fn mentions(node: &Node) -> bool {
    node.text().is_some_and(|text| text.contains("jobgate"))
        || node.items().iter().any(|item| mentions(item))
        || node.members().iter().any(|member| mentions(&member.value))
}

/// The members of Envoy's `PluginConfig` that open a gate. YAML and JSON may have the names in either form.
const OPENS: [(&str, &str, &str); 4] = {
    let reload = "`failure_policy: FAIL_RELOAD` in its place";
    [
        ("failure_policy", "FAIL_OPEN", reload),
        ("failurePolicy", "FAIL_OPEN", reload),
        ("fail_open", "true", reload),
        ("failOpen", "true", reload),
    ]
};

fn of_envoy(wasm: &Rc<Node>, place: &str) -> Found {
    let configuration = wasm
        .get("config")
        .and_then(|config| config.get("configuration"));
    let value = configuration.and_then(|configuration| configuration.get("value"));
    let what = match (configuration, value) {
        (Some(configuration), Some(value))
            if type_of(configuration).ends_with("google.protobuf.StringValue")
                && value.text().is_some() =>
        {
            Given::Policy(Rc::clone(value))
        }
        (None, _) => Given::Nothing {
            at: Rc::clone(wasm),
            message: "there is no configuration",
            fix: "give the filter its policy: a configuration of type google.protobuf.StringValue",
        },
        (Some(configuration), _) => Given::Nothing {
            at: Rc::clone(configuration),
            message: "the filter can't read this: a Struct reaches it as protobuf's bytes",
            fix: "write the policy as the value, a JSON text, of a google.protobuf.StringValue",
        },
    };
    let place = format!("{place}.config.configuration.value");
    let open = wasm
        .get("config")
        .and_then(|config| fails_open::remark(config, &OPENS, &place));
    Found {
        place,
        what,
        remarks: open.into_iter().collect(),
    }
}
