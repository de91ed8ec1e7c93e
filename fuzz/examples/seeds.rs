//! Writes the seed corpora of the targets that read text: `cargo run --example seeds`. That of `filter` is
//! what a run has found, minimised: `fuzz/run minimize filter`.

use std::fs;
use std::path::Path;

use jobgate_fuzz::{NOW, issuer};
use serde_json::{Value, json};

fn main() -> std::io::Result<()> {
    write("token", &tokens())?;
    write("jwks", &sets())?;
    write("configuration", &configurations())?;
    write("path", &paths())?;
    write("header_escape", &claims())
}

/// One file for each seed, by its place.
fn write(target: &str, seeds: &[Vec<u8>]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&folder)?;
    for (place, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{place:02}")), seed)?;
    }
    println!("{}: {} seeds", folder.display(), seeds.len());
    Ok(())
}

fn with(name: &str, value: Value) -> String {
    let mut claims = issuer::claims(NOW);
    claims.insert(name.to_owned(), value);
    Value::Object(claims).to_string()
}

fn tokens() -> Vec<Vec<u8>> {
    let good = issuer::good_token(NOW);
    let header = issuer::header(0).to_string();
    let payload = Value::Object(issuer::claims(NOW)).to_string();
    let mut seeds: Vec<String> = vec![
        good.clone(),
        format!("{good}."),
        format!("{good}="),
        good.replace('.', ".."),
        "e30.e30.".into(),
    ];
    let headers = [
        header.clone(),
        r#"{"alg":"none"}"#.into(),
        r#"{"alg":"EdDSA"}"#.into(),
        r#"{"alg":"EdDSA","kid":null}"#.into(),
        r#"{"alg":"EdDSA","kid":"../../key-0"}"#.into(),
        r#"{"alg":"EdDSA","alg":"none","kid":"key-0"}"#.into(),
        r#"{"alg":"EdDSA","kid":"key-0","crit":["exp"],"exp":1}"#.into(),
        r#"{"alg":"EdDSA","kid":"key-0","b64":false,"crit":["b64"]}"#.into(),
        r#"{"alg":"HS256","kid":"key-0","jwk":{"kty":"oct","k":"AA"}}"#.into(),
    ];
    seeds.extend(
        headers
            .iter()
            .map(|header| format!("S\n{header}\n{payload}")),
    );
    let payloads = [
        with("aud", json!([issuer::AUDIENCE, "other"])),
        with("aud", json!({})),
        with("exp", json!(1e300)),
        with("exp", json!(NOW)),
        with("exp", json!((NOW - 20) as f64 + 0.5)),
        with("nbf", json!(NOW + 31)),
        with("iat", json!(-1)),
        with("organization_slug", json!(["acme"])),
        with("organization_slug", json!("acme\u{0}")),
        with("iss", json!("https://ci.example/")),
        payload.replace("\"iss\"", "\"iss\":\"x\",\"iss\""),
        format!("{}{}", "[".repeat(200), "]".repeat(200)),
        String::new(),
    ];
    seeds.extend(
        payloads
            .iter()
            .map(|payload| format!("S\n{header}\n{payload}")),
    );
    seeds.into_iter().map(String::into_bytes).collect()
}

fn sets() -> Vec<Vec<u8>> {
    let keys = |key: Value| json!({ "keys": [key] }).to_string().into_bytes();
    let n = "A".repeat(342);
    vec![
        issuer::jwks([0, 1, 2]).to_string().into_bytes(),
        issuer::jwks([0, 0]).to_string().into_bytes(),
        keys(
            json!({ "kty": "RSA", "n": n, "e": "AQAB", "kid": "a", "alg": "RS256", "use": "sig" }),
        ),
        keys(json!({ "kty": "RSA", "n": n, "e": "AQ", "key_ops": ["sign", "verify"], "d": "AA" })),
        keys(json!({ "kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43) })),
        keys(json!({ "kty": "EC", "crv": "P-384", "x": "A".repeat(64), "y": "A".repeat(64) })),
        keys(json!({ "kty": "OKP", "crv": "Ed25519", "x": "A".repeat(43), "use": "enc" })),
        keys(json!({ "kty": "oct", "k": "AA" })),
        br#"{"keys":[],"keys":[]}"#.to_vec(),
        b"{}".to_vec(),
    ]
}

fn configurations() -> Vec<Vec<u8>> {
    let mut full = issuer::policy();
    full["mode"] = json!("shadow");
    full["token"] = json!({ "header": "x-token", "forward": true });
    full["headers"] = json!({ "prefix": "x-gate-" });
    full["audit"] = json!({ "detail": "claims", "client": "conditions" });
    full["shared_data"] = json!(true);
    full["roles"] =
        json!({ "deployer": [{ "claims": { "pipeline_slug": { "matches": "deploy-*" } } }] });
    full["rules"] = json!([
        {
            "id": "deploy", "roles": ["deployer"], "methods": ["POST"], "paths": ["/deploy/**"],
            "claims": { "organization_slug": "acme", "build_branch": { "in": ["main", "next"] } },
        },
        { "id": "freeze", "effect": "deny", "paths": ["/deploy/*/frozen"] },
    ]);
    let preset = |name: &str| {
        json!({
            "issuers": [{
                "preset": name, "audience": "a", "leeway": "1m", "max_lifetime": "2h",
                "jwks": { "cluster": "c", "refresh": "10m", "timeout": "5s", "max_stale": "1d" },
            }],
            "rules": [{ "id": "r", "claims": {
                "organization_slug": "acme", "repository_owner": "acme", "namespace_path": "acme",
            } }],
        })
    };
    let discovery = json!({
        "issuers": [{
            "issuer": "https://ci.example", "audience": ["a", "b"], "algorithms": ["RS256", "ES256"],
            "jwks": { "cluster": "c", "discovery": true },
        }],
        "rules": [{ "id": "r", "claims": { "sub": { "not_in": ["a"], "matches": ["b*", "?c"] } } }],
    });
    [
        issuer::policy(),
        full,
        preset("buildkite"),
        preset("github"),
        preset("gitlab"),
        preset("circleci"),
        discovery,
        json!({ "issuers": [], "rules": [] }),
    ]
    .iter()
    .map(|policy| policy.to_string().into_bytes())
    .collect()
}

fn paths() -> Vec<Vec<u8>> {
    [
        "/",
        "/a/b",
        "/a/../b",
        "/a/./b",
        "//a",
        "/a//b",
        "/%2e%2e/a",
        "/%2E/",
        "/a%2fb",
        "/a%5cb",
        "/a;b=c/d",
        "/a%3bb",
        "/a%252e%252e/b",
        "/%25252e",
        "/~user",
        "/%7euser",
        "/a?b=/../c",
        "/a#b",
        "*",
        "http://host/a",
        "/%c3%a9",
        "/%ff",
        "/%00",
        "/a%20b",
        "/a b",
        "/%",
        "/%zz",
        "/.../a",
        "/..",
        "/a/..;/b",
        "/%e0%80%af",
    ]
    .iter()
    .map(|path| path.as_bytes().to_vec())
    .collect()
}

fn claims() -> Vec<Vec<u8>> {
    let long = "x".repeat(5_000);
    [
        json!({}),
        json!({ "sub": "a\r\nx-jobgate-rule: forged" }),
        json!({ "build_branch": "\u{85}\u{2028}\u{feff}é\"\\%,;" }),
        json!({ "build_branch": "!", "organization_slug": "acme" }),
        json!({ "organization_slug": "evil", "build_branch": long }),
        json!({ "build_branch": ["a", 1, null, { "b": 2 }] }),
        json!({ "iss": "https://evil.example\n{\"event\":\"jobgate.decision\"}" }),
        json!({ "exp": 0, "sub": "\u{0}\u{1b}[31m" }),
    ]
    .iter()
    .map(|claims| claims.to_string().into_bytes())
    .chain([b"Bearer a.b.c\xff".to_vec()])
    .collect()
}
