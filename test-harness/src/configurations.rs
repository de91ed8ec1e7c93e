//! Configurations that are wrong, and what the gate must say of each: `configurations.yaml`.

use std::fs;

use serde::Deserialize;
use serde_json::Value;

use crate::repository;

/// A configuration that is wrong.
#[derive(Clone, Debug)]
pub struct WrongConfiguration {
    /// What is wrong with it; unique.
    pub name: String,
    /// The document as the gateway hands it over.
    pub document: String,
    /// Every line that the gate must say of it, in order.
    pub errors: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    base: Value,
    cases: Vec<RawCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    patch: Option<Value>,
    raw: Option<String>,
    errors: Vec<String>,
}

/// All of them.
///
/// # Errors
///
/// What is wrong with the file, and in which case.
pub fn load() -> Result<Vec<WrongConfiguration>, String> {
    let path = repository().join("test-harness/configurations.yaml");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let file: RawFile =
        serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    file.cases
        .into_iter()
        .map(|case| {
            let document = match (case.raw, case.patch) {
                (Some(raw), None) => raw,
                (None, Some(patch)) => merged(&file.base, &patch).to_string(),
                _ => return Err(format!("{}: a case has `raw` or `patch`", case.name)),
            };
            Ok(WrongConfiguration {
                name: case.name,
                document,
                errors: case.errors,
            })
        })
        .collect()
}

/// RFC 7396.
fn merged(base: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return patch.clone();
    };
    let mut merged_object = base.as_object().cloned().unwrap_or_default();
    for (name, value) in patch {
        if value.is_null() {
            merged_object.remove(name);
        } else {
            let base = merged_object.remove(name).unwrap_or_default();
            merged_object.insert(name.clone(), merged(&base, value));
        }
    }
    Value::Object(merged_object)
}
