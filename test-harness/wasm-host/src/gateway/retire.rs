//! What an update has replaced: it lives on for a while, and then ends.

use std::time::SystemTime;

use super::{Gateway, frame};
use crate::exchange::{Outcome, Passage};
use crate::profile::Profile;
use crate::world::Callback;

/// Root contexts, and perhaps their VMs, that take no new request.
#[derive(Clone, Debug)]
pub(super) struct Retired {
    pub(super) roots: Vec<u32>,
    /// The VMs that were replaced too.
    pub(super) slots: Vec<usize>,
    /// Envoy's listener drains until then. Otherwise they end with their last request.
    pub(super) until: Option<SystemTime>,
}

impl Gateway {
    /// Notes what is replaced. Nginx stops its old workers' ticks at once.
    pub(super) fn retire(&mut self, roots: Vec<u32>, slots: Vec<usize>) {
        let now = self.world.clock.now();
        let until = match self.world.profile {
            Profile::Envoy => self.world.options.drain.map(|drain| now + drain),
            Profile::Kong => {
                for &slot in &slots {
                    self.world.ticks.stop_vm(slot);
                }
                None
            }
        };
        self.retired.push(Retired {
            roots,
            slots,
            until,
        });
        self.end_retired();
    }

    /// When the next listener will have drained.
    pub(super) fn next_drained(&self) -> Option<SystemTime> {
        self.retired.iter().filter_map(|old| old.until).min()
    }

    /// Ends what has no request left, or is done draining.
    pub(super) fn end_retired(&mut self) {
        let now = self.world.clock.now();
        for old in std::mem::take(&mut self.retired) {
            let waiting: Vec<u32> = self
                .world
                .streams
                .iter()
                .filter(|(_, stream)| {
                    // A VM may still have requests of what was replaced in it before.
                    old.roots.contains(&stream.root) || old.slots.contains(&stream.vm)
                })
                .map(|(context, _)| *context)
                .collect();
            let lives = match old.until {
                Some(until) => now < until,
                None => !waiting.is_empty(),
            };
            if lives {
                self.retired.push(old);
                continue;
            }
            for context in waiting {
                self.finish(context, Outcome::Cut, Passage::Cut);
            }
            self.end(&old);
        }
    }

    fn end(&mut self, old: &Retired) {
        for &root in &old.roots {
            for vm in 0..self.slots.len() {
                if !self.slots[vm].roots.remove(&root) {
                    continue;
                }
                self.world.ticks.stop((vm, root));
                self.world.calls.drop_root(vm, root);
                // A worker of nginx just exits.
                if self.world.profile == Profile::Envoy {
                    self.end_root(vm, root);
                }
            }
            self.world.roots.remove(&root);
        }
        for &slot in &old.slots {
            self.empty(slot);
        }
    }

    fn end_root(&mut self, vm: usize, root: u32) {
        for export in self.world.profile.ending() {
            if let Err(trap) = self.run(frame(vm, Callback::End, root), export, &[root]) {
                return self.trapped(vm, &trap);
            }
        }
    }
}
