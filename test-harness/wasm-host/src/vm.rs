//! One WebAssembly VM: an instance of the filter with its memory.

use std::rc::Rc;

use wasmtime::{Instance, Linker, Store, StoreLimits, StoreLimitsBuilder, Val};

use crate::host;
use crate::module::{Module, describe};
use crate::world::World;

/// What host calls can reach: the world, while the VM has it, and the VM's limits.
pub(crate) struct State {
    /// `None` only between callbacks, when no host call can run.
    pub(crate) world: Option<World>,
    limits: StoreLimits,
}

pub(crate) struct Vm {
    store: Store<State>,
    instance: Instance,
}

/// The guest trapped, or a host call ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trapped(pub(crate) String);

impl Vm {
    /// Instantiates the filter without running any of its code but a start function.
    ///
    /// # Errors
    /// The filter imports what the host doesn't have, or its start function traps.
    pub(crate) fn new(module: &Module, world: &mut World) -> Result<Self, Trapped> {
        let engine = module.compiled.engine();
        let mut linker = Linker::new(engine);
        host::provide(&mut linker, world.profile).map_err(trapped)?;
        let mut limits = StoreLimitsBuilder::new();
        if let Some(bytes) = world.options.memory_limit {
            limits = limits.memory_size(bytes);
        }
        let state = State {
            world: None,
            limits: limits.build(),
        };
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.limits);
        if module.metered {
            store.set_fuel(u64::MAX).map_err(trapped)?;
        }
        let instance = lend(&mut store, world, |store| {
            linker.instantiate(store, &module.compiled)
        })
        .map_err(trapped)?;
        Ok(Self { store, instance })
    }

    /// Calls an exported function of the guest, whose parameters are all `i32`.
    ///
    /// Gives its result: `None` when it has none or when there is no such export, which both
    /// hosts take for a callback the filter doesn't want.
    ///
    /// # Errors
    /// The guest trapped.
    pub(crate) fn call(
        &mut self,
        world: &mut World,
        export: &'static str,
        arguments: &[u32],
    ) -> Result<Option<i32>, Trapped> {
        let Some(function) = self.instance.get_func(&mut self.store, export) else {
            return Ok(None);
        };
        let arguments: Vec<Val> = arguments
            .iter()
            .map(|argument| Val::I32(argument.cast_signed()))
            .collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let before = self.fuel();
        let result = lend(&mut self.store, world, |store| {
            function.call(store, &arguments, &mut results)
        });
        world.meter.add(export, before - self.fuel());
        result.map_err(trapped)?;
        Ok(results.first().and_then(Val::i32))
    }

    /// What is left of the fuel; 0 where none is counted.
    fn fuel(&self) -> u64 {
        self.store.get_fuel().unwrap_or_default()
    }

    /// How large the guest's memory is now, in bytes.
    pub(crate) fn memory_bytes(&mut self) -> usize {
        self.instance
            .get_memory(&mut self.store, "memory")
            .map_or(0, |memory| memory.data_size(&self.store))
    }
}

/// Moves the world into the VM, runs, and takes it back whatever happened.
fn lend<R>(
    store: &mut Store<State>,
    world: &mut World,
    run: impl FnOnce(&mut Store<State>) -> R,
) -> R {
    let away = World::new(world.profile, Rc::clone(&world.options));
    store.data_mut().world = Some(std::mem::replace(world, away));
    let result = run(store);
    if let Some(back) = store.data_mut().world.take() {
        *world = back;
    }
    result
}

fn trapped(error: wasmtime::Error) -> Trapped {
    Trapped(describe(&error))
}
