//! One row of the story: what came of a scene.

use serde::Serialize;

use crate::exchange::Exchange;
use crate::upstream::Echo;

/// What came of a scene.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// Its place in the story, from 1; the story gives it.
    pub(super) number: usize,
    /// What it is, in words.
    pub(super) title: &'static str,
    /// The gate that it was sent to.
    pub(super) gate: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// The status of each answer: more than one where the client tried again.
    pub(super) answers: Vec<u16>,
    /// Why it was refused, or would have been.
    pub(super) reason: Option<String>,
    /// The rule that decided.
    pub(super) rule: Option<String>,
    /// What the upstream saw, if anything.
    pub(super) upstream: Option<Saw>,
    /// In what it differs from what was expected.
    pub(super) differences: Vec<String>,
    /// The decision record.
    #[serde(skip)]
    pub(super) record: String,
}

/// A request as the upstream saw it, in short.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Saw {
    pub(super) decision: String,
    pub(super) organization: String,
    pub(super) pipeline: String,
    pub(super) build: String,
    pub(super) branch: String,
    /// Whether it got a token.
    pub(super) token: bool,
}

impl Row {
    pub(super) fn new(
        title: &'static str,
        gate: &'static str,
        (method, path): (&'static str, &'static str),
        answers: Vec<u16>,
        exchange: &Exchange,
        differences: Vec<String>,
    ) -> Self {
        Self {
            number: 0,
            title,
            gate,
            method,
            path,
            answers,
            reason: exchange.recorded("reason"),
            rule: exchange.recorded("rule"),
            upstream: exchange.forwarded.last().map(Saw::of),
            differences,
            record: exchange.record.clone().unwrap_or_default(),
        }
    }

    pub(super) fn as_expected(&self) -> bool {
        self.differences.is_empty()
    }
}

impl Saw {
    fn of(echo: &Echo) -> Self {
        // More than one value is what a forger would want; then all of them are shown.
        let header = |name: &str| echo.header(&format!("x-jobgate-{name}")).join(" and ");
        Self {
            decision: header("decision"),
            organization: header("organization"),
            pipeline: header("pipeline"),
            build: header("build"),
            branch: header("branch"),
            token: !echo.header("authorization").is_empty(),
        }
    }
}
