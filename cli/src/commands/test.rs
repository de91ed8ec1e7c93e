//! `jobgate test`

use super::explain::now;
use crate::evaluate::printable;
use crate::exit::Exit;
use crate::explanation::{human, json};
use crate::failure::Failure;
use crate::output::style::{self, paint};
use crate::output::{Format, Output};
use crate::policy_tests::coverage::Coverage;
use crate::policy_tests::junit;
use crate::policy_tests::run::Outcome;
use crate::policy_tests::suite::{Policies, Suite};
use crate::source::Data;
use serde_json::json;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Tests policies: given claims and a request, expects a decision, a rule and a reason.
///
/// A file of tests names its policy and lists tests; of a folder all such files are run. Tests need no keys and
/// no gateway. What fails is shown beside what was expected, with the conditions of the nearest rule.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct TestArgs {
    /// Files of tests, or folders with them
    #[arg(required = true, value_name = "DIR|FILE")]
    paths: Vec<PathBuf>,

    /// Only tests with this in their name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// List what the tests have not shown: rules that never matched, conditions that never held or never failed
    #[arg(long)]
    coverage: bool,

    /// Fail if the tests have shown less of a policy than this
    #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "filter")]
    require_coverage: Option<usize>,

    /// Write the results as JUnit XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

const EXAMPLES: &str = "\
A file of tests:
  policy: policy.yaml          # relative to this file
  defaults:
    like: buildkite            # the claims of an example job of this provider
    request: { method: POST, at: \"2026-11-18T10:00:00Z\" }
  tests:
    - name: main deploys to production
      claims: { pipeline_slug: deploy-web, build_branch: main }
      request: { path: /deploy/production/eu }
      expect: { decision: allow, rule: deploy-production, roles: [deployer] }
    - name: a branch does not
      claims: { pipeline_slug: deploy-web, build_branch: feature }
      request: { path: /deploy/production/eu }
      expect: { decision: deny, reason: no_rule_matched }

Examples:
  jobgate test policies/
  jobgate test policy-tests.yaml --filter production
  jobgate test policies/ --require-coverage 100 --junit report.xml

Exit codes: 0 all pass, 1 some failed or coverage is too low, 2 wrong usage, 3 a file can't be read or is wrong";

fn percent(text: &str) -> Result<usize, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse();
    number
        .ok()
        .filter(|percent| *percent <= 100)
        .ok_or_else(|| "write a whole number from 0 to 100".into())
}

/// So many tests have a line each; of more only failures and files do.
const LISTED: usize = 40;

impl TestArgs {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Exit, Failure> {
        let mut not_run = Vec::new();
        let mut suites = Vec::new();
        let mut policies = Policies::default();
        for path in &self.paths {
            for file in files(path)? {
                match Suite::load(&file, &mut policies, now()) {
                    Ok(suite) => suites.push(suite),
                    Err(failure) => {
                        failure.report();
                        not_run.push(file.display().to_string());
                    }
                }
            }
        }
        let is_wanted = |name: &str| self.filter.as_ref().is_none_or(|text| name.contains(text));
        let mut outcomes: Vec<Outcome<'_>> = Vec::new();
        let mut coverages: Vec<Coverage> = Vec::new();
        for suite in &suites {
            let known = coverages
                .iter()
                .position(|known| Rc::ptr_eq(&known.policy, &suite.policy));
            let place = known.unwrap_or_else(|| {
                coverages.push(Coverage::new(Rc::clone(&suite.policy)));
                coverages.len() - 1
            });
            for test in suite.tests.iter().filter(|test| is_wanted(&test.name)) {
                let outcome = Outcome::of(suite, test);
                coverages[place].add(&outcome.answer);
                outcomes.push(outcome);
            }
        }
        if outcomes.is_empty() && not_run.is_empty() {
            return Err(match &self.filter {
                Some(text) => Failure::new(format!("no test has {text:?} in its name"))
                    .help("run without --filter to see their names"),
                None => Failure::new("there are no tests"),
            });
        }
        let required = self.require_coverage;
        let too_low = |coverage: &Coverage| {
            required.is_some_and(|percent| coverage.seen() * 100 < percent * coverage.all())
        };
        let report = Report {
            outcomes: &outcomes,
            // Of some of the tests it would say nothing of the policy.
            coverages: if self.filter.is_some() {
                &[]
            } else {
                &coverages
            },
            not_run: &not_run,
            unseen: self.coverage || coverages.iter().any(too_low),
            required,
        };
        match output.format {
            Format::Human => report.human(output)?,
            Format::Plain => report.plain(output)?,
            Format::Json => report.json(output)?,
        }
        output.flush()?;
        if let Some(path) = &self.junit {
            let xml = junit::report(&outcomes).map_err(|error| {
                Failure::new(format!("the JUnit report can't be made: {error}"))
            })?;
            std::fs::write(path, xml)
                .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        }
        Ok(if !not_run.is_empty() {
            Exit::CouldNotRun
        } else if outcomes.iter().all(Outcome::passes) && !coverages.iter().any(too_low) {
            Exit::Yes
        } else {
            Exit::No
        })
    }
}

/// The files of tests below a path, in order.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    walk(path, &mut found)?;
    if found.is_empty() {
        return Err(
            Failure::new(format!("{}: there are no tests in here", path.display()))
                .help("a file of tests ends in .yaml, .yml or .json and has the member tests"),
        );
    }
    Ok(found)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let unreadable = |error| Failure::new(format!("{}: {error}", folder.display()));
    let entries: Result<Vec<_>, _> = std::fs::read_dir(folder).map_err(unreadable)?.collect();
    let mut entries = entries.map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        // Links to folders are not followed: they may lead in circles.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let extension = path.extension().and_then(|extension| extension.to_str());
        if name.starts_with('.') {
            continue;
        } else if is_folder {
            walk(&path, found)?;
        } else if matches!(extension, Some("yaml" | "yml" | "json")) {
            let looks_like_tests = match Data::read(&path) {
                Ok(data) => data.value.get("tests").is_some(),
                // It may be a template, or tests that must not get lost.
                Err(_) => name.contains("test"),
            };
            if looks_like_tests {
                found.push(path);
            }
        }
    }
    Ok(())
}

struct Report<'r> {
    outcomes: &'r [Outcome<'r>],
    coverages: &'r [Coverage],
    /// Files that are wrong or can't be read.
    not_run: &'r [String],
    /// Whether what was not seen is listed.
    unseen: bool,
    required: Option<usize>,
}

impl Report<'_> {
    fn failed(&self) -> usize {
        self.outcomes
            .iter()
            .filter(|outcome| !outcome.passes())
            .count()
    }

    fn human(&self, out: &mut Output) -> io::Result<()> {
        let listed = self.outcomes.len() <= LISTED;
        let mut rest = self.outcomes;
        while let Some(first) = rest.first() {
            let suite = first.suite;
            let same = rest
                .iter()
                .take_while(|outcome| std::ptr::eq(outcome.suite, suite));
            let (of_this, others) = rest.split_at(same.count());
            rest = others;
            let passed = of_this.iter().filter(|outcome| outcome.passes()).count();
            let count = format!("{passed} of {} pass", of_this.len());
            let name = paint(style::STRONG, &suite.name);
            writeln!(out, "{name}  {}", paint(style::QUIET, count))?;
            for outcome in of_this {
                if !outcome.passes() {
                    failure(out, outcome)?;
                } else if listed {
                    let name = printable(&outcome.test.name);
                    writeln!(out, "  {} {name}", paint(style::GOOD, "✓"))?;
                }
            }
        }
        if !self.outcomes.is_empty() {
            writeln!(out)?;
        }
        for coverage in self.coverages {
            self.human_coverage(out, coverage)?;
        }
        let failed = self.failed();
        let total = self.outcomes.len();
        let tests = if total == 1 { "test" } else { "tests" };
        let not_run = match self.not_run.len() {
            1 => "1 file could not be run".to_owned(),
            many => format!("{many} files could not be run"),
        };
        let outcome = match failed {
            0 => format!("{total} {tests}: all pass"),
            failed => format!("{total} {tests}: {failed} failed"),
        };
        let summary = match (total, self.not_run) {
            (_, []) => outcome,
            (0, _) => not_run,
            (_, _) => format!("{outcome}; {not_run}"),
        };
        let good = failed == 0 && self.not_run.is_empty();
        let style = if good { style::GOOD } else { style::ERROR };
        writeln!(out, "{}", paint(style, summary))
    }

    fn human_coverage(&self, out: &mut Output, coverage: &Coverage) -> io::Result<()> {
        let (seen, all) = (coverage.seen(), coverage.all());
        let low = self
            .required
            .is_some_and(|percent| seen * 100 < percent * all);
        let wanted = match self.required {
            Some(percent) if low => format!(", less than {percent}%"),
            _ => String::new(),
        };
        writeln!(
            out,
            "coverage of {}: {}{}",
            name_of(coverage),
            paint(
                if low { style::ERROR } else { style::STRONG },
                format!("{seen} of {all} ({}%)", percent_of(seen, all))
            ),
            wanted
        )?;
        if self.unseen {
            for (what, never) in coverage.unseen() {
                writeln!(out, "  {} {what}  {never}", paint(style::WARNING, "·"))?;
            }
        }
        Ok(())
    }

    fn plain(&self, out: &mut Output) -> io::Result<()> {
        for outcome in self.outcomes {
            let at = format!("{}:{}", outcome.suite.name, outcome.test.line);
            let result = if outcome.passes() { "pass" } else { "fail" };
            writeln!(
                out,
                "{result}\t{}\t{}",
                printable(&at),
                printable(&outcome.test.name)
            )?;
            for each in &outcome.differences {
                writeln!(
                    out,
                    "difference\t{}\t{}\t{}\t{}",
                    printable(&at),
                    each.member,
                    printable(&each.expected),
                    printable(&each.actual)
                )?;
            }
        }
        for file in self.not_run {
            writeln!(out, "not run\t{}", printable(file))?;
        }
        for coverage in self.coverages {
            let name = printable(&name_of(coverage));
            writeln!(
                out,
                "coverage\t{name}\t{}\t{}",
                coverage.seen(),
                coverage.all()
            )?;
            if self.unseen {
                for (what, never) in coverage.unseen() {
                    writeln!(out, "uncovered\t{name}\t{}\t{never}", printable(what))?;
                }
            }
        }
        writeln!(
            out,
            "{} passed, {} failed",
            self.outcomes.len() - self.failed(),
            self.failed()
        )
    }

    fn json(&self, out: &mut Output) -> io::Result<()> {
        let tests: Vec<_> = self
            .outcomes
            .iter()
            .map(|outcome| {
                let differences: Vec<_> = outcome
                    .differences
                    .iter()
                    .map(|each| {
                        json!({ "member": each.member, "expected": each.expected, "actual": each.actual })
                    })
                    .collect();
                let explanation = (!outcome.passes())
                    .then(|| json::document(&outcome.explanation(), &[]));
                json!({
                    "file": outcome.suite.name,
                    "line": outcome.test.line,
                    "name": outcome.test.name,
                    "passed": outcome.passes(),
                    "differences": differences,
                    "explanation": explanation,
                })
            })
            .collect();
        let coverage: Vec<_> = self
            .coverages
            .iter()
            .map(|coverage| {
                let unseen = coverage.unseen().into_iter();
                json!({
                    "policy": { "file": coverage.policy.file, "place": coverage.policy.place },
                    "seen": coverage.seen(),
                    "all": coverage.all(),
                    "unseen": unseen
                        .map(|(what, never)| json!({ "path": what, "never": never }))
                        .collect::<Vec<_>>(),
                })
            })
            .collect();
        out.json(&json!({
            "passed": self.outcomes.len() - self.failed(),
            "failed": self.failed(),
            "not_run": self.not_run,
            "tests": tests,
            "coverage": coverage,
        }))
    }
}

fn name_of(coverage: &Coverage) -> String {
    let policy = &coverage.policy;
    match policy.place.as_str() {
        "" => policy.file.clone(),
        place => format!("{}, {place}", policy.file),
    }
}

/// Rounded down: 100 are all.
fn percent_of(seen: usize, all: usize) -> usize {
    (seen * 100).checked_div(all).unwrap_or(100)
}

/// What differs, and how the nearest rule stood.
fn failure(out: &mut Output, outcome: &Outcome<'_>) -> io::Result<()> {
    let name = printable(&outcome.test.name);
    let at = format!("line {}", outcome.test.line);
    writeln!(
        out,
        "  {} {name}  {}",
        paint(style::ERROR, "✗"),
        paint(style::QUIET, at)
    )?;
    for each in &outcome.differences {
        let line =
            |sign: &str, value: &str| format!("{sign:<10}  {}: {}", each.member, printable(value));
        if each.expected != "none" {
            let expected = line("- expected", &each.expected);
            writeln!(out, "      {}", paint(style::ERROR, expected))?;
        }
        writeln!(
            out,
            "      {}",
            paint(style::GOOD, line("+ got", &each.actual))
        )?;
    }
    let explanation = outcome.explanation();
    human::nearest(out, &explanation, outcome.expected_rule(), 6)
}
