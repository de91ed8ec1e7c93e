//! Connections that Envoy lets become something else (`upgrade_configs`) behind filters of their own, which take the place
//! of all others.

use super::find::Found;
use super::remark::Remark;
use super::tree::Node;
use jobgate::policy::Severity;

/// YAML and JSON may have the names in either form.
const FILTERS: [&str; 2] = ["http_filters", "httpFilters"];
const UPGRADES: [&str; 2] = ["upgrade_configs", "upgradeConfigs"];
const TYPES: [&str; 2] = ["upgrade_type", "upgradeType"];

/// Looks for them where `manager`, at `place`, has a gate; `found` are the gates up to there.
pub(super) fn look(manager: &Node, place: &str, found: &mut [Found]) {
    let below = |name: &str| match place {
        "" => format!("{name}["),
        _ => format!("{place}.{name}["),
    };
    let begins = FILTERS.map(below);
    let is_gate = |found: &&mut Found| begins.iter().any(|it| found.place.starts_with(it));
    let guarded: Vec<String> = found.iter().map(|found| found.place.clone()).collect();
    let Some(gate) = found.iter_mut().find(is_gate) else {
        return;
    };
    for name in UPGRADES {
        let upgrades = manager.get(name).map(|it| it.items()).unwrap_or_default();
        for (nth, upgrade) in upgrades.iter().enumerate() {
            let filters = upgrade.get("filters").filter(|it| !it.items().is_empty());
            let own = format!("{}{nth}].filters[", below(name));
            let Some(filters) = filters.filter(|_| !guarded.iter().any(|it| it.starts_with(&own)))
            else {
                continue;
            };
            let kind = TYPES.iter().find_map(|name| upgrade.get(name)?.text());
            gate.remarks.push(Remark {
                severity: Severity::Warning,
                code: "upgrade-open",
                policy: gate.place.clone(),
                span: filters.span.clone(),
                message: format!(
                    "requests for an upgrade to {} have filters of their own here, and the gate is none of them: nobody judges these requests",
                    kind.unwrap_or("something else")
                ),
                fix: "leave these `filters` out, or put the gate first among them".into(),
            });
        }
    }
}
