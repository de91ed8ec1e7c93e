//! Where an issuer's keys are fetched from.

use std::fmt;
use std::time::Duration;

/// An http or https address, split as a fetch through the host needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksUri {
    /// `https` or `http`.
    pub scheme: &'static str,
    /// Host and, if it was written, port.
    pub authority: String,
    /// Path and query; at least `/`.
    pub path: String,
}

impl JwksUri {
    /// Parses an address.
    ///
    /// # Errors
    /// A message that names what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse =
            |why: &str| format!("{text:?} {why}; write an address like \"https://host/path\"");
        let (scheme, rest) = match text.split_once("://") {
            Some(("https", rest)) => ("https", rest),
            Some(("http", rest)) => ("http", rest),
            _ => return Err(refuse("is neither https:// nor http://")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.is_empty() || !authority.bytes().all(is_authority_byte) {
            return Err(refuse("has no plain host"));
        }
        if !path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#')
        {
            return Err(refuse("has a fragment or unescaped characters"));
        }
        let path = if path.starts_with('/') {
            path.into()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            scheme,
            authority: authority.into(),
            path,
        })
    }

    /// `host:port`, with the scheme's port where none was written.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        let after_brackets = self.authority.rsplit(']').next().unwrap_or_default();
        match (after_brackets.contains(':'), self.scheme) {
            (true, _) => self.authority.clone(),
            (false, "https") => format!("{}:443", self.authority),
            (false, _) => format!("{}:80", self.authority),
        }
    }
}

/// Letters, digits, and what host names, ports and IPv6 literals are made of: no user info.
fn is_authority_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
}

impl fmt::Display for JwksUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// How an issuer's keys are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksSource {
    /// What the host calls the server: Envoy a cluster's name, Kong `host:port`.
    pub cluster: String,
    /// The document's address.
    pub uri: JwksUri,
    /// Age at which a set is fetched again.
    pub refresh: Duration,
    /// How long a fetch may take.
    pub timeout: Duration,
    /// Age up to which the last good set serves when fetching fails.
    pub max_stale: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_split_for_the_host() {
        for (text, authority, path, dial) in [
            (
                "https://agent.buildkite.com/.well-known/jwks",
                "agent.buildkite.com",
                "/.well-known/jwks",
                "agent.buildkite.com:443",
            ),
            (
                "http://127.0.0.1:8080",
                "127.0.0.1:8080",
                "/",
                "127.0.0.1:8080",
            ),
            ("http://[::1]/k?x=1", "[::1]", "/k?x=1", "[::1]:80"),
            ("https://h?x", "h", "/?x", "h:443"),
        ] {
            let uri = JwksUri::parse(text).unwrap();
            assert_eq!(
                (uri.authority.as_str(), uri.path.as_str()),
                (authority, path)
            );
            assert_eq!(uri.host_and_port(), dial);
        }
        for text in [
            "",
            "ftp://h/",
            "//h/",
            "https:///p",
            "https://user@h/",
            "https://h/a b",
            "https://h/#f",
            "https://h/é",
        ] {
            assert!(JwksUri::parse(text).is_err(), "{text}");
        }
    }
}
