//! `jobgate suggest`

use crate::args::check_stdin;
use crate::difference::counted;
use crate::evaluate::printable;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output, style};
use crate::records::{self, Lines};
use crate::source;
use crate::suggestion::{Also, Any, Base, Options, Suggestion, Survey, yaml};
use clap::ArgGroup;
use jobgate::policy::PathGlob;
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;

/// Writes the least policy that allows what decision records show.
///
/// It allows the requests that were allowed, and those that a policy in shadow mode would have refused because no
/// rule allows them. Its rules name the tenant, pipeline, branch, methods and paths that were seen; it is only as
/// wide as that, unless it is told to be wider. A request of which the record doesn't tell enough, or that can't
/// be told from one that was refused, is left out and reported.
///
/// Read what it prints before you use it: whoever could write the log could write the policy.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = EXAMPLES,
    group(ArgGroup::new("base").required(true).args(["policy", "preset"]))
)]
pub(crate) struct SuggestArgs {
    /// Decision records: a gateway's log, or the records alone; - is standard input
    #[arg(value_name = "LOG")]
    records: PathBuf,

    /// Begin with this policy: its issuers, settings and deny rules
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Which policy of that file, where it holds several: its place, or the beginning of it
    #[arg(
        long = "policy-at",
        value_name = "WHERE",
        requires = "policy",
        conflicts_with = "preset"
    )]
    place: Option<String>,

    /// Begin with a policy for this provider: buildkite, gitlab, github or circleci
    #[arg(long, value_name = "NAME", requires = "audience")]
    preset: Option<String>,

    /// The audience of that policy
    #[arg(
        long,
        value_name = "AUDIENCE",
        requires = "preset",
        conflicts_with = "policy"
    )]
    audience: Option<String>,

    /// The issuer of that policy, if it is not the provider's own
    #[arg(
        long,
        value_name = "ISSUER",
        requires = "preset",
        conflicts_with = "policy"
    )]
    issuer: Option<String>,

    /// Don't ask for this
    #[arg(long, value_enum, value_name = "WHAT")]
    any: Vec<Any>,

    /// Put this in the place of the paths that it covers, like '/deploy/*'
    #[arg(long, value_name = "GLOB", value_parser = PathGlob::parse)]
    path: Vec<PathGlob>,

    /// Ask for this too: host, route, step, another part of the identity, or claims.NAME
    #[arg(long, value_name = "WHAT")]
    also: Vec<Also>,

    /// Also allow what was refused because no rule allows it
    #[arg(long)]
    include_refused: bool,
}

const EXAMPLES: &str = "\
Examples:
  Write a first policy from a week in shadow mode:
    jobgate suggest error.log --preset buildkite \\
      --audience https://deploy.acme.example > policy.yaml

  Allow what jobs do, with the issuers and deny rules of a policy that is there:
    jobgate suggest error.log --policy policy.yaml

  Don't ask for branches, and allow all of a service's artifacts where some were seen:
    jobgate suggest error.log --policy policy.yaml --any branch \\
      --path '/artifacts/web/*'

Exit codes: 0 all that was asked for is allowed, 1 some was left out or `jobgate check` has warnings, 2 wrong usage, 3 there is no policy";

impl SuggestArgs {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Exit, Failure> {
        let files = [&self.records].into_iter().chain(&self.policy);
        check_stdin(files.map(PathBuf::as_path));
        let base = self.base()?;
        let options = Options {
            any: self.any.clone(),
            also: self.also.clone(),
            globs: self.path.clone(),
            refused_too: self.include_refused,
        };
        let mut survey = Survey::new(&base, &options).map_err(Failure::new)?;
        let lines = records::each(&self.records, |record| survey.add(record))?;
        if survey.is_empty() {
            report(&lines);
            return Err(Failure::new("there is no request to allow in these records").help(
                "records of allowed requests count, and of those that a policy in shadow mode found no rule for; --include-refused adds those that were refused so",
            ));
        }
        let suggestion = Suggestion::make(&base, &options, survey)?;
        match output.format {
            Format::Json => output.json(&suggestion)?,
            Format::Human | Format::Plain => output.write_all(yaml(&suggestion).as_bytes())?,
        }
        output.flush()?;
        report(&lines);
        let warning = style::WARNING;
        for each in &suggestion.left_out {
            anstream::eprintln!(
                "{warning}left out:{warning:#} {}, such as {}: {}",
                counted(each.requests, "request", "requests"),
                printable(&each.example),
                printable(&each.why),
            );
        }
        for each in &suggestion.warnings {
            let others = match each.places - 1 {
                0 => String::new(),
                others => format!(" (and {})", counted(others, "other place", "other places")),
            };
            anstream::eprintln!(
                "{warning}warning[{}]:{warning:#} {}{others}: {}; {}",
                each.code,
                printable(&each.path),
                printable(&each.message),
                printable(&each.fix),
            );
        }
        if suggestion.also_allows > 0 {
            anstream::eprintln!(
                "{warning}wider:{warning:#} as it was told to generalise, it also allows {}",
                counted(
                    suggestion.also_allows,
                    "request that was refused",
                    "requests that were refused"
                ),
            );
        }
        Ok(
            if suggestion.left_out.is_empty() && suggestion.warnings.is_empty() {
                Exit::Yes
            } else {
                Exit::No
            },
        )
    }

    fn base(&self) -> Result<Base, Failure> {
        if let Some(path) = &self.policy {
            let loaded = source::load(path)?;
            let chosen = loaded.choose(self.place.as_deref())?;
            loaded.compile_or_report(chosen)?;
            return Base::new(chosen.value.clone());
        }
        let mut issuer = json!({ "preset": self.preset, "audience": self.audience });
        if let Some(name) = &self.issuer {
            issuer["issuer"] = name.as_str().into();
        }
        Base::new(json!({ "issuers": [issuer], "rules": [] }))
    }
}

/// Says what of the log told nothing.
fn report(lines: &Lines) {
    let warning = style::WARNING;
    if lines.others > 0 {
        anstream::eprintln!(
            "skipped {} without a record",
            counted(lines.others, "line", "lines")
        );
    }
    if lines.broken > 0 {
        anstream::eprintln!(
            "{warning}skipped:{warning:#} {} in which a record is broken, or stands where no gateway writes it",
            counted(lines.broken, "line", "lines"),
        );
    }
}
