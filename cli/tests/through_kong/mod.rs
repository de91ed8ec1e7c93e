//! How policies come to the filter.

use serde_json::{Map, Value};

/// A policy as Kong hands it to the filter. Its Lua can't tell an empty list from an empty object, and writes both
/// as an object.
pub(crate) fn through_kong(policy: &Value) -> Value {
    match policy {
        Value::Array(items) if items.is_empty() => Map::new().into(),
        Value::Array(items) => items.iter().map(through_kong).collect(),
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members
                    .map(|(name, member)| (name.clone(), through_kong(member)))
                    .collect(),
            )
        }
        scalar => scalar.clone(),
    }
}
