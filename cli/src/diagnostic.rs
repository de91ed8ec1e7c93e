//! What is wrong with a policy, at a place of a file: from whatever found it to each format.

use crate::output::style;
use crate::source::{Flaw, LoadedPolicy, Place, Remark, SourceFile, Span};
use jobgate::policy::{ConfigError, Finding, Severity};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use serde::Serialize;
use std::fmt::{self, Write as _};

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub(crate) struct Diagnostic {
    pub(crate) severity: Severity,
    /// Stable, for scripts.
    pub(crate) code: &'static str,
    /// Which policy of the file; empty if the file is the policy.
    pub(crate) policy: String,
    /// Where in the policy: `rules[2].claims.build_branch`; empty for all of it.
    pub(crate) path: String,
    pub(crate) message: String,
    /// How to mend it, where the message doesn't say.
    pub(crate) fix: Option<String>,
    pub(crate) span: Span,
}

impl Diagnostic {
    /// Of a file or a policy that can't be read.
    pub(crate) fn unreadable(policy: &str, flaw: &Flaw) -> Self {
        Self {
            severity: Severity::Error,
            code: "unreadable",
            policy: policy.to_owned(),
            path: String::new(),
            message: flaw.message.clone(),
            fix: Some(flaw.fix.clone()),
            span: flaw.span.clone(),
        }
    }

    /// Of what a policy may become on its way to the gateway.
    pub(crate) fn two_ways(policy: &str, doubt: &Flaw) -> Self {
        Self {
            severity: Severity::Warning,
            code: "two-ways",
            ..Self::unreadable(policy, doubt)
        }
    }

    /// Of a gateway's configuration around a policy.
    pub(crate) fn remark(remark: &Remark) -> Self {
        Self {
            severity: remark.severity,
            code: remark.code,
            policy: remark.policy.clone(),
            path: String::new(),
            message: remark.message.clone(),
            fix: Some(remark.fix.clone()),
            span: remark.span.clone(),
        }
    }

    /// Of a configuration that the filter refuses.
    pub(crate) fn config_invalid(
        policy: &LoadedPolicy,
        file: &SourceFile,
        error: &ConfigError,
    ) -> Self {
        let (message, fix) = remedy(&error.message);
        let found = Self::at(policy, file, &error.path);
        let place = policy.locate(&error.path);
        Self {
            severity: Severity::Error,
            code: "config_invalid",
            message: message.to_owned(),
            fix: fix.map(str::to_owned),
            span: match place.key {
                Some(key) if message.starts_with("unknown field") => key,
                _ => found.span,
            },
            ..found
        }
    }

    /// Of what the analysis of a policy finds.
    pub(crate) fn finding(policy: &LoadedPolicy, file: &SourceFile, finding: Finding) -> Self {
        let found = Self::at(policy, file, &finding.path);
        let is_of_the_name = matches!(finding.code, "unknown-claim" | "mutable-claim");
        let name = policy.locate(&finding.path).key;
        Self {
            severity: finding.severity,
            code: finding.code,
            message: finding.message,
            fix: Some(finding.fix),
            span: name.filter(|_| is_of_the_name).unwrap_or(found.span),
            ..found
        }
    }

    /// A warning without words at a path of a policy, for what fills in the rest.
    fn at(policy: &LoadedPolicy, file: &SourceFile, path: &str) -> Self {
        Self {
            severity: Severity::Warning,
            code: "",
            policy: policy.place.clone(),
            path: path.to_owned(),
            message: String::new(),
            fix: None,
            span: shown(&policy.locate(path), file),
        }
    }

    /// Of a file of tests.
    pub(crate) fn test_invalid(
        file: &SourceFile,
        place: &Place,
        path: &str,
        message: &str,
    ) -> Self {
        let (message, fix) = remedy(message);
        Self {
            severity: Severity::Error,
            code: "test_invalid",
            policy: String::new(),
            path: path.to_owned(),
            message: message.to_owned(),
            fix: fix.map(str::to_owned),
            span: match &place.key {
                Some(key) if message.starts_with("unknown field") => key.clone(),
                _ => shown(place, file),
            },
        }
    }

    /// The path and the message; only the message of what concerns all of a document.
    pub(crate) fn headline(&self) -> String {
        match self.path.as_str() {
            "" => self.message.clone(),
            path => format!("{path}: {}", self.message),
        }
    }

    /// `file:line:col: error[code] path: message; fix`, on one line.
    pub(crate) fn plain(&self, file: &SourceFile) -> String {
        let (line, column) = file.line_and_column(self.span.start);
        let severity = self.severity.name();
        let mut text = format!("{}:{line}:{column}: {severity}[{}] ", file.name, self.code);
        if !self.policy.is_empty() {
            text += &format!("in {}: ", self.policy);
        }
        text += &self.headline();
        if let Some(fix) = &self.fix {
            text += "; ";
            text += fix;
        }
        text.replace(['\n', '\r'], " ")
    }

    /// A document for programs.
    pub(crate) fn json(&self, file: &SourceFile) -> impl Serialize + use<> {
        let (line, column) = file.line_and_column(self.span.start);
        serde_json::json!({
            "file": file.name,
            "line": line,
            "column": column,
            "severity": self.severity.name(),
            "code": self.code,
            "policy": self.policy,
            "path": self.path,
            "message": self.message,
            "fix": self.fix,
        })
    }

    /// The source with a mark, in colours.
    pub(crate) fn human(&self, source: &NamedSource<String>) -> Result<String, fmt::Error> {
        let mut text = String::new();
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode())
            .with_links(false)
            .with_width(100)
            .with_context_lines(1)
            .render_report(
                &mut text,
                &Report {
                    diagnostic: self,
                    source,
                },
            )?;
        if !self.policy.is_empty() {
            let style = style::HELP;
            writeln!(text, "  {style}policy:{style:#} {}", self.policy)?;
        }
        Ok(text)
    }
}

/// Takes "is empty, which matches nothing; name one" apart: what is wrong, and the remedy.
fn remedy(message: &str) -> (&str, Option<&str>) {
    match message.rsplit_once("; ") {
        Some((message, fix)) => (message, Some(fix)),
        // What is said of names: "unknown field `x`, expected one of `y`, `z`".
        None => match message.find(", expected ") {
            Some(comma) => (&message[..comma], Some(&message[comma + 2..])),
            None => (message, None),
        },
    }
}

/// What is marked of a place: the value if it is on one line, else its name, else the value's first line.
fn shown(place: &Place, file: &SourceFile) -> Span {
    let value = file.text.get(place.value.clone()).unwrap_or_default();
    match (value.split_once('\n'), &place.key) {
        (None, _) => place.value.clone(),
        (Some(_), Some(key)) => key.clone(),
        (Some((first, _)), None) => place.value.start..place.value.start + first.trim_end().len(),
    }
}

/// A diagnostic as miette wants it.
#[derive(Debug)]
struct Report<'d> {
    diagnostic: &'d Diagnostic,
    source: &'d NamedSource<String>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.headline())
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Note => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let fix = self.diagnostic.fix.as_ref()?;
        Some(Box::new(fix))
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.diagnostic.span.clone();
        let label = LabeledSpan::new(Some("here".into()), span.start, span.len());
        Some(Box::new(std::iter::once(label)))
    }
}
