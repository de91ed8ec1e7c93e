//! What a refused client gets: an RFC 9457 problem document with the stable code, and RFC 6750's challenge.

use super::line::Line;
use super::session;
use crate::gate::Decision;
use crate::limit::State;
use crate::policy::ClientDetail;
use crate::reason::{Reason, Refusal};
use std::fmt::Write as _;
use std::time::Duration;

/// An answer that the gate gives in the upstream's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'p> {
    /// The HTTP status.
    pub status: u16,
    /// The headers, each name once.
    pub headers: Vec<(&'p str, String)>,
    /// The problem document.
    pub body: String,
}

/// The answer to a request that is refused, or to a call that ended a session; none for one that goes on.
///
/// The client is told the code and a hint. Which condition failed it is told only if the policy says so.
#[must_use]
pub fn answer<'p>(decision: &Decision<'p>) -> Option<Answer<'p>> {
    if let Some(call) = decision.call.as_ref().filter(|call| call.is_taken()) {
        let body = session::answer(decision, call);
        return Some(Answer::new(200, "application/json", decision, body));
    }
    let refused = decision
        .outcome
        .as_ref()
        .err()
        .filter(|_| decision.blocks())?;
    let client = decision
        .policy
        .map_or(ClientDetail::Code, |policy| policy.audit.client);
    let Refusal { reason, detail } = &refused.refusal;
    let reason = *reason;
    let mut problem = Line::with_capacity(512);
    problem.word("type", &format!("urn:jobgate:reason:{}", reason.code()));
    problem.word("title", title(reason.status()));
    problem.number("status", reason.status().into());
    problem.text("detail", reason.hint());
    problem.word("code", reason.code());
    problem.word("decision_id", decision.id.text());
    if client == ClientDetail::Conditions {
        let mut failed = Line::default();
        // The detail of a revocation holds the note of whoever revoked, which is for the record alone.
        if reason != Reason::Revoked {
            failed.element(detail);
        }
        for miss in &refused.mismatches {
            failed.element(&format!("{}: {}", miss.condition, miss.expected));
        }
        problem.array("failed", &failed);
    }
    let mut answer = Answer::new(
        reason.status(),
        "application/problem+json",
        decision,
        problem,
    );
    let headers = &mut answer.headers;
    if let Some(challenge) = challenge(reason) {
        headers.push(("www-authenticate", challenge));
    }
    match reason {
        Reason::KeysUnavailable
        | Reason::RevocationsUnavailable
        | Reason::LimitsUnavailable
        | Reason::ExchangePending => {
            headers.push(("retry-after", "1".into()));
        }
        Reason::RateLimited => match decision.retry {
            Some(retry) => headers.push(("retry-after", whole_seconds(retry).to_string())),
            None => headers.extend(rate_limit(decision)),
        },
        _ => {}
    }
    Some(answer)
}

impl<'p> Answer<'p> {
    /// An answer that goes by its decision's id.
    fn new(status: u16, kind: &str, decision: &Decision<'p>, body: Line) -> Self {
        let id = decision.policy.map_or("x-jobgate-decision-id", |policy| {
            &policy.headers.decision_id
        });
        Self {
            status,
            headers: vec![
                ("content-type", kind.to_owned()),
                ("cache-control", "no-store".to_owned()),
                (id, decision.id.to_string()),
            ],
            body: body.into_object(),
        }
    }
}

/// What a client that sent too many requests is told: when to come again, and by which limits it had to wait, in
/// the fields of draft-ietf-httpapi-ratelimit-headers-10. All in whole seconds, rounded up.
fn rate_limit(decision: &Decision<'_>) -> [(&'static str, String); 3] {
    let limits = decision.policy.map_or(&[][..], |policy| &policy.limits);
    let (mut longest, mut policies, mut standing) = (1, String::new(), String::new());
    for told in &decision.limits {
        let (State::Counted(level, rate), Some(limit)) = (&told.state, limits.get(told.limit))
        else {
            continue;
        };
        if level.retry.is_zero() {
            continue;
        }
        let wait = whole_seconds(level.retry);
        longest = longest.max(wait);
        let comma = if policies.is_empty() { "" } else { ", " };
        let (quota, window) = rate.quota();
        // Ids are letters, digits, "-", "_" and ".", which a structured field's string holds as they are. Writing to
        // a String cannot fail.
        let id = &limit.id;
        _ = write!(policies, "{comma}\"{id}\";q={quota};w={window}");
        _ = write!(standing, "{comma}\"{id}\";r={};t={wait}", level.remaining);
    }
    [
        ("retry-after", longest.to_string()),
        ("ratelimit-policy", policies),
        ("ratelimit", standing),
    ]
}

/// Rounded up.
const fn whole_seconds(span: Duration) -> u128 {
    span.as_nanos().div_ceil(1_000_000_000)
}

/// RFC 6750, section 3: no error code where no token came.
fn challenge(reason: Reason) -> Option<String> {
    let error = match (reason, reason.status()) {
        (Reason::TokenMissing, _) => return Some("Bearer realm=\"jobgate\"".into()),
        (Reason::TokenAmbiguous, _) => "invalid_request",
        (_, 401) => "invalid_token",
        (_, 403) => "insufficient_scope",
        _ => return None,
    };
    let code = reason.code();
    Some(format!(
        "Bearer realm=\"jobgate\", error=\"{error}\", error_description=\"{code}\""
    ))
}

const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        429 => "Too Many Requests",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        _ => "Service Unavailable",
    }
}
