//! AWS: a role's keys for the job's token, and requests to S3 that they sign.
//!
//! Both ends are those of `test-harness/aws/server.py`: moto, which verifies every signature with botocore and checks
//! the role's policy. What moto can't tell:
//!
//! - Whether a path is in the form in which S3 signs it. botocore takes a path as it was sent, S3 decodes and encodes it
//!   again. So a key is asked for here as botocore would: all but unreserved characters escaped.
//! - The same of a query: botocore signs it as it was sent.
//! - Whether a signature is still young: moto does not look at its date, nor at the end of the keys.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use jobgate_harness::client::{Body, Request, Response};
use jobgate_harness::envoy::{Envoy, EnvoyConfig, Listener};
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::{python, repository};
use serde::Deserialize;
use serde_json::{Value, json};

use super::world::{AUDIENCE, bearing, policy};

const HOST: &str = "s3.eu-central-1.amazonaws.com";

/// The objects of the bucket.
const OBJECTS: [(&str, &str); 8] = [
    ("a/b", "plain"),
    ("a/c d", "a space"),
    ("ümläut/日本", "beyond ASCII"),
    ("plus+equals=tilde~", "signs"),
    ("a&b@c:d,e", "more signs"),
    ("(a)!*'$", "and more"),
    ("per%cent", "an escape's beginning"),
    ("UPPER-lower_0.9", "unreserved"),
];

/// Dropped in this order.
struct Aws {
    envoy: Envoy,
    server: Child,
    addr: SocketAddr,
    issuer: Issuer,
    tokens: Vec<String>,
    answers: Vec<Response>,
}

/// What came to it.
#[derive(Deserialize)]
struct Seen {
    requests: Vec<SeenRequest>,
    /// Access key, secret and session token of each.
    issued: Vec<[String; 3]>,
}

#[derive(Debug, Deserialize)]
struct SeenRequest {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl SeenRequest {
    fn header(&self, name: &str) -> Vec<&str> {
        let headers = self.headers.iter().filter(|(field, _)| field == name);
        headers.map(|(_, value)| value.as_str()).collect()
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        _ = self.server.kill();
        _ = self.server.wait();
    }
}

impl Aws {
    /// A gate for each of these changes to what is written of AWS.
    fn start(changes: &[fn(&mut Value)]) -> Self {
        let issuer = Issuer::start(AUDIENCE).unwrap();
        let described = json!({
            "issuer": issuer.base_url(), "jwks": issuer.jwks(),
            "roles": { "deploy-web": AUDIENCE, "elsewhere": "https://another.example" },
            "objects": BTreeMap::from(OBJECTS),
        });
        let (server, addr) = serve(&described);
        let mut config = EnvoyConfig::new(addr, issuer.addr()).cluster("sts", addr);
        for (nth, change) in changes.iter().enumerate() {
            let mut target = json!({
                "role_arn": "arn:aws:iam::123456789012:role/{claims.pipeline_slug}",
                "service": "s3", "region": "eu-central-1",
                "uri": format!("http://{addr}"), "cluster": "sts",
            });
            change(&mut target);
            let policy = policy(&issuer, &json!({ "assume_role": target }));
            let mut listener = Listener::new(format!("gate-{nth}")).jobgate(policy);
            if !target["host"].is_null() {
                listener = listener.host(HOST);
            }
            config = config.listener(listener);
        }
        Self {
            envoy: Envoy::start(&config).unwrap_or_else(|error| panic!("{error}")),
            server,
            addr,
            issuer,
            tokens: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn token(&mut self) -> String {
        let number = json!(self.tokens.len());
        let token = self.issuer.mint(&TokenSpec {
            claims: [("build_number".to_owned(), number)].into_iter().collect(),
            ..TokenSpec::default()
        });
        self.tokens.push(token.clone());
        token
    }

    fn send(&mut self, gate: usize, request: &Request) -> Response {
        let response = request.send(self.envoy.addr(&format!("gate-{gate}")));
        let response = response.unwrap();
        self.answers.push(response.clone());
        response
    }

    fn seen(&self) -> Seen {
        let response = Request::new("GET", "/-/seen").send(self.addr).unwrap();
        response.json().unwrap()
    }

    /// No token of a job is anywhere, and the keys are where they belong.
    fn kept_its_secrets(&self) {
        let seen = self.seen();
        let log = self.envoy.log_text();
        assert!(log.contains("jobgate.decision"));
        let mut texts = vec![("the log", log)];
        for answer in &self.answers {
            let headers = answer.headers.iter();
            let headers = headers.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
            let headers: Vec<_> = headers.collect();
            texts.push(("an answer", headers.join("\n") + &answer.text()));
        }
        let elsewhere = texts.len();
        for request in &seen.requests {
            let headers = request.headers.iter();
            let headers = headers.filter(|(name, _)| name != "x-amz-security-token");
            let headers: Vec<_> = headers
                .map(|(name, value)| format!("{name}: {value}"))
                .collect();
            let text = format!("{}\n{}\n{}", request.line, headers.join("\n"), request.body);
            texts.push(("the upstream", text));
        }
        let no_text_has = |texts: &[(&str, String)], secret: &str| {
            for (place, text) in texts {
                assert!(!text.contains(secret), "{place} has {secret:?}:\n{text}");
            }
        };
        for part in self
            .tokens
            .iter()
            .flat_map(|token| token.split('.').skip(1))
        {
            no_text_has(&texts, part);
        }
        for [id, secret, session] in &seen.issued {
            no_text_has(&texts, secret);
            no_text_has(&texts, session);
            no_text_has(&texts[..elsewhere], id);
        }
    }
}

/// The server, which ends with its standard input: with this process, however that ends.
fn serve(described: &Value) -> (Child, SocketAddr) {
    let python = python();
    let mut server = Command::new(&python)
        .arg("-B")
        .arg(repository().join("test-harness/aws/server.py"))
        .env("NO_PROXY", "*")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}\n`make setup` installs it", python.display()));
    let stdin = server.stdin.as_mut().unwrap();
    writeln!(stdin, "{described}").unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(server.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line)
        .unwrap_or_else(|_| panic!("{line:?}\n`make setup` installs what server.py needs"));
    let port = told["port"].as_u64().unwrap();
    (server, format!("127.0.0.1:{port}").parse().unwrap())
}

/// A request to S3 as a client without keys makes it.
fn s3(method: &str, target: impl fmt::Display, token: &str) -> Request {
    let mut request = bearing(token);
    request.method = method.into();
    request.target = target.to_string().into();
    request.headers[0] = (b"host".into(), HOST.into());
    request
}

/// A key as botocore writes it in a path.
fn escaped(key: &str) -> String {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    key.bytes()
        .map(|byte| match is_kept(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

#[test]
fn requests_are_signed_such_that_botocore_agrees() {
    let rewritten: fn(&mut Value) = |target| target["host"] = json!(HOST);
    let mut aws = Aws::start(&[|_| {}, rewritten]);
    let token = aws.token();
    for (key, text) in OBJECTS {
        let path = format!("/releases/{}", escaped(key));
        let response = aws.send(0, &s3("GET", &path, &token));
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, text),
            "{key}"
        );
        let response = aws.send(0, &s3("HEAD", &path, &token));
        assert_eq!(response.status, 200, "{key}");
        assert_eq!(response.header("content-length"), [text.len().to_string()]);
    }
    for query in [
        "?versions",
        "?list-type=2&prefix=a%2F",
        "?prefix=a%2Fc%20d&list-type=2&max-keys=7",
        "?list-type=2&prefix=%C3%BCml%C3%A4ut%2F&delimiter=%2F",
        "?list-type=2&prefix=plus%2Bequals%3Dtilde~",
        "?list-type=2&prefix=",
    ] {
        let response = aws.send(0, &s3("GET", format_args!("/releases{query}"), &token));
        assert_eq!(response.status, 200, "{query}: {}", response.text());
        assert!(
            response.text().contains("<Key>"),
            "{query}: {}",
            response.text()
        );
    }

    // A body is not signed, and its headers are.
    let put = |body| {
        let put = s3("PUT", "/releases/new/object%20%2B1", &token).body(body);
        put.header("content-type", "text/plain;  charset=utf-8")
            .header("x-amz-meta-colour", "a   blue  one")
    };
    let sized = put(Body::Sized(b"what is new".to_vec()));
    assert_eq!(aws.send(0, &sized).status, 200);
    let got = aws.send(0, &s3("GET", "/releases/new/object%20%2B1", &token));
    assert_eq!((got.status, got.text().as_str()), (200, "what is new"));
    assert_eq!(got.header("x-amz-meta-colour"), ["a   blue  one"]);
    assert_eq!(aws.send(0, &put(Body::Sized(Vec::new()))).status, 200);

    // Where the gateway tells the upstream another host than the client did, that one is signed.
    let elsewhere = bearing(&token);
    let elsewhere = Request {
        target: b"/releases/a/b".to_vec(),
        ..elsewhere
    };
    let response = aws.send(1, &elsewhere);
    assert_eq!((response.status, response.text().as_str()), (200, "plain"));

    let seen = aws.seen();
    // One for each gate: what is got serves on.
    assert_eq!(seen.issued.len(), 2);
    let put = seen
        .requests
        .iter()
        .find(|it| it.line.starts_with("PUT"))
        .unwrap();
    assert_eq!(put.header("x-amz-content-sha256"), ["UNSIGNED-PAYLOAD"]);
    for request in &seen.requests {
        assert_eq!(
            request.header("x-amz-security-token").len(),
            1,
            "{request:?}"
        );
        assert_eq!(request.header("host"), [HOST]);
    }
    aws.kept_its_secrets();
}

#[test]
fn what_a_client_forges_is_not_signed_and_what_aws_refuses_goes_nowhere() {
    let mut aws = Aws::start(&[
        |_| {},
        |target| target["role_arn"] = json!("arn:aws:iam::123456789012:role/nobody"),
        |target| target["role_arn"] = json!("arn:aws:iam::123456789012:role/elsewhere"),
        |target| target["duration"] = json!("2h"),
    ]);
    let token = aws.token();
    let forged = ["x-amz-security-token", "x-amz-date", "x-amz-content-sha256"]
        .into_iter()
        .fold(s3("GET", "/releases/a/b", &token), |it, name| {
            it.header(name, "forged")
        });
    let response = aws.send(0, &forged);
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "plain"),
        "as if it had sent none"
    );
    let seen = aws.seen();
    assert_eq!(seen.requests.len(), 1);
    assert!(!format!("{:?}", seen.requests).contains("forged"));

    // The signature is for this request alone, and the role for this bucket: it is moto that says so.
    let mut stolen = Request::new("GET", "/releases/a/c%20d");
    stolen.headers.clear();
    for (name, value) in &seen.requests[0].headers {
        stolen = stolen.header(name.as_str(), value.as_str());
    }
    let response = stolen.send(aws.addr).unwrap();
    assert_eq!(response.status, 403);
    assert!(
        response.text().contains("SignatureDoesNotMatch"),
        "{}",
        response.text()
    );
    stolen.target = b"/releases/a/b".to_vec();
    assert_eq!(stolen.send(aws.addr).unwrap().status, 200);
    let response = aws.send(0, &s3("GET", "/others/x", &token));
    assert_eq!(response.status, 403);
    assert!(
        response.text().contains("AccessDenied"),
        "{}",
        response.text()
    );

    let before = aws.seen();
    for (gate, why) in [
        (1, "403: AccessDenied"),
        (2, "403: AccessDenied"),
        (3, "400: ValidationError"),
    ] {
        let token = aws.token();
        let response = aws.send(gate, &s3("GET", "/releases/a/b", &token));
        let problem: Value = response.json().unwrap();
        assert_eq!(
            (response.status, &problem["code"]),
            (502, &json!("exchange_failed"))
        );
        let log = aws.envoy.log_text();
        let record = log.lines().find(|line| {
            line.contains("jobgate.decision")
                && line.contains(problem["decision_id"].as_str().unwrap())
        });
        let record = record.expect("there is a record");
        assert!(
            record.contains(&format!("the server answered with status {why}")),
            "{record}"
        );
    }
    // What has two readings is not signed.
    let response = aws.send(0, &s3("GET", "/releases?list-type=2&prefix=a+b", &token));
    assert_eq!(response.status, 502, "{}", response.text());
    let after = aws.seen();
    assert_eq!(after.requests.len(), before.requests.len());
    assert_eq!(after.issued.len(), before.issued.len());
    aws.kept_its_secrets();
}
