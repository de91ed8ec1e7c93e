//! `jobgate check`, run as people run it.

mod command;

use command::{jobgate, run};

/// What is said of these files, in each format.
#[test]
fn what_is_wrong_is_shown_at_its_place() {
    for file in [
        "wrong.yaml",
        "misspelt.json",
        "kong.yml",
        "envoy.yaml",
        "twice.yaml",
        "doubtful.yaml",
        "mistaken.yaml",
        "notable.yaml",
    ] {
        let code = i32::from(file != "notable.yaml");
        for format in ["human", "plain", "json"] {
            let ran = run(&["check", "--format", format, file], "");
            assert_eq!(
                (ran.code, ran.stderr.as_str()),
                (code, ""),
                "{file} {format}"
            );
            insta::assert_snapshot!(format!("{file} {format}"), ran.stdout);
        }
    }
}

#[test]
fn the_exit_code_tells_how_it_ended() {
    let usage = "Usage: jobgate check";
    for (args, stdin, code, stdout, stderr) in [
        (
            &["check", "policy.yaml"][..],
            "",
            0,
            "0 errors, 0 warnings, 2 notes in 1 policy of 1 file",
            "",
        ),
        (
            &["check", "../../../envoy/per-route.yaml", "policy.yaml"],
            "",
            0,
            "in 3 policies of 2 files",
            "",
        ),
        (
            &[
                "check",
                "../../../envoy/istio.yaml",
                "../../../envoy/envoy-gateway.yaml",
            ],
            "",
            0,
            "0 errors, 0 warnings, 4 notes in 2 policies of 2 files",
            "",
        ),
        (
            &["check", "policy.yaml", "twice.yaml"],
            "",
            1,
            "1 error, 0 warnings, 2 notes in 2 policies",
            "",
        ),
        (
            &["check", "mistaken.yaml"],
            "",
            1,
            "0 errors, 3 warnings",
            "",
        ),
        (
            &["check", "--allow-warnings", "mistaken.yaml"],
            "",
            0,
            "0 errors, 3 warnings",
            "",
        ),
        (
            &["check", "--allow-warnings", "twice.yaml"],
            "",
            1,
            "1 error",
            "",
        ),
        (
            &["check", "policy.yaml", "no-policy.json"],
            "",
            3,
            "1 file not checked",
            "no-policy.json: there is no policy in here",
        ),
        (
            &["check", "no-such-file", "twice.yaml"],
            "",
            3,
            "twice",
            "no-such-file: ",
        ),
        (&["check", "."], "", 3, "", "."),
        (&["check"], "", 2, "", usage),
        (
            &["check", "--format", "xml", "policy.yaml"],
            "",
            2,
            "",
            "[possible values: human, plain, json]",
        ),
        (&["chekc"], "", 2, "", "check"),
        (&[], "", 2, "", "Usage: jobgate"),
        (
            &["check", "-"],
            "issuers: [{ preset: gitlab, audience: a, tenant_claims: [x] }]\nrules: []",
            1,
            "<stdin>:1:57",
            "",
        ),
        (
            &["check", "-"],
            "{ issuers: [{ preset: circleci, audience: a }], rules: [] }",
            1,
            "<stdin>:1:",
            "",
        ),
        (
            &["check", "-"],
            "{\"issuers\": [{\"preset\": \"gitlab\", \"audience\": \"a\"}], \"rules\": []}",
            0,
            "0 errors",
            "",
        ),
        (&["check", "-"], "", 1, "there is nothing here", ""),
        (
            &["check", "-"],
            "a: 1",
            3,
            "",
            "<stdin>: there is no policy in here",
        ),
        (&["check", "-", "-"], "", 2, "", "standard input"),
        (&["check", "/dev/zero"], "", 3, "", "larger than 64 MiB"),
        (&["check", "--help"], "", 0, "kong.yml envoy.yaml", ""),
        (&["--version"], "", 0, "jobgate ", ""),
    ] {
        let ran = run(args, stdin);
        assert_eq!(ran.code, code, "{args:?}\n{}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(stdout), "{args:?}\n{}", ran.stdout);
        assert!(ran.stderr.contains(stderr), "{args:?}\n{}", ran.stderr);
        assert_eq!(
            ran.stderr.is_empty(),
            stderr.is_empty(),
            "{args:?}\n{}",
            ran.stderr
        );
    }
}

#[test]
fn colours_are_for_those_who_see_them() {
    let stdout = |format: &str, variable: &str| {
        let mut command = jobgate(&["check", "--format", format, "wrong.yaml"]);
        String::from_utf8(command.env(variable, "1").output().unwrap().stdout).unwrap()
    };
    assert!(stdout("human", "CLICOLOR_FORCE").contains("\u{1b}["));
    assert!(!stdout("human", "NO_COLOR").contains('\u{1b}'));
    assert!(!stdout("plain", "CLICOLOR_FORCE").contains('\u{1b}'));
    assert!(!stdout("json", "CLICOLOR_FORCE").contains('\u{1b}'));
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run(&["completions", shell], "");
        assert_eq!(ran.code, 0);
        assert!(ran.stdout.contains("allow-warnings"), "{shell}");
    }
    assert_eq!(run(&["completions", "csh"], "").code, 2);
}
