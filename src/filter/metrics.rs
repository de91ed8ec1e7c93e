//! Counters: what was decided and why, and what came of fetches.
//!
//! A counter is defined when it is first needed, never in `on_configure`: should a host refuse one, Kong would
//! open every route.

use super::host::Host;
use crate::fetch::Report;
use crate::gate::Decision;
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The counters of a VM.
#[derive(Default)]
pub(super) struct Metrics {
    ids: RefCell<BTreeMap<Counter, u32>>,
    /// What was counted before the host said whether it has counters.
    early: RefCell<BTreeMap<Counter, i64>>,
}

/// What is counted; the words are the last parts of the counter's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Counter {
    /// `allow`, `deny_<code>` or `shadow_deny_<code>`.
    Decision(&'static str, Option<&'static str>),
    /// `allow` or `deny`, where rules on trial would make another one of a decision.
    Trial(&'static str),
    /// `ok`, or the cause of a failure.
    Fetch(&'static str),
}

impl Counter {
    /// Asked for once in a VM.
    fn name(self, prefix: &str) -> String {
        let name = match self {
            Self::Decision(outcome, None) => format!("{prefix}decision_{outcome}"),
            Self::Decision(outcome, Some(code)) => format!("{prefix}decision_{outcome}_{code}"),
            Self::Trial(outcome) => format!("{prefix}trial_{outcome}"),
            Self::Fetch(outcome) => format!("{prefix}fetch_{outcome}"),
        };
        // As in `shadow-deny`.
        name.replace('-', "_")
    }
}

impl Metrics {
    /// Counts a decision, and what rules on trial would change of it.
    pub(super) fn decided(&self, host: &dyn Host, decision: &Decision<'_>) {
        let refused = decision.refused();
        let code = refused.map(|refused| refused.refusal.reason.code());
        self.count(host, Counter::Decision(decision.label(), code));
        if let Some((outcome, _)) = decision.trial() {
            self.count(host, Counter::Trial(outcome));
        }
    }

    /// Counts a fetch.
    pub(super) fn fetched(&self, host: &dyn Host, report: &Report) {
        let outcome = match report {
            Report::Fetched { .. } | Report::Unchanged => "ok",
            Report::Failed { error, .. } => error.cause.name(),
        };
        self.count(host, Counter::Fetch(outcome));
    }

    fn count(&self, host: &dyn Host, counter: Counter) {
        let Ok(mut early) = self.early.try_borrow_mut() else {
            return;
        };
        match host.counts() {
            None => {
                let times = early.entry(counter).or_default();
                *times = times.saturating_add(1);
            }
            Some(false) => early.clear(),
            Some(true) => {
                while let Some((counter, times)) = early.pop_first() {
                    self.add(host, counter, times);
                }
                self.add(host, counter, 1);
            }
        }
    }

    fn add(&self, host: &dyn Host, counter: Counter, times: i64) {
        let Ok(mut ids) = self.ids.try_borrow_mut() else {
            return;
        };
        let id = match ids.get(&counter) {
            Some(id) => *id,
            None => {
                let name = counter.name(host.metric_prefix());
                let Ok(id) = hostcalls::define_metric(MetricType::Counter, &name) else {
                    return;
                };
                ids.insert(counter, id);
                id
            }
        };
        // A count that is lost is no reason to refuse. (The SDK panics at what no host was seen to answer.)
        _ = hostcalls::increment_metric(id, times);
    }
}
