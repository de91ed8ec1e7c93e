//! Branches that are pinned, although code of a fork can run as if it were on them.

use super::case::{Case, Place, Test};
use super::claim::accepts;
use super::cover::{includes, weight};
use super::{Analysis, Severity};
use crate::policy::claim_name::ClaimName;
use crate::policy::compiled::{Effect, Policy, Rule};
use crate::policy::glob::ClaimGlob;
use crate::policy::matcher::ClaimTest;

struct Found {
    severity: Severity,
    /// The claim that names the branch.
    branch: &'static str,
    message: &'static str,
    fix: &'static str,
}

pub(super) fn find(analysis: &mut Analysis<'_>, rule: &Rule, cases: &[Case<'_>]) {
    if rule.effect == Effect::Deny {
        return;
    }
    for case in cases.iter().filter(|case| case.is_whole) {
        let preset = case.provider.map(super::provider::Provider::preset);
        let found = match preset {
            Some("buildkite") => buildkite(case),
            Some("gitlab") => gitlab(case),
            Some("github") => github(analysis, rule, case),
            Some("circleci") => circleci(case),
            _ => None,
        };
        let Some(found) = found else { continue };
        let is_branch = |test: &&Test<'_>| test.name.as_str() == found.branch;
        if let Some(test) = case.tests.iter().find(is_branch) {
            analysis.add(
                found.severity,
                "forks-not-excluded",
                &test.path(),
                &found.message,
                &found.fix,
            );
        }
    }
}

fn pins(case: &Case<'_>, names: &[&str]) -> bool {
    names.iter().any(|name| case.claim(name).is_positive())
}

/// There is no claim to exclude them by, so it is a note.
fn buildkite(case: &Case<'_>) -> Option<Found> {
    pins(case, &["build_branch"]).then_some(Found {
        severity: Severity::Note,
        branch: "build_branch",
        message: "no claim of Buildkite's tells builds of a fork from builds of the repository, and a fork's branch can have any name",
        fix: "in the pipeline's settings don't build pull requests from forks, or have the names of their branches prefixed",
    })
}

/// Where a fork's merge request runs in the project, `job_project_path` and its like name the project, and `ref`
/// the fork's branch.
fn gitlab(case: &Case<'_>) -> Option<Found> {
    let branch = ["ref", "ref_path"]
        .into_iter()
        .find(|name| pins(case, &[name]))?;
    let of_job = [
        "job_project_path",
        "job_project_id",
        "job_namespace_path",
        "job_namespace_id",
    ];
    let of_source = [
        "project_path",
        "project_id",
        "namespace_path",
        "namespace_id",
        "sub",
    ];
    (pins(case, &of_job) && !pins(case, &of_source)).then_some(Found {
        severity: Severity::Warning,
        branch,
        message: "the merge request of a fork that has a branch of this name meets it too: the job_ claims name the project in which the job runs, not the one whose code it runs",
        fix: "pin project_path or project_id, which name the fork then",
    })
}

/// `pull_request_target` has the base branch's `ref`. Jobs of forks' `pull_request` have one of their own.
fn github(analysis: &mut Analysis<'_>, rule: &Rule, case: &Case<'_>) -> Option<Found> {
    let name = ClaimName::whole("event_name");
    let of_fork = ClaimTest {
        equals: Some("pull_request_target".into()),
        ..ClaimTest::default()
    };
    let is_about_events = |rule: &Rule| {
        let source = rule.when.as_ref().map(crate::policy::when::When::source);
        source.is_some_and(|source| source.contains("event_name") || source.contains("_ref"))
    };
    // Whoever pins the workflow knows what triggers it.
    let is_pinned_otherwise = pins(case, &["sub", "workflow_ref", "job_workflow_ref"])
        || is_empty(case, "base_ref")
        || is_empty(case, "head_ref");
    if !is_branch(case) || is_pinned_otherwise || is_about_events(rule) {
        return None;
    }
    let with_fork = case.with(&name, &of_fork, Place::Rule(rule.place));
    if with_fork.contradiction().is_some() || is_denied(analysis, rule, &with_fork) {
        return None;
    }
    Some(Found {
        severity: Severity::Warning,
        branch: "ref",
        message: "a workflow that a pull request triggers by pull_request_target has the ref of the base branch, whichever fork the request comes from",
        fix: "pin event_name to the events that may pass, like { in: [push, workflow_dispatch] }",
    })
}

/// Whether the `ref` is pinned, and can be a branch.
fn is_branch(case: &Case<'_>) -> bool {
    let claim = case.claim("ref");
    let Ok(branches) = ClaimGlob::parse("refs/heads/*") else {
        return false;
    };
    let can_be_branch = |test: &&ClaimTest| {
        let globs = test.matches.as_deref();
        let texts = test.equals.iter().chain(test.one_of.iter().flatten());
        let mut texts = texts.filter(|text| accepts(test, text));
        match globs {
            _ if test.equals.is_some() || test.one_of.is_some() => {
                texts.any(|text| branches.matches(text))
            }
            Some(globs) => globs.iter().any(|glob| glob.overlaps(&branches)),
            None => true,
        }
    };
    claim.is_positive() && claim.tests.iter().all(can_be_branch)
}

fn is_empty(case: &Case<'_>, name: &str) -> bool {
    case.claim(name)
        .choices()
        .iter()
        .any(|choice| choice.texts.iter().all(|text| text.is_empty()))
}

/// Whether a deny rule takes in what the rule allows in this case, or may do so: nothing is found where it was not
/// looked for.
fn is_denied(analysis: &mut Analysis<'_>, rule: &Rule, case: &Case<'_>) -> bool {
    let policy: &Policy = analysis.policy;
    // To pass over the others costs little, but is done for each rule.
    if !analysis.budget.take(policy.rules.len() as u64 / 16) {
        return true;
    }
    policy
        .rules
        .iter()
        .filter(|deny| deny.effect == Effect::Deny && !deny.shadow)
        .any(|deny| {
            !analysis
                .budget
                .take(weight(rule).saturating_mul(weight(deny)))
                || includes(policy, deny, rule, std::slice::from_ref(case))
        })
}

/// CircleCI hands forks' builds no token unless the project passes secrets to them; if it does, nothing but the
/// origin tells them apart for certain.
fn circleci(case: &Case<'_>) -> Option<Found> {
    let branch = "oidc.circleci.com/vcs-ref";
    let is_excluded = pins(case, &["oidc.circleci.com/vcs-origin", "sub"]);
    (pins(case, &[branch]) && !is_excluded).then_some(Found {
        severity: Severity::Warning,
        branch,
        message: "where a project passes secrets to builds of forks, a fork with a branch of this name meets it too",
        fix: "pin oidc.circleci.com/vcs-origin, which names the repository that the code is from",
    })
}
