//! What is probably wrong with a policy that has no errors, found without a request.
//!
//! Nothing here changes a decision. A finding is only made where it is certain by the policy itself and by what
//! is known of the CI providers ([`provider`]): what can't be told is passed over in silence.
//!
//! A rule's conditions on the token are looked at case by case ([`case`]): for each issuer and each way to have
//! one of its roles there is one list of tests that must all hold ([`claim`]).

mod audience;
mod budget;
mod case;
mod claim;
mod contradiction;
mod cover;
mod denial;
mod forks;
mod gather;
mod index;
mod mutable;
mod provider;
mod roles;
mod scope;
#[cfg(test)]
mod tests;
mod transport;
mod trial;
mod unknown;
mod wildcard;

use super::compiled::{Policy, Rule};
use budget::Budget;
use case::{Case, Ways};
use gather::Gathered;
use index::Index;
use std::fmt::{self, Display};

/// Something about a policy that its author should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What kind of finding it is: stable, and listed in the policy reference.
    pub code: &'static str,
    /// Where, in the configuration as it is written: `rules[2].claims.build_branch`.
    pub path: String,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing. It may well be meant so, or be out of the policy's hands.
    Note,
    /// Probably a mistake, which a change of the policy mends.
    Warning,
    /// The policy is none: everything is refused. These are [`ConfigError`](super::ConfigError)s, so
    /// [`Policy::findings`] has none.
    Error,
}

impl Severity {
    /// `note`, `warning` or `error`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// `rules[2]: MESSAGE; FIX (CODE)`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            message,
            fix,
            code,
            ..
        } = self;
        write!(f, "{path}: {message}; {fix} ({code})")
    }
}

impl Policy {
    /// All findings, sorted by path; always the same for the same configuration.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.findings_within(u64::MAX)
    }

    /// As [`Self::findings`], but with so many steps at most (some ten nanoseconds each). Where that does not do, a
    /// note says so.
    #[must_use]
    pub fn findings_within(&self, steps: u64) -> Vec<Finding> {
        let FirstFindings {
            mut first,
            unexamined,
            ..
        } = self.first_findings(steps, usize::MAX);
        if let Some(note) = unexamined {
            let place = first.partition_point(|finding| finding.path < note.path);
            first.insert(place, note);
        }
        first
    }

    /// As [`Self::findings_within`], and of the notes and the warnings only so many each, the first by path.
    #[must_use]
    pub fn first_findings(&self, steps: u64, most: usize) -> FirstFindings {
        let mut budget = Budget::new(steps);
        let rules = budget.rules_within(self);
        let mut analysis = Analysis {
            policy: self,
            rules,
            ways: Ways::new(self),
            index: Index::new(rules),
            budget,
            findings: Gathered::new(most),
        };
        // What a policy has few of comes first, so that rules don't use up the steps for it.
        contradiction::issuers(&mut analysis);
        transport::find(&mut analysis);
        trial::mode(&mut analysis);
        unknown::outside_rules(&mut analysis);
        roles::find(&mut analysis);
        for rule in rules {
            analysis.rule(rule);
        }
        audience::find(&mut analysis);
        let unexamined = analysis.budget.leaves_out().then(|| Finding {
            severity: Severity::Note,
            code: "not-compared",
            path: "rules".into(),
            message: "the policy is too large for all of it to be examined when it is loaded"
                .into(),
            fix: "run `jobgate check` on it, which examines all".into(),
        });
        let (found, first) = analysis.findings.finish();
        FirstFindings {
            found,
            first,
            unexamined,
        }
    }
}

/// The first findings of many.
#[derive(Debug)]
pub struct FirstFindings {
    /// How many there are of all that was examined.
    pub found: usize,
    /// The first, sorted by path.
    pub first: Vec<Finding>,
    /// That not all was examined, if so.
    pub unexamined: Option<Finding>,
}

/// An analysis under way.
struct Analysis<'p> {
    policy: &'p Policy,
    /// The rules that are examined.
    rules: &'p [Rule],
    ways: Ways<'p>,
    index: Index,
    budget: Budget,
    findings: Gathered,
}

impl<'p> Analysis<'p> {
    fn rule(&mut self, rule: &'p Rule) {
        unknown::in_rule(self, rule);
        trial::rule(self, rule);
        let all = self.ways.cases(self.policy, rule);
        if !self.may_compare(&all) {
            return;
        }
        let (never, cases): (Vec<Case<'p>>, _) = all
            .into_iter()
            .partition(|case| case.contradiction().is_some());
        // What is true of no case at all would be true of everything.
        if cases.is_empty() {
            contradiction::rule(self, rule, &never);
            return;
        }
        cover::find(self, rule, &cases);
        mutable::find(self, rule, &cases);
        forks::find(self, rule, &cases);
        wildcard::find(self, rule, &cases);
        scope::find(self, rule, &cases);
        denial::find(self, rule, &cases);
    }

    /// Whether the tests of each case may be compared with each other.
    fn may_compare(&mut self, cases: &[Case<'_>]) -> bool {
        let tests = cases.iter().map(|case| case.tests.len() as u64);
        let steps = tests.fold(0_u64, |steps, tests| {
            steps.saturating_add(tests.saturating_mul(tests))
        });
        self.budget.take(steps)
    }

    fn warn(
        &mut self,
        code: &'static str,
        path: &dyn Display,
        message: &dyn Display,
        fix: &dyn Display,
    ) {
        self.add(Severity::Warning, code, path, message, fix);
    }

    fn note(
        &mut self,
        code: &'static str,
        path: &dyn Display,
        message: &dyn Display,
        fix: &dyn Display,
    ) {
        self.add(Severity::Note, code, path, message, fix);
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        path: &dyn Display,
        message: &dyn Display,
        fix: &dyn Display,
    ) {
        self.findings.add(severity, code, path, message, fix);
    }
}

/// A list of names for a message, of which the first few are told.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<String> = names.into_iter().map(|name| format!("{name:?}")).collect();
    let shown: Vec<&str> = names.iter().map(String::as_str).take(SHOWN).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
