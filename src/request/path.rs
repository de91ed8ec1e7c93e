//! The request's path in its one normal form, or a refusal where it has more than one reading.
//!
//! What is matched must be what the upstream serves. Servers differ in what they decode, in which order,
//! and how often; so everything on which they could differ is refused rather than guessed.

use std::fmt::Write;

/// A path in its normal form, beginning with `/`: unreserved characters not escaped, other escapes in upper
/// case, no dot segments, no repeated slashes, no query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalPath {
    text: String,
    /// With visible characters unescaped, where that differs.
    unescaped: Option<String>,
}

/// Why a path has more than one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathAmbiguous(pub &'static str);

impl NormalPath {
    /// Takes the path of a request target in origin form (RFC 9112, section 3.2.1), if it is in normal form.
    ///
    /// The gateway normalises before it chooses a route; a path that reaches the gate in another form is one
    /// that route, gate and upstream could each read in their own way.
    ///
    /// # Errors
    /// What about it is ambiguous.
    pub fn parse(target: &[u8]) -> Result<Self, PathAmbiguous> {
        let raw = target
            .split(|&byte| byte == b'?')
            .next()
            .unwrap_or_default();
        if raw.first() != Some(&b'/') {
            return Err(PathAmbiguous("the target is not in origin form"));
        }
        if target.contains(&b'#') {
            return Err(PathAmbiguous("the target has a fragment"));
        }
        if let Some(text) = plain(raw) {
            return Ok(Self {
                text: text.to_owned(),
                unescaped: None,
            });
        }
        let normal = normalise(raw)?;
        if normal.as_bytes() == raw {
            Ok(Self {
                unescaped: unescaped(&normal),
                text: normal,
            })
        } else {
            Err(PathAmbiguous(
                "it is not in normal form; let the gateway normalise paths",
            ))
        }
    }

    /// The path, without the query.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path with visible characters unescaped: most servers serve the same for both.
    pub(crate) fn unescaped(&self) -> &str {
        self.unescaped.as_deref().unwrap_or(&self.text)
    }
}

/// Whether a gateway that cuts this off the path's beginning cuts within a segment: what it hands on begins with a
/// segment then that the rules have not seen.
pub(crate) fn cuts_a_segment(target: &[u8], cut: &[u8]) -> bool {
    let within = |rest: &[u8]| !matches!(rest.first(), None | Some(b'/' | b'?'));
    !cut.is_empty() && !cut.ends_with(b"/") && target.strip_prefix(cut).is_some_and(within)
}

/// A path in normal form whose escapes are undone where they stand for a visible character; none, if it has
/// no such escape.
fn unescaped(path: &str) -> Option<String> {
    let mut parts = path.split('%');
    let mut out = String::from(parts.next()?);
    let mut changed = false;
    for part in parts {
        match visible_escape(part) {
            Some(character) => {
                changed = true;
                out.push(character);
                out.extend(part.chars().skip(2));
            }
            None => {
                out.push('%');
                out.push_str(part);
            }
        }
    }
    changed.then_some(out)
}

/// The visible character that the escape whose digits come first stands for; none for a percent sign.
pub(crate) fn visible_escape(after: &str) -> Option<char> {
    let mut digits = after.bytes().map(hex);
    let byte = (digits.next()?? << 4) | digits.next()??;
    (byte.is_ascii_graphic() && byte != b'%').then(|| char::from(byte))
}

/// The normal form of a path.
///
/// # Errors
/// What about the path has no single reading.
pub(crate) fn normalise(raw: &[u8]) -> Result<String, PathAmbiguous> {
    let decoded = decode(raw)?;
    refuse_disguised_dots(raw, &decoded)?;
    Ok(resolve(&decoded))
}

/// A path that is its own normal form at first sight, as most are: nothing escaped, no empty segment but the last, no
/// dot segment. The longer way says the same of it.
fn plain(raw: &[u8]) -> Option<&str> {
    let mut segments = raw
        .strip_prefix(b"/")?
        .split(|&byte| byte == b'/')
        .peekable();
    while let Some(segment) = segments.next() {
        let has_one_reading = match segment {
            b"" => segments.peek().is_none(),
            b"." | b".." => false,
            segment => segment
                .iter()
                .all(|byte| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'%' | b'\\' | b';')),
        };
        if !has_one_reading {
            return None;
        }
    }
    str::from_utf8(raw).ok()
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
                    b';' => return Err(PathAmbiguous("a semicolon is percent-encoded")),
                    // Whoever decodes before looking for these serves a shorter path than this one.
                    b'?' => return Err(PathAmbiguous("a question mark is percent-encoded")),
                    b'#' => return Err(PathAmbiguous("a number sign is percent-encoded")),
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
            // Some servers cut path parameters off before they match and resolve, others don't.
            b';' => return Err(PathAmbiguous("it holds path parameters")),
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
    if out.split("%25").skip(1).any(would_be_an_escape) {
        return Err(PathAmbiguous("a character is percent-encoded twice"));
    }
    Ok(out)
}

/// Refuses dot segments that are not plainly written, and those that lead above the root: there is nothing
/// they could mean.
fn refuse_disguised_dots(raw: &[u8], decoded: &str) -> Result<(), PathAmbiguous> {
    let mut depth = 0_usize;
    for (raw, segment) in raw
        .split(|&byte| byte == b'/')
        .zip(decoded.split('/'))
        .skip(1)
    {
        if !matches!(segment, "." | "..") {
            depth = depth.saturating_add(usize::from(!segment.is_empty()));
            continue;
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

/// Whether what follows an encoded percent sign would be the escape of a visible or a control character if it were
/// decoded again: a server that does would serve another path than the rules saw.
fn would_be_an_escape(after: &str) -> bool {
    let mut digits = after.bytes().map(hex);
    match (digits.next().flatten(), digits.next().flatten()) {
        (Some(high), Some(low)) => matches!((high << 4) | low, 0..=0x1f | b'!'..=0x7f),
        _ => false,
    }
}

#[inline]
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
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("//a///b//", "/a/b/"),
            ("/%61%7e%5F", "/a~_"),
            ("/a%20b%c3%a9", "/a%20b%C3%A9"),
            ("/a%25zz", "/a%25zz"),
            ("/a%2ejson", "/a.json"),
            ("/a%2e%2e", "/a.."),
            ("/a:b@c/!$&'()*+,=", "/a:b@c/!$&'()*+,="),
            ("/...", "/..."),
        ] {
            assert_eq!(normalise(target.as_bytes()).unwrap(), path, "{target}");
            let parsed = NormalPath::parse(target.as_bytes());
            assert_eq!(parsed.is_ok(), target == path, "{target}");
        }
    }

    #[test]
    fn pitfall_22_what_servers_read_in_different_ways_is_refused() {
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
            "/a;v=1",
            "/;a/b",
            "/a%3bv",
            "/..%3B/a",
            "/a%253bv",
            "/a/..;x=1/b",
            "/.;/a",
            "/%252e%252e/a",
            "/%252fa",
            "/%25%32%65",
            "/%255c",
            "/%25252e",
            "/%2500",
            "/admin%3f/public",
            "/admin%23/public",
            "/admin%253F/public",
            "/admin%2523/public",
            "/%2561dmin",
            "/jobs%253Adelete",
        ] {
            assert!(NormalPath::parse(target.as_bytes()).is_err(), "{target}");
        }
    }

    #[test]
    fn pitfall_08_the_query_takes_no_part() {
        let path = NormalPath::parse(b"/a/b?q=%2e/../;x").unwrap();
        assert_eq!(path.as_str(), "/a/b");
    }

    #[test]
    fn a_cut_is_clean_where_a_segment_ends() {
        for (target, cut, is_within) in [
            ("/a/b", "/a", false),
            ("/a", "/a", false),
            ("/a?b", "/a", false),
            ("/a/b", "/a/", false),
            ("/a/b", "", false),
            ("/other", "/a", false),
            ("/ab/c", "/a", true),
            ("/a/bc", "/a/b", true),
            ("/a%20b", "/a", true),
        ] {
            let cuts = cuts_a_segment(target.as_bytes(), cut.as_bytes());
            assert_eq!(cuts, is_within, "{cut} off {target}");
        }
    }

    #[test]
    fn a_visible_character_has_one_unescaped_spelling() {
        for (target, unescaped) in [
            ("/a:b", "/a:b"),
            ("/a%3Ab", "/a:b"),
            ("/%40a%2Ab%20c%3D", "/@a*b%20c="),
            ("/caf%C3%A9", "/caf%C3%A9"),
            ("/a%25zz", "/a%25zz"),
            ("/%25%7C%20%25", "/%25|%20%25"),
        ] {
            let path = NormalPath::parse(target.as_bytes()).unwrap();
            assert_eq!(path.unescaped(), unescaped, "{target}");
            assert_eq!(path.as_str(), target);
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(target in "/[ab./%;2e5cfF?\\\\]{0,24}") {
            let path = target.split('?').next().unwrap();
            if let Ok(once) = normalise(path.as_bytes()) {
                prop_assert_eq!(&normalise(once.as_bytes()).unwrap(), &once);
                prop_assert!(NormalPath::parse(once.as_bytes()).is_ok());
                prop_assert!(!once.contains("//") && !once.contains(';'));
                prop_assert!(once.split('/').all(|segment| segment != "." && segment != ".."));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(target in proptest::collection::vec(any::<u8>(), 0..64)) {
            drop(NormalPath::parse(&target));
        }
    }
}
