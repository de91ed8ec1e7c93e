//! Signature Version 4 against botocore: both must write the same `Authorization` for each request, but where a case
//! says why they don't.
//!
//! `CASES` says how many requests (3,000 if not given) and `SEED` which.

use std::collections::BTreeMap;
use std::io::{Seek, Write};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use jobgate_harness::number::number;
use jobgate_harness::{python, repository};
use jobgate_signing::sigv4::{self, Request, Scope, Signer};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// How the two differ, where they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// Not at all.
    None,
    /// A plus sign in a query is a space to some servers: it is not signed here.
    Plus,
    /// What escapes nothing is a percent sign to some servers and an error to others: it is not signed here.
    Percent,
    /// A body whose digest would have to be known first: it is signed for S3 alone here.
    Body,
    /// botocore resolves dot segments and repeated slashes, for all but S3: the gate lets no such path through.
    Dots,
    /// botocore trims all that Unicode takes for a space.
    Spaces,
}

struct Case {
    method: &'static str,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: bool,
    host: String,
    service: &'static str,
    region: &'static str,
    keys: Vec<String>,
    stamp: String,
    difference: Difference,
}

/// Characters that are written in several ways, or mean something.
const ODD: &[char] = &[
    ' ', '!', '"', '$', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', ':', ';', '<', '=',
    '>', '?', '@', '[', '\\', ']', '^', '_', '`', '{', '|', '}', '~', 'a', 'B', '0', 'ä', 'ß',
    '\u{301}', '日', '😀', '\u{7f}',
];

impl Case {
    fn new(rng: &mut StdRng) -> Self {
        let service = *["s3", "s3", "s3", "execute-api", "lambda", "sts"]
            .choose(rng)
            .expect("some");
        let mut difference = Difference::None;
        let method = *["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH"]
            .choose(rng)
            .expect("some");
        let mut path = path(rng);
        let mut query = query(rng);
        let mut body = service == "s3" && rng.gen_bool(0.3);
        let mut headers = BTreeMap::new();
        for _ in 0..rng.gen_range(0..5) {
            let (name, value) = header(rng);
            headers.insert(name, value);
        }
        match rng.gen_range(0..40) {
            0 => {
                difference = Difference::Plus;
                query += if query.is_empty() { "a=b+c" } else { "&a=b+c" };
            }
            1 => {
                difference = Difference::Percent;
                match rng.gen_bool(0.5) && service == "s3" {
                    true => path += ["%", "%4", "%zz", "%+1"].choose(rng).expect("some"),
                    false => {
                        query += ["&a=%", "&%4", "&a=%zz", "&%+1=a"]
                            .choose(rng)
                            .expect("some")
                    }
                }
            }
            2 if service != "s3" => {
                difference = Difference::Body;
                body = true;
            }
            3 if service != "s3" => {
                difference = Difference::Dots;
                path = ["/a/../b", "/a//b", "/./a", "/a/.", "//"]
                    .choose(rng)
                    .expect("some")
                    .to_string();
            }
            4 => {
                difference = Difference::Spaces;
                let value = format!(
                    "a{}b",
                    ["\u{a0} ", "\u{2003}\u{2003}", "\u{3000}"]
                        .choose(rng)
                        .expect("some")
                );
                headers.insert("x-amz-meta-spaces".to_owned(), value);
            }
            _ => {}
        }
        let mut keys = vec![
            "ASIAIOSFODNN7EXAMPLE".to_owned(),
            text(rng, 40, "abcXYZ019+/"),
        ];
        if rng.gen_bool(0.8) {
            keys.push(text(rng, 300, "abcXYZ019+/="));
        }
        let host = [
            "examplebucket.s3.eu-central-1.amazonaws.com",
            "example.com:8443",
            "127.0.0.1",
            "[::1]:80",
        ];
        let date = (
            2000 + rng.gen_range(0..100),
            rng.gen_range(1..=12),
            rng.gen_range(1..=28),
        );
        let time = (
            rng.gen_range(0..24),
            rng.gen_range(0..60),
            rng.gen_range(0..60),
        );
        Self {
            method,
            path,
            query,
            headers,
            body,
            host: host.choose(rng).expect("some").to_string(),
            service,
            region: ["eu-central-1", "us-east-1", "cn-north-1"]
                .choose(rng)
                .expect("some"),
            keys,
            stamp: format!(
                "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
                date.0, date.1, date.2, time.0, time.1, time.2
            ),
            difference,
        }
    }

    fn described(&self) -> Value {
        json!({
            "method": self.method, "path": self.path, "query": self.query, "host": self.host,
            "headers": self.headers.iter().collect::<Vec<_>>(), "body": self.body,
            "service": self.service, "region": self.region, "keys": self.keys, "stamp": self.stamp,
        })
    }

    fn signed(&self) -> Result<String, &'static str> {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        let headers: Vec<_> = headers.chain([("host", self.host.clone())]).collect();
        let request = Request {
            method: self.method,
            path: self.path.as_bytes(),
            query: self.query.as_bytes(),
            headers: &headers,
            has_body: self.body,
        };
        let scope = Scope {
            region: self.region,
            service: self.service,
        };
        let signer = Signer {
            access_key_id: &self.keys[0],
            secret_access_key: &self.keys[1],
            session_token: self.keys.get(2).map(String::as_str),
        };
        let set = sigv4::sign(request, scope, signer, &self.stamp)?;
        let mut found = set.into_iter().filter(|(name, _)| *name == "authorization");
        let (_, authorization) = found.next().expect("it is signed");
        Ok(authorization.to_string())
    }
}

fn text(rng: &mut StdRng, length: usize, of: &str) -> String {
    let of: Vec<_> = of.chars().collect();
    (0..length)
        .map(|_| *of.choose(rng).expect("some"))
        .collect()
}

fn odd(rng: &mut StdRng) -> String {
    (0..rng.gen_range(0..8))
        .map(|_| *ODD.choose(rng).expect("some"))
        .collect()
}

/// A text as a path or a query may have it: what must be escaped is, what need not be sometimes, in digits of both cases.
fn escaped(rng: &mut StdRng, text: &str, bare: &[u8]) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        out += &match (plain, bare.contains(&byte), rng.gen_range(0..10)) {
            (true, _, 1..) | (_, true, 5..) => char::from(byte).to_string(),
            (_, _, 3) => format!("%{byte:02x}"),
            _ => format!("%{byte:02X}"),
        };
    }
    out
}

/// Without dot segments and repeated slashes, of which the gate knows nothing else.
fn path(rng: &mut StdRng) -> String {
    let mut path = String::new();
    for _ in 0..rng.gen_range(0..5) {
        let segment = odd(rng);
        path.push('/');
        path += &match segment.as_str() {
            "" | "." | ".." => "a".to_owned(),
            segment => escaped(rng, segment, b"!$&'()*+,:;=@"),
        };
    }
    if path.is_empty() || rng.gen_bool(0.2) {
        path.push('/');
    }
    path
}

fn query(rng: &mut StdRng) -> String {
    let mut pairs: Vec<String> = Vec::new();
    for _ in 0..rng.gen_range(0..6) {
        let name = match pairs.last() {
            // The same name again: its values are put in order.
            Some(last) if rng.gen_bool(0.2) => {
                last.split('=').next().unwrap_or_default().to_owned()
            }
            _ => {
                let name = odd(rng);
                escaped(rng, &format!("{name}n"), b"!$'()*,-./:;?@")
            }
        };
        let value = odd(rng);
        let value = escaped(rng, &value, b"!$'()*,-./:;=?@");
        pairs.push(match rng.gen_range(0..5) {
            0 => name,
            _ => format!("{name}={value}"),
        });
    }
    // A pair that is none counts for nothing.
    let between = if rng.gen_bool(0.05) { "&&" } else { "&" };
    pairs.join(between)
}

fn header(rng: &mut StdRng) -> (String, String) {
    let name = match rng.gen_range(0..6) {
        0 => "content-type".to_owned(),
        1 => "x-amz-acl".to_owned(),
        2 => "range".to_owned(),
        _ => format!("x-amz-meta-{}", text(rng, 3, "abz09-_.")),
    };
    let mut value = String::new();
    for _ in 0..rng.gen_range(0..6) {
        value += ["", " ", "  ", "\t", " \t  "].choose(rng).expect("some");
        value += ["a", "\"b  c\"", ",", "x=1", "ä", ";", "日本"]
            .choose(rng)
            .expect("some");
    }
    value += ["", " ", "   "].choose(rng).expect("some");
    (name, value)
}

fn botocore(cases: &[Case]) -> Vec<String> {
    let python = python();
    let mut file = tempfile::tempfile().expect("a file can be made");
    for case in cases {
        writeln!(file, "{}", case.described()).expect("it can be written");
    }
    file.rewind().expect("it can be read");
    let output = Command::new(&python)
        .arg("-B")
        .arg(repository().join("test-harness/aws/sign.py"))
        .stdin(Stdio::from(file))
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}\n`make setup` installs it", python.display()));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{stderr}\n`make setup` installs what sign.py needs"
    );
    let stdout = String::from_utf8_lossy(&output.stdout);
    let lines = stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("sign.py writes JSON"))
        .collect()
}

#[test]
fn botocore_signs_alike() {
    let cases = number("CASES").unwrap_or(3_000);
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let clock = clock.map_or(0, |now| now.as_secs());
    // Few cases are always the same ones: what runs on every change must not fail for another reason.
    let seed = number("SEED").unwrap_or(if cases <= 3_000 { 1 } else { clock });
    println!("SEED={seed} CASES={cases}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut met = BTreeMap::<Difference, u64>::new();
    let mut left = cases;
    while left > 0 {
        let batch = left.min(20_000);
        left -= batch;
        let batch: Vec<_> = (0..batch).map(|_| Case::new(&mut rng)).collect();
        let theirs = botocore(&batch);
        assert_eq!(theirs.len(), batch.len(), "botocore lost some");
        for (case, theirs) in batch.iter().zip(theirs) {
            let ours = case.signed();
            let as_it_should_be = match case.difference {
                Difference::None => ours.as_ref() == Ok(&theirs),
                Difference::Plus | Difference::Percent | Difference::Body => ours.is_err(),
                Difference::Dots | Difference::Spaces => {
                    ours.as_ref().is_ok_and(|it| *it != theirs)
                }
            };
            assert!(
                as_it_should_be,
                "SEED={seed} {:?}\n{}\nhere:     {ours:?}\nbotocore: {theirs}",
                case.difference,
                case.described()
            );
            *met.entry(case.difference).or_default() += 1;
        }
    }
    println!("{met:#?}");
    assert!(met[&Difference::None] > cases * 3 / 4);
    if cases >= 3_000 {
        assert_eq!(met.len(), 6, "each difference was met: {met:?}");
    }
}
