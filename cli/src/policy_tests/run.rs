//! One test's outcome.

use super::suite::{Suite, Test, Tested};
use crate::evaluate::{Answer, Question, evaluate};
use crate::explanation::Explanation;

/// A test that was run.
pub(crate) struct Outcome<'s> {
    pub(crate) suite: &'s Suite,
    pub(crate) test: &'s Test,
    pub(crate) answer: Answer,
    /// None, if it passes.
    pub(crate) differences: Vec<Difference>,
}

/// Something that came otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) member: &'static str,
    pub(crate) expected: String,
    pub(crate) actual: String,
}

impl<'s> Outcome<'s> {
    pub(crate) fn of(suite: &'s Suite, test: &'s Test) -> Self {
        let policy = &suite.policy.policy;
        let answer = evaluate(&Question {
            policy,
            job: &test.job,
            request: &test.request,
            keys: None,
            revocations: None,
            at: test.at,
        });
        let differences = differences(&suite.policy, test, &answer);
        Self {
            suite,
            test,
            answer,
            differences,
        }
    }

    pub(crate) fn passes(&self) -> bool {
        self.differences.is_empty()
    }

    /// The rule that should have decided, if the test names one.
    pub(crate) fn expected_rule(&self) -> Option<&str> {
        self.test.expect.rule.as_deref()
    }

    pub(crate) fn explanation(&self) -> Explanation<'_> {
        let tested = &self.suite.policy;
        Explanation {
            file: &tested.file,
            place: &tested.place,
            policy: &tested.policy,
            request: &self.test.request,
            at: self.test.at,
            answer: &self.answer,
        }
    }
}

fn differences(tested: &Tested, test: &Test, answer: &Answer) -> Vec<Difference> {
    let expect = &test.expect;
    let policy = &tested.policy;
    let rule_id = |place: &usize| policy.rules.get(*place).map(|rule| rule.id.clone());
    let mut found = Vec::new();
    let mut compare = |member, expected: String, actual: String| {
        if expected != actual {
            found.push(Difference {
                member,
                expected,
                actual,
            });
        }
    };
    if !expect.decision.is_met_by(answer.decision) {
        compare(
            "decision",
            expect.decision.as_str().into(),
            answer.decision.as_str().into(),
        );
    }
    let none = || "none".to_owned();
    let reason = answer.refusal.as_ref().map(|refusal| refusal.reason.code());
    // Why it is refused is told too where it should have been allowed.
    if expect.reason.is_some() || !expect.decision.is_met_by(answer.decision) {
        compare(
            "reason",
            expect.reason.clone().unwrap_or_else(none),
            reason.map_or_else(none, Into::into),
        );
    }
    if let Some(rule) = &expect.rule {
        let actual = answer.rule.as_ref().and_then(rule_id);
        compare("rule", rule.clone(), actual.unwrap_or_else(none));
    }
    let list = |names: &[String]| format!("[{}]", names.join(", "));
    if let Some(roles) = &expect.roles {
        let held = answer
            .roles
            .iter()
            .filter_map(|place| policy.roles.get(*place));
        let held: Vec<_> = held.map(|role| role.name.clone()).collect();
        compare("roles", list(roles), list(&held));
    }
    if let Some(rules) = &expect.on_trial {
        let actual: Vec<_> = answer.shadow.iter().filter_map(rule_id).collect();
        compare("on_trial", list(rules), list(&actual));
    }
    found
}
