//! The tests of a file, ready to run.

use super::format::{RawDecision, RawExpect, RawFile, RawRequest, RawTest};
use crate::diagnostic::Diagnostic;
use crate::evaluate::{EXAMPLES, Job, Request, example, moment};
use crate::failure::Failure;
use crate::source::{self, Data};
use jobgate::policy::Policy;
use jobgate::reason::Reason;
use jobgate::time::UnixTime;
use miette::NamedSource;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::path::Path;
use std::rc::Rc;

/// A policy under test, which several files may have in common.
pub(crate) struct Tested {
    /// The file's name as it is shown.
    pub(crate) file: String,
    pub(crate) place: String,
    pub(crate) policy: Policy,
}

/// A file's tests.
pub(crate) struct Suite {
    /// The file's name.
    pub(crate) name: String,
    pub(crate) policy: Rc<Tested>,
    pub(crate) tests: Vec<Test>,
}

/// A test.
pub(crate) struct Test {
    pub(crate) name: String,
    /// Its line in the file.
    pub(crate) line: usize,
    pub(super) job: Job,
    pub(super) request: Request,
    pub(super) at: UnixTime,
    pub(super) expect: Expect,
}

/// What must come of it.
pub(crate) struct Expect {
    pub(super) decision: RawDecision,
    pub(super) reason: Option<String>,
    pub(super) rule: Option<String>,
    /// In order.
    pub(super) roles: Option<Vec<String>>,
    /// In order.
    pub(super) on_trial: Option<Vec<String>>,
}

/// The policies that were loaded.
#[derive(Default)]
pub(crate) struct Policies(Vec<Rc<Tested>>);

impl Policies {
    fn get(&mut self, path: &Path, place: Option<&str>) -> Result<Rc<Tested>, Failure> {
        let loaded = source::load(path)?;
        let chosen = loaded.choose(place)?;
        let known =
            |tested: &&Rc<Tested>| tested.file == loaded.file.name && tested.place == chosen.place;
        if let Some(tested) = self.0.iter().find(known) {
            return Ok(Rc::clone(tested));
        }
        let tested = Rc::new(Tested {
            policy: loaded.compile_or_report(chosen)?,
            place: chosen.place.clone(),
            file: loaded.file.name,
        });
        self.0.push(Rc::clone(&tested));
        Ok(tested)
    }
}

impl Suite {
    /// Reads a file of tests and its policy. `now` is the time of tests that name none.
    ///
    /// # Errors
    /// One of the two can't be read, or something in the tests is wrong; all of that is reported on standard
    /// error, in the source.
    pub(crate) fn load(
        path: &Path,
        policies: &mut Policies,
        now: UnixTime,
    ) -> Result<Self, Failure> {
        let data = Data::read(path)?;
        let raw = read(&data)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let at = folder.join(&raw.policy);
        let policy = policies
            .get(&at, raw.policy_at.as_deref())
            .map_err(|failure| failure.of(&format!("{}: its policy", data.file.name)))?;
        let mut errors = Errors(Vec::new());
        let mut names = HashSet::new();
        let mut tests = Vec::with_capacity(raw.tests.len());
        for (nth, test) in raw.tests.iter().enumerate() {
            let at = format!("tests[{nth}]");
            if !names.insert(&test.name) {
                errors.add(
                    &format!("{at}.name"),
                    "another test has this name; give each its own",
                );
            }
            let line = data.file.line_and_column(data.locate(&at).value.start).0;
            tests.extend(errors.test(&raw, test, &at, &policy.policy, line, now));
        }
        if raw.tests.is_empty() {
            errors.add("tests", "is empty, which tests nothing; write a test");
        }
        if !errors.0.is_empty() {
            return Err(errors.report(&data));
        }
        Ok(Self {
            name: data.file.name,
            policy,
            tests,
        })
    }
}

fn read(data: &Data) -> Result<RawFile, Failure> {
    serde_path_to_error::deserialize(&data.value).map_err(|error| {
        let path = match error.path().to_string() {
            root if root == "." => String::new(),
            path => path,
        };
        Errors(vec![(path, error.inner().to_string())]).report(data)
    })
}

/// What is wrong with a file of tests: paths and messages.
struct Errors(Vec<(String, String)>);

impl Errors {
    fn add(&mut self, path: &str, message: impl Into<String>) {
        let error = (path.to_owned(), message.into());
        // What is wrong with the defaults is so for every test.
        if !self.0.contains(&error) {
            self.0.push(error);
        }
    }

    /// Shows all of them in the source.
    fn report(self, data: &Data) -> Failure {
        let source = NamedSource::new(&data.file.name, data.file.text.clone());
        for (path, message) in &self.0 {
            let diagnostic =
                Diagnostic::test_invalid(&data.file, &data.locate(path), path, message);
            match diagnostic.human(&source) {
                Ok(report) => anstream::eprintln!("{report}"),
                Err(_) => anstream::eprintln!("{}", diagnostic.plain(&data.file)),
            }
        }
        let what = match self.0.len() {
            1 => "an error".to_owned(),
            many => format!("{many} errors"),
        };
        Failure::new(format!("{}: the tests have {what}", data.file.name))
    }

    fn test(
        &mut self,
        file: &RawFile,
        test: &RawTest,
        path: &str,
        policy: &Policy,
        line: usize,
        now: UnixTime,
    ) -> Option<Test> {
        let before = self.0.len();
        let job = self.job(file, test, path, policy);
        let raw = test.request.over(&file.defaults.request);
        let at = self.at(&raw, test, path, policy, now);
        let request = self.request(raw, path);
        let expect = self.expect(&test.expect, &format!("{path}.expect"), policy);
        (self.0.len() == before).then_some(())?;
        Some(Test {
            name: test.name.clone(),
            line,
            job: job?,
            request: request?,
            at: at?,
            expect,
        })
    }

    fn job(&mut self, file: &RawFile, test: &RawTest, path: &str, policy: &Policy) -> Option<Job> {
        let mut claims = Map::new();
        // What it is like is in the test or in the defaults, not mixed of two examples.
        let (like, at) = match (&test.like, &file.defaults.like) {
            (Some(own), _) => (Some(own), format!("{path}.like")),
            (None, default) => (default.as_ref(), "defaults.like".into()),
        };
        if let Some(preset) = like {
            match example(preset) {
                Some(example) => claims = example,
                None => self.add(
                    &at,
                    format!(
                        "{preset:?} is none of the examples; write {}",
                        EXAMPLES.join(", ")
                    ),
                ),
            }
        }
        claims.extend(file.defaults.claims.clone());
        claims.extend(test.claims.clone());
        let issuer = test.issuer.as_deref().or(file.defaults.issuer.as_deref());
        match Job::of_claims(policy, claims, issuer) {
            Ok(job) => Some(job),
            Err(why) => {
                let place = if test.issuer.is_some() {
                    format!("{path}.issuer")
                } else {
                    path.to_owned()
                };
                self.add(&place, why);
                None
            }
        }
    }

    fn at(
        &mut self,
        raw: &RawRequest,
        test: &RawTest,
        path: &str,
        policy: &Policy,
        now: UnixTime,
    ) -> Option<UnixTime> {
        let place = match test.request.at {
            Some(_) => format!("{path}.request.at"),
            None => "defaults.request.at".to_owned(),
        };
        let text = match &raw.at {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(seconds)) => seconds.to_string(),
            Some(other) => other.to_string(),
            None => {
                if let Some(rule) = policy.rules.iter().find(|rule| rule.schedule.is_some()) {
                    self.add(
                        path,
                        format!(
                            "the rule {:?} has a schedule, so the result would depend on when the tests are run; write the moment as request.at, here or in the defaults",
                            rule.id
                        ),
                    );
                }
                return Some(now);
            }
        };
        moment(&text).map_err(|why| self.add(&place, why)).ok()
    }

    fn request(&mut self, raw: RawRequest, path: &str) -> Option<Request> {
        let Some(target) = raw.path else {
            self.add(
                path,
                "the request has no path; write request.path, here or in the defaults",
            );
            return None;
        };
        Some(Request {
            method: raw.method.unwrap_or_else(|| "GET".into()),
            target,
            host: raw.host,
            route: raw.route,
            service: raw.service,
            certificate: raw
                .client_certificate
                .map(super::format::RawCertificate::resolve)
                .unwrap_or_default(),
        })
    }

    fn expect(&mut self, raw: &RawExpect, path: &str, policy: &Policy) -> Expect {
        if let Some(reason) = &raw.reason {
            if raw.decision == RawDecision::Allow {
                self.add(
                    &format!("{path}.reason"),
                    "what is allowed has no reason; leave one of the two out",
                );
            } else if !Reason::ALL.iter().any(|known| known.code() == reason) {
                self.add(
                    &format!("{path}.reason"),
                    format!("{reason:?} is no reason code; docs/decision-codes.md lists them"),
                );
            }
        }
        let rules: Vec<_> = policy.rules.iter().map(|rule| rule.id.as_str()).collect();
        let roles: Vec<_> = policy.roles.iter().map(|role| role.name.as_str()).collect();
        let mut known = |path: String, what: &str, name: &str, names: &[&str]| {
            if !names.contains(&name) {
                self.add(
                    &path,
                    format!("the policy has no {what} {name:?}; it has {}", list(names)),
                );
            }
        };
        if let Some(rule) = &raw.rule {
            known(format!("{path}.rule"), "rule", rule, &rules);
        }
        for (nth, role) in raw.roles.iter().flatten().enumerate() {
            known(format!("{path}.roles[{nth}]"), "role", role, &roles);
        }
        for (nth, rule) in raw.on_trial.iter().flatten().enumerate() {
            known(format!("{path}.on_trial[{nth}]"), "rule", rule, &rules);
        }
        let sorted = |names: &Option<Vec<String>>| {
            let mut names = names.clone()?;
            names.sort();
            names.dedup();
            Some(names)
        };
        Expect {
            decision: raw.decision,
            reason: raw.reason.clone(),
            rule: raw.rule.clone(),
            roles: sorted(&raw.roles),
            on_trial: sorted(&raw.on_trial),
        }
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}
