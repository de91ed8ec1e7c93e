//! The other verifier: verify.py, and what it says.

use std::fs;
use std::process::Command;

use jobgate_harness::{python, repository};
use serde::Deserialize;

/// What the other verifier says of a token.
#[derive(Deserialize)]
pub(crate) struct Opinion {
    pub(crate) accepts: bool,
    #[serde(default)]
    pub(crate) classes: Vec<String>,
    #[serde(default)]
    pub(crate) why: Option<String>,
}

/// What the other verifier says of each case in a file.
pub(crate) fn opinions(file: &tempfile::NamedTempFile) -> Vec<Opinion> {
    let python = python();
    let output = Command::new(&python)
        .arg("-B")
        .arg(repository().join("test-harness/differential/verify.py"))
        .arg(file.path())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}\n`make setup` installs it", python.display()));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{stderr}\n`make setup` installs what verify.py needs"
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("verify.py writes JSON"))
        .collect()
}

/// The classes that verify.py knows.
pub(crate) fn classes() -> Vec<String> {
    let path = repository().join("test-harness/differential/classes.py");
    let source = fs::read_to_string(path).expect("classes.py is there");
    let mut lines = source.lines();
    let mut names = Vec::new();
    while let Some(line) = lines.next() {
        if line.starts_with("@refused_by(") {
            let rule = lines.next().unwrap_or_default();
            let name = rule
                .trim_start_matches("def ")
                .split('(')
                .next()
                .unwrap_or_default();
            names.push(name.replace('_', "-"));
        }
    }
    names
}
