//! The folder `kong/`: what Kong reads beside the filter, and the examples.

mod through_kong;

use jobgate::fetch::Cause;
use jobgate::policy::{Policy, Severity};
use jobgate::reason::Reason;
use jobgate_harness::{configurations, repository};
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use through_kong::through_kong;

fn metadata() -> Value {
    let text = fs::read_to_string(repository().join("kong/jobgate.meta.json"));
    serde_json::from_str(&text.expect("it is there")).expect("it is JSON")
}

fn validator() -> Validator {
    let schema = &metadata()["config_schema"];
    assert!(jsonschema::draft4::meta::is_valid(schema));
    let options = jsonschema::options();
    options
        .with_draft(Draft::Draft4)
        .build(schema)
        .expect("it is a schema")
}

/// The declarative examples, by their names.
fn examples() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(repository().join("kong")).expect("it is there") {
        let path = entry.expect("it is there").path();
        if path.extension().is_some_and(|extension| extension == "yml") {
            let name = path.file_name().expect("it has one").to_string_lossy();
            let text = fs::read_to_string(&path).expect("it can be read");
            let document = serde_saphyr::from_str(&text);
            all.push((
                name.into_owned(),
                document.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            ));
        }
    }
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

/// The configurations of the filter, wherever they are in an example.
fn configurations_in<'d>(document: &'d Value, all: &mut Vec<&'d Value>) {
    match document {
        Value::Object(members) => {
            if members.get("name").is_some_and(|name| name == "jobgate") {
                all.push(members.get("config").expect("the filter is configured"));
            }
            let members = members.values();
            members.for_each(|member| configurations_in(member, all));
        }
        Value::Array(items) => items.iter().for_each(|item| configurations_in(item, all)),
        _ => {}
    }
}

#[test]
fn every_policy_of_the_examples_fits_the_metadata_and_has_no_warnings() {
    let validator = validator();
    let examples = examples();
    assert!(examples.len() >= 6, "{examples:?}");
    for (name, document) in &examples {
        let mut found = Vec::new();
        configurations_in(document, &mut found);
        assert!(!found.is_empty(), "{name} has no policy");
        for config in found {
            // A text is for Kong 3.4, which reads no metadata.
            let policy = match config {
                Value::String(text) => serde_json::from_str(text).expect("the text is JSON"),
                object => object.clone(),
            };
            if let Err(error) = validator.validate(&policy) {
                panic!("{name}: {}: {error}", error.instance_path());
            }
            let policy = Policy::from_json(through_kong(&policy).to_string().as_bytes())
                .unwrap_or_else(|errors| panic!("{name}: {errors}"));
            let findings = policy.findings().into_iter();
            let warnings: Vec<_> = findings
                .filter(|finding| finding.severity > Severity::Note)
                .map(|finding| finding.to_string())
                .collect();
            assert!(warnings.is_empty(), "{name}: {warnings:#?}");
        }
    }
}

/// Kong and the filter refuse them; the snapshot says who does, and where.
#[test]
fn wrong_configurations_are_refused_by_kong_or_by_the_filter() {
    let validator = validator();
    let mut all = String::new();
    let (mut by_kong, mut by_filter) = (0, 0);
    for case in configurations::load().expect("they can be read") {
        let errors = serde_json::from_str(&case.document).map_or_else(
            |_| Vec::new(),
            |document: Value| validator.iter_errors(&document).map(place).collect(),
        );
        if errors.is_empty() {
            by_filter += 1;
            // What is said first of it names a member, if there is any.
            let said = case.errors.first().expect("the filter says something");
            writeln!(all, "{}\n  the filter: {said}", case.name).expect("it fits");
        } else {
            by_kong += 1;
            writeln!(all, "{}\n  Kong: {}", case.name, errors.join(", ")).expect("it fits");
        }
    }
    assert!(
        by_kong > 70 && by_filter > 40,
        "{by_kong} by Kong, {by_filter} by the filter"
    );
    insta::assert_snapshot!("wrong configurations", all);
}

/// Where a document is wrong, and by which keyword.
fn place(error: ValidationError<'_>) -> String {
    let path = error.instance_path().to_string();
    let keyword = error.schema_path().to_string();
    let keyword = keyword.rsplit('/').next().unwrap_or_default().to_owned();
    format!("{} ({keyword})", if path.is_empty() { "/" } else { &path })
}

/// The name of a metric and its labels, as Kong's Prometheus plugin makes them of what the filter writes: one pattern
/// after the other, each from where the last one matched.
fn exported(metric: &str, patterns: &Value) -> (String, Vec<(String, String)>) {
    let key = format!("pw:jobgate:{metric}");
    let mut labels = Vec::new();
    let (mut from, mut end) = (0, key.len());
    for pattern in patterns.as_array().expect("it is a list") {
        let text = |name: &str| pattern[name].as_str().expect("it is a text");
        let regex = fancy_regex::Regex::new(text("pattern")).expect("it is a pattern");
        let found = regex
            .captures_from_pos(&key, from)
            .expect("it can be tried");
        let Some(found) = found else { continue };
        let group = |nth: usize| found.get(nth).expect("it has the group");
        // Kong counts back from the end of the match by the length of the first group.
        assert_eq!(group(0).end(), group(1).end(), "{pattern}");
        from = group(0).end();
        end = end.min(group(1).start());
        labels.push((text("label").to_owned(), group(2).as_str().to_owned()));
    }
    (key[..end].replace(':', "_"), labels)
}

#[test]
fn the_names_of_metrics_become_labels() {
    let metadata = metadata();
    let patterns = &metadata["metrics"]["label_patterns"];
    let check = |metric: &str, name: &str, labels: &[(&str, &str)]| {
        let (exported, with) = exported(metric, patterns);
        let with: Vec<_> = with
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!((&*exported, &*with), (name, labels), "{metric}");
    };
    check(
        "decision_allow",
        "pw_jobgate_decision",
        &[("outcome", "allow")],
    );
    for reason in Reason::ALL {
        for outcome in ["deny", "shadow_deny"] {
            check(
                &format!("decision_{outcome}_{}", reason.code()),
                "pw_jobgate_decision",
                &[("outcome", outcome), ("code", reason.code())],
            );
        }
    }
    for outcome in ["allow", "deny"] {
        check(
            &format!("trial_{outcome}"),
            "pw_jobgate_trial",
            &[("outcome", outcome)],
        );
    }
    check("fetch_ok", "pw_jobgate_fetch", &[("result", "ok")]);
    for cause in Cause::ALL {
        let name = cause.name();
        check(
            &format!("fetch_{name}"),
            "pw_jobgate_fetch",
            &[("result", name)],
        );
    }
}
