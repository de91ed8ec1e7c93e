//! How much may be compared when a policy is loaded.

/// Steps that are left.
pub(super) struct Budget {
    left: u64,
    is_used_up: bool,
}

impl Budget {
    pub(super) const fn new(steps: u64) -> Self {
        Self {
            left: steps,
            is_used_up: false,
        }
    }

    /// Takes so many steps, if they are there.
    pub(super) fn take(&mut self, steps: u64) -> bool {
        match self.left.checked_sub(steps) {
            Some(left) => self.left = left,
            None => self.is_used_up = true,
        }
        !self.is_used_up
    }

    /// Whether something was left out.
    pub(super) const fn is_used_up(&self) -> bool {
        self.is_used_up
    }
}
