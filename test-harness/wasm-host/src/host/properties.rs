//! Properties: what each gateway knows about a request, and what a filter may set.

use serde_json::json;
use wasmtime::{Caller, Linker};

use super::guest::{Answer, Guest, Refusal};
use crate::abi::{Status, dotted};
use crate::arrival::without_query;
use crate::faults::HostCall;
use crate::profile::{KongVersion, Profile};
use crate::request::{Certificate, Client};
use crate::stream::Stream;
use crate::vm::State;
use crate::world::{Callback, PropertyWrite, World};

pub(super) fn provide(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |caller: Caller<'_, State>, path: i32, len: i32, data: i32, size: i32| {
            super::enter(caller, HostCall::GetProperty, |guest| {
                let path = dotted(&guest.read(path, len)?);
                let value = match guest.world()?.profile {
                    Profile::Envoy => guest.envoy_property(&path)?,
                    Profile::Kong => guest.kong_property(&path)?,
                };
                guest.give(&value, data, size)
            })
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_property",
        |caller: Caller<'_, State>, path: i32, len: i32, value: i32, size: i32| {
            super::enter(caller, HostCall::SetProperty, |guest| {
                let path = dotted(&guest.read(path, len)?);
                let value = guest.read(value, size)?;
                guest.set_property(path, value)
            })
        },
    )?;
    Ok(())
}

impl Guest<'_, '_> {
    /// The route's name stays what it was while the filter changes the headers: Envoy clears its
    /// choice then, and chooses again only when somebody behind the filter asks.
    fn envoy_property(&mut self, path: &str) -> Answer<Vec<u8>> {
        // Known outside of requests too, whatever the bootstrap says of the node.
        if path == "xds.node.user_agent_name" {
            return Ok(b"envoy".to_vec());
        }
        let world = self.world()?;
        let Some(stream) = world.stream() else {
            return Err(Status::NotFound.into());
        };
        if let Some(value) = stream.properties.get(path) {
            return Ok(value.clone());
        }
        let pseudo = |name: &str| stream.pseudo(name.as_bytes()).map(<[u8]>::to_vec);
        let value = match path {
            "xds.route_name" => Some(stream.route_name.clone().into_bytes()),
            "xds.cluster_name" => service(world, stream),
            "request.path" => pseudo(":path"),
            "request.url_path" => pseudo(":path").map(|path| without_query(&path).to_vec()),
            "request.query" => pseudo(":path").map(|path| query(&path)),
            "request.method" => pseudo(":method"),
            "request.host" => pseudo(":authority"),
            "request.scheme" => pseudo(":scheme"),
            "source.address" => Some(stream.peer.clone().into_bytes()),
            "connection.id" => Some(u64::from(world.frame.context).to_le_bytes().to_vec()),
            _ if path.starts_with("connection.") => {
                envoy_connection_property(&stream.client, &path["connection.".len()..])
            }
            _ => path
                .strip_prefix("request.headers.")
                .and_then(|name| stream.headers.get(name.as_bytes()))
                .map(<[u8]>::to_vec),
        };
        value.ok_or_else(|| Status::NotFound.into())
    }

    /// Outside a request there is next to nothing, and asking for the plugin's name in
    /// `on_configure` takes the whole worker down.
    fn kong_property(&mut self, path: &str) -> Answer<Vec<u8>> {
        let world = self.world()?;
        if path == "plugin_name" && world.frame.callback == Callback::Configure {
            world.frame.worker_killed = true;
            return Err(Refusal::trap("the worker crashed reading plugin_name"));
        }
        let Some(stream) = world.stream() else {
            return Err(if path.starts_with("kong.") {
                Status::InternalFailure.into()
            } else {
                Status::NotFound.into()
            });
        };
        if path == "kong.service.response.status" {
            return Err(Refusal::trap(
                "kong.service.response.status before the response",
            ));
        }
        if let Some(value) = stream.properties.get(path) {
            return Ok(value.clone());
        }
        kong_request_property(world, stream, path).ok_or_else(|| Status::NotFound.into())
    }

    /// Envoy keeps anything as filter state. Kong lets a filter write `kong.ctx.shared.*` and
    /// traps on any other `kong.*` or `ngx.*`.
    fn set_property(&mut self, path: String, value: Vec<u8>) -> Answer {
        let world = self.world()?;
        let has_table = world.options.kong >= KongVersion::V3_7;
        if world.profile == Profile::Kong && !(has_table && path.starts_with("kong.ctx.shared.")) {
            let immutable = ["kong.", "ngx.", "request.", "source.", "connection."];
            return Err(if immutable.iter().any(|p| path.starts_with(p)) {
                Refusal::trap(format!("could not set \"{path}\""))
            } else {
                Status::NotFound.into()
            });
        }
        let context = world.frame.context;
        if let Some(stream) = world.stream_mut() {
            stream.properties.insert(path.clone(), value.clone());
        }
        world.writes.push(PropertyWrite {
            context,
            path,
            value,
        });
        Ok(())
    }
}

/// `mtls` is true for any certificate that was presented, and `peer_certificate_valid` only for one
/// that was verified. What a certificate does not have reads as nothing.
fn envoy_connection_property(client: &Client, name: &str) -> Option<Vec<u8>> {
    let certificate = match client {
        Client::Plain | Client::Anonymous => None,
        Client::Certified(certificate) => Some(certificate),
    };
    let text = |text: fn(&Certificate) -> &String| {
        let text = text(certificate?).clone().into_bytes();
        (!text.is_empty()).then_some(text)
    };
    match name {
        "mtls" => Some(vec![u8::from(certificate.is_some())]),
        "peer_certificate_valid" => Some(vec![u8::from(certificate.is_some_and(|c| c.verified))]),
        "subject_peer_certificate" => text(|certificate| &certificate.subject),
        "uri_san_peer_certificate" => text(|certificate| &certificate.uri_san),
        "dns_san_peer_certificate" => text(|certificate| &certificate.dns_san),
        _ => None,
    }
}

/// nginx has these variables on connections with TLS alone, and none for alternative names.
fn kong_client_property(client: &Client, name: &str) -> Option<Vec<u8>> {
    let text = match (name, client) {
        (_, Client::Plain) => return None,
        ("ssl_client_verify", Client::Anonymous) => "NONE",
        ("ssl_client_verify", Client::Certified(certificate)) if certificate.verified => "SUCCESS",
        ("ssl_client_verify", Client::Certified(_)) => "FAILED:self-signed certificate",
        ("ssl_client_s_dn", Client::Certified(certificate)) => &certificate.subject,
        _ => return None,
    };
    Some(text.as_bytes().to_vec())
}

/// The service or cluster of the request's route, if it has one.
fn service(world: &World, stream: &Stream) -> Option<Vec<u8>> {
    let service = &world.roots.get(&stream.root)?.route.service;
    (!service.is_empty()).then(|| service.clone().into_bytes())
}

/// What Kong adds to nginx, which is more in later versions.
fn kong_own_property(world: &World, stream: &Stream, path: &str) -> Option<Vec<u8>> {
    let route = &world.roots.get(&stream.root)?.route;
    let name = |name: &str| (!name.is_empty()).then(|| name.as_bytes().to_vec());
    let document = |kind: &str, name: &str| {
        let name = (!name.is_empty()).then_some(name);
        let id = format!("{kind}-{}", stream.route);
        Some(json!({ "id": id, "name": name }).to_string().into_bytes())
    };
    let since = match path {
        "kong.route_id" => KongVersion::V3_5,
        "kong.route_name" | "kong.service_name" => KongVersion::V3_9,
        _ => KongVersion::V3_7,
    };
    let version = world.options.kong;
    if version < since {
        return None;
    }
    match path {
        "kong.route_id" => Some(format!("route-{}", stream.route).into_bytes()),
        "kong.route_name" => name(&route.name),
        "kong.service_name" => name(&route.service),
        "kong.router.route" => document("route", &route.name),
        "kong.router.service" => document("service", &route.service),
        "kong.node.id" => Some(b"00000000-0000-4000-8000-000000000000".to_vec()),
        "kong.version" => Some(match version {
            KongVersion::V3_9 => b"3.9.3".to_vec(),
            KongVersion::V3_8 => b"3.8.1".to_vec(),
            _ => b"3.7.1".to_vec(),
        }),
        _ => None,
    }
}

fn kong_request_property(world: &World, stream: &Stream, path: &str) -> Option<Vec<u8>> {
    // nginx's own view, which nothing that the filter does to the headers changes.
    let sent = |index: usize| stream.arrived.pseudo.get(index).map(|(_, v)| v.clone());
    let text = |text: &str| Some(text.as_bytes().to_vec());
    match path {
        _ if path.starts_with("kong.") => kong_own_property(world, stream, path),
        "request.method" | "ngx.request_method" => sent(0),
        "request.path" | "ngx.request_uri" => sent(1),
        "request.url_path" | "ngx.uri" => Some(stream.arrived.url_path.clone()),
        "request.query" | "ngx.args" => sent(1).map(|path| query(&path)),
        "request.scheme" | "ngx.scheme" => text(&stream.scheme),
        "ngx.host" => Some(stream.arrived.host.clone()),
        // nginx's $hostname, not the Host header.
        "request.host" => text("kong"),
        // nginx writes IPv6 addresses without brackets.
        "source.address" | "ngx.remote_addr" => {
            let address = stream.peer.rsplit_once(':').map_or("", |(ip, _)| ip);
            text(address.trim_start_matches('[').trim_end_matches(']'))
        }
        "source.port" => text(stream.peer.rsplit_once(':').map_or("", |(_, port)| port)),
        "connection.id" => text(&world.frame.context.to_string()),
        _ => kong_client_property(&stream.client, path.strip_prefix("ngx.")?),
    }
}

fn query(path: &[u8]) -> Vec<u8> {
    let rest = &path[without_query(path).len()..];
    rest.strip_prefix(b"?").unwrap_or_default().to_vec()
}
