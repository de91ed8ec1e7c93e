//! The request's path in its one normal form, or a refusal where it has more than one reading.
//!
//! What is matched must be what the upstream serves. Servers differ in what they decode, in which order,
//! and how often; so everything on which they could differ is refused rather than guessed.

use std::fmt::Write;

/// A normalised path, beginning with `/`: unreserved characters decoded, other escapes in upper case, no
/// dot segments, no repeated slashes, no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalPath {
    path: String,
    query: Option<Vec<u8>>,
    rewritten: bool,
}

/// Why a path has more than one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathAmbiguous(pub &'static str);

impl NormalPath {
    /// Normalises a request target in origin form (RFC 9112, section 3.2.1).
    ///
    /// # Errors
    /// What about it is ambiguous.
    pub fn parse(target: &[u8]) -> Result<Self, PathAmbiguous> {
        let mut halves = target.splitn(2, |&byte| byte == b'?');
        let raw = halves.next().unwrap_or_default();
        let query = halves.next();
        if raw.first() != Some(&b'/') {
            return Err(PathAmbiguous("the target is not in origin form"));
        }
        if target.contains(&b'#') {
            return Err(PathAmbiguous("the target has a fragment"));
        }
        let decoded = decode(raw)?;
        refuse_disguised_dots(raw, &decoded)?;
        let path = resolve(&decoded);
        let rewritten = path.as_bytes() != raw;
        Ok(Self {
            path,
            query: query.map(<[u8]>::to_vec),
            rewritten,
        })
    }

    /// The path, without the query.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// The target the upstream must see, if what was sent is another.
    #[must_use]
    pub fn rewritten_target(&self) -> Option<Vec<u8>> {
        self.rewritten.then(|| {
            let mut target = self.path.clone().into_bytes();
            if let Some(query) = &self.query {
                target.push(b'?');
                target.extend_from_slice(query);
            }
            target
        })
    }
}

/// Decodes unreserved characters once and writes all other escapes in upper case (RFC 3986, section 6.2.2).
fn decode(raw: &[u8]) -> Result<String, PathAmbiguous> {
    let mut out = String::with_capacity(raw.len());
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let (Some(high), Some(low)) =
                    (rest.next().and_then(hex), rest.next().and_then(hex))
                else {
                    return Err(PathAmbiguous(
                        "a percent sign is not followed by two hex digits",
                    ));
                };
                let escaped = (high << 4) | low;
                match escaped {
                    b'/' => return Err(PathAmbiguous("a slash is percent-encoded")),
                    b'\\' => return Err(PathAmbiguous("a backslash is percent-encoded")),
                    0..=0x1f | 0x7f => {
                        return Err(PathAmbiguous("a control character is percent-encoded"));
                    }
                    _ if is_unreserved(escaped) => out.push(char::from(escaped)),
                    // Writing to a String cannot fail.
                    _ => _ = write!(out, "%{escaped:02X}"),
                }
                bytes.push(escaped);
            }
            b'\\' => return Err(PathAmbiguous("it holds a backslash")),
            0x21..=0x7e => {
                out.push(char::from(byte));
                bytes.push(byte);
            }
            _ => {
                return Err(PathAmbiguous(
                    "it holds a byte that must be percent-encoded",
                ));
            }
        }
    }
    if std::str::from_utf8(&bytes).is_err() {
        return Err(PathAmbiguous("its escapes are not UTF-8"));
    }
    if out.split("%25").skip(1).any(escapes_a_separator) {
        return Err(PathAmbiguous("a separator is percent-encoded twice"));
    }
    Ok(out)
}

/// Refuses dot segments that are not plainly written: behind an escape, or with path parameters, which
/// some servers cut off. `..` above the root, too: there is nothing it could mean.
fn refuse_disguised_dots(raw: &[u8], decoded: &str) -> Result<(), PathAmbiguous> {
    let mut depth = 0_usize;
    for (raw, segment) in raw
        .split(|&byte| byte == b'/')
        .zip(decoded.split('/'))
        .skip(1)
    {
        let bare = segment.split(';').next().unwrap_or_default();
        if !matches!(bare, "." | "..") {
            depth = depth.saturating_add(usize::from(!segment.is_empty()));
            continue;
        }
        if bare.len() != segment.len() {
            return Err(PathAmbiguous("a dot segment has path parameters"));
        }
        if raw != segment.as_bytes() {
            return Err(PathAmbiguous("a dot segment is percent-encoded"));
        }
        if segment == ".." {
            depth = depth
                .checked_sub(1)
                .ok_or(PathAmbiguous("its dot segments lead above the root"))?;
        }
    }
    Ok(())
}

/// Removes dot segments (RFC 3986, section 5.2.4) and repeated slashes.
fn resolve(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut open = false;
    for segment in path.split('/').skip(1) {
        open = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if open || kept.is_empty() {
        out.push('/');
    }
    out
}

/// Whether what follows an encoded percent sign would be the escape of a separator if it were decoded again.
fn escapes_a_separator(after: &str) -> bool {
    let mut digits = after.bytes().map(hex);
    match (digits.next().flatten(), digits.next().flatten()) {
        (Some(high), Some(low)) => {
            matches!(
                (high << 4) | low,
                b'/' | b'\\' | b'.' | b'%' | 0..=0x1f | 0x7f
            )
        }
        _ => false,
    }
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(digit.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_has_one_normal_form() {
        for (target, path) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/a?b=/../c", "/a"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("//a///b//", "/a/b/"),
            ("/%61%7e%5F", "/a~_"),
            ("/a%20b%c3%a9", "/a%20b%C3%A9"),
            ("/a%252b", "/a%252b"),
            ("/a%2ejson", "/a.json"),
            ("/a%2e%2e", "/a.."),
            ("/A;v=1/b", "/A;v=1/b"),
            ("/a:b@c/!$&'()*+,=", "/a:b@c/!$&'()*+,="),
            ("/...", "/..."),
        ] {
            assert_eq!(
                NormalPath::parse(target.as_bytes()).unwrap().as_str(),
                path,
                "{target}"
            );
        }
    }

    #[test]
    fn what_servers_read_in_different_ways_is_refused() {
        for target in [
            "",
            "*",
            "a",
            "http://host/a",
            "host:443",
            "/a#b",
            "/a?b#c",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a/%2e%2e/b",
            "/a/%2E./b",
            "/%2e",
            "/a%00",
            "/a%0d%0a",
            "/a\0",
            "/a b",
            "/a\n",
            "/%",
            "/%4",
            "/%zz",
            "/%ff",
            "/%c3",
            "/é",
            "/..",
            "/a/../..",
            "/..;/a",
            "/a/..;x=1/b",
            "/.;/a",
            "/%252e%252e/a",
            "/%252fa",
            "/%25%32%65",
            "/%255c",
            "/%25252e",
            "/%2500",
        ] {
            assert!(NormalPath::parse(target.as_bytes()).is_err(), "{target}");
        }
    }

    #[test]
    fn a_target_that_is_not_normal_is_rewritten_with_its_query() {
        let rewritten = |target: &str| {
            NormalPath::parse(target.as_bytes())
                .unwrap()
                .rewritten_target()
        };
        assert_eq!(rewritten("/a/b?q=%2e/../"), None);
        assert_eq!(rewritten("/a/../b?q=%2e/../").unwrap(), b"/b?q=%2e/../");
        assert_eq!(rewritten("/a//").unwrap(), b"/a/");
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(target in "/[ab./%;2e5cfF?\\\\]{0,24}") {
            if let Ok(once) = NormalPath::parse(target.as_bytes()) {
                let twice = NormalPath::parse(once.as_str().as_bytes()).unwrap();
                prop_assert_eq!(twice.as_str(), once.as_str());
                prop_assert!(!twice.rewritten);
                prop_assert!(!once.as_str().contains("//"));
                prop_assert!(once.as_str().split('/').all(|segment| segment != "." && segment != ".."));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(target in proptest::collection::vec(any::<u8>(), 0..64)) {
            drop(NormalPath::parse(&target));
        }
    }
}
