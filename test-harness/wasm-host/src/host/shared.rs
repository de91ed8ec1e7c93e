//! Shared data. Shared queues are in [`super::unsupported`].

use wasmtime::{Caller, Linker};

use super::guest::{Answer, Guest, Refusal};
use crate::abi::Status;
use crate::faults::HostCall;
use crate::profile::Profile;
use crate::shared_data::NotWritten;
use crate::vm::State;

pub(super) fn provide(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |caller: Caller<'_, State>, key: i32, len: i32, data: i32, size: i32, cas: i32| {
            super::enter(caller, HostCall::GetSharedData, |guest| {
                let key = guest.read(key, len)?;
                guest.needs_a_zone()?;
                let found = guest.world()?.shared.get(&key);
                let (value, number) = found.ok_or(Status::NotFound)?;
                let value = value.to_vec();
                guest.give(&value, data, size)?;
                guest.write_u32(cas, number)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |caller: Caller<'_, State>, key: i32, len: i32, value: i32, size: i32, cas: i32| {
            super::enter(caller, HostCall::SetSharedData, |guest| {
                let key = guest.read(key, len)?;
                let data = guest.read(value, size)?;
                guest.needs_a_zone()?;
                let world = guest.world()?;
                // A null value deletes on Kong and is an empty value on Envoy.
                let deletes = value == 0 && world.profile == Profile::Kong;
                let data = (!deletes).then_some(data.as_slice());
                let written = world.shared.set(&key, data, cas.cast_unsigned());
                written.map_err(|why| match why {
                    NotWritten::CasMismatch => Status::CasMismatch.into(),
                    NotWritten::NoRoom => {
                        Refusal::trap("failed setting value to shm (could not write to slab)")
                    }
                })
            })
        },
    )?;
    Ok(())
}

impl Guest<'_, '_> {
    /// Kong without `nginx_wasm_shm_kv` traps on any use.
    fn needs_a_zone(&mut self) -> Answer {
        let world = self.world()?;
        if world.profile == Profile::Kong && !world.options.shared_data_zone {
            return Err(Refusal::trap(
                "failed getting or setting value to shm (could not resolve namespace)",
            ));
        }
        Ok(())
    }
}
