//! For programs.

use super::{Explanation, outcome, stood};
use crate::evaluate::{CheckView, ConditionView, RoleView, RuleView, Standing};
use jobgate::policy::Truth;
use serde_json::{Value, json};

/// The whole document. Rules are in the policy's order.
pub(crate) fn document(explanation: &Explanation<'_>, only: &[String]) -> Value {
    let answer = explanation.answer;
    let policy = explanation.policy;
    let request = explanation.request;
    let refusal = answer.refusal.as_ref();
    let issuer = answer.issuer.and_then(|place| policy.issuers.get(place));
    let certificate = request.certificate.facts();
    let identity: serde_json::Map<_, _> = answer
        .identity
        .iter()
        .map(|(field, value)| (field.name().to_owned(), value.as_str().into()))
        .collect();
    let rules = answer.rules.as_ref().map(|rules| {
        rules
            .iter()
            .filter(|rule| only.is_empty() || only.contains(&rule.id))
            .map(rule)
            .collect::<Vec<_>>()
    });
    json!({
        "decision": answer.decision.as_str(),
        "reason": refusal.map(|refusal| refusal.reason.code()),
        "status": refusal.map_or(200, |refusal| refusal.reason.status()),
        "detail": refusal.map(|refusal| &refusal.detail),
        "hint": refusal.map(|refusal| refusal.reason.hint()),
        "rule": answer.rule.map(|place| explanation.rule_id(place)),
        "roles": explanation.role_names(),
        "on_trial": answer.shadow.iter().map(|place| explanation.rule_id(*place)).collect::<Vec<_>>(),
        "policy": { "file": explanation.file, "place": explanation.place, "digest": policy.digest },
        "at": explanation.moment(),
        "request": {
            "method": request.method,
            "path": request.without_query(),
            "host": request.host,
            "route": request.route,
            "service": request.service,
            "client_certificate": {
                "verified": certificate.verified,
                "subject": certificate.subject,
                "uri_san": certificate.uri_san,
                "dns_san": certificate.dns_san,
            },
        },
        "issuer": issuer.map(|issuer| &issuer.issuer),
        "identity": identity,
        "checks": answer.checks.iter().map(check).collect::<Vec<_>>(),
        "required": answer.required.iter().map(condition).collect::<Vec<_>>(),
        "rules": rules,
        "otherwise": answer.otherwise.as_ref().map(|otherwise| match otherwise {
            Ok(rule) => json!({ "decision": "allow", "reason": null, "rule": explanation.rule_id(*rule) }),
            Err(refusal) => json!({ "decision": "deny", "reason": refusal.reason.code(), "rule": null }),
        }),
        "notes": answer.notes,
    })
}

fn check(check: &CheckView) -> Value {
    let (result, refusal) = match &check.standing {
        Standing::Passes => ("passes", None),
        Standing::Fails(refusal) => ("fails", Some(refusal)),
        Standing::NotMade => ("not_made", None),
    };
    json!({
        "check": check.name,
        "result": result,
        "reason": refusal.map(|refusal| refusal.reason.code()),
        "detail": refusal.map(|refusal| &refusal.detail),
        "about": check.about,
    })
}

fn rule(rule: &RuleView) -> Value {
    json!({
        "id": rule.id,
        "effect": rule.effect_name(),
        "shadow": rule.shadow,
        "outcome": outcome(rule).replace(' ', "_"),
        "conditions": rule.conditions.iter().map(condition).collect::<Vec<_>>(),
    })
}

fn condition(condition: &ConditionView) -> Value {
    let mut document = json!({
        "member": condition.member,
        "result": stood(&condition.holds),
        "expected": condition.expected,
        "value": condition.value,
    });
    if let Truth::Unknown(why) = &condition.holds {
        document["why"] = why.as_ref().into();
    }
    if !condition.roles.is_empty() {
        document["roles"] = condition.roles.iter().map(role).collect();
    }
    document
}

fn role(role: &RoleView) -> Value {
    let ways = role.ways.iter();
    json!({
        "name": role.name,
        "held": role.held,
        "ways": ways
            .map(|way| way.iter().map(condition).collect::<Vec<_>>())
            .collect::<Vec<_>>(),
    })
}
