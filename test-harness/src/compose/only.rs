//! What to run of all that there is.

use std::str::FromStr;

use super::Error;

/// One thing to run: `suite`, `suite/TEXT` for the cases that have TEXT in their name, or a scenario's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Only {
    /// The suite, or those of its cases whose names contain the text.
    Suite(Option<String>),
    /// A scenario.
    Scenario(String),
}

impl FromStr for Only {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.split_once('/') {
            _ if text.is_empty() => return Err("it is empty".to_owned()),
            None if text == "suite" => Self::Suite(None),
            None => Self::Scenario(text.to_owned()),
            Some(("suite", part)) => Self::Suite(Some(part.to_owned())),
            Some(_) => return Err("only `suite` has parts".to_owned()),
        })
    }
}

impl std::fmt::Display for Only {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Suite(None) => out.write_str("suite"),
            Self::Suite(Some(part)) => write!(out, "suite/{part}"),
            Self::Scenario(name) => out.write_str(name),
        }
    }
}

/// What to run, in this order: everything if nothing was asked for.
///
/// # Errors
///
/// If a scenario was asked for that isn't there.
pub(super) fn choose(asked: &[Only], scenarios: &[&str]) -> Result<Vec<Only>, Error> {
    for only in asked {
        if let Only::Scenario(name) = only
            && !scenarios.contains(&name.as_str())
        {
            return Err(Error::NothingCalled {
                name: name.clone(),
                known: scenarios.join(", "),
            });
        }
    }
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    let scenarios = scenarios
        .iter()
        .map(|name| Only::Scenario((*name).to_owned()));
    Ok(std::iter::once(Only::Suite(None))
        .chain(scenarios)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENARIOS: [&str; 2] = ["issuer-stopped", "impostor"];

    #[test]
    fn the_suite_a_part_of_it_and_a_scenario_can_be_asked_for() {
        let parse = |text: &str| text.parse::<Only>().unwrap();
        assert_eq!(parse("suite"), Only::Suite(None));
        assert_eq!(parse("suite/path"), Only::Suite(Some("path".to_owned())));
        assert_eq!(parse("impostor"), Only::Scenario("impostor".to_owned()));
        assert!("impostor/x".parse::<Only>().is_err());
        assert!("".parse::<Only>().is_err());
    }

    #[test]
    fn everything_is_run_if_nothing_is_asked_for() {
        let all = choose(&[], &SCENARIOS).unwrap();
        let names: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["suite", "issuer-stopped", "impostor"]);
    }

    #[test]
    fn what_is_not_there_is_an_error_that_names_what_is() {
        let asked = [Only::Scenario("imposter".to_owned())];
        let error = choose(&asked, &SCENARIOS).unwrap_err().to_string();
        assert!(error.contains("\"imposter\""), "{error}");
        assert!(error.contains("suite, issuer-stopped, impostor"), "{error}");
    }
}
