//! How much may be examined when a policy is loaded.

use crate::policy::compiled::{Policy, Rule};

/// What it takes to look at a rule by itself, for each issuer that it is for: some ten microseconds.
const LOOK: u64 = 1_000;

/// Steps that are left.
pub(super) struct Budget {
    left: u64,
    is_used_up: bool,
    are_rules_left_out: bool,
}

impl Budget {
    pub(super) const fn new(steps: u64) -> Self {
        Self {
            left: steps,
            is_used_up: false,
            are_rules_left_out: false,
        }
    }

    /// Takes so many steps, if they are there.
    pub(super) fn take(&mut self, steps: u64) -> bool {
        match self.left.checked_sub(steps) {
            Some(left) => self.left = left,
            None => self.is_used_up = true,
        }
        !self.is_used_up
    }

    /// Takes what it takes to look at so many rules or roles by themselves.
    pub(super) fn take_looks(&mut self, looks: usize) -> bool {
        self.take(LOOK.saturating_mul(count(looks)))
    }

    /// The first rules by id, as many as half of the steps do for; the other half is left for comparing.
    pub(super) fn rules_within<'p>(&mut self, policy: &'p Policy) -> &'p [Rule] {
        let mut half = Self::new(self.left / 2);
        let mut rules = policy.rules.iter();
        let fit = rules.position(|rule| !half.take(look(policy, rule)));
        self.are_rules_left_out = half.is_used_up;
        self.left = self
            .left
            .saturating_sub(self.left / 2)
            .saturating_add(half.left);
        match fit {
            Some(end) => policy.rules.get(..end).unwrap_or_default(),
            None => &policy.rules,
        }
    }

    /// Whether something was left out.
    pub(super) const fn leaves_out(&self) -> bool {
        self.is_used_up || self.are_rules_left_out
    }
}

/// What it takes to look at a rule by itself. The values of a list are compared with each other.
fn look(policy: &Policy, rule: &Rule) -> u64 {
    let issuers = match rule.issuers.len() {
        0 => policy.issuers.len(),
        some => some,
    };
    let tests = rule.claims.0.iter().map(|(_, test)| test);
    let lists = tests.flat_map(|test| [&test.one_of, &test.none_of]);
    let lists = lists.flatten().map(|list| count(list.len()));
    let each = lists.fold(LOOK, |sum, values| {
        sum.saturating_add(values.saturating_mul(values))
    });
    each.saturating_mul(count(issuers))
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}
