//! What must come of a request, and how it differs from host to host.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// What a case comes to on one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It can't be run there, for this reason.
    Skip(String),
    /// This must hold.
    Expect(Expect),
}

/// What must hold after a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    /// The status that the client gets.
    pub status: u16,
    /// What was decided.
    pub decision: Decision,
    /// The reason code of a refusal, or of what would have been one.
    pub reason: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// Headers that must reach the upstream exactly once and with exactly this value; names are in lower case.
    pub upstream: BTreeMap<String, String>,
    /// Headers that must not reach the upstream in any form; names are in lower case.
    pub upstream_absent: Vec<String>,
    /// What the decision record must hold.
    pub detail: Option<String>,
    /// The request target that the upstream sees.
    pub path: Option<String>,
    /// What rules on trial would make of it: the decision and these rules. Without, nothing else.
    pub trial: Option<(Decision, Vec<String>)>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The request goes on.
    Allow,
    /// The request is refused.
    Deny,
    /// The request goes on, and would have been refused if the policy were enforced.
    ShadowDeny,
}

impl Decision {
    /// As headers and records have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::ShadowDeny => "shadow-deny",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An expectation as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawExpect {
    status: Option<u16>,
    decision: Option<Decision>,
    reason: Option<String>,
    rule: Option<String>,
    upstream: Option<BTreeMap<String, String>>,
    upstream_absent: Option<Vec<String>>,
    detail: Option<String>,
    path: Option<String>,
    trial: Option<BTreeMap<Decision, Vec<String>>>,
    skip: Option<String>,
}

impl RawExpect {
    /// This expectation with `over` laid over it.
    ///
    /// Where that changes what was decided, nothing else of this one is kept: it told of another outcome.
    pub(super) fn overridden(&self, over: Self) -> Self {
        if over.skip.is_some() {
            return over;
        }
        let changed = over.status.is_some() && over.status != self.status
            || over.decision.is_some() && over.decision != self.decision;
        if changed {
            return over;
        }
        let base = self.clone();
        Self {
            status: base.status,
            decision: base.decision,
            reason: over.reason.or(base.reason),
            rule: over.rule.or(base.rule),
            upstream: over.upstream.or(base.upstream),
            upstream_absent: over.upstream_absent.or(base.upstream_absent),
            detail: over.detail.or(base.detail),
            path: over.path.or(base.path),
            trial: over.trial.or(base.trial),
            skip: None,
        }
    }

    /// Fills in what follows from the rest, and refuses what contradicts itself.
    pub(super) fn resolve(self) -> Result<Outcome, String> {
        if let Some(why) = &self.skip {
            if !self.only_skip() {
                return Err("what is skipped has no other expectation".to_owned());
            }
            return Ok(Outcome::Skip(why.clone()));
        }
        let decision = match (self.decision, self.status, &self.reason) {
            (Some(decision), _, _) => decision,
            (None, None, _) => return Err("`status` or `decision` must be given".to_owned()),
            (None, Some(400..), _) => Decision::Deny,
            (None, Some(_), Some(_)) => Decision::ShadowDeny,
            (None, Some(_), None) => Decision::Allow,
        };
        let status = match (self.status, decision) {
            (Some(status), _) => status,
            (None, Decision::Deny) => return Err("a refusal must have its `status`".to_owned()),
            (None, _) => 200,
        };
        let refused = decision == Decision::Deny;
        if refused != (status >= 400) {
            return Err(format!(
                "the decision is {decision}, but the status {status}"
            ));
        }
        if decision == Decision::Allow && self.reason.is_some() {
            return Err("what is allowed has no `reason`".to_owned());
        }
        if refused
            && (self.upstream.is_some() || self.upstream_absent.is_some() || self.path.is_some())
        {
            return Err(
                "what is refused has no `upstream`, `upstream_absent` or `path`".to_owned(),
            );
        }
        if self.trial.as_ref().is_some_and(|trial| trial.len() != 1) {
            return Err("a `trial` is `allow` or `deny`, with its rules".to_owned());
        }
        Ok(Outcome::Expect(Expect {
            status,
            decision,
            reason: self.reason,
            rule: self.rule,
            upstream: self
                .upstream
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .collect(),
            upstream_absent: self
                .upstream_absent
                .into_iter()
                .flatten()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
            detail: self.detail,
            path: self.path,
            trial: self.trial.into_iter().flatten().next(),
        }))
    }

    fn only_skip(&self) -> bool {
        matches!(
            self,
            Self {
                status: None,
                decision: None,
                reason: None,
                rule: None,
                upstream: None,
                upstream_absent: None,
                detail: None,
                path: None,
                trial: None,
                skip: _,
            }
        )
    }
}
