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
    for name in UPGRADES {
        let Some(upgrades) = manager.get(name) else {
            continue;
        };
        let begins = FILTERS.map(below);
        let is_guarded = |gate: &Found| begins.iter().any(|it| gate.place.starts_with(it));
        let Some(guarded) = found.iter().position(is_guarded) else {
            return;
        };
        for (nth, upgrade) in upgrades.items().iter().enumerate() {
            let own = format!("{}{nth}].filters[", below(name));
            let has_gate = found.iter().any(|gate| gate.place.starts_with(&own));
            let filters = upgrade.get("filters").filter(|it| !it.items().is_empty());
            if let (Some(filters), false) = (filters, has_gate)
                && let Some(gate) = found.get_mut(guarded)
            {
                gate.remarks.push(remark(&gate.place, upgrade, filters));
            }
        }
    }
}

fn remark(policy: &str, upgrade: &Node, filters: &Node) -> Remark {
    let kind = TYPES.iter().find_map(|name| upgrade.get(name)?.text());
    Remark {
        severity: Severity::Warning,
        code: "upgrade-open",
        policy: policy.to_owned(),
        span: filters.span.clone(),
        message: format!(
            "requests for an upgrade to {} have filters of their own here, and the gate is none of them: nobody judges these requests",
            kind.unwrap_or("something else")
        ),
        fix: "leave these `filters` out, or put the gate first among them".into(),
    }
}
