//! The suite's report, as the runner prints it.

use serde::Deserialize;

use super::report::Tally;

#[derive(Deserialize)]
struct Suite {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    file: String,
    name: String,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Verdict {
    Passed,
    Failed { differences: Vec<String> },
    Skipped { why: String },
}

/// Adds every case of a report to the tally.
pub(super) fn read(report: &[u8], tally: &mut Tally) -> Result<(), String> {
    let suite: Suite = serde_json::from_slice(report)
        .map_err(|error| format!("the runner's report can't be read: {error}"))?;
    for Case {
        file,
        name,
        verdict,
    } in suite.cases
    {
        let name = format!("{file}: {name}");
        match verdict {
            Verdict::Passed => tally.passed += 1,
            Verdict::Failed { differences } => tally.fail(&name, &differences.join("\n  ")),
            Verdict::Skipped { why } => tally.skip(&name, &why),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{self, Gateway, Played, Report};

    #[test]
    fn what_the_runner_writes_is_read() {
        let played = |name: &str, verdict| Played {
            file: "paths".to_owned(),
            name: name.to_owned(),
            verdict,
        };
        let report = Report {
            gateway: Gateway::Kong,
            played: vec![
                played("one", suite::Verdict::Passed),
                played(
                    "two",
                    suite::Verdict::Failed {
                        differences: vec!["status 200, not 403".to_owned()],
                    },
                ),
                played(
                    "three",
                    suite::Verdict::Skipped {
                        why: "nginx answers it".to_owned(),
                    },
                ),
            ],
        };
        let mut tally = Tally::default();
        read(report.json().to_string().as_bytes(), &mut tally).unwrap();
        assert_eq!((tally.passed, tally.failed, tally.skipped), (1, 1, 1));
        assert_eq!(tally.failures, ["paths: two: status 200, not 403"]);
        assert_eq!(tally.skips, ["paths: three: nginx answers it"]);
    }

    #[test]
    fn what_is_no_report_is_an_error() {
        assert!(read(b"", &mut Tally::default()).is_err());
    }
}
