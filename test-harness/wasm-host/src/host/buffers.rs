//! Bodies and configurations.

use wasmtime::{Caller, Linker};

use super::guest::{Answer, Guest};
use crate::abi::{BufferType, Status};
use crate::faults::HostCall;
use crate::profile::Profile;
use crate::vm::State;
use crate::world::Callback;

pub(super) fn provide(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |caller: Caller<'_, State>, buffer: i32, start: i32, max: i32, data: i32, size: i32| {
            super::enter(caller, HostCall::GetBuffer, |guest| {
                guest.get_buffer(buffer, index(start), index(max), (data, size))
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_buffer_bytes",
        |caller: Caller<'_, State>, buffer: i32, start: i32, length: i32, data: i32, size: i32| {
            super::enter(caller, HostCall::SetBuffer, |guest| {
                let data = guest.read(data, size)?;
                guest.set_buffer(buffer, index(start), index(length), &data)
            })
        },
    )?;
    Ok(())
}

impl Guest<'_, '_> {
    fn get_buffer(
        &mut self,
        buffer: i32,
        start: usize,
        max: usize,
        (data, size): (i32, i32),
    ) -> Answer {
        let buffer = BufferType::from_abi(buffer).ok_or(Status::BadArgument)?;
        let bytes = self.buffer(buffer)?;
        let rest = bytes.get(start..).unwrap_or_default();
        let slice = &rest[..max.min(rest.len())];
        if slice.is_empty() {
            // Both leave the guest's pointer as it was.
            return Ok(());
        }
        self.give(slice, data, size)
    }

    /// A copy of a buffer. The plugin configuration is to be had in `on_configure`, on Kong any
    /// time.
    fn buffer(&mut self, buffer: BufferType) -> Answer<Vec<u8>> {
        let world = self.world()?;
        let root = world.root_id();
        let bytes = match buffer {
            BufferType::VmConfiguration => Some(&world.options.vm_configuration),
            BufferType::PluginConfiguration => {
                let now = world.frame.callback == Callback::Configure;
                (now || world.profile == Profile::Kong)
                    .then(|| world.roots.get(&root).map(|root| &root.route.configuration))
                    .flatten()
            }
            BufferType::RequestBody => world
                .stream()
                .map(|stream| &stream.body)
                .filter(|body| !body.is_empty()),
            BufferType::CallResponseBody => world.call().and_then(|call| call.body.as_ref()),
            BufferType::Absent => None,
        };
        bytes.cloned().ok_or_else(|| Status::NotFound.into())
    }

    /// Replaces a part of the request body, as Envoy allows it: at the front or past the end.
    fn set_buffer(&mut self, buffer: i32, start: usize, length: usize, data: &[u8]) -> Answer {
        if BufferType::from_abi(buffer) != Some(BufferType::RequestBody) {
            return Err(Status::BadArgument.into());
        }
        let Some(stream) = self.world()?.stream_mut() else {
            return Err(Status::NotFound.into());
        };
        let body = &mut stream.body;
        match (start, length) {
            (0, 0) => *body = [data, body].concat(),
            (0, length) if length >= body.len() => *body = data.to_vec(),
            (start, _) if start >= body.len() => body.extend_from_slice(data),
            _ => return Err(Status::BadArgument.into()),
        }
        Ok(())
    }
}

fn index(value: i32) -> usize {
    usize::try_from(value.cast_unsigned()).unwrap_or(usize::MAX)
}
