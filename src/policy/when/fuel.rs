//! The cost of an evaluation.

use super::error::WhenError;

/// Bytes of text that are read or written for one step.
const BYTES_PER_STEP: usize = 16;

/// Steps that are left. Once a charge could not be met there are none, so that no part of the expression
/// goes on where another gave up.
#[derive(Debug)]
pub(super) struct Fuel(u32);

impl Fuel {
    pub(super) const fn new(steps: u32) -> Self {
        Self(steps)
    }

    /// Takes steps away.
    pub(super) fn charge(&mut self, steps: usize) -> Result<(), WhenError> {
        let left = u32::try_from(steps)
            .ok()
            .and_then(|steps| self.0.checked_sub(steps));
        self.0 = left.unwrap_or(0);
        left.map(|_| ()).ok_or(WhenError::TooCostly)
    }

    /// Takes away what work on so many bytes costs.
    pub(super) fn charge_bytes(&mut self, bytes: usize) -> Result<(), WhenError> {
        self.charge(bytes.checked_div(BYTES_PER_STEP).unwrap_or(bytes))
    }
}
