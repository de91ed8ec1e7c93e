//! What is fixed in a glob: what an index can look up.

use super::{ClaimGlob, PathGlob, Token};

/// What is the same in all texts that a glob covers, if it is not empty.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::policy) enum Literal {
    /// The text.
    Whole(String),
    /// How it begins.
    Beginning(String),
    /// How it ends.
    End(String),
}

impl ClaimGlob {
    /// What all values that it covers have in common.
    pub(in crate::policy) fn literal(&self) -> Literal {
        literal(&self.0.tokens)
    }
}

impl PathGlob {
    /// What all paths that it covers have in common once visible characters are unescaped.
    ///
    /// That is so also where a star stands within an escape of the path, which is then no escape of the glob:
    /// before the first star there is none, and from the next slash on behind the last.
    pub(in crate::policy) fn literal(&self) -> Literal {
        match literal(self.unescaped()) {
            Literal::End(end) => match end.split_once('/') {
                Some((_, end)) => Literal::End(format!("/{end}")),
                None => Literal::Beginning(text(self.unescaped())),
            },
            other => other,
        }
    }

    /// Whether it has a star that stays within a segment.
    pub(in crate::policy) fn has_star(&self) -> bool {
        self.unescaped().contains(&Token::WithinSegment)
    }

    /// The segments of such paths up to the first `**`: none for one that may differ.
    pub(in crate::policy) fn segments(&self) -> Vec<Option<String>> {
        let is_any = |token: &Token| *token == Token::Any;
        let before = self.unescaped().split(is_any).next().unwrap_or_default();
        let mut segments: Vec<_> = before
            .split(|token| *token == Token::Char('/'))
            .skip(1)
            .map(|segment| match literal(segment) {
                Literal::Whole(text) => Some(text),
                _ => None,
            })
            .collect();
        if before.len() < self.unescaped().len() {
            // The one in which it stands.
            segments.pop();
        }
        segments
    }
}

/// The longer of what stands before the first wildcard and behind the last.
fn literal(tokens: &[Token]) -> Literal {
    let is_wild = |token: &Token| character(*token).is_none();
    let beginning = tokens.split(is_wild).next().unwrap_or_default();
    let end = tokens.rsplit(is_wild).next().unwrap_or_default();
    if end.len() == tokens.len() {
        Literal::Whole(text(tokens))
    } else if beginning.len() >= end.len() {
        Literal::Beginning(text(beginning))
    } else {
        Literal::End(text(end))
    }
}

/// What stands before the first wildcard.
fn text(tokens: &[Token]) -> String {
    tokens.iter().map_while(|token| character(*token)).collect()
}

const fn character(token: Token) -> Option<char> {
    match token {
        Token::Char(character) => Some(character),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_fixed_in_a_glob_is_its_longer_end_and_its_segments() {
        for (pattern, expected) in [
            ("/a/b", Literal::Whole("/a/b".into())),
            ("/a%3A/*", Literal::Beginning("/a:/".into())),
            ("/*/b", Literal::End("/b".into())),
            ("/**", Literal::Beginning("/".into())),
            // This covers /b%3Ac, which is /b:c.
            ("/*Ac", Literal::Beginning("/".into())),
            ("/*Ac/d", Literal::End("/d".into())),
            ("/a*%2A**/c*", Literal::Beginning("/a".into())),
        ] {
            assert_eq!(PathGlob::parse(pattern).unwrap().literal(), expected);
        }
        for (pattern, expected) in [
            ("/a/*/c", &[Some("a"), None, Some("c")][..]),
            ("/a%3A/b*/%2A/d**", &[Some("a:"), None, Some("*")]),
            ("/a/**/c", &[Some("a")]),
            ("/", &[Some("")]),
            ("/**", &[]),
        ] {
            let segments = PathGlob::parse(pattern).unwrap().segments();
            let segments: Vec<_> = segments.iter().map(Option::as_deref).collect();
            assert_eq!(segments, expected, "{pattern}");
        }
    }
}
