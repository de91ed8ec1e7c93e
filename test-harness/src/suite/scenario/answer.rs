//! What a gate made of a request, judged by the answer alone.

use std::fmt;

use crate::client::{self, Response};
use crate::record;
use crate::upstream::{Echo, ID_HEADER};

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The upstream got it, with the gate's decision.
    Passed,
    /// The gate refused it, with this code.
    Refused(String),
    /// Neither: the gateway answered by itself or not at all, or the upstream got it without a decision.
    Undecided(String),
}

impl Answer {
    /// The answer to the request of this id.
    pub(super) fn of(id: &str, response: &Result<Response, client::Error>) -> Self {
        let response = match response {
            Ok(response) => response,
            Err(error) => return Self::Undecided(error.to_string()),
        };
        if let (400.., Some(code), Some(_)) = (
            response.status,
            record::problem(response, "code"),
            record::problem(response, "decision_id"),
        ) {
            return Self::Refused(code);
        }
        let echo: Option<Echo> = response.json().ok();
        let decided = echo.is_some_and(|echo| {
            echo.header(ID_HEADER) == [id]
                && echo.header("x-jobgate-decision") == ["allow"]
                && matches!(*echo.header("x-jobgate-decision-id"), [id] if !id.is_empty())
        });
        if response.status == 200 && decided {
            Self::Passed
        } else {
            Self::Undecided(format!("{} {}", response.status, response.text()))
        }
    }

    /// Whether the gate refused it with this code.
    pub fn is_refused(&self, with: &str) -> bool {
        matches!(self, Self::Refused(code) if code == with)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Refused(code) => write!(f, "refused with {code}"),
            Self::Undecided(what) => write!(f, "undecided: {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(status: u16, body: &serde_json::Value) -> Answer {
        Answer::of(
            "7",
            &Ok(Response {
                status,
                headers: Vec::new(),
                body: body.to_string().into_bytes(),
            }),
        )
    }

    fn echo(headers: &[(&str, &str)]) -> serde_json::Value {
        json!({ "method": "GET", "path": "/", "headers": headers, "body_bytes": 0, "trailers": [] })
    }

    #[test]
    fn only_what_carries_a_decision_is_decided() {
        let (id, decision, by) = (
            ("x-harness-id", "7"),
            ("x-jobgate-decision", "allow"),
            ("x-jobgate-decision-id", "d"),
        );
        assert_eq!(judged(200, &echo(&[id, decision, by])), Answer::Passed);
        let shadow = ("x-jobgate-decision", "shadow-deny");
        for headers in [
            &[id][..],
            &[id, decision],
            &[id, shadow, by],
            &[id, decision, decision, by],
            &[id, decision, ("x-jobgate-decision-id", "")],
            &[("x-harness-id", "8"), decision, by],
        ] {
            let answer = judged(200, &echo(headers));
            assert!(matches!(answer, Answer::Undecided(_)), "{headers:?}");
        }
        let problem = json!({ "code": "token_missing", "decision_id": "d" });
        assert!(judged(401, &problem).is_refused("token_missing"));
        assert!(!judged(200, &problem).is_refused("token_missing"));
        for undecided in [
            json!({ "code": "x" }),
            json!({ "message": "no Route matched" }),
        ] {
            assert!(matches!(judged(404, &undecided), Answer::Undecided(_)));
        }
        let gone = Answer::of("7", &Err(client::Error::NoResponse));
        assert!(matches!(gone, Answer::Undecided(_)));
    }
}
