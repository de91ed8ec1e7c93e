//! Kong's metadata of a filter, in which the schema is read as JSON Schema draft 4.
//!
//! <https://json-schema.org/draft-04/schema>

use super::walk;
use serde_json::{Map, Value, json};

/// What belongs into `jobgate.meta.json`, beside `jobgate.wasm`.
pub(super) fn metadata(mut schema: Value) -> Value {
    walk::each(&mut schema, &mut to_draft_4);
    schema["$schema"] = "http://json-schema.org/draft-04/schema#".into();
    json!({ "config_schema": schema })
}

fn to_draft_4(schema: &mut Map<String, Value>) {
    if let Some(definitions) = schema.remove("$defs") {
        schema.insert("definitions".into(), definitions);
    }
    if let Some(only) = schema.remove("const") {
        schema.insert("enum".into(), json!([only]));
    }
    // Kong's validator may take patterns for Lua's, which `(a|b)` is not. The filter checks these texts itself.
    schema.remove("pattern");
    schema.remove("examples");
    if let Some(Value::String(reference)) = schema.remove("$ref") {
        // Beside a reference nothing counts in draft 4.
        let reference = reference.replace("#/$defs/", "#/definitions/");
        *schema = Map::from_iter([("$ref".to_owned(), reference.into())]);
    }
}
