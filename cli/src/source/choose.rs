//! Which policy of a file is meant.

use super::{Loaded, LoadedPolicy};
use crate::diagnostic::Diagnostic;
use crate::failure::Failure;
use jobgate::policy::Policy;
use miette::NamedSource;

impl Loaded {
    /// The policy at a place, or the only one if none is named. The beginning of a place is enough where only
    /// one begins so: `services[0]`.
    ///
    /// # Errors
    /// There is none there, or several, or it can't be read.
    pub(crate) fn choose(&self, place: Option<&str>) -> Result<&LoadedPolicy, Failure> {
        let name = &self.file.name;
        let is_meant = |candidate: &str| match place {
            None => true,
            Some(wanted) => candidate
                .strip_prefix(wanted)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])),
        };
        let flaw = self.flaws.iter().find(|(place, _)| is_meant(place));
        let meant: Vec<_> = self
            .policies
            .iter()
            .filter(|policy| is_meant(&policy.place))
            .collect();
        match (meant.as_slice(), flaw, place) {
            ([policy], None, _) => Ok(policy),
            ([], Some((_, flaw)), _) => {
                let (line, column) = self.file.line_and_column(flaw.span.start);
                let message = format!("{name}:{line}:{column}: {}", flaw.message);
                Err(Failure::new(message).help(flaw.fix.clone()))
            }
            ([], None, place) => Err(Failure::new(format!(
                "{name} holds no policy at {:?}",
                place.unwrap_or_default()
            ))
            .help(format!("name one of: {}", self.places(|_| true)))),
            (several, flaw, _) => Err(Failure::new(format!(
                "{name} holds {} policies{}",
                several.len() + usize::from(flaw.is_some()),
                place.map_or_else(String::new, |place| format!(" at {place:?}")),
            ))
            .help(format!("name one: {}", self.places(is_meant)))),
        }
    }

    fn places(&self, wanted: impl Fn(&str) -> bool) -> String {
        let policies = self.policies.iter().map(|policy| policy.place.as_str());
        let flaws = self.flaws.iter().map(|(place, _)| place.as_str());
        let places: Vec<_> = policies
            .chain(flaws)
            .filter(|place| wanted(place))
            .map(|place| {
                if place.is_empty() {
                    "the file itself, without a place"
                } else {
                    place
                }
            })
            .collect();
        places.join(", ")
    }

    /// Compiles one of its policies.
    ///
    /// # Errors
    /// What is wrong with it, in the source.
    pub(crate) fn compile(&self, policy: &LoadedPolicy) -> Result<Policy, Vec<Diagnostic>> {
        policy.compile().map_err(|errors| {
            let errors = errors.0.iter();
            errors
                .map(|error| Diagnostic::config_invalid(policy, &self.file, error))
                .collect()
        })
    }

    /// Compiles one of its policies, and reports on standard error what is wrong with it.
    ///
    /// # Errors
    /// It is no policy.
    pub(crate) fn compile_or_report(&self, policy: &LoadedPolicy) -> Result<Policy, Failure> {
        self.compile(policy).map_err(|diagnostics| {
            let source = NamedSource::new(&self.file.name, self.shown_text());
            for each in &diagnostics {
                match each.human(&source) {
                    Ok(report) => anstream::eprintln!("{report}"),
                    Err(_) => anstream::eprintln!("{}", each.plain(&self.file)),
                }
            }
            let what = match diagnostics.len() {
                1 => "an error".to_owned(),
                many => format!("{many} errors"),
            };
            Failure::new(format!(
                "{}: the policy has {what}, so the gate refuses every request with config_invalid",
                self.file.name
            ))
        })
    }
}
