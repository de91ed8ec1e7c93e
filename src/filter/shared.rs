//! The host's shared data, and whether it may be touched.

use crate::shared_data::{Failed, SetError, SharedData};
use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;
use std::cell::Cell;

thread_local! {
    static WORKED: Cell<bool> = const { Cell::new(false) };
}

/// Whether shared data was used in this VM and nothing trapped.
pub(super) fn has_worked() -> bool {
    WORKED.get()
}

/// The host's own. Envoy always has room; on Kong what does not fit traps. On a host that has none every call
/// traps: see [`super::vm::Vm::shared`].
pub(super) struct HostData {
    /// The number to write a value with that must be new. Envoy overwrites what is there without one, and
    /// takes any for what is not; Kong takes none.
    creates_with: Option<u32>,
}

/// Envoy's.
pub(super) static ENVOY: HostData = HostData {
    creates_with: Some(u32::MAX),
};

/// Kong's.
pub(super) static KONG: HostData = HostData { creates_with: None };

impl SharedData for HostData {
    fn get(&self, key: &str) -> Result<(Option<Vec<u8>>, Option<u32>), Failed> {
        let value = hostcalls::get_shared_data(key).map_err(failed);
        WORKED.set(true);
        value
    }

    fn set(&self, key: &str, value: &[u8], cas: Option<u32>) -> Result<(), SetError> {
        hostcalls::set_shared_data(key, Some(value), cas.or(self.creates_with)).map_err(|status| {
            match status {
                Status::CasMismatch => SetError::Conflict,
                other => SetError::Failed(failed(other)),
            }
        })
    }
}

fn failed(status: Status) -> Failed {
    Failed(format!("{status:?}"))
}
