//! Hosts: what a request names as its host, and the patterns of rules.

use std::fmt;
use std::net::Ipv6Addr;

/// The longest name and label that DNS knows (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// A pattern for hosts: a name, or `*.` and a name for all names below it.
///
/// As in the gateways' own routes a star stands for one or more labels: `*.acme.example` covers
/// `a.b.acme.example`, and not `acme.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostGlob {
    /// In the normal form of [`normalise_host`].
    name: String,
    is_below: bool,
}

impl HostGlob {
    /// Reads a pattern. Upper case counts as lower case.
    ///
    /// # Errors
    /// Why no host that a request names could match it, and what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (is_below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let remedy = match text {
            "" => "matches nothing; write a name, like \"deploy.acme.example\"",
            "*" | "*." => "would match any host; leave hosts out for that",
            _ if text.contains("://") => "has a scheme; write the host alone",
            _ if text.contains('/') => "has a slash; write the host alone, and paths in paths",
            _ if name.contains('*') => {
                "has a star in it; it stands for whole labels at the beginning, like \"*.acme.example\""
            }
            _ if !text.is_ascii() => {
                "is not ASCII; write it as it is sent, like \"xn--bcher-kva.example\""
            }
            _ if !name.starts_with('[') && name.matches(':').count() > 1 => {
                "has several colons; write an IPv6 address in brackets, like \"[::1]\""
            }
            _ if has_port(name) => "has a port; write the host alone, which is for all ports",
            _ => match normalise_host(name.as_bytes()) {
                Some(name) if is_below && name.starts_with('[') => {
                    "is no name; there are none below an address"
                }
                Some(name) => return Ok(Self { name, is_below }),
                None => "is no host; write a name, like \"deploy.acme.example\"",
            },
        };
        Err(format!("{text:?} {remedy}"))
    }

    /// Whether it covers a host, which must be in the normal form of [`normalise_host`].
    #[must_use]
    pub fn matches(&self, normalised: &str) -> bool {
        if !self.is_below {
            return normalised == self.name;
        }
        normalised
            .strip_suffix(self.name.as_str())
            .and_then(|labels| labels.strip_suffix('.'))
            .is_some_and(|labels| !labels.is_empty())
    }
}

/// As it is written, in lower case.
impl fmt::Display for HostGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.is_below { "*." } else { "" };
        write!(f, "{star}{}", self.name)
    }
}

/// What a request's `Host` or `:authority` names, in the one form in which hosts are compared: in lower
/// case, without port and without the dot that may end a name; an IPv6 address in brackets, as RFC 5952
/// writes it.
///
/// Nothing if that is no host that servers would all read alike: empty, with an empty label or one that
/// is too long, with user information, or with any character but ASCII letters, digits, `-` and `_`.
#[must_use]
pub fn normalise_host(host: &[u8]) -> Option<String> {
    if let Some(rest) = host.strip_prefix(b"[") {
        let (address, rest) = str::from_utf8(rest).ok()?.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        return (rest.is_empty() || is_port(rest.strip_prefix(':')?))
            .then(|| format!("[{address}]"));
    }
    // As bytes: every request has a host, and text is dearer to take apart.
    let mut parts = host.splitn(2, |&byte| byte == b':');
    let name = parts.next()?;
    if let Some(port) = parts.next() {
        str::from_utf8(port).ok().filter(|port| is_port(port))?;
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_name = name.len() <= MAX_NAME_BYTES && name.split(|&byte| byte == b'.').all(is_label);
    String::from_utf8(name.to_ascii_lowercase())
        .ok()
        .filter(|_| is_name)
}

fn has_port(name: &str) -> bool {
    name.contains(if name.starts_with('[') { "]:" } else { ":" })
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_label(text: &[u8]) -> bool {
    (1..=MAX_LABEL_BYTES).contains(&text.len())
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_one_label_or_more() {
        for (pattern, yes, no) in [
            (
                "deploy.acme.example",
                &["deploy.acme.example"][..],
                &[
                    "acme.example",
                    "x.deploy.acme.example",
                    "deploy.acme.example.evil",
                ][..],
            ),
            (
                "*.Acme.Example",
                &["a.acme.example", "a.b.acme.example"],
                &[
                    "acme.example",
                    ".acme.example",
                    "evilacme.example",
                    "a.acme.example.evil",
                ],
            ),
            (
                "[2001:DB8::0:1]",
                &["[2001:db8::1]"],
                &["[2001:db8::2]", "2001:db8::1"],
            ),
            ("10.0.0.1", &["10.0.0.1"], &["10.0.0.10"]),
            ("localhost.", &["localhost"], &["localhost.localdomain"]),
        ] {
            let glob = HostGlob::parse(pattern).unwrap();
            assert!(yes.iter().all(|host| glob.matches(host)), "{pattern}");
            assert!(!no.iter().any(|host| glob.matches(host)), "{pattern}");
        }
        assert_eq!(
            HostGlob::parse("*.Acme.Example").unwrap().to_string(),
            "*.acme.example"
        );
    }

    #[test]
    fn patterns_that_no_host_meets_are_errors() {
        for (pattern, remedy) in [
            ("", "\"\" matches nothing; write a name"),
            ("*", "\"*\" would match any host; leave hosts out"),
            ("*.", "would match any host"),
            ("https://acme.example", "has a scheme; write the host alone"),
            ("acme.example/deploy", "has a slash; write the host alone"),
            ("acme.example:443", "has a port; write the host alone"),
            ("*.acme.example:443", "has a port"),
            ("[::1]:443", "has a port"),
            ("deploy-*.acme.example", "has a star in it"),
            ("*acme.example", "has a star in it"),
            ("*.*.acme.example", "has a star in it"),
            ("acme.*", "has a star in it"),
            ("bücher.example", "is not ASCII"),
            (
                "::1",
                "has several colons; write an IPv6 address in brackets",
            ),
            ("*.[::1]", "there are none below an address"),
            ("[::1", "is no host"),
            ("[fe80::1%25eth0]", "is no host"),
            ("acme..example", "is no host"),
            ("acme example", "is no host"),
            ("ci@acme.example", "is no host"),
        ] {
            let error = HostGlob::parse(pattern).unwrap_err();
            assert!(error.contains(remedy), "{error}");
        }
    }

    #[test]
    fn hosts_have_one_form() {
        for (host, expected) in [
            ("acme.example", Some("acme.example")),
            ("ACME.Example:8443", Some("acme.example")),
            ("acme.example.", Some("acme.example")),
            ("acme.example.:443", Some("acme.example")),
            ("my_service-1", Some("my_service-1")),
            ("127.0.0.1:80", Some("127.0.0.1")),
            ("[::1]", Some("[::1]")),
            ("[2001:DB8:0:0::1]:443", Some("[2001:db8::1]")),
            ("", None),
            (".", None),
            (":80", None),
            ("acme.example:", None),
            ("acme.example:http", None),
            ("acme.example:+80", None),
            ("acme.example:65536", None),
            ("acme.example:80:80", None),
            ("acme.example..", None),
            (".acme.example", None),
            ("a..b", None),
            ("acme.example ", None),
            ("acme.example,evil.example", None),
            ("ci@acme.example", None),
            ("acme%2eexample", None),
            ("acme.example/x", None),
            ("bücher.example", None),
            ("acme\0.example", None),
            ("::1", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[::1]:", None),
            ("[acme.example]", None),
            ("[fe80::1%eth0]", None),
            ("*.acme.example", None),
        ] {
            assert_eq!(
                normalise_host(host.as_bytes()).as_deref(),
                expected,
                "{host:?}"
            );
        }
        assert_eq!(normalise_host(b"acme\xff.example"), None);
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(normalise_host(longest.as_bytes()), Some(longest.clone()));
        assert_eq!(normalise_host(format!("{longest}a").as_bytes()), None);
        assert_eq!(normalise_host(format!("{label}a").as_bytes()), None);
    }

    proptest! {
        #[test]
        fn the_form_of_a_host_is_its_own_and_a_pattern_for_it(host in "[aB.:1\\[\\]*@-]{0,12}") {
            if let Some(normal) = normalise_host(host.as_bytes()) {
                prop_assert_eq!(normalise_host(normal.as_bytes()), Some(normal.clone()));
                prop_assert!(HostGlob::parse(&normal).unwrap().matches(&normal));
                let below = HostGlob::parse(&format!("*.{normal}"));
                prop_assert!(!below.is_ok_and(|glob| glob.matches(&normal)));
            }
        }
    }
}
