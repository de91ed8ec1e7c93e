//! The shared cases through `jobgate explain`: the same decision, rule and reason as the gate's.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jobgate_harness::case::{
    self, Case, CaseFile, ClientCertificate, Expect, Host, KeyState, Outcome, Placeholders,
};
use jobgate_harness::mint::Minter;
use jobgate_harness::repository;
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://ci.example";
const AUDIENCE: &str = "https://deploy.acme.example";

/// What the command can't be asked.
fn cannot_be_asked(policy: &Value, case: &Case, expect: &Expect) -> Option<&'static str> {
    let reason = expect.reason.as_deref();
    if !case.request.headers_with(None).is_empty() {
        return Some("the command is given a token, not the request's headers");
    }
    if case.keys == KeyState::NeverFetched && reason == Some("keys_unavailable") {
        return Some("the command fetches no keys: without a file it does not check signatures");
    }
    if case
        .request
        .host
        .as_ref()
        .is_some_and(|host| text(&host.0).is_none())
    {
        return Some("what is no text can't be given on a command line");
    }
    if policy.get("issuers").is_none() && policy.get("rules").is_none() {
        return Some("the command takes no such document for a policy");
    }
    if matches!(
        reason,
        Some("replay_unavailable" | "rate_limited" | "limits_unavailable")
    ) {
        return Some("what was let through before only the gateway knows");
    }
    None
}

/// The reason that the command gives for a case's.
fn reason_of(expect: &Expect) -> Option<&str> {
    match expect.reason.as_deref() {
        // The gate asks for the keys anew before it says that there is no such key; a file is as new as it gets.
        Some("keys_unavailable") => Some("key_unknown"),
        reason => reason,
    }
}

/// The files that the command is given.
struct Files {
    folder: tempfile::TempDir,
    jwks: PathBuf,
}

impl Files {
    fn new(minter: &Minter) -> Self {
        let folder = tempfile::tempdir().expect("there is room for files");
        let jwks = folder.path().join("jwks.json");
        std::fs::write(&jwks, minter.jwks().to_string()).expect("files can be written");
        Self { folder, jwks }
    }

    fn policy(&self, file: &CaseFile, case: &Case, document: &Value) -> PathBuf {
        let name = format!("{}-{}.json", file.name, case.policy);
        let path = self.folder.path().join(name);
        std::fs::write(&path, document.to_string()).expect("files can be written");
        path
    }
}

/// The arguments for a case's request, beside the policy and the token.
fn arguments(case: &Case) -> Vec<String> {
    let request = &case.request;
    let mut arguments = vec![
        format!("--method={}", request.method),
        format!("--path={}", request.path),
    ];
    let host = request
        .host
        .as_ref()
        .map(|host| text(&host.0).expect("others are left out"));
    let mut add = |name: &str, value: Option<&str>| {
        arguments.extend(value.map(|value| format!("--{name}={value}")));
    };
    add("host", host);
    add("route", request.route.as_deref());
    add("service", request.service.as_deref());
    match &request.client_certificate {
        ClientCertificate::NoTls => add("certificate", Some("unknown")),
        ClientCertificate::None | ClientCertificate::Unverified(_) => {
            add("certificate", Some("none"));
        }
        ClientCertificate::Verified(names) => {
            add("certificate", Some("verified"));
            for (name, value) in [
                ("subject", &names.subject),
                ("uri_san", &names.uri_san),
                ("dns_san", &names.dns_san),
            ] {
                let said = value.as_ref().map(|value| format!("{name}={value}"));
                add("certificate", said.as_deref());
            }
        }
    }
    arguments
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn explain(policy: &Path, case: &Case, token: Option<&str>, jwks: &Path) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jobgate"));
    command
        .args(["explain", "--format=json", "--token=-"])
        .arg(format!("--at={NOW}"))
        .args(arguments(case))
        .arg(policy)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if case.keys == KeyState::Available {
        command.arg("--jwks").arg(jwks);
    }
    let mut child = command.spawn().expect("the command starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A policy that has errors is told before the token is read.
    _ = stdin.write_all(token.unwrap_or_default().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    let said = String::from_utf8(output.stdout).expect("JSON is text");
    let document = serde_json::from_str(&said).unwrap_or_else(|error| {
        panic!(
            "{}: {error}: {said:?} {}",
            case.name,
            String::from_utf8_lossy(&output.stderr)
        )
    });
    if let Some(token) = token.filter(|token| token.len() > 20) {
        assert!(!said.contains(token), "{}: the token is shown", case.name);
    }
    (output.status.code(), document)
}

#[test]
fn explain_decides_every_case_as_the_gate_does() {
    let files =
        case::load_all(&repository().join("test-harness/cases")).expect("the case files are sound");
    let mut minter = Minter::new(ISSUER, AUDIENCE);
    minter.publish_every_algorithm();
    let with = Placeholders {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        jwks_uri: format!("{ISSUER}/.well-known/jwks"),
    };
    let given = Files::new(&minter);
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut run = 0;
    for file in &files {
        for case in &file.cases {
            let Outcome::Expect(expect) = case.expected_on(Host::Core) else {
                continue;
            };
            let policy = file.policies[&case.policy].fill(&with);
            if let Some(why) = cannot_be_asked(&policy, case, expect) {
                *skipped.entry(why).or_default() += 1;
                continue;
            }
            run += 1;
            let token = case.token(&with).map(|spec| minter.mint(&spec, NOW));
            let policy = given.policy(file, case, &policy);
            let (code, said) = explain(&policy, case, token.as_deref(), &given.jwks);
            let wanted_code = match (expect.decision.as_str(), reason_of(expect)) {
                ("allow", _) => 0,
                (_, Some("config_invalid")) => 3,
                _ => 1,
            };
            let mut compare = |what: &str, wanted: Option<&str>| {
                if said[what].as_str() != wanted {
                    failures.push(format!(
                        "{}: {}: {what} is {}, not {wanted:?}",
                        file.name, case.name, said[what]
                    ));
                }
            };
            compare("decision", Some(expect.decision.as_str()));
            compare("reason", reason_of(expect));
            if expect.rule.is_some() {
                compare("rule", expect.rule.as_deref());
            }
            let on_trial = expect.trial.as_ref().map(|(_, rules)| rules.clone());
            if said["reason"] != "config_invalid"
                && said["on_trial"] != json!(on_trial.unwrap_or_default())
            {
                failures.push(format!(
                    "{}: {}: on trial is {}",
                    file.name, case.name, said["on_trial"]
                ));
            }
            if code != Some(wanted_code) {
                failures.push(format!("{}: {}: exit code {code:?}", file.name, case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let left_out: usize = skipped.values().sum();
    println!("{run} cases; {left_out} can't be asked: {skipped:#?}");
    assert!(run >= 150, "only {run} cases were run");
    assert!(
        left_out * 6 <= run,
        "too many cases are left out: {skipped:#?}"
    );
}
