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
use std::collections::HashMap;

/// The counters of a VM, by name.
#[derive(Default)]
pub(super) struct Metrics {
    ids: RefCell<HashMap<String, u32>>,
    /// What was counted before the host said whether it has counters.
    early: RefCell<HashMap<String, i64>>,
}

impl Metrics {
    /// Counts a decision: `allow`, `deny_<code>` or `shadow_deny_<code>`; and `trial_allow` or `trial_deny`, where
    /// rules on trial would make another one of it.
    pub(super) fn decided(&self, host: &dyn Host, decision: &Decision<'_>) {
        let outcome = decision.label().replace('-', "_");
        match &decision.outcome {
            Ok(_) => self.count(host, &format!("decision_{outcome}")),
            Err(refused) => {
                let code = refused.refusal.reason.code();
                self.count(host, &format!("decision_{outcome}_{code}"));
            }
        }
        if let Some((outcome, _)) = decision.trial() {
            self.count(host, &format!("trial_{outcome}"));
        }
    }

    /// Counts a fetch: `fetch_ok`, or `fetch_<cause>`.
    pub(super) fn fetched(&self, host: &dyn Host, report: &Report) {
        let outcome = match report {
            Report::Fetched { .. } | Report::Unchanged => "ok",
            Report::Failed { error, .. } => error.cause.name(),
        };
        self.count(host, &format!("fetch_{outcome}"));
    }

    fn count(&self, host: &dyn Host, name: &str) {
        let Ok(mut early) = self.early.try_borrow_mut() else {
            return;
        };
        match host.counts() {
            None => {
                let times = early.entry(name.to_owned()).or_default();
                *times = times.saturating_add(1);
            }
            Some(false) => early.clear(),
            Some(true) => {
                for (name, times) in early.drain() {
                    self.add(host, &name, times);
                }
                self.add(host, name, 1);
            }
        }
    }

    fn add(&self, host: &dyn Host, name: &str, times: i64) {
        let Ok(mut ids) = self.ids.try_borrow_mut() else {
            return;
        };
        let id = match ids.get(name) {
            Some(id) => *id,
            None => {
                let full = format!("{}{name}", host.metric_prefix());
                let Ok(id) = hostcalls::define_metric(MetricType::Counter, &full) else {
                    return;
                };
                ids.insert(name.into(), id);
                id
            }
        };
        // A count that is lost is no reason to refuse. (The SDK panics at what no host was seen to answer.)
        _ = hostcalls::increment_metric(id, times);
    }
}
