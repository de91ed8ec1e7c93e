//! Globs: the whole value, by case, without backtracking that could explode.
//!
//! For claims `*` is any run of characters and `?` any one, as in Buildkite's own policies. For paths `*`
//! stays within a segment and `**` crosses segments. There are no regular expressions: half-anchored ones
//! are how others were walked around.

mod compare;
mod literal;

pub(super) use literal::Literal;

use crate::request::visible_escape;

/// The longest pattern, in bytes.
pub(crate) const MAX_PATTERN_BYTES: usize = 1024;

/// A glob over a claim's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimGlob(Pattern);

/// A glob over a normalised path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathGlob {
    exact: Pattern,
    /// The same with visible characters unescaped, where something is escaped.
    unescaped: Option<Box<[Token]>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    tokens: Box<[Token]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    /// Any run of characters that are not `/`.
    WithinSegment,
    /// Any run of characters.
    Any,
}

impl ClaimGlob {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// When it is empty or too long.
    pub fn parse(text: &str) -> Result<Self, String> {
        let token = |character| match character {
            '*' => Token::Any,
            '?' => Token::One,
            other => Token::Char(other),
        };
        Ok(Self(Pattern {
            text: checked(text)?,
            tokens: text.chars().map(token).collect(),
        }))
    }

    /// Whether the pattern covers the whole of a value.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        covers(&self.0.tokens, value.chars())
    }

    /// Whether the pattern begins with a fixed character.
    #[must_use]
    pub fn is_anchored(&self) -> bool {
        matches!(self.0.tokens.first(), Some(Token::Char(_)))
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }
}

impl PathGlob {
    /// Compiles a pattern over normalised paths.
    ///
    /// # Errors
    /// When no normalised path could match it, or it is empty or too long.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("{text:?} does not begin with \"/\"; paths do"));
        }
        if let Some(odd) = text
            .chars()
            .find(|odd| !odd.is_ascii_graphic() || matches!(odd, '?' | '#' | '\\'))
        {
            return Err(format!(
                "{text:?} holds {odd:?}, which no normalised path has; queries are not matched, other characters are percent-encoded"
            ));
        }
        let mut segments = text.split('/').skip(1);
        if segments.any(|segment| matches!(segment, "." | "..")) {
            return Err(format!(
                "{text:?} holds a dot segment, which no normalised path has; write the path that it leads to"
            ));
        }
        // The escapes must be those of the normal form; a star is no part of any.
        let plain = text
            .bytes()
            .map(|byte| if byte == b'*' { b'x' } else { byte });
        let plain: Vec<u8> = plain.collect();
        match crate::request::normalise(&plain) {
            Ok(normal) if normal.as_bytes() == plain => {}
            Ok(_) => {
                // Without dot segments a star stays what and where it is.
                let normal =
                    crate::request::normalise(text.as_bytes()).unwrap_or_else(|_| text.into());
                return Err(format!(
                    "{text:?} is not in normal form, which paths are matched in; write {normal:?}"
                ));
            }
            Err(why) => {
                return Err(format!(
                    "{text:?} matches no path that is let through: {}",
                    why.0
                ));
            }
        }
        let text = checked(text)?;
        Ok(Self {
            unescaped: text.contains('%').then(|| path_tokens(&text, true)),
            exact: Pattern {
                tokens: path_tokens(&text, false),
                text,
            },
        })
    }

    /// Whether the pattern covers the whole of a normalised path.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        covers(&self.exact.tokens, path.chars())
    }

    /// Whether it covers a path in which visible characters are not escaped, whichever way it was written.
    #[must_use]
    pub(super) fn matches_unescaped(&self, path: &str) -> bool {
        covers(self.unescaped(), path.chars())
    }

    fn unescaped(&self) -> &[Token] {
        self.unescaped.as_deref().unwrap_or(&self.exact.tokens)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.exact.text
    }
}

fn path_tokens(text: &str, unescape: bool) -> Box<[Token]> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let rest = characters.as_str();
        let (token, longer) = match character {
            '*' if rest.starts_with('*') => (Token::Any, 1),
            '*' => (Token::WithinSegment, 0),
            '%' => match visible_escape(rest).filter(|_| unescape) {
                Some(escaped) => (Token::Char(escaped), 2),
                None => (Token::Char('%'), 0),
            },
            other => (Token::Char(other), 0),
        };
        tokens.push(token);
        for _ in 0..longer {
            characters.next();
        }
    }
    tokens.into()
}

fn checked(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("an empty pattern matches nothing".into()),
        1..=MAX_PATTERN_BYTES => Ok(text.into()),
        long => Err(format!(
            "the pattern has {long} bytes; at most {MAX_PATTERN_BYTES} are accepted"
        )),
    }
}

/// Greedy matching with one point to return to for each kind of star.
///
/// The leftmost match of what stands between two `**` leaves the most for the rest, so only the last `**`
/// need be taken back, and within it only the last `*`: at most pattern times value steps.
fn covers<I: Iterator<Item: Symbol> + Clone>(pattern: &[Token], value: I) -> bool {
    let mut tokens = pattern;
    let mut rest = value;
    let mut any: Option<Retry<'_, I>> = None;
    let mut within: Option<Retry<'_, I>> = None;
    loop {
        match (tokens.split_first(), rest.clone().next()) {
            (Some((Token::Any, [])), _) => return true,
            (Some((Token::Any, after)), _) => {
                any = Some(Retry {
                    tokens: after,
                    rest: rest.clone(),
                });
                within = None;
                tokens = after;
                continue;
            }
            (Some((Token::WithinSegment, after)), _) => {
                within = Some(Retry {
                    tokens: after,
                    rest: rest.clone(),
                });
                tokens = after;
                continue;
            }
            (Some((Token::One, after)), Some(symbol)) if symbol.is_one() => {
                tokens = after;
                rest.next();
                continue;
            }
            (Some((Token::Char(wanted), after)), Some(symbol)) if symbol.is(*wanted) => {
                tokens = after;
                rest.next();
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        // A mismatch: let the last star take one character more.
        let retry = match within
            .take()
            .and_then(|retry| retry.one_more(|symbol| symbol.stays_within_segment()))
        {
            Some(retry) => within.insert(retry),
            None => match any.take().and_then(|retry| retry.one_more(|_| true)) {
                Some(retry) => any.insert(retry),
                None => return false,
            },
        };
        tokens = retry.tokens;
        rest = retry.rest.clone();
    }
}

/// Where to go on if the star before `tokens` has taken everything before `rest`.
struct Retry<'a, I> {
    tokens: &'a [Token],
    rest: I,
}

impl<I: Iterator> Retry<'_, I> {
    fn one_more(mut self, may_take: impl Fn(&I::Item) -> bool) -> Option<Self> {
        self.rest
            .next()
            .filter(|symbol| may_take(symbol))
            .map(|_| self)
    }
}

/// What a pattern is held against: a value's characters, or the parts of another pattern.
trait Symbol {
    /// Whether it is this character and no other.
    fn is(&self, character: char) -> bool;
    /// Whether it is one character, whichever.
    fn is_one(&self) -> bool;
    /// Whether it is a run of characters other than `/`.
    fn stays_within_segment(&self) -> bool;
}

impl Symbol for char {
    fn is(&self, character: char) -> bool {
        *self == character
    }

    fn is_one(&self) -> bool {
        true
    }

    fn stays_within_segment(&self) -> bool {
        *self != '/'
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, word for word and without care for speed.
    fn naive(pattern: &[Token], value: &[char]) -> bool {
        match (pattern.split_first(), value.split_first()) {
            (None, None) => true,
            (Some((Token::Any, after)), _) => {
                (0..=value.len()).any(|taken| naive(after, &value[taken..]))
            }
            (Some((Token::WithinSegment, after)), _) => {
                let run = value
                    .iter()
                    .take_while(|character| **character != '/')
                    .count();
                (0..=run).any(|taken| naive(after, &value[taken..]))
            }
            (Some((Token::One, after)), Some((_, rest))) => naive(after, rest),
            (Some((Token::Char(wanted), after)), Some((character, rest))) => {
                wanted == character && naive(after, rest)
            }
            _ => false,
        }
    }

    #[test]
    fn pitfall_17_globs_cover_the_whole_value() {
        for (pattern, yes, no) in [
            ("main", &["main"][..], &["Main", "main2", "xmain", ""][..]),
            (
                "deploy-*",
                &["deploy-", "deploy-a/b"],
                &["deploy", "xdeploy-a"],
            ),
            ("v?.*", &["v1.2", "vé."], &["v.2", "v12.3"]),
            ("*-prod", &["x-prod", "-prod-prod"], &["x-prod2"]),
            ("a*b*c", &["abc", "a/b/bc", "abbcc"], &["acb", "ab"]),
        ] {
            let glob = ClaimGlob::parse(pattern).unwrap();
            assert!(yes.iter().all(|value| glob.matches(value)), "{pattern}");
            assert!(!no.iter().any(|value| glob.matches(value)), "{pattern}");
        }
    }

    #[test]
    fn path_globs_know_segments() {
        for (pattern, yes, no) in [
            ("/a", &["/a"][..], &["/a/", "/ab", "/A"][..]),
            ("/a/*", &["/a/b", "/a/"], &["/a/b/c", "/a"]),
            ("/a/**", &["/a/", "/a/b", "/a/b/c"], &["/a", "/ab/c"]),
            (
                "/*/x/**/z",
                &["/1/x/2/z", "/1/x/2/3/z"],
                &["/1/2/x/3/z", "/1/x/z"],
            ),
            ("/**/*.js", &["/a/b.js", "/a/b/c.js"], &["/a/b.jsx"]),
            // A star that is escaped is no wildcard.
            ("/a%3Ab%20c", &["/a%3Ab%20c"], &["/a:b%20c"]),
            ("/a%2A/%25*", &["/a%2A/%25c"], &["/a*/%25c", "/ab/%25c"]),
        ] {
            let glob = PathGlob::parse(pattern).unwrap();
            assert!(yes.iter().all(|value| glob.matches(value)), "{pattern}");
            assert!(!no.iter().any(|value| glob.matches(value)), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_no_normalised_path_has_are_errors() {
        for pattern in [
            "", "a", "*", "/a?b=1", "/a b", "/a//b", "/a/../b", "/é", "/a#b", "/%2f", "/%7e",
            "/%c3%a9", "/\\",
        ] {
            assert!(PathGlob::parse(pattern).is_err(), "{pattern}");
        }
        assert!(ClaimGlob::parse("").is_err() && ClaimGlob::parse(&"a".repeat(1025)).is_err());
    }

    #[test]
    fn many_stars_cost_no_more_than_pattern_times_value() {
        let value = "a".repeat(8_000);
        assert!(
            !ClaimGlob::parse(&format!("{}b", "a*".repeat(500)))
                .unwrap()
                .matches(&value)
        );
        assert!(
            !PathGlob::parse(&format!("/{}b", "**a*".repeat(200)))
                .unwrap()
                .matches(&format!("/{value}"))
        );
    }

    proptest! {
        #[test]
        fn both_globs_match_as_they_are_defined(pattern in "[ab/*?]{0,10}", value in "[ab/]{0,12}") {
            let characters: Vec<char> = value.chars().collect();
            if let Ok(glob) = ClaimGlob::parse(&pattern) {
                prop_assert_eq!(glob.matches(&value), naive(&glob.0.tokens, &characters));
            }
            if let Ok(glob) = PathGlob::parse(&format!("/{pattern}")) {
                let path: Vec<char> = format!("/{value}").chars().collect();
                prop_assert_eq!(glob.matches(&format!("/{value}")), naive(&glob.exact.tokens, &path));
            }
        }
    }
}
