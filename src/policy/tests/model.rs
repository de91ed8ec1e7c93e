//! What the policy page says, as naively as it can be written, over the configuration as it is written.

use super::{Answer, Asked};
use serde_json::Value;

/// Whether something holds; none if it can't be told.
type Holds = Option<bool>;

/// The text of a scalar, by the policy page's words.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        // The only number here that is too large to be exact.
        Value::Number(number) if number.as_f64() == Some(1e30) => None,
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

/// Whether a claim passes, by a rule that takes values without a text for something else than any text, or not.
fn claim_passes(rule: &Value, claim: Option<&Value>, differs: bool) -> bool {
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
            .all(|element| text(element).map_or(differs && !element.is_null(), |text| test(&text)))
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

/// The value of a claim by its name, or by a pointer.
fn find<'c>(claims: &'c Value, name: &str) -> Option<&'c Value> {
    if name.starts_with('/') {
        claims.pointer(name)
    } else {
        claims.get(name)
    }
}

fn claims_pass(set: &Value, claims: &Value, differs: bool) -> bool {
    set.as_object()
        .into_iter()
        .flatten()
        .all(|(name, rule)| claim_passes(rule, find(claims, name), differs))
}

/// For what must be certain: roles, and conditions on an issuer's tokens.
fn claims_hold(set: &Value, claims: &Value) -> bool {
    claims_pass(set, claims, false)
}

fn has_role(policy: &Value, role: &str, claims: &Value) -> bool {
    let sets = policy["roles"][role].as_array().unwrap();
    sets.iter().any(|set| {
        let includes = set["roles"].as_array();
        let included = includes.is_none_or(|roles| {
            roles
                .iter()
                .any(|role| has_role(policy, role.as_str().unwrap(), claims))
        });
        included && claims_hold(&set["claims"], claims)
    })
}

fn certificate_passes(test: &Value, asked: &Asked) -> Holds {
    let shown = &asked.certificate;
    if shown.verified != Some(true) {
        return shown.verified;
    }
    all(
        [("subject", &shown.subject), ("uri_san", &shown.uri_san)].map(|(name, value)| {
            let globs = match test.get(name)? {
                Value::Array(globs) => globs.clone(),
                one => vec![one.clone()],
            };
            Some(value.as_ref().map(|value| {
                let covers = |pattern: &Value| glob(pattern.as_str().unwrap(), value);
                globs.iter().any(covers)
            }))
        }),
    )
}

/// Whether all of these hold; those that are not there ask for nothing.
fn all(conditions: impl IntoIterator<Item = Option<Holds>>) -> Holds {
    let told: Vec<Holds> = conditions.into_iter().flatten().collect();
    if told.contains(&Some(false)) {
        Some(false)
    } else if told.contains(&None) {
        None
    } else {
        Some(true)
    }
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

/// How a rule stands, with its condition on the certificate or without.
fn rule_holds(
    policy: &Value,
    rule: &Value,
    claims: &Value,
    asked: &Asked,
    certificate: bool,
) -> Holds {
    let any = |name: &str, test: &dyn Fn(&str) -> Holds| -> Option<Holds> {
        let items = rule.get(name)?.as_array().unwrap();
        let told: Vec<Holds> = items
            .iter()
            .map(|item| test(item.as_str().unwrap()))
            .collect();
        let holds = told.contains(&Some(true));
        Some(if holds || !told.contains(&None) {
            Some(holds)
        } else {
            None
        })
    };
    let named = |name: &str| match (asked.route, asked.service) {
        (None, None) => None,
        (route, service) => Some([route, service].contains(&Some(name))),
    };
    let claims_are = match (
        claims_pass(&rule["claims"], claims, false),
        claims_pass(&rule["claims"], claims, true),
    ) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => Some(false),
    };
    all([
        any("methods", &|covered| Some(covered == asked.method)),
        any("paths", &|pattern| Some(path_covered(pattern, asked.path))),
        any("routes", &named),
        any("hosts", &|pattern| asked.host.map(|host| host == pattern)),
        any("roles", &|role| Some(has_role(policy, role, claims))),
        Some(claims_are),
        rule.get("client_certificate")
            .filter(|_| certificate)
            .map(|test| certificate_passes(test, asked)),
    ])
}

/// Allowed, or the first deny rule by id, or nothing. A rule that lets a token through once comes after those
/// that let it through at any time.
pub(super) fn model(policy: &Value, issuer: usize, claims: &Value, asked: &Asked) -> Answer {
    let issuer = &policy["issuers"][issuer];
    let may_pass = claims_hold(&issuer["claims"], claims);
    let rules = |effect: &str, shadow: bool| -> Vec<&Value> {
        let rules = policy["rules"].as_array().unwrap().iter();
        rules
            .filter(|rule| rule["effect"] == effect && rule["shadow"] == shadow)
            .filter(|rule| names_issuer(rule, issuer))
            .filter(|_| effect == "deny" || may_pass)
            .collect()
    };
    let matching = |effect: &str, shadow: bool| -> Vec<String> {
        let mut found: Vec<_> = rules(effect, shadow)
            .into_iter()
            .filter(|rule| match rule_holds(policy, rule, claims, asked, true) {
                Some(holds) => holds,
                None => effect == "deny",
            })
            .map(|rule| {
                (
                    !shadow && rule["replay"] == "once",
                    rule["id"].as_str().unwrap(),
                )
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id.to_owned()).collect()
    };
    let (denies, allows) = (matching("deny", false), matching("allow", false));
    let (may_deny, may_allow) = (matching("deny", true), matching("allow", true));
    let allowed = denies.is_empty() && !allows.is_empty();
    let trial = match (allowed, denies.is_empty() && may_deny.is_empty()) {
        (true, _) => may_deny,
        (false, true) => may_allow,
        (false, false) => Vec::new(),
    };
    Answer {
        allowed,
        rule: denies.first().or(allows.first()).cloned(),
        trial,
        lacks_certificate: !allowed
            && denies.is_empty()
            && rules("allow", false)
                .iter()
                .any(|rule| rule_holds(policy, rule, claims, asked, false) == Some(true)),
    }
}
