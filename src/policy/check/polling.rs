//! How often a document is fetched, and from which server.

use super::{Checker, secs};
use crate::fetch::Polling;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What is written of it.
pub(super) struct Written {
    pub(super) cluster: Option<String>,
    pub(super) refresh: Option<String>,
    pub(super) timeout: Option<String>,
    pub(super) max_stale: Option<String>,
}

/// What is accepted of a kind of document.
pub(super) struct Terms {
    /// The member that says how often it is fetched; its default and its bounds.
    pub(super) refresh: (&'static str, Duration, RangeInclusive<Duration>),
    /// The default and the bounds of `max_stale`.
    pub(super) max_stale: (Duration, RangeInclusive<Duration>),
    /// What is dropped when it is too old.
    pub(super) dropped: &'static str,
}

impl Checker {
    /// Checks the members below `path`.
    pub(super) fn polling(&mut self, path: &str, raw: Written, terms: Terms) -> Option<Polling> {
        let at = |field: &str| format!("{path}.{field}");
        let (name, default, accepted) = terms.refresh;
        let refresh = self.span(&at(name), raw.refresh, default, accepted);
        let timeout = self.span(
            &at("timeout"),
            raw.timeout,
            secs(5),
            Duration::from_millis(100)..=secs(60),
        );
        let (default, accepted) = terms.max_stale;
        let max_stale = self.span(&at("max_stale"), raw.max_stale, default, accepted);
        self.cluster(&at("cluster"), raw.cluster.as_deref());
        let (refresh, max_stale) = (refresh?, max_stale?);
        if max_stale < refresh {
            let message = format!(
                "is shorter than {name}, so {} would be dropped before the next fetch",
                terms.dropped
            );
            self.error(at("max_stale"), message);
        }
        Some(Polling {
            cluster: raw.cluster,
            refresh,
            timeout: timeout?,
            max_stale,
        })
    }

    pub(super) fn cluster(&mut self, path: &str, cluster: Option<&str>) {
        if let Some(cluster) = cluster.filter(|cluster| {
            cluster.is_empty()
                || cluster.contains("://")
                || !cluster.bytes().all(|byte| byte.is_ascii_graphic())
        }) {
            let message = format!(
                "{cluster:?} is no server; write Envoy's cluster name, or host:port on Kong"
            );
            self.error(path, message);
        }
    }
}
