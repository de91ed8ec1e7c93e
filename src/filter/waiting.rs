//! Requests that wait for keys that are being fetched, on a host that holds back what is paused when anything
//! goes wrong.

use super::request::{Arrival, Settled, Who, settle};
use super::root::Route;
use crate::time::UnixTime;
use proxy_wasm::hostcalls;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// The most requests of a VM that wait at a time; others are answered at once.
const MAX_WAITING: usize = 1_000;

/// A request that waits.
#[derive(Clone)]
pub(super) struct Waiter {
    pub(super) context: u32,
    pub(super) route: Rc<Route>,
    pub(super) permitted: Rc<Cell<bool>>,
    pub(super) arrival: Arrival,
    pub(super) since: UnixTime,
    pub(super) until: UnixTime,
}

/// The requests of a VM that wait.
#[derive(Default)]
pub(super) struct Waiting {
    waiters: RefCell<Vec<Waiter>>,
    reviewed_at: Cell<Option<UnixTime>>,
}

impl Waiting {
    /// Whether one more may wait.
    pub(super) fn has_room(&self) -> bool {
        self.waiters
            .try_borrow()
            .is_ok_and(|waiters| waiters.len() < MAX_WAITING)
    }

    /// Lets a request wait.
    pub(super) fn add(&self, waiter: Waiter) {
        if let Ok(mut waiters) = self.waiters.try_borrow_mut() {
            waiters.push(waiter);
        }
    }

    /// Forgets a request that is over. Whether it waited.
    pub(super) fn forget(&self, context: u32) -> bool {
        self.waiters.try_borrow_mut().is_ok_and(|mut waiters| {
            let count = waiters.len();
            waiters.retain(|waiter| waiter.context != context);
            waiters.len() < count
        })
    }

    /// Whether the last review was so long ago that a tick should bring another: every root context of the VM has
    /// its ticks.
    pub(super) fn is_due(&self, now: UnixTime, rest: Duration) -> bool {
        self.reviewed_at
            .get()
            .is_none_or(|last| now < last || now.since(last) >= rest)
    }

    /// Decides every waiting request again, in the name of its own context, and goes back to `root`'s.
    ///
    /// `horizon` is the moment of the next review: who may not wait until then is answered now.
    pub(super) fn review(&self, root: u32, now: UnixTime, horizon: UnixTime) {
        self.reviewed_at.set(Some(now));
        let waiters = match self.waiters.try_borrow_mut() {
            Ok(mut waiters) if !waiters.is_empty() => std::mem::take(&mut *waiters),
            _ => return,
        };
        for waiter in waiters {
            // A request that is gone has no context any more.
            if hostcalls::set_effective_context(waiter.context).is_err() {
                continue;
            }
            let may_wait = now >= waiter.since && waiter.until > horizon;
            let who = Who {
                context: waiter.context,
                permitted: &waiter.permitted,
            };
            match settle(&waiter.route, who, &waiter.arrival, now, may_wait) {
                Settled::Waits(_) => self.add(waiter),
                Settled::Permitted => {
                    waiter.permitted.set(true);
                    // Should it fail, the request stays where it is until it times out.
                    _ = hostcalls::resume_http_request();
                }
                // It may have come out at once.
                Settled::Exchanges if waiter.permitted.get() => {
                    _ = hostcalls::resume_http_request();
                }
                // One that waits for its body never waited for keys.
                Settled::Refused | Settled::Exchanges | Settled::Listens => {}
            }
        }
        _ = hostcalls::set_effective_context(root);
    }
}
