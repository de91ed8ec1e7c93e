//! What commands show of policies that hold secrets.

mod command;

use command::run;
use std::fs;

/// An assertion's keys and a client's secret, written as people write them, and beside each a mistake, so that the
/// lines around it are shown.
const POLICIES: [&str; 6] = [
    r#"
issuers: [{ preset: buildkite, audience: a }]
rules: [{ id: r, claims: { organization_slug: acme } }]
assertion:
  issuer: ""
  audience: u
  keys:
    - jwk: { kty: OKP, crv: Ed25519, d: nWGxne9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A, x: 21qYAYKxCrfVS7TyWQHOg7hcvPapiMlrwIaaPcHURo }
"#,
    r#"
issuers: [{ preset: buildkite, audience: a }]
rules: [{ id: r, claims: { organization_slug: acme } }]
assertion: { issuer: g, audience: u, keys: nWGxne9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A }
"#,
    r#"
issuers: [{ preset: buildkite, audience: a }]
rules: [{ id: r, claims: { organization_slug: acme }, exchange: c }]
exchange:
  c:
    token_exchange:
      uri: https://sts.example/
      client: { id: "", secret: nWGxne9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A }
"#,
    r#"
issuers: [{ preset: buildkite, audience: a }]
rules: [{ id: r, claims: { organization_slug: acme }, exchange: c }]
exchange:
  c:
    token_exchange:
      uri: https://sts.example/
      client: nWGxne9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A
"#,
    r#"
issuers: [{ preset: buildkite, audience: a }]
rules: [{ id: r, claims: { organization_slug: acme }, exchange: c }]
exchange: { c: { token_exchange: { uri: "https://sts.example/", client: { id: g, secret: [ nWGxne9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A ] } } } }
"#,
    r#"
issuers: [{ preset: buildkite, audience: a }]
rules: [{ id: r, claims: { organization_slug: acme } }]
exchange: nWGxne9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A
"#,
];

const SECRET: &str = "nWGxne";

#[test]
fn no_report_quotes_a_secret() {
    for policy in POLICIES {
        for format in ["human", "plain", "json"] {
            let ran = run(&["check", "--format", format, "-"], policy);
            assert_eq!(ran.code, 1, "{policy}\n{}{}", ran.stdout, ran.stderr);
            assert!(
                !ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET),
                "{format}: {}{}",
                ran.stdout,
                ran.stderr
            );
        }
    }
    // The source is shown, with stars in the secret's place.
    let shown = run(&["check", "--format", "human", "-"], POLICIES[2]).stdout;
    assert!(shown.contains("secret: ******"), "{shown}");
}

/// What changed is told, and not what it was: a client's secret, and a signing key by its public half.
#[test]
fn a_difference_is_told_without_its_secrets() {
    let folder = tempfile::tempdir().expect("there is room");
    let with = |name: &str, secret: &str, key: &str| {
        let path = folder.path().join(name);
        let policy = format!(
            r#"
issuers: [{{ preset: buildkite, audience: a }}]
rules: [{{ id: r, claims: {{ organization_slug: acme }}, exchange: c }}]
assertion: {{ issuer: g, audience: u, keys: [{key}] }}
exchange: {{ c: {{ token_exchange: {{ uri: "https://sts.example/", client: {{ id: g, secret: {secret} }} }} }} }}
"#
        );
        fs::write(&path, policy).expect("it is written");
        path.to_string_lossy().into_owned()
    };
    let ed25519 = "{ jwk: { kty: OKP, crv: Ed25519, d: nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo } }";
    let p256 = "{ jwk: { kty: EC, crv: P-256, d: jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI, x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU, y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0 } }";
    let old = with("old.yaml", "hush-hush-1", ed25519);
    let new = with("new.yaml", "hush-hush-2", p256);
    for format in ["human", "json"] {
        let ran = run(&["diff", "--format", format, &old, &new], "");
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 1, "{told}");
        assert!(
            told.contains("exchange") && told.contains("assertion"),
            "{told}"
        );
        for secret in ["hush-hush", "nWGxne", "jpsQnn"] {
            assert!(!told.contains(secret), "{format} {secret}: {told}");
        }
    }
}
