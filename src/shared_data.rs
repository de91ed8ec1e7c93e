//! The values that all workers of a gateway share, as far as hosts agree on them.
//!
//! A host gives each value a number, its `cas`, which is another one after every write. Writing with the
//! number that was read succeeds only if nobody wrote in between. Where the hosts differ:
//!
//! - Writing without a number creates a value. Over one that is there Envoy writes blindly, and Kong refuses
//!   with a conflict. The shell writes so that Envoy refuses too; what stands here does not lean on that.
//! - Kong's store has a fixed size, and drops the oldest values when it is full. None has an expiry.
//!
//! The shell implements [`SharedData`] with host calls, and nothing in here does I/O.

use std::fmt;

/// A store of values that all workers share.
pub trait SharedData {
    /// Whether there is a store at all.
    fn is_there(&self) -> bool {
        true
    }

    /// The value under a key, and its `cas`. No value, if there is none.
    ///
    /// # Errors
    /// When the host can't say.
    fn get(&self, key: &str) -> Result<(Option<Vec<u8>>, Option<u32>), Failed>;

    /// Writes a value: with a `cas`, if it still is the value's; without, where there is none.
    ///
    /// # Errors
    /// When somebody else wrote in between, or the host failed.
    fn set(&self, key: &str, value: &[u8], cas: Option<u32>) -> Result<(), SetError>;
}

/// The host could not do it: it has no shared data, or no room left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed(pub String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the gateway's shared data failed: {}", self.0)
    }
}

/// Why a value was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetError {
    /// Somebody else wrote it first.
    Conflict,
    /// The host could not.
    Failed(Failed),
}

/// How often a value is read and written anew when somebody else was faster. Of those who are at it at the
/// same time one succeeds each time, so this is more than a gateway has workers.
pub const ATTEMPTS: u32 = 64;

/// Why a value was not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateError<E> {
    /// The change is refused, for the change's own reason.
    Refused(E),
    /// There is no such value.
    Absent,
    /// Others were faster each time.
    Contended,
    /// The host could not.
    Failed(Failed),
}

/// Changes a value that is there: reads it, and writes what `change` makes of it unless somebody else wrote
/// meanwhile; then all of it again, [`ATTEMPTS`] times at most.
///
/// # Errors
/// Why it was not changed. After [`UpdateError::Failed`] it may have been.
pub fn update<E>(
    data: &dyn SharedData,
    key: &str,
    mut change: impl FnMut(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<(), UpdateError<E>> {
    for _ in 0..ATTEMPTS {
        let (Some(value), cas) = data.get(key).map_err(UpdateError::Failed)? else {
            return Err(UpdateError::Absent);
        };
        let changed = change(&value).map_err(UpdateError::Refused)?;
        // Without its number the value can't be written safely: Envoy would do it blindly.
        let cas = cas.ok_or_else(|| {
            UpdateError::Failed(Failed("it did not tell the value's number".into()))
        })?;
        match data.set(key, &changed, Some(cas)) {
            Ok(()) => return Ok(()),
            Err(SetError::Conflict) => {}
            Err(SetError::Failed(failed)) => return Err(UpdateError::Failed(failed)),
        }
    }
    Err(UpdateError::Contended)
}

/// A host without shared data.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSharedData;

impl NoSharedData {
    fn failed() -> Failed {
        Failed("it has none".into())
    }
}

impl SharedData for NoSharedData {
    fn is_there(&self) -> bool {
        false
    }

    fn get(&self, _: &str) -> Result<(Option<Vec<u8>>, Option<u32>), Failed> {
        Err(Self::failed())
    }

    fn set(&self, _: &str, _: &[u8], _: Option<u32>) -> Result<(), SetError> {
        Err(SetError::Failed(Self::failed()))
    }
}

#[cfg(test)]
pub(crate) mod memory {
    //! Shared data in memory, as each proxy has it.

    use super::{Failed, SetError, SharedData};
    use std::cell::RefCell;
    use std::collections::HashMap;

    /// A store that all simulated workers hold.
    #[derive(Debug, Default)]
    pub(crate) struct Memory {
        pub(crate) values: RefCell<HashMap<String, (Vec<u8>, u32)>>,
        overwrites: bool,
        last: RefCell<u32>,
    }

    impl Memory {
        /// Envoy's: a write without `cas` overwrites.
        pub(crate) fn that_overwrites(overwrites: bool) -> Self {
            Self {
                overwrites,
                ..Self::default()
            }
        }
    }

    impl SharedData for Memory {
        fn get(&self, key: &str) -> Result<(Option<Vec<u8>>, Option<u32>), Failed> {
            Ok(self.values.borrow().get(key).cloned().unzip())
        }

        fn set(&self, key: &str, value: &[u8], cas: Option<u32>) -> Result<(), SetError> {
            let mut values = self.values.borrow_mut();
            let current = values.get(key).map(|(_, cas)| *cas);
            let blind = cas.is_none() && self.overwrites;
            if current.is_some() && current != cas && !blind {
                return Err(SetError::Conflict);
            }
            *self.last.borrow_mut() += 1;
            values.insert(key.into(), (value.to_vec(), *self.last.borrow()));
            Ok(())
        }
    }
}
