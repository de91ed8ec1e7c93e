//! Header maps. What a change does to what goes upstream is in [`crate::headers`].

use wasmtime::{Caller, Linker};

use super::guest::{Answer, Guest, Refusal};
use crate::abi::{MapType, Pair, Status, decode_map, encode_map};
use crate::faults::HostCall;
use crate::profile::Profile;
use crate::stream::Stream;
use crate::vm::State;

pub(super) fn provide(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |caller: Caller<'_, State>, map: i32, data: i32, size: i32| {
            super::enter(caller, HostCall::GetHeaderMapPairs, |guest| {
                guest.get_pairs(map, data, size)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_header_map_pairs",
        |caller: Caller<'_, State>, map: i32, data: i32, size: i32| {
            super::enter(caller, HostCall::SetHeaderMapPairs, |guest| {
                let pairs = guest.read(data, size)?;
                guest.set_pairs(map, &pairs)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |caller: Caller<'_, State>, map: i32, name: i32, len: i32, data: i32, size: i32| {
            super::enter(caller, HostCall::GetHeaderMapValue, |guest| {
                let name = guest.read(name, len)?;
                guest.get_value(map, &name, (data, size))
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |caller: Caller<'_, State>, map: i32, name: i32, len: i32| {
            super::enter(caller, HostCall::RemoveHeaderMapValue, |guest| {
                let name = guest.read(name, len)?;
                guest.change(map, &name, Change::Remove)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |caller: Caller<'_, State>, map: i32, name: i32, len: i32, value: i32, size: i32| {
            super::enter(caller, HostCall::ReplaceHeaderMapValue, |guest| {
                let name = guest.read(name, len)?;
                let value = guest.read(value, size)?;
                guest.change(map, &name, Change::Set(&value))
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |caller: Caller<'_, State>, map: i32, name: i32, len: i32, value: i32, size: i32| {
            super::enter(caller, HostCall::AddHeaderMapValue, |guest| {
                let name = guest.read(name, len)?;
                let value = guest.read(value, size)?;
                guest.change(map, &name, Change::Add(&value))
            })
        },
    )?;
    Ok(())
}

/// How many bytes Kong has the guest allocate for a map that it cuts off at `limit` pairs.
fn measure_past_limit(pairs: &[Pair], limit: usize) -> usize {
    let (pseudo, headers): (Vec<_>, Vec<_>) =
        pairs.iter().partition(|(name, _)| name.starts_with(b":"));
    let counted = headers.len().min(limit);
    // At least one, since it looks whether that is enough only after it.
    let of_pseudo = (limit - counted).max(1);
    let pair = |(name, value): &&Pair| 8 + name.len() + 1 + value.len() + 1;
    let headers = headers.iter().take(counted).map(pair).sum::<usize>();
    4 + headers + pseudo.iter().take(of_pseudo).map(pair).sum::<usize>()
}

#[derive(Clone, Copy)]
enum Change<'a> {
    Add(&'a [u8]),
    Set(&'a [u8]),
    Remove,
}

impl Guest<'_, '_> {
    /// Kong gives no more than 100 pairs, says so in its own log only, and drops the rest.
    ///
    /// It measures other pairs than it writes then: the first hundred headers, and of the pseudo-headers only as
    /// many as make a hundred. So what the guest is told may be longer than the map, or shorter, and then the map
    /// was written over what the guest has behind it. Here that is a trap.
    ///
    /// What is no longer there, or never was, is an empty map on Envoy, and no error.
    fn get_pairs(&mut self, map: i32, data: i32, size: i32) -> Answer {
        let mut pairs = self.pairs(map)?;
        let world = self.world()?;
        let limit = world.profile.map_limit();
        let mut measured = 0;
        if pairs.len() > limit {
            measured = measure_past_limit(&pairs, limit);
            pairs.truncate(limit);
            let message = format!("marshalled map truncated to {limit} elements");
            world.log(crate::abi::Level::Warn, message);
        }
        if pairs.is_empty() && world.profile == Profile::Envoy {
            return self.give(&[], data, size);
        }
        let mut encoded = encode_map(pairs.iter().map(|(n, v)| (n.as_slice(), v.as_slice())));
        if pairs.len() == limit && measured > 0 && encoded.len() > measured {
            return Err(Refusal::trap("a cut map was written past its memory"));
        }
        encoded.resize(encoded.len().max(measured), 0);
        self.give(&encoded, data, size)
    }

    fn pairs(&mut self, map: i32) -> Answer<Vec<Pair>> {
        let map = MapType::from_abi(map).ok_or(Status::BadArgument)?;
        let world = self.world()?;
        let own = |(name, value): (&[u8], &[u8])| (name.to_vec(), value.to_vec());
        let pairs = match map {
            MapType::RequestHeaders => match world.headers_of() {
                Some(stream) => {
                    let listed = stream.headers.seen().map(own);
                    Some(stream.pseudo.iter().cloned().chain(listed).collect())
                }
                None => (world.profile == Profile::Envoy).then(Vec::new),
            },
            MapType::RequestTrailers => world
                .stream()
                .map(|stream| stream.trailers.seen().map(own).collect()),
            MapType::CallResponseHeaders => world.call().map(|call| call.headers.clone()),
            MapType::CallResponseTrailers => world.call().map(|_| Vec::new()),
            MapType::Absent => None,
        };
        pairs.ok_or_else(|| Status::BadArgument.into())
    }

    fn get_value(&mut self, map: i32, name: &[u8], (data, size): (i32, i32)) -> Answer {
        let map = MapType::from_abi(map).ok_or(Status::BadArgument)?;
        let world = self.world()?;
        let value = match (map, world.stream(), world.call()) {
            (MapType::RequestHeaders, _, _) => {
                let stream = world.headers_of().ok_or(Status::BadArgument)?;
                stream.pseudo(name).or_else(|| stream.headers.get(name))
            }
            (MapType::RequestTrailers, Some(stream), _) => stream.trailers.get(name),
            (MapType::CallResponseHeaders, _, Some(call)) if call.body.is_some() => call.get(name),
            (MapType::CallResponseTrailers, _, Some(_)) => None,
            _ => return Err(Status::BadArgument.into()),
        };
        let value = value.ok_or(Status::NotFound)?.to_vec();
        self.give(&value, data, size)
    }

    fn change(&mut self, map: i32, name: &[u8], change: Change<'_>) -> Answer {
        let map = MapType::from_abi(map).ok_or(Status::BadArgument)?;
        let stream = self.stream_to_change(map)?;
        let list = match map {
            MapType::RequestHeaders => {
                if let Change::Add(value) | Change::Set(value) = change
                    && stream.set_pseudo(name, value)
                {
                    return Ok(());
                }
                &mut stream.headers
            }
            MapType::RequestTrailers => &mut stream.trailers,
            _ => return Err(Status::BadArgument.into()),
        };
        match change {
            Change::Add(value) => list.add(name, value),
            Change::Set(value) => list.set(name, value),
            Change::Remove => list.remove(name),
        }
        Ok(())
    }

    /// The request whose headers or trailers are changed. Any change to the headers, even one
    /// that changes nothing, has Envoy choose the route again.
    fn stream_to_change(&mut self, map: MapType) -> Answer<&mut Stream> {
        let world = self.world()?;
        let headers = map == MapType::RequestHeaders;
        if headers && world.headers_of().is_none() {
            return Err(Status::BadArgument.into());
        }
        let clears = headers && world.profile.chooses_route_again();
        let stream = world.stream_mut().ok_or(Status::BadArgument)?;
        stream.route_cleared |= clears;
        Ok(stream)
    }

    fn set_pairs(&mut self, map: i32, pairs: &[u8]) -> Answer {
        let map = MapType::from_abi(map).ok_or(Status::BadArgument)?;
        let pairs = decode_map(pairs).ok_or(Status::BadArgument)?;
        let stream = self.stream_to_change(map)?;
        match map {
            MapType::RequestHeaders => {
                let listed = pairs
                    .into_iter()
                    .filter(|(name, value)| !stream.set_pseudo(name, value))
                    .collect();
                stream.headers.set_all(listed);
            }
            MapType::RequestTrailers => stream.trailers.set_all(pairs),
            _ => return Err(Status::BadArgument.into()),
        }
        Ok(())
    }
}
