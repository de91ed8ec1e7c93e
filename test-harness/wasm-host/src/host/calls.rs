//! `dispatch_http_call`: what each gateway takes, and what it traps on.

use std::time::Duration;

use wasmtime::{Caller, Linker};

use super::guest::{Answer, Guest, Refusal};
use crate::abi::{Pair, Status, decode_map};
use crate::calls;
use crate::faults::HostCall;
use crate::profile::{Cluster, Profile};
use crate::vm::State;
use crate::world::Callback;

pub(super) fn provide(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |caller: Caller<'_, State>,
         upstream: i32,
         upstream_size: i32,
         headers: i32,
         headers_size: i32,
         body: i32,
         body_size: i32,
         _trailers: i32,
         _trailers_size: i32,
         timeout: i32,
         token_out: i32| {
            super::enter(caller, HostCall::HttpCall, |guest| {
                let upstream = guest.read_text(upstream, upstream_size)?;
                let headers = guest.read(headers, headers_size)?;
                let headers = decode_map(&headers).ok_or(Status::BadArgument)?;
                let body = guest.read(body, body_size)?;
                match guest.world()?.profile {
                    Profile::Envoy => guest.check_envoy_call(&upstream, &headers)?,
                    Profile::Kong => guest.check_kong_call(&upstream, &headers)?,
                }
                let token = guest.dispatch(upstream, headers, body, timeout.cast_unsigned())?;
                guest.write_u32(token_out, token)
            })
        },
    )?;
    Ok(())
}

impl Guest<'_, '_> {
    fn check_envoy_call(&mut self, cluster: &str, headers: &[Pair]) -> Answer {
        let cluster = self.world()?.options.clusters.get(cluster).copied();
        let complete = [":method", ":path", ":authority"]
            .iter()
            .all(|name| has(headers, name));
        match cluster {
            Some(_) if !complete => Err(Status::BadArgument.into()),
            Some(Cluster::Ready) => Ok(()),
            Some(Cluster::Empty) => Err(Status::InternalFailure.into()),
            None => Err(Status::BadArgument.into()),
        }
    }

    fn check_kong_call(&mut self, host: &str, headers: &[Pair]) -> Answer {
        let refused = |why: &str| Err(Refusal::trap(format!("dispatch failed: {why}")));
        let world = self.world()?;
        let of_request = world.stream().is_some();
        let vm = world.frame.vm;
        let now = world.clock.now();
        let mut pending = world.calls.pending().iter();
        let is_looked_up = pending.any(|call| {
            let is_over = now > call.at + Duration::from_millis(call.timeout_ms.into());
            let of_tick = call.vm == vm && call.context == call.root;
            of_tick && !is_over && name(&call.upstream) == name(host)
        });
        match world.frame.callback {
            // Kong's DNS client lets the second who asks for a name wait for the first, and can't wake a tick's
            // request. Here a name is being looked up as long as it is called.
            Callback::Tick if is_looked_up => {
                world.frame.worker_killed = true;
                return Err(Refusal::trap("the worker crashed waiting for a name"));
            }
            Callback::Tick | Callback::Request => {}
            // A tick's request is gone when its call is answered, and nginx follows it nowhere.
            Callback::CallResponse if !of_request => {
                world.frame.worker_killed = true;
                return Err(Refusal::trap("the worker crashed dispatching a call"));
            }
            Callback::CallResponse => {}
            _ => return refused("not in this callback"),
        }
        if host.is_empty() {
            return refused("no host");
        }
        if host.contains("://") {
            return refused("invalid host: it has a scheme");
        }
        for name in [":method", ":path"] {
            if !has(headers, name) {
                return refused(&format!("no {name}"));
            }
        }
        Ok(())
    }

    fn dispatch(
        &mut self,
        upstream: String,
        headers: Vec<Pair>,
        body: Vec<u8>,
        timeout_ms: u32,
    ) -> Answer<u32> {
        let world = self.world()?;
        let vm = world.frame.vm;
        let token = world.calls.next_token(world.profile, vm);
        let call = calls::HttpCall {
            id: world.calls.next_id(),
            token,
            vm,
            context: world.frame.context,
            root: world.root_id(),
            upstream,
            headers,
            body,
            timeout_ms,
            at: world.clock.now(),
        };
        world.calls.push(call);
        Ok(token)
    }
}

fn name(host: &str) -> &str {
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn has(headers: &[Pair], name: &str) -> bool {
    headers
        .iter()
        .any(|(seen, value)| seen.eq_ignore_ascii_case(name.as_bytes()) && !value.is_empty())
}
