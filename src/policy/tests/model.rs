//! What the policy page says, as naively as it can be written, over the configuration as it is written.

use serde_json::Value;

/// The text of a scalar, by the policy page's words.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn listed(list: &Value, item: &str) -> bool {
    list.as_array()
        .unwrap()
        .iter()
        .any(|each| text(each).as_deref() == Some(item))
}

/// A glob of which the tests use only a trailing star.
fn glob(pattern: &str, item: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => item.starts_with(prefix),
        None => item == pattern,
    }
}

fn claim_holds(rule: &Value, claim: Option<&Value>) -> bool {
    let Some(claim) = claim.filter(|claim| !claim.is_null()) else {
        return false;
    };
    let elements: Vec<&Value> = match claim {
        Value::Array(items) => items.iter().collect(),
        scalar => vec![scalar],
    };
    let some = |test: &dyn Fn(&str) -> bool| {
        elements
            .iter()
            .any(|element| text(element).is_some_and(|text| test(&text)))
    };
    let every = |test: &dyn Fn(&str) -> bool| {
        elements
            .iter()
            .all(|element| text(element).is_some_and(|text| test(&text)))
    };
    let Value::Object(matchers) = rule else {
        return some(&|item| Some(item) == text(rule).as_deref());
    };
    matchers.iter().all(|(name, wanted)| match name.as_str() {
        "equals" => some(&|item| Some(item) == text(wanted).as_deref()),
        "not_equals" => every(&|item| Some(item) != text(wanted).as_deref()),
        "in" => some(&|item| listed(wanted, item)),
        "not_in" => every(&|item| !listed(wanted, item)),
        "matches" => elements.iter().any(|element| {
            element
                .as_str()
                .is_some_and(|item| glob(wanted.as_str().unwrap(), item))
        }),
        other => panic!("{other}"),
    })
}

fn claims_hold(set: &Value, claims: &Value) -> bool {
    set.as_object()
        .into_iter()
        .flatten()
        .all(|(name, rule)| claim_holds(rule, claims.get(name)))
}

fn path_covered(pattern: &str, path: &str) -> bool {
    match (pattern.strip_suffix("/**"), pattern.strip_suffix("/*")) {
        (Some(base), _) => path
            .strip_prefix(base)
            .is_some_and(|rest| rest.starts_with('/')),
        (_, Some(base)) => path
            .strip_prefix(base)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|rest| !rest.contains('/')),
        _ => path == pattern,
    }
}

/// Whether a rule's `issuer`, one name or a list of them, names this issuer.
fn names_issuer(rule: &Value, issuer: &Value) -> bool {
    let is_named = |name: &Value| *name == issuer["issuer"] || *name == issuer["preset"];
    match rule.get("issuer") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(is_named),
        Some(name) => is_named(name),
    }
}

fn rule_matches(policy: &Value, rule: &Value, claims: &Value, method: &str, path: &str) -> bool {
    let any = |name: &str, test: &dyn Fn(&str) -> bool| {
        rule.get(name)
            .and_then(Value::as_array)
            .is_none_or(|items| items.iter().any(|item| test(item.as_str().unwrap())))
    };
    any("methods", &|covered| covered == method)
        && any("paths", &|pattern| path_covered(pattern, path))
        && any("roles", &|role| {
            let sets = policy["roles"][role].as_array().unwrap();
            sets.iter().any(|set| claims_hold(&set["claims"], claims))
        })
        && claims_hold(&rule["claims"], claims)
}

/// Allowed, or the first deny rule by id, or nothing. A rule that lets a token through once comes after those
/// that let it through at any time.
pub(super) fn model(
    policy: &Value,
    issuer: usize,
    claims: &Value,
    method: &str,
    path: &str,
) -> Result<String, Option<String>> {
    let matching = |effect: &str| {
        policy["rules"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|rule| rule["effect"] == effect)
            .filter(|rule| names_issuer(rule, &policy["issuers"][issuer]))
            .filter(|rule| rule_matches(policy, rule, claims, method, path))
            .map(|rule| {
                (
                    rule["replay"] == "once",
                    rule["id"].as_str().unwrap().to_owned(),
                )
            })
            .min()
            .map(|(_, id)| id)
    };
    match matching("deny") {
        Some(id) => Err(Some(id)),
        None => matching("allow")
            .filter(|_| claims_hold(&policy["issuers"][issuer]["claims"], claims))
            .ok_or(None),
    }
}
