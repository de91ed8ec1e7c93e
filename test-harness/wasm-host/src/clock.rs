//! Time, which moves only when the test says so, and the ticks that fall due as it does.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// A root context of one VM: ticks fire per root context and VM.
pub(crate) type TickOwner = (usize, u32);

/// The clock. It stands still within a callback on both hosts.
#[derive(Debug)]
pub(crate) struct Clock {
    start: SystemTime,
    now: SystemTime,
}

impl Clock {
    pub(crate) fn new(start: SystemTime) -> Self {
        Self { start, now: start }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.now
    }

    pub(crate) fn set(&mut self, now: SystemTime) {
        self.now = now;
    }

    /// Nanoseconds since 1970.
    pub(crate) fn realtime(&self) -> u64 {
        nanoseconds(self.now.duration_since(SystemTime::UNIX_EPOCH))
    }

    /// Nanoseconds since the gateway started.
    pub(crate) fn monotonic(&self) -> u64 {
        nanoseconds(self.now.duration_since(self.start))
    }
}

fn nanoseconds(since: Result<Duration, std::time::SystemTimeError>) -> u64 {
    since.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}

#[derive(Clone, Debug)]
struct Timer {
    owner: TickOwner,
    period: Duration,
    due: SystemTime,
}

/// All timers, in the order in which they were set.
#[derive(Debug, Default)]
pub(crate) struct Ticks {
    timers: Vec<Timer>,
    /// The root contexts that have set a period since their VM was created.
    armed: BTreeSet<TickOwner>,
}

impl Ticks {
    pub(crate) fn is_armed(&self, owner: TickOwner) -> bool {
        self.armed.contains(&owner)
    }

    /// Starts a timer beside those there are.
    pub(crate) fn start(&mut self, owner: TickOwner, period: Duration, now: SystemTime) {
        self.armed.insert(owner);
        self.timers.push(Timer {
            owner,
            period,
            due: now + period,
        });
    }

    /// Stops every timer of a root context.
    pub(crate) fn stop(&mut self, owner: TickOwner) {
        self.armed.remove(&owner);
        self.timers.retain(|timer| timer.owner != owner);
    }

    /// Envoy's VM is gone, and its timers with it.
    pub(crate) fn stop_vm(&mut self, vm: usize) {
        self.armed.retain(|owner| owner.0 != vm);
        self.timers.retain(|timer| timer.owner.0 != vm);
    }

    /// Kong's VM is gone. Its timers fire on: only the note that a period was set is lost, so a
    /// fresh `on_configure` starts one more beside each.
    pub(crate) fn forget_vm(&mut self, vm: usize) {
        self.armed.retain(|owner| owner.0 != vm);
    }

    /// Takes the next tick that is due at `end` or before, and starts its timer anew.
    pub(crate) fn take_due(&mut self, end: SystemTime) -> Option<(SystemTime, TickOwner)> {
        let next = self
            .timers
            .iter_mut()
            .filter(|timer| timer.due <= end)
            .min_by_key(|timer| timer.due)?;
        let due = next.due;
        next.due = due + next.period;
        Some((due, next.owner))
    }

    /// How many timers run.
    pub(crate) fn len(&self) -> usize {
        self.timers.len()
    }
}
