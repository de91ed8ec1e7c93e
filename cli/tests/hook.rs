//! The hook of docs/buildkite.md, with stand-ins for the agent and for curl.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJqb2IiOiIxIn0.c2ln";

/// The script between the page's markers.
fn hook() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/buildkite.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let (_, rest) = page
        .split_once("<!-- hook -->\n```sh\n")
        .expect("it has the hook");
    let (hook, _) = rest
        .split_once("```\n<!-- end -->")
        .expect("the hook has an end");
    hook.to_owned()
}

struct Run {
    succeeded: bool,
    /// What was printed, on both.
    told: String,
    /// What curl was given: its arguments, and its standard input.
    curl: Option<(String, String)>,
}

/// Runs the hook; the agent hands out a token if `has_token`, and curl ends with `status`.
fn run(name: &str, has_token: bool, status: u8, variables: &[(&str, &str)]) -> Run {
    let folder: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("hook-{name}"));
    _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder can be made");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("it can be written");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&path, executable).expect("it can be made executable");
        path
    };
    let agent = if has_token {
        format!(
            "#!/bin/sh\n[ \"$*\" = 'oidc request-token --audience https://a.example --lifetime 60' ] || exit 9\nprintf %s '{TOKEN}'\n"
        )
    } else {
        "#!/bin/sh\nexit 1\n".to_owned()
    };
    write("buildkite-agent", &agent);
    let kept = folder.display();
    write(
        "curl",
        &format!(
            "#!/bin/sh\nprintf '%s\\n' \"$*\" > '{kept}/args'\ncat > '{kept}/input'\nexit {status}\n"
        ),
    );
    let hook = write("pre-exit", &hook());
    let path = format!("{kept}:{}", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .arg(&hook)
        .env("PATH", path)
        .env_remove("JOBGATE_AUDIENCE")
        .env_remove("JOBGATE_END_URL")
        .envs(variables.iter().copied())
        .output()
        .expect("there is a shell");
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    Run {
        succeeded: output.status.success(),
        told: format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        curl: read("args").zip(read("input")),
    }
}

#[test]
fn the_hook_ends_the_session_with_a_token_that_no_other_process_sees_and_fails_no_job() {
    let url = "https://deploy.example/.well-known/jobgate/sessions/end";
    let both = [
        ("JOBGATE_AUDIENCE", "https://a.example"),
        ("JOBGATE_END_URL", url),
    ];
    let ran = run("good", true, 0, &both);
    let (args, input) = ran.curl.expect("curl is called");
    assert!(
        args.contains("--request POST") && args.trim_end().ends_with(url),
        "{args}"
    );
    assert!(!args.contains("eyJ"), "{args}");
    assert_eq!(input, format!("Authorization: Bearer {TOKEN}\n"));
    assert!(
        ran.succeeded && ran.told.contains("has ended") && !ran.told.contains("eyJ"),
        "{}",
        ran.told
    );
    // A gate that refuses or is away, and no token: the job is not failed for it.
    let ran = run("refused", true, 22, &both);
    assert!(
        ran.succeeded && ran.told.contains("did not end") && !ran.told.contains("eyJ"),
        "{}",
        ran.told
    );
    let ran = run("tokenless", false, 0, &both);
    assert!(
        ran.succeeded && ran.curl.is_none() && ran.told.contains("no token"),
        "{}",
        ran.told
    );
    // Jobs that the hook is not for.
    for (name, some) in [
        ("none", &both[..0]),
        ("one", &both[..1]),
        ("other", &both[1..]),
    ] {
        let ran = run(name, true, 0, some);
        assert!(
            ran.succeeded && ran.curl.is_none() && ran.told.is_empty(),
            "{}",
            ran.told
        );
    }
}
