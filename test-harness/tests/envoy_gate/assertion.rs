//! An upstream that trusts the key set alone: it proves who called and by which rule, and refuses what was made for another.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jobgate_harness::client::Request;
use jobgate_harness::envoy::{EnvoyConfig, Listener};
use jobgate_harness::upstream::Upstream;
use jobgate_harness::{python, repository};
use serde_json::{Value, json};

use super::world::{World, bearing, issuer, policy, start};

const ISSUER: &str = "https://gateway.acme.example";
const AUDIENCE: &str = "https://deploy.internal";
const PATH: &str = "/.well-known/jobgate/jwks.json";

/// The private halves of the keys of RFC 7515, appendix A.3, and of RFC 8037, appendix A.1.
const P256: &str = r#"{"kty":"EC","crv":"P-256","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const ED25519: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

/// A gate whose signing keys are in Envoy's environment, in this order.
fn vouching(names: [&str; 2]) -> World {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let mut policy = policy(&issuer);
    policy["assertion"] = json!({
        "issuer": ISSUER, "audience": AUDIENCE, "keys": names.map(|name| json!({ "env": name })),
    });
    let mut config = EnvoyConfig::new(upstream.addr(), issuer.addr())
        .listener(Listener::new("gate").jobgate(policy));
    config.environment = [("GATE_P256", P256), ("GATE_ED25519", ED25519)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let world = World {
        envoy: start(&config),
        upstream,
        issuer,
    };
    world.wait_until_it_passes(&world.token());
    world
}

/// The verifiers that upstreams can begin with.
fn verifiers() -> [(&'static str, Command); 2] {
    let mut python = Command::new(python());
    python.arg(repository().join("test-harness/verifiers/verify.py"));
    let built = env!("CARGO_BIN_EXE_verify-assertion");
    [("python", python), ("rust", Command::new(built))]
}

fn verify(
    verifier: &mut Command,
    set: &Path,
    audience: &str,
    assertion: &str,
) -> Result<Value, String> {
    let mut child = verifier
        .args([set.as_os_str(), ISSUER.as_ref(), audience.as_ref()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(assertion.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn an_upstream_proves_who_called_and_refuses_what_was_made_for_another() {
    let folder = tempfile::tempdir().unwrap();
    for names in [["GATE_P256", "GATE_ED25519"], ["GATE_ED25519", "GATE_P256"]] {
        let world = vouching(names);
        let set = Request::new("GET", PATH)
            .send(world.envoy.addr("gate"))
            .unwrap();
        assert_eq!(set.status, 200);
        let set = write(&folder, "keys.json", &set.text());
        let exchange = world.send(&bearing(&world.token()));
        let echo = &exchange.forwarded[0];
        let [assertion] = echo.header("x-jobgate-assertion")[..] else {
            panic!("one assertion: {echo:?}");
        };
        assert!(echo.header("authorization").is_empty());
        for (language, mut verifier) in verifiers() {
            let claims = verify(&mut verifier, &set, AUDIENCE, assertion)
                .unwrap_or_else(|error| panic!("{language}: {error}"));
            assert_eq!(claims["jobgate"]["rule"], "any-job", "{language}");
            assert_eq!(claims["jobgate"]["organization"], "acme", "{language}");
        }
        for (language, mut verifier) in verifiers() {
            let other = verify(&mut verifier, &set, "https://other.internal", assertion);
            assert!(
                other.is_err_and(|why| why.contains("not verified")),
                "{language}"
            );
        }
        // A claim that was changed, a signature by another key of the set's, and one that names no key.
        let parts: Vec<_> = assertion.split('.').collect();
        let mut claims: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        claims["jobgate"]["pipeline"] = json!("another");
        let forged = format!(
            "{}.{}.{}",
            parts[0],
            URL_SAFE_NO_PAD.encode(claims.to_string()),
            parts[2]
        );
        let bare = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let unsigned = format!("{bare}.{}.", parts[1]);
        for wrong in [forged, unsigned, world.token()] {
            for (language, mut verifier) in verifiers() {
                let refused = verify(&mut verifier, &set, AUDIENCE, &wrong);
                assert!(
                    refused.is_err_and(|why| why.contains("not verified")),
                    "{language}: {wrong}"
                );
            }
        }
        let log = world.envoy.log_text();
        for secret in ["jpsQnnGQmL", "IJ1hsZ3v", "nWGxne", assertion] {
            assert!(!log.contains(secret), "{secret}");
        }
    }
}

#[test]
fn the_key_set_is_an_answer_like_any_servers() {
    let world = vouching(["GATE_P256", "GATE_ED25519"]);
    let before = world.upstream.count();
    let ask = |method: &str, path: &str| {
        Request::new(method, path)
            .send(world.envoy.addr("gate"))
            .unwrap()
    };
    let get = ask("GET", PATH);
    assert_eq!(get.header("content-type"), ["application/json"]);
    assert_eq!(get.header("cache-control"), ["public, max-age=300"]);
    let keys = get.json::<Value>().unwrap();
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2));
    assert!(!get.text().contains("\"d\""));
    let head = ask("HEAD", PATH);
    assert_eq!((head.status, head.text().as_str()), (200, ""));
    assert_eq!(head.header("content-type"), ["application/json"]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let other = ask(method, PATH);
        assert_eq!(other.status, 405, "{method}");
        assert_eq!(other.header("allow"), ["GET, HEAD"]);
    }
    // Another path is one like any other.
    for path in [
        &format!("{PATH}/"),
        &PATH.to_ascii_uppercase(),
        "/x/.well-known/jobgate/jwks.json",
    ] {
        assert_eq!(ask("GET", path).status, 401, "{path}");
    }
    assert_eq!(world.upstream.count(), before);
}
