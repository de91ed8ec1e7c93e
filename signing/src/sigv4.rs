//! Signatures on requests to AWS: Signature Version 4, with credentials that live for minutes.
//!
//! The rules are those of AWS Identity and Access Management's User Guide, *Create a signed AWS API request*, and of
//! Amazon S3's API Reference, *Authenticating Requests: Using the Authorization Header*.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use zeroize::Zeroizing;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request as the service will see it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path as it is sent, escapes and all.
    pub path: &'a [u8],
    /// Its query as it is sent, without the question mark.
    pub query: &'a [u8],
    /// The headers to sign: names in lower case, each once, `host` among them.
    pub headers: &'a [(&'a str, String)],
    /// Whether it has a body, which S3 takes unsigned and no other service does.
    pub has_body: bool,
}

/// What a signature is good for.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The region, like `eu-central-1`.
    pub region: &'a str,
    /// The service, like `s3`: for that one a path is escaped once, for the others twice.
    pub service: &'a str,
}

/// Who signs.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The access key's id.
    pub access_key_id: &'a str,
    /// The secret access key.
    pub secret_access_key: &'a str,
    /// The session's token, for credentials that end.
    pub session_token: Option<&'a str>,
}

/// Signs a request.
///
/// `stamp` is the time in UTC, written like `20150830T123600Z`. What comes out are the headers to set, the signature
/// among them; none of them may be among those of the request.
///
/// # Errors
/// Why it can't be signed.
#[inline(never)]
pub fn sign(
    request: Request<'_>,
    scope: Scope<'_>,
    signer: Signer<'_>,
    stamp: &str,
) -> Result<Vec<(&'static str, Zeroizing<String>)>, &'static str> {
    let day = stamp.get(..8).ok_or("there is no date")?;
    let is_s3 = scope.service == "s3";
    let payload = match (request.has_body, is_s3) {
        (false, _) => hex(&Sha256::digest(b"")),
        (true, true) => "UNSIGNED-PAYLOAD".to_owned(),
        (true, false) => return Err("it has a body, which only S3 takes unsigned"),
    };
    let mut set = vec![("x-amz-date", Zeroizing::new(stamp.to_owned()))];
    if is_s3 {
        set.push(("x-amz-content-sha256", Zeroizing::new(payload.clone())));
    }
    if let Some(token) = signer.session_token {
        set.push(("x-amz-security-token", Zeroizing::new(token.to_owned())));
    }
    let own = set.iter().map(|(name, value)| (*name, value.as_str()));
    let theirs = request
        .headers
        .iter()
        .map(|(name, value)| (*name, &**value));
    let mut headers = Vec::new();
    own.chain(theirs)
        .for_each(|header| insert(&mut headers, header));
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");

    let mut canonical = Zeroizing::new(String::with_capacity(1_024));
    canonical.push_str(request.method);
    canonical.push('\n');
    canonical.push_str(&canonical_path(request.path, is_s3)?);
    canonical.push('\n');
    canonical.push_str(&canonical_query(request.query)?);
    canonical.push('\n');
    for (name, value) in headers {
        canonical.push_str(name);
        canonical.push(':');
        for (nth, word) in value.split_ascii_whitespace().enumerate() {
            if nth > 0 {
                canonical.push(' ');
            }
            canonical.push_str(word);
        }
        canonical.push('\n');
    }
    canonical.push('\n');
    canonical.push_str(&names);
    canonical.push('\n');
    canonical.push_str(&payload);

    let Scope { region, service } = scope;
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let digest = hex(&Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("{ALGORITHM}\n{stamp}\n{scope}\n{digest}");
    let secret = Zeroizing::new(format!("AWS4{}", signer.secret_access_key));
    let mut key = mac(secret.as_bytes(), day);
    for part in [region, service, "aws4_request"] {
        key = mac(&*key, part);
    }
    let signature = hex(&*mac(&*key, &to_sign));
    let id = signer.access_key_id;
    let authorization = format!(
        "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
    );
    set.push(("authorization", Zeroizing::new(authorization)));
    Ok(set)
}

fn mac(key: &[u8], message: &str) -> Zeroizing<[u8; 32]> {
    // Any length of key is one of HMAC's.
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| Zeroizing::new([0; 32]),
        |mac| Zeroizing::new(mac.chain_update(message).finalize().into_bytes().into()),
    )
}

/// Inserts an item where it belongs in order. There are few.
fn insert<T: Ord>(sorted: &mut Vec<T>, item: T) {
    let place = sorted.partition_point(|other| *other < item);
    sorted.insert(place, item);
}

/// S3 takes the path as it is meant, the others as it is sent.
fn canonical_path(path: &[u8], is_s3: bool) -> Result<String, &'static str> {
    let meant = if is_s3 {
        unescaped(path)?
    } else {
        path.to_vec()
    };
    Ok(escaped(&meant, b"/"))
}

fn canonical_query(query: &[u8]) -> Result<String, &'static str> {
    if query.contains(&b'+') {
        return Err("its query has a plus sign, which servers read in two ways; send %20 or %2B");
    }
    let mut pairs = Vec::new();
    for pair in query
        .split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
    {
        let mut parts = pair.splitn(2, |&byte| byte == b'=');
        let mut next = || unescaped(parts.next().unwrap_or_default()).map(|it| escaped(&it, b""));
        insert(&mut pairs, (next()?, next()?));
    }
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    Ok(pairs.join("&"))
}

fn unescaped(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    while let Some(&byte) = bytes.next() {
        let meant = if byte == b'%' {
            let number = digit(bytes.next()).zip(digit(bytes.next()));
            let number = number.and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
            number.ok_or("its path or query has a percent sign that escapes nothing")?
        } else {
            byte
        };
        out.push(meant);
    }
    Ok(out)
}

/// All but unreserved characters (RFC 3986, section 2.3) and those in `kept` are escaped.
fn escaped(bytes: &[u8], kept: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(64);
    for byte in bytes {
        _ = write!(out, "{byte:02x}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(
        request: (&str, &str, &[(&str, &str)]),
        service: &str,
        stamp: &str,
        signer: Signer<'_>,
    ) -> Result<String, &'static str> {
        let (method, target, headers) = request;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let request = Request {
            method,
            path: path.as_bytes(),
            query: query.as_bytes(),
            headers: &headers,
            has_body: method == "PUT",
        };
        let scope = Scope {
            region: "us-east-1",
            service,
        };
        let set = sign(request, scope, signer, stamp)?;
        let (name, authorization) = set.last().expect("there is one");
        assert_eq!(*name, "authorization");
        let (_, signature) = authorization
            .rsplit_once("Signature=")
            .expect("it is signed");
        Ok(signature.to_owned())
    }

    /// Of the test suite that AWS publishes for Signature Version 4.
    #[test]
    fn the_vectors_of_the_test_suite_pass() {
        let signer = Signer {
            access_key_id: "AKIDEXAMPLE",
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            session_token: None,
        };
        let host = ("host", "example.amazonaws.com");
        for (name, method, target, header, signature) in [
            (
                "get-vanilla",
                "GET",
                "/",
                None,
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "post-vanilla",
                "POST",
                "/",
                None,
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "post-header-value-case",
                "POST",
                "/",
                Some(("my-header1", "VALUE1")),
                "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
            ),
            (
                "get-space",
                "GET",
                "/example space/",
                None,
                "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
            ),
            (
                "get-vanilla-query-order-key-case",
                "GET",
                "/?Param2=value2&Param1=value1",
                None,
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "get-vanilla-query-order-encoded",
                "GET",
                "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
                None,
                "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
            ),
        ] {
            let headers: Vec<_> = [host].into_iter().chain(header).collect();
            let made = signed(
                (method, target, &headers),
                "service",
                "20150830T123600Z",
                signer,
            );
            assert_eq!(made.as_deref(), Ok(signature), "{name}");
        }
    }

    /// Of Amazon S3's API Reference.
    #[test]
    fn the_examples_of_s3_pass() {
        let signer = Signer {
            access_key_id: "AKIAIOSFODNN7EXAMPLE",
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            session_token: None,
        };
        let host = ("host", "examplebucket.s3.amazonaws.com");
        for (target, headers, signature) in [
            (
                "/test.txt",
                &[host, ("range", "bytes=0-9")][..],
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "/?lifecycle",
                &[host],
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "/?max-keys=2&prefix=J",
                &[host],
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let made = signed(("GET", target, headers), "s3", "20130524T000000Z", signer);
            assert_eq!(made.as_deref(), Ok(signature), "{target}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_not_signed() {
        let signer = Signer {
            access_key_id: "id",
            secret_access_key: "secret",
            session_token: None,
        };
        for (method, target, service) in [
            ("GET", "/?a=b+c", "s3"),
            ("GET", "/?a=%4", "s3"),
            ("GET", "/%zz", "s3"),
            ("PUT", "/", "execute-api"),
        ] {
            let made = signed((method, target, &[]), service, "20130524T000000Z", signer);
            assert!(made.is_err(), "{method} {target} {service}");
        }
    }
}
