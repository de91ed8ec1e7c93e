//! `jobgate test`, run as people run it.

mod command;

use command::run;
use serde_json::Value;

#[test]
fn the_example_passes_and_leaves_nothing_uncovered() {
    let ran = run(&["test", "../../examples", "--require-coverage=100"], "");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    insta::assert_snapshot!("the example", ran.stdout);
}

#[test]
fn what_fails_is_shown_beside_what_was_expected() {
    let run = |format| {
        let ran = run(
            &["test", "explain/tests", "--coverage", "--format", format],
            "",
        );
        assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{}", ran.stdout);
        ran.stdout
    };
    insta::assert_snapshot!("failures human", run("human"));
    insta::assert_snapshot!("failures plain", run("plain"));
    let mut document: Value = serde_json::from_str(&run("json")).unwrap();
    for test in document["tests"].as_array_mut().unwrap() {
        // It is the document of `jobgate explain`, where the test failed.
        assert_eq!(
            test["explanation"]["decision"].is_string(),
            test["passed"] == false
        );
        test["explanation"] = Value::Null;
    }
    insta::assert_snapshot!("failures json", format!("{document:#}"));
}

#[test]
fn junit_is_told_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.xml");
    let ran = run(
        &["test", "explain/tests", "--junit", file.to_str().unwrap()],
        "",
    );
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!("junit", std::fs::read_to_string(file).unwrap());
}

#[test]
fn the_exit_code_tells_how_it_ended() {
    for (code, args) in [
        (0, &["explain/tests/passes.yaml"][..]),
        (0, &["explain/tests", "--filter=deploy pipelines"]),
        (0, &["explain/tests/passes.yaml", "--require-coverage=50%"]),
        (1, &["explain/tests/passes.yaml", "--require-coverage=100"]),
        (1, &["explain/tests"]),
        (2, &["explain/tests", "--require-coverage=101"]),
        (3, &["explain/tests", "explain/tests-wrong.yaml"]),
        (3, &["explain/tests", "--filter=nothing has this name"]),
        (3, &["../command"]),
        (3, &["no-such-file.yaml"]),
    ] {
        let ran = run(&[&["test"], args].concat(), "");
        assert_eq!(ran.code, code, "{args:?}: {}{}", ran.stdout, ran.stderr);
    }
}

#[test]
fn wrong_tests_are_named_with_their_place_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "issuers: [{ preset: buildkite, audience: a }]\nrules: [{ id: r, claims: { organization_slug: acme }, schedule: { days: [fri], timezone: UTC } }]";
    std::fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    let mut said = vec![run(&["test", "explain/tests-wrong.yaml"], "").stderr];
    for text in [
        "tests: []",
        "policy: policy.yaml\ntests: []",
        "policy: nowhere.yaml\ntests: []",
        "policy: policy.yaml\ntests:\n  - { name: a, request: { path: / }, expect: { decision: maybe } }",
        "policy: policy.yaml\ntests:\n  - { name: a, request: { pth: / }, expect: { decision: deny } }",
        "policy: policy.yaml\ntests:\n  - { name: a, request: { path: / }, expect: { decision: deny } }",
        "policy: policy.yaml\ntests:\n  - name: a\n    name: b",
    ] {
        let file = folder.path().join("a-test.yaml");
        std::fs::write(&file, text).unwrap();
        let ran = run(&["test", folder.path().to_str().unwrap()], "");
        assert_eq!(
            (ran.code, ran.stdout.contains("all pass")),
            (3, false),
            "{text}: {}",
            ran.stdout
        );
        said.push(format!("{text}\n\n{}", ran.stderr));
    }
    let folder = folder.path().to_str().unwrap();
    insta::assert_snapshot!("wrong tests", said.join("\n").replace(folder, "FOLDER"));
}

/// The blocks of a page in this language; at least one.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let path = format!("{}/../{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the page is there");
    let fence = format!("```{language}\n");
    let after = text.split(&fence).skip(1);
    let blocks: Vec<_> = after
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect();
    assert!(!blocks.is_empty(), "{page} has no such block");
    blocks
}

#[test]
fn what_the_pages_show_can_be_typed() {
    let folder = tempfile::tempdir().unwrap();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    std::fs::copy(
        format!("{examples}/policy.yaml"),
        folder.path().join("policy.yaml"),
    )
    .unwrap();
    for (nth, tests) in blocks("docs/command.md", "yaml").iter().enumerate() {
        std::fs::write(folder.path().join(format!("{nth}.yaml")), tests).unwrap();
    }
    let ran = run(&["test", folder.path().to_str().unwrap()], "");
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);

    let mut typed = 0;
    for page in ["README.md", "docs/command.md"] {
        for block in blocks(page, "console") {
            let block = block.replace("\\\n", " ");
            let mut said: Option<String> = None;
            for line in block.lines() {
                let command = line.strip_prefix("$ jobgate ");
                let command = command.map(|rest| rest.split('#').next().unwrap_or_default());
                let words: Vec<_> = command
                    .into_iter()
                    .flat_map(str::split_whitespace)
                    .collect();
                if matches!(words.first(), Some(&"explain" | &"test")) {
                    let ran = command::jobgate(&words)
                        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
                        .output()
                        .unwrap();
                    assert!(ran.status.code() < Some(2), "{line}: {ran:?}");
                    said = Some(String::from_utf8(ran.stdout).unwrap());
                    typed += 1;
                } else if let Some(said) = said.as_ref().filter(|_| page != "README.md") {
                    let shown = line == "..." || said.lines().any(|is| is == line);
                    assert!(shown, "{page} shows {line:?}, which is not said:\n{said}");
                }
            }
        }
    }
    assert!(typed >= 3, "only {typed} commands");
}
