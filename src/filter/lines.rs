//! The servers that are being asked: on some hosts no two calls of a VM may go to the same one at a time.

use crate::time::UnixTime;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

/// How long a line is held, should its answer never be told: longer than it takes to look a name up where no name server
/// answers, for that is beside the call's own timeout.
const HELD: Duration = Duration::from_secs(120);

/// The names of the servers, each with the time at which its line is free again in any case.
#[derive(Default)]
pub(super) struct Lines(RefCell<HashMap<String, UnixTime>>);

impl Lines {
    /// Takes the line to the server of `cluster`, `host:port`. Nothing if it is taken.
    pub(super) fn take(&self, cluster: &str, now: UnixTime) -> Option<Line> {
        let mut taken = self.0.try_borrow_mut().ok()?;
        let name = host_name(cluster);
        if taken.get(&name).is_some_and(|until| now < *until) {
            return None;
        }
        let until = now.plus(HELD);
        taken.insert(name.clone(), until);
        Some(Line { name, until })
    }

    /// Frees a line, unless its time was over and another call has taken it since.
    pub(super) fn release(&self, line: &Line) {
        if let Ok(mut taken) = self.0.try_borrow_mut()
            && taken.get(&line.name) == Some(&line.until)
        {
            taken.remove(&line.name);
        }
    }
}

/// A line that is taken.
pub(super) struct Line {
    name: String,
    until: UnixTime,
}

/// A name is looked up for all its ports at once, and in any case.
fn host_name(cluster: &str) -> String {
    let name = cluster.rsplit_once(':').map_or(cluster, |(name, _)| name);
    name.to_ascii_lowercase()
}
