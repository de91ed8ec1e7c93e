//! The threat model names a test for each row, and each test it names is there.

use std::collections::BTreeSet;
use std::path::Path;

use jobgate_harness::repository;

/// How many rows the list of pitfalls has.
const PITFALLS: usize = 25;

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            text.push_str(&std::fs::read_to_string(&path).expect("it is text"));
        }
    }
}

/// What stands in backticks in the column `test` of the page's tables, which is their last.
fn named_tests(page: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let mut names_tests = false;
    for line in page.lines() {
        let Some(row) = line.strip_prefix('|') else {
            names_tests = false;
            continue;
        };
        let last = row.trim_end_matches('|').split('|').next_back();
        match last.map(str::trim) {
            Some("test") => names_tests = true,
            Some(tests) if names_tests => {
                named.extend(tests.split('`').skip(1).step_by(2).map(str::to_owned));
            }
            _ => {}
        }
    }
    named
}

#[test]
fn the_threat_model_names_tests_that_are_there_and_one_for_each_pitfall() {
    let page = std::fs::read_to_string(repository().join("docs/threat-model.md"))
        .expect("docs/threat-model.md is there");
    let mut text = String::new();
    for folder in ["src", "signing", "cli", "test-harness"] {
        sources(&repository().join(folder), &mut text);
    }
    let named = named_tests(&page);
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !text.contains(&format!("fn {name}(")))
        .collect();
    assert!(missing.is_empty(), "there are no such tests: {missing:?}");
    let unanswered: Vec<_> = (1..=PITFALLS)
        .map(|number| format!("pitfall_{number:02}_"))
        .filter(|prefix| !named.iter().any(|name| name.starts_with(prefix)))
        .collect();
    assert!(
        unanswered.is_empty(),
        "no row names a test for {unanswered:?}"
    );
    let unlisted: Vec<_> = text
        .split("fn ")
        .filter(|rest| rest.starts_with("pitfall_"))
        .filter_map(|rest| rest.split('(').next())
        .filter(|test| !named.iter().any(|name| name == test))
        .collect();
    assert!(unlisted.is_empty(), "no row names the tests {unlisted:?}");
}
