//! How a scenario talks with the one that started it: JSON, a line each.
//!
//! ```json
//! {"event":"step","text":"what happens, for people"}
//! {"event":"ask","what":"stop_issuer"}
//! {"event":"passed","check":"what holds"}
//! {"event":"failed","check":"what should hold","detail":"what was seen"}
//! {"event":"end","passed":2,"failed":0}
//! ```
//!
//! An `ask` is answered by `{"done":true}` or `{"failed":"why"}`.

use std::fmt;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::Error;

/// What a scenario can't do to its own world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Stop the issuer.
    StopIssuer,
    /// Start it again.
    StartIssuer,
    /// Give the issuer another address on its way to the gateways.
    MoveIssuer,
    /// Cut the issuer off from the gateways.
    CutNetwork,
    /// Mend that.
    MendNetwork,
    /// Let the gateway read its configuration again.
    ReloadGateway,
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StopIssuer => "stop_issuer",
            Self::StartIssuer => "start_issuer",
            Self::MoveIssuer => "move_issuer",
            Self::CutNetwork => "cut_network",
            Self::MendNetwork => "mend_network",
            Self::ReloadGateway => "reload_gateway",
        })
    }
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Ask {
        what: Ask,
    },
    Step {
        text: &'a str,
    },
    Passed {
        check: &'a str,
    },
    Failed {
        check: &'a str,
        detail: &'a str,
    },
    #[serde(rename = "end")]
    End(Counts),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Reply {
    Done(bool),
    Failed(String),
}

/// How many checks passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Held.
    pub passed: u32,
    /// Did not.
    pub failed: u32,
}

pub(super) struct Driver<'a> {
    answers: &'a mut dyn BufRead,
    events: &'a mut dyn Write,
    counts: Counts,
}

impl<'a> Driver<'a> {
    pub(super) fn new(answers: &'a mut dyn BufRead, events: &'a mut dyn Write) -> Self {
        Self {
            answers,
            events,
            counts: Counts::default(),
        }
    }

    /// Says what happens.
    pub(super) fn step(&mut self, text: &str) -> io::Result<()> {
        self.tell(&Event::Step { text })
    }

    /// Tells whether something holds, or what was seen in place of it.
    pub(super) fn check(&mut self, check: &str, holds: Result<(), String>) -> io::Result<()> {
        match holds {
            Ok(()) => {
                self.counts.passed += 1;
                self.tell(&Event::Passed { check })
            }
            Err(detail) => {
                self.counts.failed += 1;
                self.tell(&Event::Failed {
                    check,
                    detail: &detail,
                })
            }
        }
    }

    /// Waits until it is done.
    pub(super) fn ask(&mut self, what: Ask) -> Result<(), Error> {
        self.tell(&Event::Ask { what })?;
        let mut line = String::new();
        let failed = |why: String| Error::Ask { what, why };
        if self.answers.read_line(&mut line)? == 0 {
            return Err(failed("nobody answers".to_owned()));
        }
        match serde_json::from_str(&line) {
            Ok(Reply::Done(true)) => Ok(()),
            Ok(Reply::Failed(why)) => Err(failed(why)),
            Ok(Reply::Done(false)) | Err(_) => Err(failed(format!(
                r#"the answer is neither {{"done":true}} nor {{"failed":"why"}}: {}"#,
                line.trim()
            ))),
        }
    }

    /// Ends it, and gives the counts.
    pub(super) fn end(mut self) -> io::Result<Counts> {
        self.tell(&Event::End(self.counts))?;
        Ok(self.counts)
    }

    fn tell(&mut self, event: &Event<'_>) -> io::Result<()> {
        let line = serde_json::to_string(event)?;
        writeln!(self.events, "{line}")?;
        self.events.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_told_line_by_line() {
        let mut events = Vec::new();
        let mut answers: &[u8] = b"{\"done\":true}\n";
        let mut driver = Driver::new(&mut answers, &mut events);
        driver.step("a \"b\"\nc").unwrap();
        driver.ask(Ask::MoveIssuer).unwrap();
        driver.check("holds", Ok(())).unwrap();
        driver.check("does not", Err("saw x".to_owned())).unwrap();
        let counts = driver.end().unwrap();
        assert_eq!((counts.passed, counts.failed), (1, 1));
        assert_eq!(
            String::from_utf8(events).unwrap(),
            r#"{"event":"step","text":"a \"b\"\nc"}
{"event":"ask","what":"move_issuer"}
{"event":"passed","check":"holds"}
{"event":"failed","check":"does not","detail":"saw x"}
{"event":"end","passed":1,"failed":1}
"#
        );
    }

    #[test]
    fn what_could_not_be_done_ends_it() {
        let refused = |answer: &str| {
            let mut answers = answer.as_bytes();
            let mut events = Vec::new();
            let mut driver = Driver::new(&mut answers, &mut events);
            driver.ask(Ask::StopIssuer).unwrap_err().to_string()
        };
        assert_eq!(
            refused("{\"failed\":\"no engine\"}\n"),
            "stop_issuer could not be done: no engine"
        );
        for answer in ["", "{\"done\":false}\n", "yes\n", "{}\n"] {
            assert!(refused(answer).starts_with("stop_issuer could not be done: "));
        }
    }
}
