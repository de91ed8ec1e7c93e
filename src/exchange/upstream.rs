//! A request as its upstream will see it, as far as a signature says something of it.

use crate::gate::Request;

/// What is kept of a request until it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    pub(super) method: String,
    pub(super) path: Vec<u8>,
    pub(super) query: Vec<u8>,
    pub(super) has_body: bool,
    host: Option<String>,
    /// Those that must be signed, in lower case; nothing where one can't be.
    headers: Option<Vec<(String, String)>>,
}

/// What the gateway takes care of itself, or sets.
const NOT_SIGNED: [&str; 3] = ["x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];

impl Upstream {
    /// What the gateway hands on of a request: what it cuts off the path's beginning is not there any more.
    #[must_use]
    pub fn of(request: &Request<'_>) -> Self {
        let target = match request.target.strip_prefix(request.cut) {
            Some(rest) if !request.cut.is_empty() => rest,
            _ => request.target,
        };
        let mut parts = target.splitn(2, |&byte| byte == b'?');
        let mut path = parts.next().unwrap_or_default().to_vec();
        if path.first() != Some(&b'/') {
            path.insert(0, b'/');
        }
        let text = |value: &[u8]| str::from_utf8(value).ok().map(str::to_owned);
        let mut headers: Option<Vec<(String, String)>> = Some(Vec::new());
        for header in request.headers.iter() {
            let is = |known: &str| header.name.eq_ignore_ascii_case(known.as_bytes());
            let begin = header.name.first_chunk::<6>();
            let is_aws = begin.is_some_and(|begin| begin.eq_ignore_ascii_case(b"x-amz-"));
            if !(is("content-type") || is_aws) || NOT_SIGNED.iter().any(|own| is(own)) {
                continue;
            }
            let name = header.name.to_ascii_lowercase();
            let pair = text(&name).zip(text(header.value));
            headers = headers.zip(pair).map(|(mut headers, (name, value))| {
                match headers.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, known)) => {
                        known.push(',');
                        known.push_str(&value);
                    }
                    None => headers.push((name, value)),
                }
                headers
            });
        }
        let method = String::from_utf8_lossy(request.method).into_owned();
        let has_body = request.headers.get("transfer-encoding").is_some()
            || match request.headers.get("content-length") {
                Some(length) => length != b"0",
                None => matches!(&*method, "POST" | "PUT" | "PATCH"),
            };
        Self {
            path,
            query: parts.next().unwrap_or_default().to_vec(),
            has_body,
            host: request.host.and_then(text),
            headers,
            method,
        }
    }

    /// The headers to sign. `host` is what the upstream is told, where that is another name than the client's.
    ///
    /// # Errors
    /// There is no host, or a header that must be signed is no text.
    pub(super) fn to_sign(
        &self,
        host: Option<&str>,
    ) -> Result<Vec<(String, String)>, &'static str> {
        let host = host
            .or(self.host.as_deref())
            .ok_or("the request names no host")?;
        let mut headers = self
            .headers
            .clone()
            .ok_or("the request has a header that is no text and must be signed")?;
        headers.push(("host".to_owned(), host.to_owned()));
        Ok(headers)
    }
}
