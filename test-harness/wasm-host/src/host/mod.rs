//! The functions that the guest imports, one file per concern.
//!
//! Each is a method of [`Guest`](guest::Guest) over plain integers. [`enter`] wraps them all: it
//! counts the call, lets a fault strike, and turns a refusal into a status or a trap.

mod buffers;
mod calls;
mod control;
mod foreign;
mod guest;
mod headers;
mod metrics;
mod properties;
mod shared;
mod unsupported;
mod wasi;

use wasmtime::{Caller, Linker};

use crate::abi::Status;
use crate::faults::{Fault, HostCall};
use crate::profile::Profile;
use crate::vm::State;
use guest::{Answer, Guest, Refusal};

/// Provides everything that a gateway provides, under `env` and `wasi_snapshot_preview1`.
///
/// # Errors
/// None in practice: only a name defined twice could fail.
pub(crate) fn provide(linker: &mut Linker<State>, profile: Profile) -> wasmtime::Result<()> {
    control::provide(linker, profile)?;
    buffers::provide(linker)?;
    headers::provide(linker)?;
    properties::provide(linker)?;
    calls::provide(linker)?;
    shared::provide(linker)?;
    metrics::provide(linker)?;
    foreign::provide(linker)?;
    unsupported::provide(linker)?;
    wasi::provide(linker)
}

/// Runs one host call.
fn enter(
    mut caller: Caller<'_, State>,
    call: HostCall,
    body: impl FnOnce(&mut Guest<'_, '_>) -> Answer,
) -> wasmtime::Result<i32> {
    let mut guest = Guest::new(&mut caller);
    let fault = guest.world()?.faults.count(call);
    let answer = match fault {
        Some(Fault::Status(status)) => Err(Refusal::Status(status)),
        Some(Fault::Trap) => Err(Refusal::trap("a fault was set")),
        None => body(&mut guest),
    };
    match answer {
        Ok(()) => Ok(Status::Ok as i32),
        Err(Refusal::Status(status)) => Ok(status as i32),
        Err(Refusal::Trap(error)) => Err(error.context(call.name())),
    }
}
