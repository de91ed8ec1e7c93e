//! `jobgate diff` and `jobgate suggest`, run as people run them.

mod command;
mod gate;

use command::run;
use gate::{MONDAY, Sent, job, records};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const FRIDAY: u64 = MONDAY + 4 * 86_400 + 8 * 3_600;

fn sent<'a>(method: &'a str, target: &'a str, at: u64, claims: Value) -> Sent<'a> {
    Sent {
        method,
        target,
        route: "deploy",
        at,
        claims,
    }
}

/// What a gate with the old policy got.
fn requests() -> Vec<Sent<'static>> {
    let with = |name: &str, value: Value| {
        let mut claims = job("web-site", "main");
        claims[name] = value;
        claims
    };
    let long = "b".repeat(150);
    vec![
        sent("POST", "/deploy/web", MONDAY, job("web-site", "main")),
        sent("POST", "/deploy/web", MONDAY + 60, job("web-site", "main")),
        sent("POST", "/deploy/api", FRIDAY, job("web-site", "main")),
        sent("POST", "/deploy/web", MONDAY, job("web-site", "next")),
        sent(
            "POST",
            "/deploy/web",
            MONDAY,
            with("step_key", "test".into()),
        ),
        sent("POST", "/deploy/web", MONDAY, job("web-site", &long)),
        sent(
            "GET",
            "/artifacts/a/b?token=hidden",
            MONDAY,
            job("app/api", "main"),
        ),
        sent("GET", "/artifacts/secret", MONDAY, job("app/api", "main")),
        sent("GET", "/artifacts/a*b", MONDAY, job("app/api", "main")),
        sent("GET", "/artifacts/c", MONDAY, job("app/api", "yes")),
        sent("GET", "/artifacts/c", MONDAY, with("aud", "another".into())),
        sent("GET", "/artifacts//c", MONDAY, job("app/api", "main")),
    ]
}

/// The log of a gateway with their records. It is kept as a file so that it can be seen what a log is.
#[test]
fn the_log_is_one_that_this_filter_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/diff");
    let policy = json!({
        "issuers": [gate::issuer()],
        "roles": { "web": { "claims": { "organization_slug": "acme", "pipeline_slug": { "matches": "web-*" } } } },
        "rules": [
            { "id": "deploy", "roles": ["web"], "methods": ["POST"], "paths": ["/deploy/*"], "claims": { "build_branch": "main" } },
            { "id": "read", "methods": ["GET"], "paths": ["/artifacts/**"], "claims": { "organization_slug": "acme" } },
            { "id": "no-tests", "effect": "deny", "paths": ["/deploy/*"], "claims": { "step_key": "test" } },
        ],
        "audit": { "detail": "claims" },
    });
    let mut log = String::from("2026/11/16 09:00:00 [notice] 1#0: start worker process 7\n");
    for record in records(&policy, &requests()) {
        let line = format!(
            "2026/11/16 09:00:00 [info] 7#0: *3 [proxy-wasm][\"jobgate\" #7] {record}, client: 127.0.0.1, server: kong, request: \"GET / HTTP/1.1\"\n"
        );
        assert!(!line.contains("hidden"), "{line}");
        log += &line;
    }
    log += "2026/11/16 09:00:00 [info] 7#0: *3 [proxy-wasm][\"jobgate\" #7] {\"event\":\"jobgate.decision\",\"dec";
    let path = folder.join("error.log");
    if std::env::var_os("UPDATE_RECORDS").is_some() {
        fs::write(&path, &log).expect("the log can be written");
    }
    let kept = fs::read_to_string(&path).expect("the log is there");
    assert!(
        kept == log,
        "records look different now; run this with UPDATE_RECORDS=1 and see what changed"
    );
}

#[test]
fn what_a_new_policy_does_is_shown() {
    for format in ["human", "plain", "json"] {
        let args = [
            "diff",
            "--format",
            format,
            "diff/old.yaml",
            "diff/new.yaml",
            "--requests",
            "diff/error.log",
        ];
        let ran = run(&args, "");
        assert_eq!((ran.code, ran.stderr.as_str()), (1, ""), "{}", ran.stdout);
        insta::assert_snapshot!(format!("diff {format}"), ran.stdout);
    }
}

#[test]
fn what_was_seen_becomes_a_policy() {
    let preset: &[&str] = &[
        "--preset",
        "buildkite",
        "--audience",
        "https://deploy.acme.example",
    ];
    let wide = [
        preset,
        &[
            "--any",
            "branch",
            "--also",
            "step",
            "--path",
            "/artifacts/**",
        ],
    ]
    .concat();
    let base: &[&str] = &[
        "--policy",
        "diff/new.yaml",
        "--include-refused",
        "--also",
        "step",
    ];
    for (name, args, code) in [
        ("least", preset, 1),
        ("wide", &wide, 0),
        ("with a policy", base, 1),
    ] {
        for format in ["human", "json"] {
            let args = [&["suggest", "diff/error.log", "--format", format], args].concat();
            let ran = run(&args, "");
            assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
            let shown = format!("{}\n--- standard error\n{}", ran.stdout, ran.stderr);
            insta::assert_snapshot!(format!("suggest {name} {format}"), shown);
            if format == "human" {
                let checked = run(&["check", "-"], &ran.stdout);
                assert_eq!(checked.code, 0, "{}", checked.stdout);
            }
        }
    }
}

#[test]
fn the_exit_code_tells_how_it_ended() {
    let (old, new) = ("diff/old.yaml", "diff/new.yaml");
    let narrower = fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/files")
            .join(old),
    )
    .expect("the policy is there")
    .replace("/artifacts/**", "/artifacts/*");
    let record = "{\"event\":\"jobgate.decision\"}";
    let preset = ["--preset", "buildkite", "--audience", "a"];
    let suggest = |log| [&["suggest", log], &preset[..]].concat();
    for (args, stdin, code, stdout, stderr) in [
        (
            vec!["diff", old, old],
            "",
            0,
            "the policies say the same",
            "",
        ),
        (
            vec!["diff", "--fail-on", "widening", old, new],
            "",
            1,
            "now allowed",
            "",
        ),
        (vec!["diff", old, "-"], &narrower, 1, "now refused", ""),
        (
            vec!["diff", "--fail-on", "widening", old, "-"],
            &narrower,
            0,
            "now refused",
            "",
        ),
        (
            vec!["diff", old, "wrong.yaml"],
            "",
            3,
            "",
            "the policy has 6 errors",
        ),
        (vec!["diff", old, "kong.yml"], "", 3, "", "kong.yml"),
        (vec!["diff", old, "no-such-file"], "", 3, "", "no-such-file"),
        (
            vec!["diff", old, old, "--requests", "no-such-log"],
            "",
            3,
            "",
            "no-such-log",
        ),
        (
            vec!["diff", old, old, "--requests", "-"],
            record,
            0,
            "1 that no rule was asked about",
            "",
        ),
        (vec!["diff", old], "", 2, "", "Usage: jobgate diff"),
        (vec!["diff", "--help"], "", 0, "Exit codes: 0", ""),
        (suggest("-"), "", 3, "", "no request to allow"),
        (suggest("-"), record, 3, "", "no request to allow"),
        (suggest("no-such-log"), "", 3, "", "no-such-log"),
        (vec!["suggest", "-"], "", 2, "", "--preset"),
        (
            vec!["suggest", "-", "--preset", "buildkite"],
            "",
            2,
            "",
            "--audience",
        ),
        (
            vec!["suggest", "-", "--preset", "x", "--audience", "a"],
            "",
            3,
            "",
            "issuers[0].preset",
        ),
        (
            vec!["suggest", "-", "--policy", old, "--also", "x"],
            "",
            2,
            "",
            "write host, route, step",
        ),
        (
            vec!["suggest", "-", "--policy", old, "--path", "x"],
            "",
            2,
            "",
            "does not begin with",
        ),
        (
            vec!["suggest", "-", "--policy", old, "--audience", "a"],
            "",
            2,
            "",
            "--audience",
        ),
        (vec!["diff", "-", "-"], "", 2, "", "standard input"),
        (
            vec!["suggest", "-", "--policy", "-"],
            "",
            2,
            "",
            "standard input",
        ),
        (vec!["suggest", "--help"], "", 0, "Exit codes: 0", ""),
    ] {
        let ran = run(&args, stdin);
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
