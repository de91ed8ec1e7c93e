//! Log, time, ticks, contexts, and the end of a request's wait.

use std::time::Duration;

use wasmtime::{Caller, Linker};

use super::guest::{Answer, Guest, Refusal};
use crate::abi::{Level, Status, decode_map};
use crate::exchange::LocalResponse;
use crate::faults::HostCall;
use crate::profile::Profile;
use crate::vm::State;
use crate::world::Callback;

pub(super) fn provide(linker: &mut Linker<State>, profile: Profile) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_log",
        |caller: Caller<'_, State>, level: i32, text: i32, size: i32| {
            super::enter(caller, HostCall::Log, |guest| guest.log(level, text, size))
        },
    )?;
    if profile.knows_get_log_level() {
        linker.func_wrap(
            "env",
            "proxy_get_log_level",
            |caller: Caller<'_, State>, out: i32| {
                super::enter(caller, HostCall::GetLogLevel, |guest| {
                    guest.write_u32(out, Level::Info as u32)
                })
            },
        )?;
    }
    linker.func_wrap(
        "env",
        "proxy_get_current_time_nanoseconds",
        |caller: Caller<'_, State>, out: i32| {
            super::enter(caller, HostCall::GetCurrentTime, |guest| {
                let now = guest.world()?.clock.realtime();
                guest.write_u64(out, now)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_tick_period_milliseconds",
        |caller: Caller<'_, State>, period: i32| {
            super::enter(caller, HostCall::SetTickPeriod, |guest| {
                guest.set_tick_period(period.cast_unsigned())
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_effective_context",
        |caller: Caller<'_, State>, context: i32| {
            super::enter(caller, HostCall::SetEffectiveContext, |guest| {
                guest.set_effective_context(context.cast_unsigned())
            })
        },
    )?;
    linker.func_wrap("env", "proxy_done", |caller: Caller<'_, State>| {
        super::enter(caller, HostCall::Done, |guest| {
            guest.only_on_envoy("proxy_done")
        })
    })?;
    linker.func_wrap(
        "env",
        "proxy_continue_stream",
        |caller: Caller<'_, State>, stream: i32| {
            super::enter(caller, HostCall::ContinueStream, |guest| {
                guest.continue_stream(stream)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_close_stream",
        |caller: Caller<'_, State>, _: i32| {
            super::enter(caller, HostCall::CloseStream, |guest| {
                guest.only_on_envoy("proxy_close_stream")
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |caller: Caller<'_, State>,
         status: i32,
         details: i32,
         details_size: i32,
         body: i32,
         body_size: i32,
         headers: i32,
         headers_size: i32,
         _grpc_status: i32| {
            super::enter(caller, HostCall::SendLocalResponse, |guest| {
                let details = guest.read(details, details_size)?;
                let body = guest.read(body, body_size)?;
                let headers = guest.read(headers, headers_size)?;
                guest.send_local_response(status, &details, body, &headers)
            })
        },
    )?;
    Ok(())
}

impl Guest<'_, '_> {
    fn log(&mut self, level: i32, text: i32, size: i32) -> Answer {
        let level = Level::from_abi(level).ok_or(Status::BadArgument)?;
        let text = self.read(text, size)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        self.world()?.log(level, text);
        Ok(())
    }

    /// Envoy replaces the period. Kong traps when one is set already, and when no root context
    /// asks.
    fn set_tick_period(&mut self, milliseconds: u32) -> Answer {
        let world = self.world()?;
        let kong = world.profile == Profile::Kong;
        let Some(owner) = world.tick_owner() else {
            return Err(match world.profile {
                Profile::Envoy => Status::BadArgument.into(),
                Profile::Kong => Refusal::trap("can only set tick_period in root context"),
            });
        };
        if kong && milliseconds != 0 && world.ticks.is_armed(owner) {
            return Err(Refusal::trap("tick_period already set"));
        }
        if !kong || milliseconds == 0 {
            world.ticks.stop(owner);
        }
        if milliseconds != 0 {
            let period = Duration::from_millis(milliseconds.into());
            world.ticks.start(owner, period, world.clock.now());
        }
        Ok(())
    }

    /// Kong takes the call and does nothing. On Envoy the context must live in this VM; 0 is the
    /// VM's own.
    fn set_effective_context(&mut self, context: u32) -> Answer {
        let world = self.world()?;
        if world.profile == Profile::Kong {
            return Ok(());
        }
        let stream = world.streams.get(&context);
        let lives = stream.is_some_and(|stream| stream.vm == world.frame.vm);
        if context != 0 && !lives && !world.roots.contains_key(&context) {
            return Err(Status::BadArgument.into());
        }
        world.frame.context = context;
        Ok(())
    }

    fn continue_stream(&mut self, stream_type: i32) -> Answer {
        let world = self.world()?;
        if stream_type != 0 {
            return Err(match world.profile {
                Profile::Envoy => Status::BadArgument.into(),
                Profile::Kong => Status::InternalFailure.into(),
            });
        }
        let profile = world.profile;
        match world.stream_mut() {
            Some(stream) => {
                stream.resumed = true;
                stream.headers_closed |= profile.closes_headers();
                Ok(())
            }
            // Kong was never seen doing it, and its source takes a request for granted.
            None if profile == Profile::Kong => Err(Refusal::trap("no request to resume")),
            None => Ok(()),
        }
    }

    /// Kong closes a body with a newline, ignores a `content-length`, keeps of repeated headers
    /// the last, and traps on a second answer.
    ///
    /// On Envoy the first answer stands in the request's own callbacks, and the last in another
    /// context's. One that follows a resume comes too late: the upstream gets the request.
    fn send_local_response(
        &mut self,
        status: i32,
        details: &[u8],
        mut body: Vec<u8>,
        headers: &[u8],
    ) -> Answer {
        let status = u16::try_from(status).map_err(|_| Status::BadArgument)?;
        let mut headers = decode_map(headers).ok_or(Status::BadArgument)?;
        let world = self.world()?;
        let profile = world.profile;
        let in_request = world.frame.callback == Callback::Request;
        let Some(stream) = world.stream_mut() else {
            return match profile {
                Profile::Envoy => Ok(()),
                Profile::Kong => Err(Refusal::trap("no request to answer")),
            };
        };
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case(b"content-length"));
        if profile == Profile::Kong {
            if !body.is_empty() {
                body.push(b'\n');
            }
            let all = headers.clone();
            let mut index = 0;
            headers.retain(|(name, _)| {
                index += 1;
                let later = &all[index..];
                !later
                    .iter()
                    .any(|(other, _)| other.eq_ignore_ascii_case(name))
            });
        }
        let length = body.len().to_string().into_bytes();
        headers.push((b"content-length".to_vec(), length));
        if stream.local.is_some() && profile == Profile::Kong {
            return Err(Refusal::trap("local response already stashed"));
        }
        let late = stream.resumed && profile == Profile::Envoy;
        if !late && (stream.local.is_none() || !in_request) {
            stream.local = Some(LocalResponse {
                status,
                headers,
                body,
                details: String::from_utf8_lossy(details).into_owned(),
            });
        }
        Ok(())
    }

    fn only_on_envoy(&mut self, name: &str) -> Answer {
        match self.world()?.profile {
            Profile::Envoy => Ok(()),
            Profile::Kong => Err(Refusal::trap(format!("NYI - {name}"))),
        }
    }
}
