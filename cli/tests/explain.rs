//! `jobgate explain`, run as people run it.

mod command;

use command::{jobgate, run};
use jobgate_harness::keys::SigningKey;
use jobgate_harness::mint::{Minter, TokenSpec};

const AT: &str = "--at=2026-11-20T17:00:00Z";
const NOW: u64 = 1_795_194_000;

/// Runs `jobgate explain` at [`AT`].
fn explain(format: &str, args: &[&str], stdin: &str) -> (i32, String) {
    let at = if args.iter().any(|arg| arg.starts_with("--at=")) {
        &[][..]
    } else {
        &[AT]
    };
    let ran = run(
        &[&["explain", "--format", format], at, args].concat(),
        stdin,
    );
    assert_eq!(ran.stderr, "", "{args:?}");
    (ran.code, ran.stdout)
}

const EXAMPLE: &str = "../../examples/policy.yaml";

#[test]
fn a_decision_is_explained_condition_by_condition() {
    let asked = [
        EXAMPLE,
        "--like=buildkite",
        "--method=POST",
        "--path=/deploy/production/eu?token=x",
    ];
    for format in ["human", "plain", "json"] {
        let (code, said) = explain(format, &asked, "");
        assert_eq!(code, 1);
        insta::assert_snapshot!(format!("refused {format}"), said);
    }
    let deployer = [&asked[..], &["--claim=pipeline_slug=deploy-web"]].concat();
    let (code, said) = explain(
        "human",
        &[&deployer[..], &["--at=2026-11-18T10:00:00Z"]].concat(),
        "",
    );
    assert_eq!(
        (code, said.lines().next()),
        (0, Some("✓ ALLOW  by rule deploy-production"))
    );
    insta::assert_snapshot!("denied human", explain("human", &deployer, "").1);
}

#[test]
fn conditions_of_every_kind_are_shown_with_what_they_were_held_against() {
    let many = "explain/many-rules.yaml";
    for (name, code, args) in [
        (
            "everything holds",
            0,
            &[
                "--claims=-",
                "--method=PUT",
                "--path=/releases/7",
                "--host=api.acme.example:443",
                "--route=releases",
                "--service=s",
                "--all",
            ][..],
        ),
        (
            "the nearest rules are shown",
            1,
            &["--claims=-", "--path=/soon"],
        ),
        (
            "a certificate is missing",
            1,
            &[
                "--claims=-",
                "--path=/sign",
                "--certificate=none",
                "--rule=sign",
            ],
        ),
        (
            "expressions hold",
            0,
            &[
                "--claims=-",
                "--claim=build_tag=v1",
                "--path=/tagged",
                "--rule=tagged",
            ],
        ),
        (
            "expressions have errors",
            1,
            &["--claims=-", "--path=/tagged", "--rule=tagged"],
        ),
        (
            "a deny rule may match",
            1,
            &["--claims=-", "--path=/sign", "--certificate=verified"],
        ),
        (
            "claims are of a named issuer",
            0,
            &["--issuer=https://ci.acme.example", "--path=/once"],
        ),
        (
            "a path is ambiguous",
            1,
            &["--claims=-", "--path=/sign/../sign"],
        ),
    ] {
        let claims = "
            iss: https://agent.buildkite.com
            organization_slug: acme
            pipeline_slug: \"web\\e[31m\"
            groups: [platform, everybody]
            build_branch: main
            build_source: ui
            job_id: 01930a52-6f0e-4c1b-9a57-2b7a8e0d4f11";
        let (ended, said) = explain("human", &[&[many], args].concat(), claims);
        assert_eq!(ended, code, "{name}: {said}");
        insta::assert_snapshot!(name, said);
    }
}

#[test]
fn a_token_is_checked_as_the_gate_does_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let key = SigningKey::ed25519("a key");
    let minter = Minter::with_key("https://ci.acme.example", "deploy", key);
    let jwks = format!("--jwks={}", file("jwks.json", &minter.jwks().to_string()));
    let token = |spec: &str| minter.mint(&serde_json::from_str::<TokenSpec>(spec).unwrap(), NOW);
    let good = token("{}");
    let expired = token(r#"{"exp_in": -90, "claims": {"aud": "other"}}"#);
    let forged = token(r#"{"tamper": "payload"}"#);
    for (name, code, token, args) in [
        (
            "a good token",
            0,
            good.as_str(),
            &["--path=/own/x", &jwks][..],
        ),
        ("a token without keys", 0, &good, &["--path=/own/x"]),
        ("a forged token", 1, &forged, &["--path=/own/x", &jwks]),
        (
            "an expired token for another audience",
            1,
            &expired,
            &["--path=/own/x", &jwks],
        ),
        ("no token", 1, "ey.ey", &["--path=/own/x"]),
    ] {
        let args = [
            &["explain/many-rules.yaml", "--token=-", "--rule=own-ci"],
            args,
        ]
        .concat();
        let (ended, said) = explain("human", &args, &format!("Bearer {token}\n"));
        assert_eq!(ended, code, "{name}: {said}");
        insta::assert_snapshot!(name, said);
        for format in ["plain", "json"] {
            let (_, said) = explain(format, &args, token);
            let shown = token
                .split('.')
                .filter(|part| part.len() > 8 && said.contains(part));
            assert_eq!(shown.count(), 0, "{name}: {said}");
        }
    }
    // Whatever way it comes.
    let at_file = format!("--token=@{}", file("token", &good));
    let in_full = format!("--token={good}");
    for way in [&at_file, &in_full] {
        let (code, said) = explain(
            "plain",
            &["explain/many-rules.yaml", way, "--path=/own/x", &jwks],
            "",
        );
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("check\tsignature\tpasses"), "{said}");
    }
    let from_environment = jobgate(&["explain", AT, "explain/many-rules.yaml", "--path=/own/x"])
        .env("JOBGATE_TOKEN", &good)
        .output()
        .unwrap();
    assert_eq!(from_environment.status.code(), Some(0));
}

#[test]
fn what_can_t_be_asked_is_said_with_the_remedy() {
    let like = "--like=buildkite";
    let mut said = Vec::new();
    for (code, args) in [
        (2, &["explain/policy.yaml", "--path=/"][..]),
        (2, &["explain/policy.yaml", "--path=/", like, "--at=noon"]),
        (
            2,
            &["explain/policy.yaml", "--path=/", "--claim=build_branch"],
        ),
        (
            2,
            &[
                "explain/policy.yaml",
                "--path=/",
                like,
                "--certificate=issuer=x",
            ],
        ),
        (2, &["-", "--path=/", "--claims=-"]),
        (
            3,
            &["explain/policy.yaml", "--path=/", like, "--rule=deplyo"],
        ),
        (
            3,
            &["explain/policy.yaml", "--path=/", like, "--issuer=gitlab"],
        ),
        (
            3,
            &[
                "explain/policy.yaml",
                "--path=/",
                like,
                "--issuer=buildkite",
                "--claim=iss=x",
            ],
        ),
        (
            3,
            &[
                "explain/policy.yaml",
                "--path=/",
                "--claims=explain/kong.yml",
                "--policy=services",
            ],
        ),
        (3, &["explain/many-rules.yaml", "--path=/", like]),
        (3, &["explain/kong.yml", "--path=/", like]),
        (
            3,
            &[
                "explain/kong.yml",
                "--path=/",
                like,
                "--policy=services[0].route",
            ],
        ),
        (
            3,
            &["explain/policy.yaml", "--path=/", "--token=@missing.jwt"],
        ),
        (
            3,
            &[
                "explain/policy.yaml",
                "--path=/",
                "--token=x",
                "--jwks=explain/policy.yaml",
            ],
        ),
        (
            3,
            &[
                "explain/policy.yaml",
                "--path=/",
                like,
                "--revocations=explain/policy.yaml",
            ],
        ),
        (3, &["explain/wrong.yaml", "--path=/", like]),
    ] {
        let ran = run(&[&["explain"], args].concat(), "");
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (code, ""),
            "{args:?}: {}",
            ran.stderr
        );
        said.push(format!(
            "$ jobgate explain {}\n{}",
            args.join(" "),
            ran.stderr
        ));
    }
    insta::assert_snapshot!("errors", said.join("\n"));
    // A program is told what the gate would do.
    let ran = run(
        &[
            "explain",
            "explain/wrong.yaml",
            "--path=/",
            like,
            "--format=json",
        ],
        "",
    );
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (ran.code, &document["reason"]),
        (3, &"config_invalid".into())
    );
    assert!(document["errors"][0]["line"].is_number(), "{document}");
}
