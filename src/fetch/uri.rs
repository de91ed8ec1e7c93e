//! An address that a document is fetched from.

use std::fmt;
use std::net::Ipv6Addr;

/// An http or https address, split as a fetch through the host needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUri {
    /// `https` or `http`.
    pub scheme: &'static str,
    /// Host and, if it was written, port.
    pub authority: String,
    /// Path and query; at least `/`.
    pub path: String,
}

impl HttpUri {
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
        if !is_host_and_port(authority) {
            return Err(refuse("has no plain host, or no port from 1 to 65535"));
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

/// A host name or an address (an IPv6 one in brackets), and perhaps a port: no user info. Whatever Kong takes
/// for no address ends its VM.
fn is_host_and_port(authority: &str) -> bool {
    let (host_is_good, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => (address.parse::<Ipv6Addr>().is_ok(), port),
            None => return false,
        },
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at_checked(end).unwrap_or((authority, ""));
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
            (!host.is_empty() && host.bytes().all(is_part), port)
        }
    };
    let is_port = |digits: &str| {
        digits.bytes().all(|byte| byte.is_ascii_digit())
            && digits.parse::<u16>().is_ok_and(|port| port > 0)
    };
    host_is_good && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

impl fmt::Display for HttpUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
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
            let uri = HttpUri::parse(text).unwrap();
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
            "https://:/p",
            "https://:443/",
            "https://h:/",
            "https://h:0/",
            "https://h:65536/",
            "https://h:+1/",
            "https://a:b:c/",
            "https://::1/",
            "https://[/",
            "https://[]/",
            "https://[h]/",
            "https://[::1]x/",
            "https://user@h/",
            "https://h/a b",
            "https://h/#f",
            "https://h/é",
        ] {
            assert!(HttpUri::parse(text).is_err(), "{text}");
        }
    }
}
