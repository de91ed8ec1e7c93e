//! `jobgate diff`

use crate::args::check_stdin;
use crate::difference::{Side, compare, human, plain, replay};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output};
use crate::source;
use clap::ValueEnum;
use jobgate::policy::Policy;
use std::io::Write as _;
use std::path::PathBuf;

/// Says what a new policy allows or refuses that the old one did not.
///
/// Requests are made of the rules of both, and recorded ones replayed; both policies decide on each, by the code
/// of the gateway's filter. So what is reported is so, and there may be more that was not found.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DiffArgs {
    /// The old policy, or a gateway's configuration with one in it; - is standard input
    old: PathBuf,

    /// The new policy; - is standard input
    new: PathBuf,

    /// Which policy of each file, where they hold several: its place, or the beginning of it
    #[arg(long = "policy", value_name = "WHERE")]
    place: Option<String>,

    /// Decision records to replay: a gateway's log, or the records alone; - is standard input
    #[arg(long, value_name = "LOG")]
    requests: Option<PathBuf>,

    /// Which differences make the exit code 1
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    fail_on: FailOn,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum FailOn {
    /// What lets anything more through
    Widening,
    /// What lets more or less through, or may
    #[default]
    Any,
}

const EXAMPLES: &str = "\
Examples:
  See what a change does:
    git show main:policy.yaml | jobgate diff - policy.yaml

  See what it would have done to last week's requests:
    jobgate diff old.yaml new.yaml --requests error.log

  Let a pull request fail that lets more through:
    jobgate diff --fail-on widening old.yaml new.yaml

Exit codes: 0 no difference found, 1 differences, 2 wrong usage, 3 it could not run: a policy has errors";

impl DiffArgs {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Exit, Failure> {
        let files = [&self.old, &self.new].into_iter().chain(&self.requests);
        check_stdin(files.map(PathBuf::as_path));
        let (old_file, new_file) = (source::load(&self.old)?, source::load(&self.new)?);
        let place = self.place.as_deref();
        let (old_json, new_json) = (old_file.choose(place)?, new_file.choose(place)?);
        let old = old_file.compile_or_report(old_json)?;
        let new = new_file.compile_or_report(new_json)?;
        let (old, new) = (
            Side {
                written: &old_json.value,
                policy: &old,
            },
            Side {
                written: &new_json.value,
                policy: &new,
            },
        );
        let mut report = compare(&old, &new, |policy| {
            Policy::examine(policy.to_string().as_bytes()).ok()
        });
        if let Some(log) = &self.requests {
            report.replay = Some(replay(&old, &new, log)?);
        }
        match output.format {
            Format::Json => output.json(&report)?,
            Format::Plain => plain(&report, output)?,
            Format::Human => human(&report, output)?,
        }
        output.flush()?;
        let (widens, differs) = report.verdict();
        let fails = match self.fail_on {
            FailOn::Widening => widens,
            FailOn::Any => differs,
        };
        Ok(if fails { Exit::No } else { Exit::Yes })
    }
}
