//! The servers that are being asked: on some hosts no two calls of a VM may go to the same one at a time.

use crate::time::UnixTime;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

/// How much longer than its call a line is held, should its answer never be told.
const GRACE: Duration = Duration::from_secs(1);

/// The names of the servers, each with the time at which its line is free again in any case.
#[derive(Default)]
pub(super) struct Lines(RefCell<HashMap<String, UnixTime>>);

impl Lines {
    /// Takes the line to the server of `cluster`, `host:port`, for a call of at most this long. Whether it was free.
    pub(super) fn take(&self, cluster: &str, now: UnixTime, timeout: Duration) -> bool {
        let Ok(mut taken) = self.0.try_borrow_mut() else {
            return false;
        };
        let name = host_name(cluster);
        if taken.get(name).is_some_and(|until| now < *until) {
            return false;
        }
        let until = now.plus(timeout.saturating_add(GRACE));
        taken.insert(name.to_owned(), until);
        true
    }

    /// Frees the line to the server of `cluster`.
    pub(super) fn release(&self, cluster: &str) {
        if let Ok(mut taken) = self.0.try_borrow_mut() {
            taken.remove(host_name(cluster));
        }
    }
}

/// A name is looked up for all its ports at once.
fn host_name(cluster: &str) -> &str {
    cluster.rsplit_once(':').map_or(cluster, |(name, _)| name)
}
