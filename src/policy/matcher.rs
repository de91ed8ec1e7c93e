//! What is asked of one claim.

use super::condition::Truth;
use super::glob::ClaimGlob;
use crate::token::scalar_text;
use serde_json::Value;
use std::fmt;

/// Matchers over one claim, which must all hold. Built by the configuration with at least one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClaimTest {
    pub(super) equals: Option<String>,
    pub(super) not_equals: Option<String>,
    pub(super) one_of: Option<Vec<String>>,
    pub(super) none_of: Option<Vec<String>>,
    pub(super) matches: Option<Vec<ClaimGlob>>,
}

impl ClaimTest {
    /// Whether a claim passes. One that is missing (or null) never does, not even `not_equals`; of an array
    /// one element must pass, and for `not_equals` and `not_in` every one.
    #[must_use]
    pub fn holds(&self, claim: Option<&Value>) -> bool {
        claim.is_some_and(|claim| self.passes(claim, false))
    }

    /// As [`Self::holds`]. Whether a value without a text differs from one can't be told: whoever wrote a rule that
    /// denies all but some values meant that one too.
    #[must_use]
    pub(super) fn truth(&self, claim: Option<&Value>) -> Truth {
        match claim {
            Some(claim) if self.passes(claim, false) => Truth::Yes,
            Some(claim) if self.passes(claim, true) => {
                Truth::Unknown("the claim holds what can't be compared".into())
            }
            _ => Truth::No,
        }
    }

    /// `differs` says whether a value without a text, other than null, passes for something else than a text.
    fn passes(&self, claim: &Value, differs: bool) -> bool {
        self.equals
            .as_ref()
            .is_none_or(|wanted| any(claim, |text| text == wanted))
            && self
                .one_of
                .as_ref()
                .is_none_or(|list| any(claim, |text| contains(list, text)))
            && self.matches.as_ref().is_none_or(|globs| {
                any_string(claim, |text| globs.iter().any(|glob| glob.matches(text)))
            })
            && self
                .not_equals
                .as_ref()
                .is_none_or(|unwanted| all(claim, differs, |text| text != unwanted))
            && self
                .none_of
                .as_ref()
                .is_none_or(|list| all(claim, differs, |text| !contains(list, text)))
    }

    /// Whether only fixed values, or values with a fixed beginning, pass: what makes a tenant's pin.
    #[must_use]
    pub(super) fn pins(&self) -> bool {
        self.equals.is_some()
            || self.one_of.is_some()
            || self
                .matches
                .as_ref()
                .is_some_and(|globs| globs.iter().all(ClaimGlob::is_anchored))
    }
}

fn contains(list: &[String], text: &str) -> bool {
    list.iter().any(|item| item == text)
}

/// Whether the scalar, or one scalar of the array, passes.
fn any(claim: &Value, passes: impl Fn(&str) -> bool) -> bool {
    let passes = |value: &Value| scalar_text(value).is_some_and(|text| passes(&text));
    match claim {
        Value::Array(items) => items.iter().any(passes),
        scalar => passes(scalar),
    }
}

/// As [`any`], but only strings count.
fn any_string(claim: &Value, passes: impl Fn(&str) -> bool) -> bool {
    let passes = |value: &Value| value.as_str().is_some_and(&passes);
    match claim {
        Value::Array(items) => items.iter().any(passes),
        scalar => passes(scalar),
    }
}

/// Whether the scalar, or every element of the array, passes. What has no text does as it is told, but for null,
/// which never passes.
fn all(claim: &Value, without_text: bool, passes: impl Fn(&str) -> bool) -> bool {
    let passes = |value: &Value| match scalar_text(value) {
        Some(text) => passes(&text),
        None => without_text && !value.is_null(),
    };
    match claim {
        Value::Array(items) => items.iter().all(passes),
        scalar => passes(scalar),
    }
}

impl fmt::Display for ClaimTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(text) = &self.equals {
            parts.push(format!("equals {text:?}"));
        }
        if let Some(text) = &self.not_equals {
            parts.push(format!("not_equals {text:?}"));
        }
        if let Some(list) = &self.one_of {
            parts.push(format!("in {list:?}"));
        }
        if let Some(list) = &self.none_of {
            parts.push(format!("not_in {list:?}"));
        }
        if let Some(globs) = &self.matches {
            let globs: Vec<_> = globs.iter().map(ClaimGlob::as_str).collect();
            parts.push(format!("matches {globs:?}"));
        }
        f.write_str(&parts.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(items: &[&str]) -> Option<Vec<String>> {
        Some(items.iter().copied().map(String::from).collect())
    }

    #[test]
    fn each_matcher_holds_for_what_the_policy_page_says() {
        let equals = ClaimTest {
            equals: Some("42".into()),
            ..ClaimTest::default()
        };
        let not_equals = ClaimTest {
            not_equals: Some("ui".into()),
            ..ClaimTest::default()
        };
        let one_of = ClaimTest {
            one_of: texts(&["a", "true"]),
            ..ClaimTest::default()
        };
        let none_of = ClaimTest {
            none_of: texts(&["a", "b"]),
            ..ClaimTest::default()
        };
        let globs = Some(vec![
            ClaimGlob::parse("v*").unwrap(),
            ClaimGlob::parse("4?").unwrap(),
        ]);
        let matches = ClaimTest {
            matches: globs,
            ..ClaimTest::default()
        };
        for (test, claim, holds) in [
            (&equals, json!(42), true),
            (&equals, json!("42"), true),
            (&equals, json!(42.5), false),
            (&equals, json!("042"), false),
            (&equals, json!(["1", 42]), true),
            (&equals, json!([]), false),
            (&equals, json!({"42": 42}), false),
            (&not_equals, json!("api"), true),
            (&not_equals, json!("ui"), false),
            (&not_equals, json!(null), false),
            (&not_equals, json!(["api", "ui"]), false),
            (&not_equals, json!(["api", "x"]), true),
            (&not_equals, json!([]), true),
            (&not_equals, json!({}), false),
            (&not_equals, json!(["api", null]), false),
            (&one_of, json!(true), true),
            (&one_of, json!("true"), true),
            (&one_of, json!("A"), false),
            (&none_of, json!("c"), true),
            (&none_of, json!("b"), false),
            (&none_of, json!(["c", "b"]), false),
            (&matches, json!("v1"), true),
            (&matches, json!("xv1"), false),
            (&matches, json!("42"), true),
            (&matches, json!(42), false),
            (&matches, json!([7, "v"]), true),
        ] {
            assert_eq!(test.holds(Some(&claim)), holds, "{test} on {claim}");
            assert!(!test.holds(None), "{test} on a missing claim");
        }
    }

    #[test]
    fn what_can_not_be_compared_may_be_something_else_and_is_nothing_in_particular() {
        let not_eu = ClaimTest {
            not_equals: Some("eu".into()),
            none_of: texts(&["us", "7"]),
            ..ClaimTest::default()
        };
        let eu = ClaimTest {
            equals: Some("eu".into()),
            ..ClaimTest::default()
        };
        let like_eu = ClaimTest {
            matches: Some(vec![ClaimGlob::parse("*").unwrap()]),
            ..not_eu.clone()
        };
        for (test, claim, truth) in [
            (&not_eu, json!("asia"), Some(true)),
            (&not_eu, json!("eu"), Some(false)),
            (&not_eu, json!({ "eu": 1 }), None),
            (&not_eu, json!({}), None),
            (&not_eu, json!(1e30), None),
            (&not_eu, json!([["eu"]]), None),
            (&not_eu, json!(["asia", {}]), None),
            (&not_eu, json!(["us", {}]), Some(false)),
            (&not_eu, json!(["asia", null]), Some(false)),
            (&not_eu, json!([null, {}]), Some(false)),
            (&not_eu, json!([]), Some(true)),
            (&eu, json!({ "eu": 1 }), Some(false)),
            (&eu, json!(1e30), Some(false)),
            (&like_eu, json!({}), Some(false)),
            (&like_eu, json!(["asia", {}]), None),
        ] {
            let expected = match truth {
                Some(holds) => Truth::from(holds),
                None => Truth::Unknown("the claim holds what can't be compared".into()),
            };
            assert_eq!(test.truth(Some(&claim)), expected, "{test} on {claim}");
            assert_eq!(test.holds(Some(&claim)), truth == Some(true));
            assert_eq!(test.truth(None), Truth::No);
        }
    }

    #[test]
    fn all_matchers_of_a_claim_must_hold() {
        let matches = Some(vec![ClaimGlob::parse("release/*").unwrap()]);
        let test = ClaimTest {
            matches,
            not_equals: Some("release/bad".into()),
            ..ClaimTest::default()
        };
        assert!(test.holds(Some(&json!("release/good"))));
        assert!(!test.holds(Some(&json!("release/bad"))));
        assert_eq!(
            test.to_string(),
            r#"not_equals "release/bad" and matches ["release/*"]"#
        );
    }
}
