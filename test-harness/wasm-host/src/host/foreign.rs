//! Foreign functions. Envoy has several, of which two are here; on Kong calling any traps.

use wasmtime::{Caller, Linker};

use super::guest::{Answer, Guest};
use crate::abi::Status;
use crate::faults::HostCall;
use crate::profile::Profile;
use crate::signature;
use crate::vm::State;

pub(super) fn provide(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        HostCall::CallForeignFunction.name(),
        |caller: Caller<'_, State>,
         name: i32,
         name_len: i32,
         arguments: i32,
         arguments_len: i32,
         data: i32,
         size: i32| {
            super::enter(caller, HostCall::CallForeignFunction, |guest| {
                let name = guest.read(name, name_len)?;
                let arguments = guest.read(arguments, arguments_len)?;
                match guest.call_foreign_function(&name, &arguments)? {
                    Some(answer) => guest.give(&answer, data, size),
                    None => Ok(()),
                }
            })
        },
    )?;
    Ok(())
}

impl Guest<'_, '_> {
    fn call_foreign_function(&mut self, name: &[u8], arguments: &[u8]) -> Answer<Option<Vec<u8>>> {
        let world = self.world()?;
        if world.profile == Profile::Envoy {
            match name {
                b"clear_route_cache" => {
                    if let Some(stream) = world.stream_mut() {
                        stream.route_cleared = true;
                    }
                    return Ok(None);
                }
                b"verify_signature" => {
                    if let Some(answer) = &world.signature_answer {
                        return Ok(Some(answer.clone()));
                    }
                    let answer = signature::verify(arguments).ok_or(Status::BadArgument)?;
                    return Ok(Some(answer));
                }
                _ => {}
            }
        }
        self.refuse(HostCall::CallForeignFunction, Status::NotFound)?;
        Ok(None)
    }
}
