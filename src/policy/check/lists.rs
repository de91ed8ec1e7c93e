//! Lists where objects belong. Serde would take them for objects whose members are named by their place.

use super::{At, ConfigError};
use serde_json::Value;

/// All of them.
pub(in crate::policy) fn lists_for_objects(document: &Value) -> Vec<ConfigError> {
    let mut lists = Lists(Vec::new());
    for name in [
        "token",
        "headers",
        "audit",
        "cache",
        "revocations",
        "failed_verifications",
        "assertion",
    ] {
        lists.note(name.into(), document.get(name));
    }
    let allowed = document.get("audit").and_then(|audit| audit.get("allowed"));
    lists.note("audit.allowed".into(), allowed);
    for (list, members) in [
        ("issuers", &["jwks", "claims", "identity"][..]),
        ("rules", &["claims", "client_certificate"]),
        ("limits", &[]),
    ] {
        let list_at = At::from(list);
        for (nth, item) in items(document.get(list)) {
            let at = list_at.item(nth);
            lists.note(at, Some(item));
            for name in members {
                lists.note(at.member(name), item.get(name));
            }
            if list == "limits" {
                let tiers = at.member("tiers");
                for (nth, tier) in items(item.get("tiers")) {
                    lists.note(tiers.item(nth), Some(tier));
                }
            }
        }
    }
    let roles = document.get("roles").and_then(Value::as_object);
    for (name, sets) in roles.into_iter().flatten() {
        let roles = At::from("roles");
        let role = roles.member(name);
        for (nth, set) in items(Some(sets)) {
            lists.note(role.item(nth), Some(set));
        }
    }
    lists.0
}

struct Lists(Vec<ConfigError>);

impl Lists {
    fn note(&mut self, at: At<'_>, value: Option<&Value>) {
        if value.is_some_and(Value::is_array) {
            self.0.push(ConfigError {
                path: at.into(),
                message: "is a list; write an object".into(),
            });
        }
    }
}

fn items(list: Option<&Value>) -> impl Iterator<Item = (usize, &Value)> {
    let items = list.and_then(Value::as_array);
    (0..).zip(items.into_iter().flatten())
}
