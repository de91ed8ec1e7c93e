//! Metrics. Misuse is a status on Envoy and a trap on Kong.

use wasmtime::{Caller, Linker};

use super::guest::{Answer, Guest, Refusal};
use crate::abi::Status;
use crate::faults::HostCall;
use crate::metrics::{MetricError, MetricKind};
use crate::profile::{KongVersion, Profile};
use crate::vm::State;

/// Kong's limit for `pw:<filter>:<name>`.
const KONG_NAME_LIMIT: usize = 256;

/// The filter's name in Kong, which counts towards the limit.
const FILTER_NAME: &str = "jobgate";

pub(super) fn provide(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |caller: Caller<'_, State>, kind: i32, name: i32, len: i32, id: i32| {
            super::enter(caller, HostCall::DefineMetric, |guest| {
                let name = guest.read_text(name, len)?;
                let defined = guest.define_metric(kind, &name)?;
                guest.write_u32(id, defined)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_increment_metric",
        |caller: Caller<'_, State>, id: i32, offset: i64| {
            super::enter(caller, HostCall::IncrementMetric, |guest| {
                let world = guest.world()?;
                let lax = world.profile == Profile::Envoy;
                let done = world.metrics.increment(id.cast_unsigned(), offset, lax);
                guest.metric(done)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_record_metric",
        |caller: Caller<'_, State>, id: i32, value: i64| {
            super::enter(caller, HostCall::RecordMetric, |guest| {
                let world = guest.world()?;
                let lax = world.profile == Profile::Envoy;
                let value = value.cast_unsigned();
                let done = world.metrics.record(id.cast_unsigned(), value, lax);
                guest.metric(done)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_metric",
        |caller: Caller<'_, State>, id: i32, out: i32| {
            super::enter(caller, HostCall::GetMetric, |guest| {
                let value = guest.world()?.metrics.get(id.cast_unsigned());
                let value = guest.metric(value)?;
                guest.write_u64(out, value)
            })
        },
    )?;
    Ok(())
}

impl Guest<'_, '_> {
    fn define_metric(&mut self, kind: i32, name: &str) -> Answer<u32> {
        let world = self.world()?;
        let kong = world.profile == Profile::Kong;
        if kong && world.options.kong < KongVersion::V3_8 {
            return Err(Refusal::trap("not yet implemented"));
        }
        let Some(kind) = MetricKind::from_abi(kind) else {
            return Err(match world.profile {
                Profile::Envoy => Status::BadArgument.into(),
                Profile::Kong => Refusal::trap("could not define metric: unknown type"),
            });
        };
        if kong && 4 + FILTER_NAME.len() + name.len() > KONG_NAME_LIMIT {
            return Err(Refusal::trap("could not define metric: name too long"));
        }
        Ok(world.metrics.define(kind, name))
    }

    fn metric<T>(&mut self, done: Result<T, MetricError>) -> Answer<T> {
        let profile = self.world()?.profile;
        done.map_err(|error| match (profile, error) {
            (Profile::Envoy, MetricError::Unknown) => Status::NotFound.into(),
            (Profile::Envoy, MetricError::Misuse) => Status::BadArgument.into(),
            (Profile::Kong, MetricError::Unknown) => Refusal::trap("could not find metric"),
            (Profile::Kong, MetricError::Misuse) => Refusal::trap("metric of another type"),
        })
    }
}
