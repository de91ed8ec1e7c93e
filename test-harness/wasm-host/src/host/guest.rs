//! The guest as a host call sees it: its memory, its allocator, and the world around it.

use wasmtime::{Caller, Extern, Memory, Val};

use crate::abi::Status;
use crate::vm::State;
use crate::world::World;

/// What a host call comes to.
pub(super) type Answer<T = ()> = Result<T, Refusal>;

/// Why a host call does not succeed.
pub(super) enum Refusal {
    /// The guest is told by status.
    Status(Status),
    /// The guest is ended.
    Trap(wasmtime::Error),
}

impl Refusal {
    pub(super) fn trap(why: impl Into<String>) -> Self {
        Self::Trap(wasmtime::Error::msg(why.into()))
    }
}

impl From<wasmtime::Error> for Refusal {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

pub(super) struct Guest<'a, 'vm> {
    caller: &'a mut Caller<'vm, State>,
}

impl<'a, 'vm> Guest<'a, 'vm> {
    pub(super) fn new(caller: &'a mut Caller<'vm, State>) -> Self {
        Self { caller }
    }

    /// The world, which the VM has for as long as it runs.
    pub(super) fn world(&mut self) -> wasmtime::Result<&mut World> {
        let world = self.caller.data_mut().world.as_mut();
        world.ok_or_else(|| wasmtime::Error::msg("the VM runs without a world"))
    }

    pub(super) fn read(&mut self, pointer: i32, size: i32) -> Answer<Vec<u8>> {
        let memory = self.memory()?;
        let start = offset(pointer);
        let bytes = memory
            .data(&self.caller)
            .get(start..start.saturating_add(offset(size)))
            .map(<[u8]>::to_vec);
        match bytes {
            Some(bytes) => Ok(bytes),
            None => Err(self.bad_pointer()),
        }
    }

    /// Bytes that must be text. Names on both hosts are; anything else finds nothing.
    pub(super) fn read_text(&mut self, pointer: i32, size: i32) -> Answer<String> {
        let bytes = self.read(pointer, size)?;
        String::from_utf8(bytes).map_err(|_| Status::BadArgument.into())
    }

    pub(super) fn write(&mut self, pointer: i32, bytes: &[u8]) -> Answer {
        let memory = self.memory()?;
        match memory.write(&mut *self.caller, offset(pointer), bytes) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.bad_pointer()),
        }
    }

    pub(super) fn write_u32(&mut self, pointer: i32, value: u32) -> Answer {
        self.write(pointer, &value.to_le_bytes())
    }

    pub(super) fn write_u64(&mut self, pointer: i32, value: u64) -> Answer {
        self.write(pointer, &value.to_le_bytes())
    }

    /// Hands bytes to the guest in memory of its own, and writes where and how many. A guest
    /// that can't allocate traps.
    ///
    /// For no bytes Envoy gives a null pointer; Kong asks the guest for an allocation of 0.
    pub(super) fn give(&mut self, bytes: &[u8], pointer_out: i32, size_out: i32) -> Answer {
        let null = bytes.is_empty() && self.world()?.profile.gives_null_for_nothing();
        let pointer = if null { 0 } else { self.allocate(bytes.len())? };
        self.write(pointer, bytes)?;
        self.write(pointer_out, &pointer.to_le_bytes())?;
        self.write_u32(size_out, u32::try_from(bytes.len()).unwrap_or(u32::MAX))
    }

    fn allocate(&mut self, size: usize) -> Answer<i32> {
        let allocator = ["proxy_on_memory_allocate", "malloc"]
            .iter()
            .find_map(|name| self.caller.get_export(name).and_then(Extern::into_func));
        let Some(allocator) = allocator else {
            return Err(Refusal::trap("the guest exports no allocator"));
        };
        let size = i32::try_from(size).map_err(|_| Status::InternalFailure)?;
        let mut pointer = [Val::I32(0)];
        allocator.call(&mut *self.caller, &[Val::I32(size)], &mut pointer)?;
        match pointer[0].i32() {
            Some(pointer) if pointer != 0 => Ok(pointer),
            _ => Err(Status::InternalFailure.into()),
        }
    }

    fn memory(&mut self) -> Answer<Memory> {
        self.caller
            .get_export("memory")
            .and_then(Extern::into_memory)
            .ok_or_else(|| Refusal::trap("the guest exports no memory"))
    }

    fn bad_pointer(&mut self) -> Refusal {
        match self.world() {
            Ok(world) if world.profile.bad_pointer_traps() => {
                Refusal::trap("a pointer leads outside the guest's memory")
            }
            Ok(_) => Status::InvalidMemoryAccess.into(),
            Err(error) => error.into(),
        }
    }
}

/// Guest addresses and sizes are unsigned 32-bit.
fn offset(value: i32) -> usize {
    usize::try_from(value.cast_unsigned()).unwrap_or(usize::MAX)
}
