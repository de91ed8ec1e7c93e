//! What one glob says of another.

use super::{ClaimGlob, PathGlob, Symbol, Token, covers};

impl ClaimGlob {
    /// Whether it covers all that the other covers. A "no" can be wrong, a "yes" can't.
    #[must_use]
    pub(in crate::policy) fn includes(&self, other: &Self) -> bool {
        covers(
            &ordered(&self.0.tokens),
            ordered(&other.0.tokens).into_iter(),
        )
    }

    /// Whether some value is covered by both.
    #[must_use]
    pub(in crate::policy) fn overlaps(&self, other: &Self) -> bool {
        overlap(&self.0.tokens, &other.0.tokens)
    }

    /// The only value that it covers, if it has no wildcard.
    #[must_use]
    pub(in crate::policy) fn only_value(&self) -> Option<&str> {
        let mut tokens = self.0.tokens.iter();
        tokens
            .all(|token| matches!(token, Token::Char(_)))
            .then_some(self.as_str())
    }
}

impl PathGlob {
    /// Whether it covers all that the other covers, spelled in whichever way that counts for deny rules too. A
    /// "no" can be wrong, a "yes" can't.
    #[must_use]
    pub(in crate::policy) fn includes(&self, other: &Self) -> bool {
        covers(&self.exact.tokens, other.exact.tokens.iter().copied())
            && covers(self.unescaped(), other.unescaped().iter().copied())
    }

    /// Whether some path is covered by both, as it is written.
    #[must_use]
    pub(in crate::policy) fn overlaps(&self, other: &Self) -> bool {
        overlap(&self.exact.tokens, &other.exact.tokens)
    }

    /// Whether it covers every path.
    #[must_use]
    pub(in crate::policy) fn is_everything(&self) -> bool {
        self.as_str() == "/**"
    }

    /// What every path that it covers begins with.
    #[must_use]
    pub(in crate::policy) fn beginning(&self) -> &str {
        self.as_str().split('*').next().unwrap_or_default()
    }
}

/// The same glob with each run of wildcards written in one way: `*?` as `?*`, which covers the same.
fn ordered(tokens: &[Token]) -> Vec<Token> {
    let mut all = Vec::with_capacity(tokens.len());
    let mut is_open = false;
    for token in tokens {
        match token {
            Token::Any => is_open = true,
            Token::One => all.push(Token::One),
            other => {
                all.extend(std::mem::take(&mut is_open).then_some(Token::Any));
                all.push(*other);
            }
        }
    }
    all.extend(is_open.then_some(Token::Any));
    all
}

/// The parts of a pattern that stand for something fixed are matched by the same; a star only by a star that
/// stands for as much.
impl Symbol for Token {
    fn is(&self, character: char) -> bool {
        *self == Self::Char(character)
    }

    fn is_one(&self) -> bool {
        matches!(self, Self::Char(_) | Self::One)
    }

    fn stays_within_segment(&self) -> bool {
        match self {
            Self::Char(character) => *character != '/',
            Self::WithinSegment => true,
            Self::One | Self::Any => false,
        }
    }
}

impl Token {
    fn is_star(self) -> bool {
        matches!(self, Self::WithinSegment | Self::Any)
    }

    /// Whether some character is covered by both, one of which at least is no star.
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Char(one), Self::Char(other)) => one == other,
            (Self::WithinSegment, Self::Char('/')) | (Self::Char('/'), Self::WithinSegment) => {
                false
            }
            _ => true,
        }
    }
}

/// Whether two patterns cover a value in common: whether there is a way through both in which each part meets
/// one of the other, and stars as many as there are or none. What two stars take together they could both leave
/// out, so that need not be tried. One step for each pair of places.
fn overlap(one: &[Token], other: &[Token]) -> bool {
    // Whether the rest of `one` overlaps each rest of `other`: from the empty one to the whole.
    let mut shorter: Vec<bool> = Vec::new();
    for here in std::iter::once(None).chain(one.iter().rev().copied().map(Some)) {
        let mut row: Vec<bool> = Vec::new();
        let left_out = |place: usize| shorter.get(place).copied().unwrap_or(false);
        for (place, there) in std::iter::once(None)
            .chain(other.iter().rev().copied().map(Some))
            .enumerate()
        {
            // The rest of `other` that is shorter by one part.
            let last = place.checked_sub(1);
            let without_there = row.last().copied().unwrap_or(false);
            let without_here = left_out(place);
            let without_both = last.is_some_and(left_out);
            row.push(match (here, there) {
                (None, None) => true,
                (None, Some(there)) => there.is_star() && without_there,
                (Some(here), None) => here.is_star() && without_here,
                (Some(here), Some(there)) => match (here.is_star(), there.is_star()) {
                    (true, true) => without_here || without_there,
                    (true, false) => without_here || here.meets(there) && without_there,
                    (false, true) => without_there || here.meets(there) && without_here,
                    (false, false) => here.meets(there) && without_both,
                },
            });
        }
        shorter = row;
    }
    shorter.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    #[test]
    fn a_glob_includes_what_it_covers_more_of() {
        for (wide, narrow, includes, overlaps) in [
            ("/a/**", "/a/b", true, true),
            ("/a/**", "/a/b/**", true, true),
            ("/a/**", "/a", false, false),
            ("/a/**", "/a/", true, true),
            ("/a/*", "/a/*/c", false, false),
            ("/a/*", "/a/**", false, true),
            ("/a/**", "/a/*", true, true),
            ("/**", "/*/x", true, true),
            ("/*/x", "/a*/x", true, true),
            ("/*/x", "/x/*", false, true),
            ("/a*b*", "/ab", true, true),
            ("/a*b*", "/a*b", true, true),
            ("/a*", "/b*", false, false),
            ("/v1/jobs%3Adelete", "/v1/jobs:delete", false, false),
        ] {
            let [wide, narrow] = [wide, narrow].map(|text| PathGlob::parse(text).unwrap());
            assert_eq!(wide.includes(&narrow), includes, "{wide:?} {narrow:?}");
            assert_eq!(wide.overlaps(&narrow), overlaps, "{wide:?} {narrow:?}");
            assert!(wide.includes(&wide));
        }
        for (wide, narrow, includes, overlaps) in [
            ("*", "a/b", true, true),
            ("?*", "*", false, true),
            ("*?", "?*", true, true),
            ("a?", "a*", false, true),
            ("a*", "a?", true, true),
            ("release/*", "release/??-*", true, true),
            ("deploy-*", "*-prod", false, true),
            ("a?c", "abd", false, false),
        ] {
            let [wide, narrow] = [wide, narrow].map(|text| ClaimGlob::parse(text).unwrap());
            assert_eq!(wide.includes(&narrow), includes, "{wide:?} {narrow:?}");
            assert_eq!(wide.overlaps(&narrow), overlaps, "{wide:?} {narrow:?}");
        }
    }

    /// All values over a small alphabet, in which `z` stands for all that no pattern names.
    fn values(alphabet: &[char], longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..longest {
            let longer = |text: &String| {
                let text = text.clone();
                alphabet.iter().map(move |each| format!("{text}{each}"))
            };
            last = last.iter().flat_map(longer).collect();
            all.extend(last.clone());
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn claim_globs_compare_as_the_values_they_cover(one in "[ab?*]{1,4}", other in "[ab?*]{1,4}") {
            let [one, other] = [one, other].map(|text| ClaimGlob::parse(&text).unwrap());
            let values = values(&['a', 'b', 'z'], 6);
            let mut of_other = values.iter().filter(|value| other.matches(value));
            let includes = of_other.clone().all(|value| one.matches(value));
            prop_assert!(includes || !one.includes(&other));
            // Six characters tell patterns of four parts apart. Where a "?" is met by a part of a star it is not
            // seen; else a "no" is right too.
            if !format!("{one:?}{other:?}").contains('?') {
                prop_assert_eq!(one.includes(&other), includes);
            }
            prop_assert_eq!(one.overlaps(&other), of_other.any(|value| one.matches(value)));
        }

        #[test]
        fn path_globs_compare_as_the_paths_they_cover(
            one in proptest::collection::vec(select(vec!["a", "b", "/", "*", "**"]), 0..4),
            other in proptest::collection::vec(select(vec!["a", "b", "/", "*", "**"]), 0..4),
        ) {
            let parse = |parts: Vec<&str>| PathGlob::parse(&format!("/{}", parts.concat()));
            let (Ok(one), Ok(other)) = (parse(one), parse(other)) else {
                return Ok(());
            };
            let paths: Vec<String> = values(&['a', 'b', '/', 'z'], 6)
                .iter()
                .map(|value| format!("/{value}"))
                .collect();
            let mut of_other = paths.iter().filter(|path| other.matches(path));
            if one.includes(&other) {
                prop_assert!(of_other.clone().all(|path| one.matches(path)));
            }
            prop_assert_eq!(one.overlaps(&other), of_other.any(|path| one.matches(path)));
        }
    }
}
