//! Imports that exist on both gateways and that no filter here has a use for: shared queues and gRPC. They instantiate, and calling one fails as it does there: by status on
//! Envoy, by trap on Kong.

use wasmtime::{Caller, Linker};

use super::guest::{Answer, Guest, Refusal};
use crate::abi::Status;
use crate::faults::HostCall;
use crate::profile::Profile;
use crate::vm::State;

/// Defines functions of the given parameters that do nothing but fail.
macro_rules! fail {
    ($linker:ident: $($call:ident($($parameter:ident),*) => $status:ident;)*) => {
        $($linker.func_wrap(
            "env",
            HostCall::$call.name(),
            |caller: Caller<'_, State>, $($parameter: i32),*| {
                $(let _ = $parameter;)*
                super::enter(caller, HostCall::$call, |guest| {
                    guest.refuse(HostCall::$call, Status::$status)
                })
            },
        )?;)*
    };
}

pub(super) fn provide(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    fail!(linker:
        RegisterSharedQueue(a, b, c) => InternalFailure;
        ResolveSharedQueue(a, b, c, d, e) => NotFound;
        EnqueueSharedQueue(a, b, c) => NotFound;
        DequeueSharedQueue(a, b, c) => NotFound;
        GrpcCall(a, b, c, d, e, f, g, h, i, j, k, l) => BadArgument;
        GrpcStream(a, b, c, d, e, f, g, h, i) => BadArgument;
        GrpcSend(a, b, c, d) => BadArgument;
        GrpcCancel(a) => BadArgument;
        GrpcClose(a) => BadArgument;
        GetStatus(a, b, c) => BadArgument;
    );
    Ok(())
}

impl Guest<'_, '_> {
    pub(super) fn refuse(&mut self, call: HostCall, status: Status) -> Answer {
        match self.world()?.profile {
            Profile::Envoy => Err(status.into()),
            Profile::Kong => Err(Refusal::trap(format!("NYI - {}", call.name()))),
        }
    }
}
