//! A bound in bytes that several caches share.

use std::cell::Cell;
use std::rc::Rc;

/// How many bytes all caches of a VM may hold together. A gateway has a cache for each of its routes, and
/// one VM for hundreds of them.
#[derive(Debug)]
pub struct Budget {
    limit: Cell<usize>,
    used: Cell<usize>,
}

/// What the caches of a VM may hold where none is set to hold more, in bytes.
const OF_A_VM: usize = 8 * 1024 * 1024;

impl Budget {
    /// The budget of a VM.
    #[must_use]
    pub fn of_a_vm() -> Rc<Self> {
        Self::new(OF_A_VM)
    }

    /// Lets a cache that is set to hold this much hold it, if it is the only one.
    pub fn raise(&self, limit: usize) {
        self.limit.set(self.limit.get().max(limit));
    }

    /// A budget of which nothing is used.
    #[must_use]
    pub fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self {
            limit: Cell::new(limit),
            used: Cell::new(0),
        })
    }

    /// How much of it is used.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.get()
    }
}

/// One holder's part of a budget, which it gives back when it goes.
#[derive(Debug)]
pub(super) struct Share {
    budget: Rc<Budget>,
    bytes: usize,
}

impl Share {
    pub(super) const fn none_of(budget: Rc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether this many bytes more were to be had.
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let used = self.budget.used.get().saturating_add(bytes);
        if used > self.budget.limit.get() {
            return false;
        }
        self.budget.used.set(used);
        self.bytes = self.bytes.saturating_add(bytes);
        true
    }

    pub(super) fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.budget
            .used
            .set(self.budget.used.get().saturating_sub(bytes));
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}
