//! The tables of docs/policy.md and kong/jobgate.meta.json say what the types say. `make docs` writes them.

mod command;

use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- generated: ";
const END: &str = "<!-- end -->";

/// The page with each of its tables made anew, and how many there are.
fn renewed(page: &str) -> (String, usize) {
    let mut parts = page.split(BEGIN);
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut tables = 0;
    for part in parts {
        let (section, rest) = part
            .split_once(" -->\n")
            .expect("a marker names its section");
        let (_, after) = rest.split_once(END).expect("a generated table has an end");
        let ran = command::run(&["schema", "--markdown", section], "");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        text += &format!("{BEGIN}{section} -->\n{}{END}{after}", ran.stdout);
        tables += 1;
    }
    (text, tables)
}

#[test]
fn the_tables_of_the_policy_reference_are_those_of_the_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policy.md");
    let page = fs::read_to_string(&path).expect("the page is there");
    let (renewed, tables) = renewed(&page);
    // All that there are, and one more that fails and says which.
    let sections = command::run(&["schema", "--markdown", "none"], "").stderr;
    assert_eq!(tables, sections.matches(", ").count() + 1, "{sections}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, renewed).expect("the page can be written");
    } else {
        let differs = page
            .lines()
            .zip(renewed.lines())
            .find(|(is, should)| is != should);
        assert!(
            page == renewed,
            "docs/policy.md is not what the types say; run `make docs`\n{differs:?}"
        );
    }
}

#[test]
fn kongs_metadata_is_what_the_command_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kong/jobgate.meta.json");
    let printed = command::run(&["schema", "--kong"], "");
    assert_eq!((printed.code, printed.stderr.as_str()), (0, ""));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, printed.stdout).expect("the file can be written");
    } else {
        assert!(
            fs::read_to_string(&path).is_ok_and(|is| is == printed.stdout),
            "kong/jobgate.meta.json is not what `jobgate schema --kong` prints; run `make docs`"
        );
    }
}
