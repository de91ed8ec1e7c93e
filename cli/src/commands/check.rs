//! `jobgate check`

use crate::args::check_stdin;
use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Format, Output, style};
use crate::source::{self, Loaded};
use jobgate::policy::Severity;
use miette::NamedSource;
use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;

/// Checks policies: shape, meaning, what is likely a mistake, and what in a gateway's configuration lets requests past them.
///
/// A file is a policy in YAML or JSON, or a gateway's configuration with policies in it: Kong's declarative
/// configuration (plugins and filters with the name jobgate) or Envoy's (Wasm filters). Each finding is shown
/// in the file, with the remedy.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Policies, or gateways' configurations; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Let warnings pass: only errors make the exit code 1
    #[arg(long)]
    allow_warnings: bool,
}

const EXAMPLES: &str = "\
Examples:
  Check a policy:
    jobgate check policy.yaml

  Check all policies in the gateways' configurations, as a CI job would:
    jobgate check kong.yml envoy.yaml

  Check what a template makes:
    helm template . --show-only templates/policy.yaml | jobgate check -

  Ask only whether the gateway would take it:
    jobgate check --allow-warnings policy.yaml

  List the places only:
    jobgate check --format plain kong.yml | cut -d: -f1-3

Exit codes: 0 nothing is wrong (notes count for nothing), 1 there are errors or warnings, 2 wrong usage, 3 a file can't be read or holds no policy";

impl CheckArgs {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Exit, Failure> {
        check_stdin(self.files.iter().map(PathBuf::as_path));
        let mut tally = Tally::default();
        let mut documents = Vec::new();
        for path in &self.files {
            let loaded = match source::load(path) {
                Ok(loaded) => loaded,
                Err(failure) => {
                    failure.report();
                    tally.failed += 1;
                    continue;
                }
            };
            let diagnostics = diagnose(&loaded);
            tally.add(&loaded, &diagnostics);
            let file = &loaded.file;
            match output.format {
                Format::Json => documents.extend(diagnostics.iter().map(|each| each.json(file))),
                Format::Plain => {
                    for each in &diagnostics {
                        writeln!(output, "{}", each.plain(file))?;
                    }
                }
                Format::Human => {
                    let source = NamedSource::new(&file.name, loaded.shown_text());
                    for each in &diagnostics {
                        let report = each.human(&source);
                        let report = report.map_err(|error| Failure::new(error.to_string()))?;
                        writeln!(output, "{report}")?;
                    }
                }
            }
        }
        match output.format {
            Format::Json => output.json(&documents)?,
            Format::Plain => writeln!(output, "{tally}")?,
            Format::Human => {
                let style = match (tally.errors, tally.warnings, tally.failed) {
                    (0, 0, 0) => style::GOOD,
                    (0, _, 0) => style::WARNING,
                    _ => style::ERROR,
                };
                writeln!(output, "{style}{tally}{style:#}")?;
            }
        }
        output.flush()?;
        Ok(tally.exit(self.allow_warnings))
    }
}

/// All that is wrong with the policies of a file and around them, in its order.
fn diagnose(loaded: &Loaded) -> Vec<Diagnostic> {
    let mut diagnostics: Vec<_> = loaded
        .flaws
        .iter()
        .map(|(policy, flaw)| Diagnostic::unreadable(policy, flaw))
        .collect();
    for policy in &loaded.policies {
        let doubts = policy.doubts.iter();
        diagnostics.extend(doubts.map(|doubt| Diagnostic::two_ways(&policy.place, doubt)));
        let file = &loaded.file;
        match policy.compile() {
            Ok(compiled) => {
                let findings = compiled.findings().into_iter();
                diagnostics
                    .extend(findings.map(|finding| Diagnostic::finding(policy, file, finding)));
            }
            Err(errors) => {
                let errors = errors.0.iter();
                diagnostics
                    .extend(errors.map(|error| Diagnostic::config_invalid(policy, file, error)));
            }
        }
    }
    diagnostics.extend(loaded.remarks.iter().map(Diagnostic::remark));
    diagnostics.sort_by_key(|each| each.span.start);
    diagnostics
}

/// The counts of the last line.
#[derive(Default)]
struct Tally {
    errors: usize,
    warnings: usize,
    notes: usize,
    policies: usize,
    files: usize,
    /// Files that could not be looked at.
    failed: usize,
}

impl Tally {
    fn add(&mut self, loaded: &Loaded, diagnostics: &[Diagnostic]) {
        self.files += 1;
        self.policies += loaded.policies.len() + loaded.flaws.len();
        for each in diagnostics {
            match each.severity {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
                Severity::Note => self.notes += 1,
            }
        }
    }

    fn exit(&self, allow_warnings: bool) -> Exit {
        if self.failed > 0 {
            Exit::CouldNotRun
        } else if self.errors > 0 || (self.warnings > 0 && !allow_warnings) {
            Exit::No
        } else {
            Exit::Yes
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = |count: usize, one: &str, many: &str| {
            format!("{count} {}", if count == 1 { one } else { many })
        };
        write!(
            f,
            "{}, {}, {} in {} of {}",
            counted(self.errors, "error", "errors"),
            counted(self.warnings, "warning", "warnings"),
            counted(self.notes, "note", "notes"),
            counted(self.policies, "policy", "policies"),
            counted(self.files, "file", "files"),
        )?;
        if self.failed > 0 {
            write!(f, ", {} not checked", counted(self.failed, "file", "files"))?;
        }
        Ok(())
    }
}
