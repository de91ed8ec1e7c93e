//! WASI preview 1, as far as both gateways have it. Envoy provides more; a filter that needs it
//! would not start on Kong, so it does not start here.
//!
//! There is no argument and no file, and an environment only where Envoy is told of one. The clock is the gateway's, `random_get` is
//! seeded, and what is written to stdout or stderr becomes a log line.

use wasmtime::{Caller, Linker};

use super::guest::{Answer, Guest, Refusal};
use crate::abi::Level;
use crate::faults::HostCall;
use crate::profile::Profile;
use crate::vm::State;

const WASI: &str = "wasi_snapshot_preview1";

const BADF: i32 = 8;
const NOTDIR: i32 = 54;
const NOTSUP: i32 = 58;

pub(super) fn provide(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(WASI, "args_get", |c: Caller<'_, State>, _: i32, _: i32| {
        enter(c, HostCall::WasiArgsGet, |_| Ok(0))
    })?;
    linker.func_wrap(
        WASI,
        "args_sizes_get",
        |c: Caller<'_, State>, count: i32, size: i32| {
            enter(c, HostCall::WasiArgsSizesGet, |guest| {
                guest.none(count, size)
            })
        },
    )?;
    linker.func_wrap(
        WASI,
        "environ_get",
        |c: Caller<'_, State>, places: i32, texts: i32| {
            enter(c, HostCall::WasiEnvironGet, |guest| {
                let (mut place, mut text) = (places, texts);
                for variable in environment(guest) {
                    guest.write_u32(place, text.cast_unsigned())?;
                    guest.write(text, &variable)?;
                    place = place.wrapping_add(4);
                    text = text.wrapping_add(i32::try_from(variable.len()).unwrap_or_default());
                }
                Ok(0)
            })
        },
    )?;
    linker.func_wrap(
        WASI,
        "environ_sizes_get",
        |c: Caller<'_, State>, count: i32, size: i32| {
            enter(c, HostCall::WasiEnvironSizesGet, |guest| {
                let variables = environment(guest);
                let bytes = variables.iter().map(Vec::len).sum::<usize>();
                let short = |number: usize| u32::try_from(number).unwrap_or_default();
                guest.write_u32(count, short(variables.len()))?;
                guest.write_u32(size, short(bytes)).map(|()| 0)
            })
        },
    )?;
    linker.func_wrap(
        WASI,
        "clock_time_get",
        |c: Caller<'_, State>, clock: i32, _precision: i64, out: i32| {
            enter(c, HostCall::WasiClockTimeGet, |guest| {
                let time = match clock {
                    0 => guest.world()?.clock.realtime(),
                    1 => guest.world()?.clock.monotonic(),
                    _ => return Ok(NOTSUP),
                };
                guest.write_u64(out, time).map(|()| 0)
            })
        },
    )?;
    linker.func_wrap(
        WASI,
        "random_get",
        |c: Caller<'_, State>, buffer: i32, size: i32| {
            enter(c, HostCall::WasiRandomGet, |guest| {
                let size = usize::try_from(size.cast_unsigned()).unwrap_or_default();
                let bytes = guest.world()?.random.bytes(size);
                guest.write(buffer, &bytes).map(|()| 0)
            })
        },
    )?;
    linker.func_wrap(WASI, "sched_yield", |c: Caller<'_, State>| {
        enter(c, HostCall::WasiSchedYield, |_| Ok(0))
    })?;
    linker.func_wrap(WASI, "proc_exit", |c: Caller<'_, State>, code: i32| {
        enter(c, HostCall::WasiProcExit, |_| {
            Err(Refusal::trap(format!("the guest exited with {code}")))
        })
        .map(|_| ())
    })?;
    linker.func_wrap(
        WASI,
        "poll_oneoff",
        |c: Caller<'_, State>, _: i32, _: i32, _: i32, _: i32| {
            enter(c, HostCall::WasiPollOneoff, |_| Ok(NOTSUP))
        },
    )?;
    files(linker)
}

/// `NAME=value` and a zero byte, of each variable.
fn environment(guest: &mut Guest<'_, '_>) -> Vec<Vec<u8>> {
    let Ok(world) = guest.world() else {
        return Vec::new();
    };
    let variables = match world.profile {
        Profile::Envoy => world.options.environment.iter(),
        Profile::Kong => return Vec::new(),
    };
    variables
        .map(|(name, value)| format!("{name}={value}\0").into_bytes())
        .collect()
}

fn files(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        WASI,
        "fd_write",
        |c: Caller<'_, State>, fd: i32, vectors: i32, count: i32, written: i32| {
            enter(c, HostCall::WasiFdWrite, |guest| {
                guest.fd_write(fd, vectors, count, written)
            })
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_fdstat_get",
        |c: Caller<'_, State>, fd: i32, out: i32| {
            enter(c, HostCall::WasiFdFdstatGet, |guest| {
                if !matches!(fd, 1 | 2) {
                    return Ok(BADF);
                }
                // Only fs_rights_base is set: FD_WRITE.
                guest.write(out, &[0; 24])?;
                guest.write_u64(out.wrapping_add(8), 64).map(|()| 0)
            })
        },
    )?;
    linker.func_wrap(WASI, "fd_close", |c: Caller<'_, State>, _: i32| {
        enter(c, HostCall::WasiFdClose, |_| Ok(BADF))
    })?;
    linker.func_wrap(
        WASI,
        "fd_fdstat_set_flags",
        |c: Caller<'_, State>, _: i32, _: i32| {
            enter(c, HostCall::WasiFdFdstatSetFlags, |_| Ok(BADF))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_prestat_get",
        |c: Caller<'_, State>, _: i32, _: i32| enter(c, HostCall::WasiFdPrestatGet, |_| Ok(BADF)),
    )?;
    linker.func_wrap(
        WASI,
        "fd_prestat_dir_name",
        |c: Caller<'_, State>, _: i32, _: i32, _: i32| {
            enter(c, HostCall::WasiFdPrestatDirName, |_| Ok(NOTSUP))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_read",
        |c: Caller<'_, State>, _: i32, _: i32, _: i32, _: i32| {
            enter(c, HostCall::WasiFdRead, |_| Ok(BADF))
        },
    )?;
    linker.func_wrap(
        WASI,
        "fd_seek",
        |c: Caller<'_, State>, _: i32, _: i64, _: i32, _: i32| {
            enter(c, HostCall::WasiFdSeek, |_| Ok(BADF))
        },
    )?;
    linker.func_wrap(
        WASI,
        "path_open",
        |c: Caller<'_, State>,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i64,
         _: i64,
         _: i32,
         _: i32| { enter(c, HostCall::WasiPathOpen, |_| Ok(NOTDIR)) },
    )?;
    Ok(())
}

/// As [`super::enter`], for functions that answer with an errno.
fn enter(
    caller: Caller<'_, State>,
    call: HostCall,
    body: impl FnOnce(&mut Guest<'_, '_>) -> Answer<i32>,
) -> wasmtime::Result<i32> {
    let mut errno = 0;
    let status = super::enter(caller, call, |guest| {
        errno = body(guest)?;
        Ok(())
    })?;
    Ok(if status == 0 { errno } else { status })
}

impl Guest<'_, '_> {
    fn none(&mut self, count: i32, size: i32) -> Answer<i32> {
        self.write_u32(count, 0)?;
        self.write_u32(size, 0)?;
        Ok(0)
    }

    fn fd_write(&mut self, fd: i32, vectors: i32, count: i32, written: i32) -> Answer<i32> {
        let level = match fd {
            1 => Level::Info,
            2 => Level::Error,
            _ => return Ok(BADF),
        };
        let mut text = Vec::new();
        for index in 0..count {
            let vector = self.read(vectors.wrapping_add(index.wrapping_mul(8)), 8)?;
            let word = |bytes: &[u8]| {
                let word = <[u8; 4]>::try_from(bytes).map_err(|_| Refusal::trap("a short read"));
                word.map(i32::from_le_bytes)
            };
            text.extend(self.read(word(&vector[..4])?, word(&vector[4..])?)?);
        }
        let size = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let line = String::from_utf8_lossy(&text);
        let line = line.strip_suffix('\n').unwrap_or(&line).to_owned();
        self.world()?.log(level, line);
        self.write_u32(written, size)?;
        Ok(0)
    }
}
