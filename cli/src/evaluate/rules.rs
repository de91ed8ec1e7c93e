//! How every rule stood, with what it was held against.

use super::describe;
use super::request::Certificate;
use jobgate::policy::{
    ClaimSet, ConditionTrace, Effect, Facts, Issuer, Policy, Role, RoleSet, Rule, Truth,
};
use jobgate::token::Claims;
use serde_json::Value;

/// A rule.
#[derive(Debug, Clone)]
pub(crate) struct RuleView {
    /// Its place in [`Policy::rules`].
    pub(crate) place: usize,
    pub(crate) id: String,
    pub(crate) effect: Effect,
    pub(crate) shadow: bool,
    pub(crate) holds: Truth,
    pub(crate) conditions: Vec<ConditionView>,
}

/// A condition of a rule, or of a way to a role.
#[derive(Debug, Clone)]
pub(crate) struct ConditionView {
    /// `methods`, `claims.build_branch`.
    pub(crate) member: String,
    pub(crate) expected: String,
    /// What it was held against, in words.
    pub(crate) actual: String,
    /// The same for programs: the claim itself, or the words.
    pub(crate) value: Option<Value>,
    pub(crate) holds: Truth,
    /// Of a condition on roles: those roles.
    pub(crate) roles: Vec<RoleView>,
}

/// A role that a rule asks for.
#[derive(Debug, Clone)]
pub(crate) struct RoleView {
    pub(crate) name: String,
    pub(crate) held: bool,
    /// What each way to it asks for.
    pub(crate) ways: Vec<Vec<ConditionView>>,
}

impl RuleView {
    /// The effect as policies write it.
    pub(crate) const fn effect_name(&self) -> &'static str {
        match self.effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        }
    }

    /// Whether it counts as one that matches: of a deny rule it is enough that it may.
    pub(crate) fn matches(&self) -> bool {
        match (&self.holds, self.effect) {
            (Truth::Yes, _) | (Truth::Unknown(_), Effect::Deny) => true,
            (Truth::No, _) | (Truth::Unknown(_), Effect::Allow) => false,
        }
    }

    /// How many conditions keep it from matching.
    pub(crate) fn missing(&self) -> usize {
        let failing = self.conditions.iter();
        failing
            .filter(|condition| condition.holds != Truth::Yes)
            .count()
    }

    /// How far it is from matching: first whether it is about such requests at all, then what the job lacks.
    pub(crate) fn distance(&self) -> (usize, usize) {
        const SCOPE: [&str; 5] = ["issuer", "routes", "hosts", "methods", "paths"];
        let out_of_scope = self.conditions.iter().filter(|condition| {
            condition.holds != Truth::Yes && SCOPE.contains(&condition.member.as_str())
        });
        (out_of_scope.count(), self.missing())
    }
}

/// Every rule, in the policy's order.
pub(super) fn views(
    policy: &Policy,
    issuer: usize,
    claims: &Claims,
    facts: &Facts<'_>,
) -> Vec<RuleView> {
    let held = policy.roles_of(claims);
    let asked = Asked {
        policy,
        issuer: &policy.issuers[issuer],
        claims,
        facts,
        held: &held,
    };
    policy
        .trace(issuer, claims, facts)
        .into_iter()
        .map(|trace| {
            let rule = &policy.rules[trace.rule];
            RuleView {
                place: trace.rule,
                id: rule.id.clone(),
                effect: rule.effect,
                shadow: rule.shadow,
                holds: trace.holds,
                conditions: trace
                    .conditions
                    .into_iter()
                    .map(|condition| asked.condition(rule, condition))
                    .collect(),
            }
        })
        .collect()
}

/// What every token of an issuer must meet.
pub(super) fn required(issuer: &Issuer, claims: &Claims) -> Vec<ConditionView> {
    of_set(&issuer.required, claims)
}

fn of_set(set: &ClaimSet, claims: &Claims) -> Vec<ConditionView> {
    set.0
        .iter()
        .map(|(name, test)| {
            let value = name.find(claims);
            ConditionView {
                member: format!("claims.{name}"),
                expected: test.to_string(),
                actual: describe::value(value),
                value: value.cloned(),
                holds: test.holds(value).into(),
                roles: Vec::new(),
            }
        })
        .collect()
}

/// What rules are held against.
struct Asked<'a> {
    policy: &'a Policy,
    issuer: &'a Issuer,
    claims: &'a Claims,
    facts: &'a Facts<'a>,
    held: &'a [usize],
}

impl Asked<'_> {
    fn condition(&self, rule: &Rule, trace: ConditionTrace) -> ConditionView {
        let is_claim = trace.member.starts_with("claims.");
        let claim = trace.claim.as_ref().filter(|_| is_claim);
        let value = claim.and_then(|name| name.find(self.claims));
        let actual = match claim {
            Some(_) => describe::value(value),
            None => describe::printable(&self.fact(rule, &trace)),
        };
        ConditionView {
            value: match claim {
                Some(_) => value.cloned(),
                None => Some(actual.clone().into()),
            },
            actual,
            roles: match trace.member.as_str() {
                "roles" => self.roles(rule),
                _ => Vec::new(),
            },
            member: trace.member,
            expected: trace.expected,
            holds: trace.holds,
        }
    }

    /// What a condition that is not on a claim was held against.
    fn fact(&self, rule: &Rule, trace: &ConditionTrace) -> String {
        let facts = self.facts;
        let none = || "none".to_owned();
        match trace.member.as_str() {
            "issuer" => self.issuer.issuer.clone(),
            "methods" => facts.method.into(),
            "paths" => facts.path.as_str().into(),
            "hosts" => facts.host.map_or_else(none, Into::into),
            "routes" => match (facts.route, facts.service) {
                (None, None) => none(),
                (Some(route), None) => format!("route {route}"),
                (None, Some(service)) => format!("service {service}"),
                (Some(route), Some(service)) => format!("route {route}, service {service}"),
            },
            "roles" => match self.held {
                [] => none(),
                held => {
                    let roles = held
                        .iter()
                        .filter_map(|place| self.policy.roles.get(*place));
                    roles
                        .map(|role| role.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                }
            },
            "schedule" => rule
                .schedule
                .as_ref()
                .map_or_else(none, |schedule| schedule.local_time(facts.now)),
            "when" => match &trace.holds {
                Truth::Yes => "true".into(),
                Truth::No => "false".into(),
                Truth::Unknown(_) => "an error".into(),
            },
            "client_certificate" => Certificate::of(facts.certificate).describe(),
            // A condition that came later than this: the mark tells.
            _ => String::new(),
        }
    }

    fn roles(&self, rule: &Rule) -> Vec<RoleView> {
        let places = rule.roles.iter();
        places
            .filter_map(|place| Some((*place, self.policy.roles.get(*place)?)))
            .map(|(place, role)| view_of(self.policy, place, role, self.claims, self.held))
            .collect()
    }
}

/// Every role of the policy.
pub(super) fn roles(policy: &Policy, claims: &Claims) -> Vec<RoleView> {
    let held = policy.roles_of(claims);
    let roles = policy.roles.iter().enumerate();
    roles
        .map(|(place, role)| view_of(policy, place, role, claims, &held))
        .collect()
}

fn view_of(
    policy: &Policy,
    place: usize,
    role: &Role,
    claims: &Claims,
    held: &[usize],
) -> RoleView {
    let way = |set: &RoleSet| {
        let included = set
            .roles
            .iter()
            .filter_map(|place| policy.roles.get(*place));
        let included: Vec<_> = included.map(|role| role.name.as_str()).collect();
        let has = set.roles.iter().any(|place| held.contains(place));
        let roles = (!set.roles.is_empty()).then(|| ConditionView {
            member: "roles".into(),
            expected: format!("one of {included:?}"),
            actual: if has { "held" } else { "none of them" }.into(),
            value: None,
            holds: has.into(),
            roles: Vec::new(),
        });
        roles
            .into_iter()
            .chain(of_set(&set.claims, claims))
            .collect()
    };
    RoleView {
        name: role.name.clone(),
        held: held.contains(&place),
        ways: role.any_of.iter().map(way).collect(),
    }
}
