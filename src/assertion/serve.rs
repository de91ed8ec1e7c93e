//! The key set's own address, at which the gate answers in the upstream's place.

use super::AssertionPolicy;

/// What whoever asks for the key set gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySetAnswer<'p> {
    /// The HTTP status.
    pub status: u16,
    /// The headers, each name once.
    pub headers: Vec<(&'static str, &'p str)>,
    /// The key set, if this is what was asked for; hosts send none of it to a `HEAD`.
    pub body: &'p str,
}

impl AssertionPolicy {
    /// The answer to a request for the key set; none for any other request. Only the path as it is written in the policy
    /// counts, whatever its query: any other spelling is left to the rules.
    #[must_use]
    pub fn serve(
        &self,
        method: &[u8],
        target: &[u8],
        if_none_match: Option<&[u8]>,
    ) -> Option<KeySetAnswer<'_>> {
        let path = target.split(|&byte| byte == b'?').next();
        if path != Some(self.jwks_path.as_bytes()) {
            return None;
        }
        let etag = self.jwks.etag.as_str();
        let is_known = if_none_match.is_some_and(|tags| {
            tags.split(|&byte| byte == b',')
                .map(|tag| tag.trim_ascii())
                .any(|tag| tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes())
        });
        let (status, body) = match (method, is_known) {
            (b"GET" | b"HEAD", false) => (200, self.jwks.body.as_str()),
            (b"GET" | b"HEAD", true) => (304, ""),
            _ => {
                return Some(KeySetAnswer {
                    status: 405,
                    headers: vec![("allow", "GET, HEAD"), ("cache-control", "no-store")],
                    body: "",
                });
            }
        };
        Some(KeySetAnswer {
            status,
            headers: vec![
                ("content-type", "application/json"),
                ("cache-control", "public, max-age=300"),
                ("etag", etag),
            ],
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::mint::tests::policy;

    #[test]
    fn only_the_path_as_it_is_written_is_answered() {
        let policy = policy(&[super::super::key::tests::p256()], 60);
        let ask = |method: &str, target: &str, tag: Option<&str>| {
            policy
                .serve(method.as_bytes(), target.as_bytes(), tag.map(str::as_bytes))
                .map(|answer| (answer.status, answer.body.to_owned()))
        };
        let path = "/.well-known/jobgate/jwks.json";
        let (whole, none) = (policy.jwks.body.clone(), String::new());
        let etag = policy.jwks.etag.as_str();
        for method in ["GET", "HEAD"] {
            assert_eq!(ask(method, path, None), Some((200, whole.clone())));
            assert_eq!(
                ask(method, &format!("{path}?a=b"), Some("\"x\"")),
                Some((200, whole.clone()))
            );
            for tag in [etag.to_owned(), format!("\"x\", W/{etag}")] {
                assert_eq!(ask(method, path, Some(&tag)), Some((304, none.clone())));
            }
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "get", ""] {
            assert_eq!(ask(method, path, Some(etag)), Some((405, none.clone())));
        }
        for other in [
            "/",
            "",
            "/.well-known/jobgate/jwks.json/",
            "/.well-known/jobgate//jwks.json",
            "/.well-known/jobgate/jwks%2ejson",
            "/x/../.well-known/jobgate/jwks.json",
            "/.well-known/jobgate/jwks.json#",
        ] {
            assert_eq!(ask("GET", other, None), None, "{other}");
        }
    }
}
