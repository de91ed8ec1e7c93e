//! One scene: a request, and what must become of it.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use super::Error;
use super::row::Row;
use super::stage::Stage;
use crate::case::{Decision, Expect, Host};
use crate::client::Request;
use crate::exchange::Exchange;

/// More often than this a patient client doesn't ask.
const TRIES: usize = 10;

/// A request, and what must become of it.
#[derive(Debug)]
pub(super) struct Scene {
    title: &'static str,
    gate: &'static str,
    method: &'static str,
    path: &'static str,
    token: Option<String>,
    headers: Vec<(&'static str, &'static str)>,
    expect: Expect,
    patient: bool,
}

impl Scene {
    /// A request without a token.
    pub(super) fn new(
        title: &'static str,
        gate: &'static str,
        (method, path): (&'static str, &'static str),
        expect: Expect,
    ) -> Self {
        Self {
            title,
            gate,
            method,
            path,
            token: None,
            headers: Vec::new(),
            expect,
            patient: false,
        }
    }

    /// The token that it brings.
    pub(super) fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// A header that it brings beside it.
    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The client does what `Retry-After` asks of it.
    pub(super) fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// Sends it, and looks at what came of it.
    pub(super) fn play(self, stage: &Stage) -> Result<Row, Error> {
        let mut request = Request::new(self.method, self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answers = Vec::new();
        let exchange = loop {
            let exchange = stage.send(self.gate, &request)?;
            answers.push(exchange.response.status);
            match retry_after(&exchange).filter(|_| self.patient && answers.len() < TRIES) {
                Some(pause) => thread::sleep(pause),
                None => break exchange,
            }
        };
        let mut differences = self.expect.differences(
            &exchange.observed(),
            self.token.as_deref(),
            &stage.placeholders(),
            Host::Envoy,
        );
        let due = usize::from(self.expect.status < 400);
        let arrived = exchange.forwarded.len();
        if arrived != due {
            differences.push(format!(
                "the upstream got it {arrived} times, expected {due}"
            ));
        }
        Ok(Row::new(
            self.title,
            self.gate,
            (self.method, self.path),
            answers,
            &exchange,
            differences,
        ))
    }
}

fn retry_after(exchange: &Exchange) -> Option<Duration> {
    let value = exchange.response.header("retry-after");
    Some(Duration::from_secs(value.first()?.parse().ok()?))
}

/// A refusal.
pub(super) fn refused(status: u16, reason: &str) -> Expect {
    Expect {
        status,
        decision: Decision::Deny,
        reason: Some(reason.to_owned()),
        rule: None,
        upstream: BTreeMap::new(),
        upstream_absent: Vec::new(),
        detail: None,
        path: None,
        trial: None,
    }
}

/// A refusal by a deny rule.
pub(super) fn denied_by(rule: &str) -> Expect {
    Expect {
        rule: Some(rule.to_owned()),
        ..refused(403, "denied_by_rule")
    }
}

/// A request that goes on by a rule, as a job of this branch and without its token.
pub(super) fn allowed_by(rule: &str, branch: &str) -> Expect {
    Expect {
        status: 200,
        decision: Decision::Allow,
        reason: None,
        rule: Some(rule.to_owned()),
        upstream: headers(&[
            ("x-jobgate-decision", "allow"),
            ("x-jobgate-rule", rule),
            ("x-jobgate-issuer", "{{issuer}}"),
            ("x-jobgate-organization", "acme"),
            ("x-jobgate-pipeline", "deploy-web"),
            ("x-jobgate-branch", branch),
        ]),
        upstream_absent: vec!["authorization".to_owned()],
        ..refused(200, "")
    }
}

/// A request that goes on though its policy, were it enforced, would refuse it.
pub(super) fn refused_in_shadow(reason: &str, branch: &str) -> Expect {
    Expect {
        status: 200,
        decision: Decision::ShadowDeny,
        upstream: headers(&[
            ("x-jobgate-decision", "shadow-deny"),
            ("x-jobgate-reason", reason),
            ("x-jobgate-branch", branch),
        ]),
        upstream_absent: vec!["authorization".to_owned()],
        ..refused(200, reason)
    }
}

/// `expect`, and none of these headers at the upstream.
pub(super) fn without(expect: Expect, absent: &[&str]) -> Expect {
    let absent = absent.iter().map(|name| (*name).to_owned());
    Expect {
        upstream_absent: expect.upstream_absent.into_iter().chain(absent).collect(),
        ..expect
    }
}

fn headers(of: &[(&str, &str)]) -> BTreeMap<String, String> {
    of.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}
