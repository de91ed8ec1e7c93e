//! What came of a suite, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::Gateway;

/// What came of it all on one gateway.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Which one.
    pub gateway: Gateway,
    /// Every case and check, in order.
    #[serde(rename = "cases")]
    pub played: Vec<Played>,
}

/// A case or a check, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Played {
    /// The file of the case, without its extension; `gateway` for a check.
    pub file: String,
    /// Its name.
    pub name: String,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// What came of a case or a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Verdict {
    /// It came out as it says.
    Passed,
    /// It came out otherwise.
    Failed {
        /// In all of these.
        differences: Vec<String>,
    },
    /// It can't be had on this gateway.
    Skipped {
        /// Why.
        why: String,
    },
}

impl Verdict {
    pub(super) fn of(differences: Vec<String>) -> Self {
        if differences.is_empty() {
            Self::Passed
        } else {
            Self::Failed { differences }
        }
    }
}

impl Played {
    pub(super) fn new(file: &str, name: &str, verdict: Verdict) -> Self {
        Self {
            file: file.to_owned(),
            name: name.to_owned(),
            verdict,
        }
    }
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Came out as they say.
    pub passed: usize,
    /// Came out otherwise.
    pub failed: usize,
    /// Can't be had.
    pub skipped: usize,
}

impl Report {
    /// How many of each.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.played)
    }

    /// As one JSON document.
    pub fn json(&self) -> serde_json::Value {
        let Counts {
            passed,
            failed,
            skipped,
        } = self.counts();
        serde_json::json!({
            "gateway": self.gateway,
            "passed": passed,
            "failed": failed,
            "skipped": skipped,
            "cases": self.played,
        })
    }
}

impl Counts {
    fn of<'a>(played: impl IntoIterator<Item = &'a Played>) -> Self {
        let mut counts = Self::default();
        for played in played {
            match played.verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::Failed { .. } => counts.failed += 1,
                Verdict::Skipped { .. } => counts.skipped += 1,
            }
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(
            f,
            "{passed:>4} passed {failed:>4} failed {skipped:>4} skipped"
        )
    }
}

/// A line for each file, then all that was skipped, and all that failed.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in self.played.chunk_by(|one, next| one.file == next.file) {
            let name = &file[0].file;
            writeln!(f, "{name:<12} {}", Counts::of(file))?;
        }
        for played in &self.played {
            if let Verdict::Skipped { why } = &played.verdict {
                writeln!(f, "skipped: {}: {}: {why}", played.file, played.name)?;
            }
        }
        for played in &self.played {
            if let Verdict::Failed { differences } = &played.verdict {
                writeln!(f, "FAILED: {}: {}", played.file, played.name)?;
                for difference in differences {
                    writeln!(f, "    {difference}")?;
                }
            }
        }
        write!(f, "{:<12} {}", self.gateway.to_string(), self.counts())
    }
}
