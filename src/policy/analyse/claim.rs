//! What several tests of one claim come to.
//!
//! A claim can be an array. Then `equals`, `in` and `matches` each ask for one element, not for the same one, so
//! `equals: a` and `in: [b]` do not contradict each other; `not_equals` and `not_in` ask for all elements. Only
//! where a claim is known to be a scalar is there one value that all tests speak of.

use crate::policy::glob::ClaimGlob;
use crate::policy::matcher::ClaimTest;

/// All tests of one claim, which must all hold.
pub(super) struct Claim<'p> {
    pub(super) tests: Vec<&'p ClaimTest>,
    /// Whether it is known to be no array.
    pub(super) is_scalar: bool,
}

/// A list of texts of which an element of the claim has one.
pub(super) struct Choice<'p> {
    pub(super) texts: Vec<&'p str>,
    /// Whether that element is known to be a string, not a number or boolean of this text.
    is_string: bool,
}

impl<'p> Claim<'p> {
    /// Whether something is asked for, not only that it be something else.
    pub(super) fn is_positive(&self) -> bool {
        self.tests.iter().any(|test| is_positive(test))
    }

    /// Whether no value passes. A "no" can be wrong, a "yes" can't.
    pub(super) fn is_contradiction(&self) -> bool {
        if self.choices().iter().any(|choice| choice.texts.is_empty()) {
            return true;
        }
        let globs: Vec<&[ClaimGlob]> = self.globs().collect();
        let are_apart = |one: &[ClaimGlob], other: &[ClaimGlob]| {
            !one.iter()
                .any(|one| other.iter().any(|other| one.overlaps(other)))
        };
        self.is_scalar
            && (0..)
                .zip(&globs)
                .any(|(nth, one)| globs.iter().skip(nth).any(|other| are_apart(one, other)))
    }

    /// Whether every value that passes here passes this test. A "no" can be wrong, a "yes" can't.
    pub(super) fn implies(&self, wanted: &ClaimTest) -> bool {
        if self.tests.is_empty() {
            return false;
        }
        let any_choice = |passes: &dyn Fn(&Choice<'_>) -> bool| self.choices().iter().any(passes);
        let all_texts = |passes: &dyn Fn(&str) -> bool| {
            any_choice(&|choice| choice.texts.iter().all(|text| passes(text)))
        };
        wanted
            .equals
            .as_ref()
            .is_none_or(|wanted| all_texts(&|text| text == wanted))
            && wanted
                .one_of
                .as_ref()
                .is_none_or(|list| all_texts(&|text| contains(list, text)))
            && wanted.matches.as_ref().is_none_or(|wanted| {
                any_choice(&|choice| {
                    choice.texts.iter().all(|text| {
                        (choice.is_string || is_only_a_string(text)) && any_matches(wanted, text)
                    })
                }) || self.globs().any(|globs| {
                    let is_included =
                        |glob: &ClaimGlob| wanted.iter().any(|wanted| wanted.includes(glob));
                    globs.iter().all(is_included)
                })
            })
            && wanted
                .not_equals
                .as_ref()
                .is_none_or(|unwanted| self.excludes(unwanted))
            && wanted
                .none_of
                .as_ref()
                .is_none_or(|list| list.iter().all(|unwanted| self.excludes(unwanted)))
    }

    /// The lists of which the claim, or an element of it, is one; without the texts that other tests exclude.
    pub(super) fn choices(&self) -> Vec<Choice<'p>> {
        let is_possible = |text: &str| {
            !self.forbids(text)
                && (!self.is_scalar || self.tests.iter().all(|test| accepts(test, text)))
        };
        // Of a scalar that `matches` holds for it is known that it is a string.
        let is_string = self.is_scalar && self.globs().next().is_some();
        let mut choices = Vec::new();
        let mut add = |mut texts: Vec<&'p str>, is_string| {
            texts.retain(|text| is_possible(text));
            choices.push(Choice { texts, is_string });
        };
        for test in &self.tests {
            if let Some(text) = &test.equals {
                add(vec![text], is_string);
            }
            if let Some(list) = &test.one_of {
                add(list.iter().map(String::as_str).collect(), is_string);
            }
            let globs = test.matches.as_ref();
            if let Some(texts) =
                globs.and_then(|globs| globs.iter().map(ClaimGlob::only_value).collect())
            {
                add(texts, true);
            }
        }
        choices
    }

    fn globs(&self) -> impl Iterator<Item = &'p [ClaimGlob]> {
        let globs = self.tests.iter().map(|test| test.matches.as_deref());
        globs.flatten()
    }

    /// Whether a test says that it is, or has, no such text.
    fn forbids(&self, text: &str) -> bool {
        self.tests.iter().any(|test| {
            test.not_equals.as_deref() == Some(text)
                || test
                    .none_of
                    .as_ref()
                    .is_some_and(|list| contains(list, text))
        })
    }

    /// Whether it passes here only where each of its elements, or the scalar, has another text than this.
    fn excludes(&self, text: &str) -> bool {
        self.forbids(text)
            || self.is_scalar
                && (self
                    .choices()
                    .iter()
                    .any(|choice| !choice.texts.contains(&text))
                    || self.globs().any(|globs| !any_matches(globs, text)))
    }
}

/// Whether a test asks for something, not only that it be something else.
pub(super) const fn is_positive(test: &ClaimTest) -> bool {
    test.equals.is_some() || test.one_of.is_some() || test.matches.is_some()
}

/// Whether a string of this text passes what the test asks for.
pub(super) fn accepts(test: &ClaimTest, text: &str) -> bool {
    test.equals.as_ref().is_none_or(|wanted| text == wanted)
        && test.one_of.as_ref().is_none_or(|list| contains(list, text))
        && test
            .matches
            .as_ref()
            .is_none_or(|globs| any_matches(globs, text))
}

fn any_matches(globs: &[ClaimGlob], text: &str) -> bool {
    globs.iter().any(|glob| glob.matches(text))
}

fn contains(list: &[String], text: &str) -> bool {
    list.iter().any(|item| item == text)
}

/// Whether no number and no boolean has this text.
fn is_only_a_string(text: &str) -> bool {
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    !is_number && !matches!(text, "true" | "false")
}
