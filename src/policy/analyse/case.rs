//! The ways in which a token can meet a rule.

use super::claim::Claim;
use super::provider::Provider;
use crate::policy::claim_name::ClaimName;
use crate::policy::compiled::{ClaimSet, Effect, Policy, Role, Rule};
use crate::policy::matcher::ClaimTest;
use std::fmt::{self, Display};

/// The most ways to have a role, and ways to meet a rule, that are told apart.
const MAX_WAYS: usize = 64;

/// The most tests in all ways to have a role. In a chain of roles each has all tests of those before it.
const MAX_TESTS: usize = 512;

/// Where a claim's test is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'p> {
    /// In the issuer at this place.
    Issuer(usize),
    /// In the rule that is written at this place.
    Rule(usize),
    /// In a claim set of this role, at this place of its list.
    Role(&'p str, Option<usize>),
}

impl Place<'_> {
    /// The path of what has this place.
    pub(super) fn path(self) -> impl Display {
        fmt::from_fn(move |f| match self {
            Self::Issuer(place) => write!(f, "issuers[{place}]"),
            Self::Rule(place) => write!(f, "rules[{place}]"),
            Self::Role(name, None) => write!(f, "roles.{name}"),
            Self::Role(name, Some(set)) => write!(f, "roles.{name}[{set}]"),
        })
    }
}

/// A test of a claim, and where it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Test<'p> {
    pub(super) name: &'p ClaimName,
    pub(super) test: &'p ClaimTest,
    pub(super) place: Place<'p>,
}

impl Test<'_> {
    pub(super) fn path(&self) -> impl Display {
        fmt::from_fn(|f| write!(f, "{}.claims.{}", self.place.path(), self.name))
    }
}

/// One way in which a token can meet a rule: all tests must hold.
#[derive(Debug, Clone)]
pub(super) struct Case<'p> {
    /// The issuer, by its place.
    pub(super) issuer: usize,
    /// What is known of the issuer's tokens.
    pub(super) provider: Option<&'static Provider>,
    /// Roles that the job then has, by their places.
    pub(super) roles: Vec<usize>,
    pub(super) tests: Vec<Test<'p>>,
    /// Whether these are all the tests. They are not where there are too many ways to have the rule's roles:
    /// then those of the roles are left out, and a test that is not here may be there all the same.
    pub(super) is_whole: bool,
}

impl<'p> Case<'p> {
    /// All that is asked of the claim of this name.
    pub(super) fn claim(&self, name: &str) -> Claim<'p> {
        let tests = self.tests.iter().filter(|test| test.name.as_str() == name);
        Claim {
            tests: tests.map(|test| test.test).collect(),
            is_scalar: self
                .provider
                .is_some_and(|provider| provider.is_scalar(name)),
        }
    }

    /// Asks for one test more.
    pub(super) fn with(&self, name: &'p ClaimName, test: &'p ClaimTest, place: Place<'p>) -> Self {
        let mut narrower = self.clone();
        narrower.tests.push(Test { name, test, place });
        narrower
    }

    /// The name of a claim that no token can have as it is asked for, if there is one.
    pub(super) fn contradiction(&self) -> Option<&'p ClaimName> {
        let mut names = self.tests.iter().map(|test| test.name);
        names.find(|name| self.claim(name.as_str()).is_contradiction())
    }

    /// Whether every token that meets it meets this test too.
    pub(super) fn implies(&self, name: &ClaimName, test: &ClaimTest) -> bool {
        self.claim(name.as_str()).implies(test)
    }

    /// Whether every token that meets it has the role.
    pub(super) fn implies_role(&self, policy: &Policy, place: usize) -> bool {
        self.roles.contains(&place)
            || policy.roles.get(place).is_some_and(|role| {
                role.any_of.iter().any(|set| {
                    let mut tests = set.claims.0.iter();
                    // Roles that include others are only found among those that are known to be there.
                    (set.roles.is_empty() || set.roles.iter().any(|role| self.roles.contains(role)))
                        && tests.all(|(name, test)| self.implies(name, test))
                })
            })
    }

    /// Whether the issuer's tokens can have all claims that are asked for, as far as is known.
    pub(super) fn is_likely(&self) -> bool {
        self.provider.is_none_or(|provider| {
            let mut tests = self.tests.iter();
            tests.all(|test| provider.knows(test.name.claim()))
        })
    }
}

/// The tests of a claim set, with their place.
pub(super) fn tests<'p>(
    set: &'p ClaimSet,
    place: Place<'p>,
) -> impl Iterator<Item = Test<'p>> + use<'p> {
    set.0
        .iter()
        .map(move |(name, test)| Test { name, test, place })
}

/// One way to have a role.
#[derive(Debug, Clone, Default)]
struct Way<'p> {
    roles: Vec<usize>,
    tests: Vec<Test<'p>>,
}

/// The ways to have each role, by its place; none where there are too many.
pub(super) struct Ways<'p>(Vec<Option<Vec<Way<'p>>>>);

impl<'p> Ways<'p> {
    pub(super) fn new(policy: &'p Policy) -> Self {
        let mut ways = Self(policy.roles.iter().map(|_| None).collect());
        for place in &policy.role_order {
            let Some(role) = policy.roles.get(*place) else {
                continue;
            };
            let of_role = ways.of_role(*place, role);
            if let Some(entry) = ways.0.get_mut(*place) {
                *entry = of_role;
            }
        }
        ways
    }

    fn of_role(&self, place: usize, role: &'p Role) -> Option<Vec<Way<'p>>> {
        let mut all = Vec::new();
        for set in &role.any_of {
            let of_set = Place::Role(&role.name, set.place);
            for mut way in self.of_any(&set.roles)? {
                way.roles.push(place);
                way.tests.extend(tests(&set.claims, of_set));
                all.push(way);
            }
            let tests: usize = all
                .iter()
                .map(|way| way.tests.len().max(way.roles.len()))
                .sum();
            if all.len() > MAX_WAYS || tests > MAX_TESTS {
                return None;
            }
        }
        Some(all)
    }

    /// The ways to have one of these roles; if there are none, the one way to need none.
    fn of_any(&self, roles: &[usize]) -> Option<Vec<Way<'p>>> {
        if roles.is_empty() {
            return Some(vec![Way::default()]);
        }
        let mut all = Vec::new();
        for role in roles {
            let ways = self.0.get(*role)?.as_ref()?;
            all.extend(ways.iter().cloned());
            if all.len() > MAX_WAYS {
                return None;
            }
        }
        Some(all)
    }

    /// The ways to have a role, as cases for each of the policy's issuers.
    pub(super) fn cases_of_role(&self, policy: &'p Policy, role: usize) -> Vec<Case<'p>> {
        let all: Vec<usize> = (0..policy.issuers.len()).collect();
        self.cases_for(policy, &all, &[role], &|_| Vec::new())
    }

    /// The ways to meet a rule. An allow rule can only be met by tokens that meet what is asked of all tokens of
    /// their issuer.
    pub(super) fn cases(&self, policy: &'p Policy, rule: &'p Rule) -> Vec<Case<'p>> {
        let issuers: Vec<usize> = (0..policy.issuers.len())
            .filter(|place| rule.is_for(*place))
            .collect();
        self.cases_for(policy, &issuers, &rule.roles, &|place| {
            let own = tests(&rule.claims, Place::Rule(rule.place));
            let required = match rule.effect {
                Effect::Allow => policy.issuers.get(place),
                Effect::Deny => None,
            };
            let required = required.map(|issuer| tests(&issuer.required, Place::Issuer(place)));
            own.chain(required.into_iter().flatten()).collect()
        })
    }

    fn cases_for(
        &self,
        policy: &'p Policy,
        issuers: &[usize],
        roles: &[usize],
        besides: &dyn Fn(usize) -> Vec<Test<'p>>,
    ) -> Vec<Case<'p>> {
        let (ways, is_whole) = match self.of_any(roles) {
            Some(ways) if ways.len().saturating_mul(issuers.len()) <= MAX_WAYS => (ways, true),
            _ => (vec![Way::default()], false),
        };
        let mut cases = Vec::new();
        for place in issuers {
            let provider = policy.issuers.get(*place).and_then(Provider::of);
            let besides = besides(*place);
            for way in &ways {
                cases.push(Case {
                    issuer: *place,
                    provider,
                    roles: way.roles.clone(),
                    tests: besides.iter().chain(&way.tests).copied().collect(),
                    is_whole,
                });
            }
        }
        cases
    }
}
