//! Kong's metadata of a filter: what Kong reads beside `jobgate.wasm`.
//!
//! Kong checks configurations by the schema as draft 4, <https://json-schema.org/draft-04/schema>, with patterns
//! by PCRE, and then writes them anew as JSON for the filter. What gets lost on that way the schema refuses: the
//! difference between an empty list and an empty object, and the last digits of large numbers.

use super::walk;
use serde_json::{Map, Value, json};

/// The largest whole number up to which all are told apart in Kong's Lua, where numbers are doubles.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// The one list that says something by being empty which leaving it out does not say.
const TENANT_CLAIMS: &str = "/definitions/Issuer/properties/tenant_claims";

/// What belongs into `jobgate.meta.json`.
pub(super) fn metadata(mut schema: Value) -> Value {
    walk::each(&mut schema, &mut to_draft_4);
    // Left out it means the preset's, and empty that there are none, so the filter takes the empty object for it.
    if let Some(Value::Object(list)) = schema.pointer_mut(TENANT_CLAIMS) {
        list.remove("minItems");
    }
    schema["$schema"] = "http://json-schema.org/draft-04/schema#".into();
    json!({ "config_schema": schema, "metrics": { "label_patterns": label_patterns() } })
}

/// How Kong's Prometheus plugin (3.9 and newer) takes labels out of the names of metrics, which the filter writes
/// as `decision_deny_token_missing`.
///
/// It takes the patterns one after the other, each from where the last one matched. The first group must end the
/// match: it is cut off the name. The second is the label's value.
fn label_patterns() -> Value {
    json!([
        { "label": "outcome", "pattern": "(?<=:decision|:trial)(_(allow|deny|shadow_deny))(?=_|$)" },
        { "label": "code", "pattern": "(?<=_deny)(_([a-z_]+))$" },
        { "label": "result", "pattern": "(?<=:fetch)(_([a-z_]+))$" },
    ])
}

fn to_draft_4(schema: &mut Map<String, Value>) {
    if let Some(definitions) = schema.remove("$defs") {
        schema.insert("definitions".into(), definitions);
    }
    if let Some(names) = schema.get("oneOf").and_then(names_of) {
        schema.remove("oneOf");
        schema.insert("type".into(), "string".into());
        schema.insert("enum".into(), names.into());
    }
    if let Some(Value::Array(names)) = schema.get("enum") {
        // Kong says of an enumeration only that nothing fits, but of a pattern the pattern.
        let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
        let pattern = format!("^({})$", names.join("|"));
        schema.insert("pattern".into(), pattern.into());
    }
    if schema.get("type").is_some_and(|name| name == "array") {
        // An empty list comes to the filter as an empty object.
        schema.entry("minItems").or_insert(1.into());
    }
    if has_numbers(schema) {
        schema.entry("maximum").or_insert(MAX_NUMBER.into());
        let least = -i64::try_from(MAX_NUMBER).unwrap_or(i64::MAX);
        schema.entry("minimum").or_insert(least.into());
    }
    schema.remove("examples");
    if let Some(Value::String(reference)) = schema.remove("$ref") {
        // Beside a reference nothing counts in draft 4.
        let reference = reference.replace("#/$defs/", "#/definitions/");
        *schema = Map::from_iter([("$ref".to_owned(), reference.into())]);
    }
}

/// The values of which a schema is one, if it names each by itself.
fn names_of(alternatives: &Value) -> Option<Vec<Value>> {
    let alternatives = alternatives.as_array()?;
    alternatives
        .iter()
        .map(|each| each.get("const").cloned())
        .collect()
}

fn has_numbers(schema: &Map<String, Value>) -> bool {
    let is_number = |name: &Value| name == "number" || name == "integer";
    match schema.get("type") {
        Some(Value::Array(names)) => names.iter().any(is_number),
        Some(name) => is_number(name),
        None => false,
    }
}
