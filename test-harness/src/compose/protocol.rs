//! What a scenario says, and what it is answered: JSON, a line each.

use serde::Deserialize;
use serde_json::json;

use crate::suite::scenario::Ask;

/// One line of a scenario.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    /// It waits until something is done to its world.
    Ask {
        /// What.
        what: Ask,
    },
    /// It says what it does.
    Step {
        /// For people.
        text: String,
    },
    /// A check that passed.
    Passed {
        /// Its name.
        check: String,
    },
    /// A check that failed.
    Failed {
        /// Its name.
        check: String,
        /// What was seen, and what should have been.
        #[serde(default)]
        detail: String,
    },
    /// It is at its end.
    End {
        /// How many checks passed.
        passed: u32,
        /// How many failed.
        failed: u32,
    },
}

/// Reads a line.
pub(super) fn read(line: &str) -> Result<Event, String> {
    serde_json::from_str(line)
        .map_err(|error| format!("a line of it is no event ({error}): {line}"))
}

/// The answer to an ask, with the line's end.
pub(super) fn answer(outcome: Result<(), &str>) -> String {
    let answer = match outcome {
        Ok(()) => json!({ "done": true }),
        Err(why) => json!({ "failed": why }),
    };
    format!("{answer}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_read() {
        let read = |line: &str| read(line).unwrap();
        assert_eq!(
            read(r#"{"event":"ask","what":"move_issuer"}"#),
            Event::Ask {
                what: Ask::MoveIssuer
            }
        );
        assert_eq!(
            read(r#"{"event":"failed","check":"a","detail":"b"}"#),
            Event::Failed {
                check: "a".to_owned(),
                detail: "b".to_owned()
            }
        );
        assert_eq!(
            read(r#"{"event":"passed","check":"a","detail":"of no interest"}"#),
            Event::Passed {
                check: "a".to_owned()
            }
        );
        assert_eq!(
            read(r#"{"event":"end","passed":3,"failed":0}"#),
            Event::End {
                passed: 3,
                failed: 0
            }
        );
    }

    #[test]
    fn what_is_no_event_is_shown() {
        let error = read(r#"{"event":"ask","what":"burn_issuer"}"#).unwrap_err();
        assert!(error.contains("burn_issuer"), "{error}");
        assert!(read("Starting…").unwrap_err().contains("Starting…"));
    }

    #[test]
    fn an_answer_is_one_line() {
        assert_eq!(answer(Ok(())), "{\"done\":true}\n");
        assert_eq!(answer(Err("a\nb")), "{\"failed\":\"a\\nb\"}\n");
    }
}
