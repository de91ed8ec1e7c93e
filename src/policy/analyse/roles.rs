//! Roles that are never held, or never asked for.

use super::{Analysis, contradiction};

pub(super) fn find(analysis: &mut Analysis<'_>) {
    let policy = analysis.policy;
    let mut is_used = vec![false; policy.roles.len()];
    let by_rules = policy.rules.iter().flat_map(|rule| &rule.roles);
    let tiers = policy.limits.iter().flat_map(|limit| limit.tiers());
    let by_limits = tiers.flat_map(|tier| &tier.roles);
    let mut open: Vec<usize> = by_rules.chain(by_limits).copied().collect();
    while let Some(place) = open.pop() {
        let (Some(used), Some(role)) = (is_used.get_mut(place), policy.roles.get(place)) else {
            continue;
        };
        if !std::mem::replace(used, true) {
            open.extend(role.any_of.iter().flat_map(|set| &set.roles));
        }
    }
    for (place, role) in policy.roles.iter().enumerate() {
        if !analysis.budget.take_looks(1) {
            return;
        }
        contradiction::role(analysis, place);
        if is_used.get(place).copied().unwrap_or(false) {
            continue;
        }
        if !analysis.budget.take(policy.rules.len() as u64) {
            return;
        }
        let mut expressions = policy.rules.iter().filter_map(|rule| rule.when.as_ref());
        let is_named = expressions.any(|when| when.source().contains(&role.name));
        if !is_named {
            analysis.note("role-unused", &format_args!("roles.{}", role.name), &"nothing in the policy asks for this role; the upstream is told of it all the same", &"take it out, unless the upstream goes by it");
        }
    }
}
