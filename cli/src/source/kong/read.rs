//! Reads Kong's declarative configuration, with everything nested or named from elsewhere.

use super::config::{Entity, Gate, Kong, Plugin, Scope};
use crate::source::tree::{Kind, Node, Span};
use serde_json::Value;
use std::rc::Rc;

const SERVICE: &str = "service";
const ROUTE: &str = "route";

/// A part of the document that plugins and filter chains stand in.
struct Holder {
    node: Rc<Node>,
    place: String,
    scope: Scope,
    of_consumer: bool,
}

impl Kong {
    pub(super) fn read(document: &Rc<Node>) -> Self {
        let mut kong = Self::default();
        let mut holders = Vec::new();
        let mut hold = |node: &Rc<Node>, place: &str, scope, of_consumer| {
            holders.push(Holder {
                node: Rc::clone(node),
                place: place.to_owned(),
                scope,
                of_consumer,
            });
        };
        let of_route = |nth| Scope {
            route: Some(nth),
            service: None,
        };
        for (node, place) in items(document, "services", "") {
            let service = kong.add(SERVICE, node, &place, None);
            let scope = Scope {
                route: None,
                service: Some(service),
            };
            hold(node, &place, scope, false);
            for (node, place) in items(node, "routes", &format!("{place}.")) {
                let route = kong.add(ROUTE, node, &place, Some(service));
                hold(node, &place, of_route(route), false);
            }
        }
        for (node, place) in items(document, "routes", "") {
            let service = kong.reference(SERVICE, node);
            let route = kong.add(ROUTE, node, &place, service);
            hold(node, &place, of_route(route), false);
        }
        for member in ["consumers", "consumer_groups"] {
            for (node, place) in items(document, member, "") {
                hold(node, &place, Scope::default(), true);
            }
        }
        hold(document, "", Scope::default(), false);
        for holder in &holders {
            kong.attach(holder);
        }
        kong
    }

    fn add(
        &mut self,
        kind: &'static str,
        node: &Rc<Node>,
        place: &str,
        service: Option<usize>,
    ) -> usize {
        let text = |member| node.get(member).and_then(|text| text.text());
        let names = [text("name"), text("id")];
        let label = match names.iter().flatten().next() {
            Some(name) => format!("{kind} {name:?}"),
            None => place.to_owned(),
        };
        let entities = self.entities(kind);
        let nth = entities.len();
        entities.push(Entity {
            label,
            at: Some(node.get("name").unwrap_or(node).span.clone()),
            service,
            stream: node
                .get("protocols")
                .and_then(|protocols| stream(protocols)),
        });
        for name in names.into_iter().flatten() {
            self.by_name.insert((kind, name.to_owned()), nth);
        }
        nth
    }

    fn entities(&mut self, kind: &str) -> &mut Vec<Entity> {
        match kind {
            SERVICE => &mut self.services,
            _ => &mut self.routes,
        }
    }

    /// The route or service that `node` names, whether it is in this file or not.
    fn reference(&mut self, kind: &'static str, node: &Node) -> Option<usize> {
        let named = node.get(kind)?;
        let name = ["id", "name"]
            .iter()
            .find_map(|member| named.get(member)?.text())
            .or(named.text())?;
        let key = (kind, name.to_owned());
        if let Some(nth) = self.by_name.get(&key) {
            return Some(*nth);
        }
        let entities = self.entities(kind);
        let nth = entities.len();
        entities.push(Entity {
            label: format!("{kind} {name:?}"),
            at: None,
            service: None,
            stream: None,
        });
        self.by_name.insert(key, nth);
        Some(nth)
    }

    /// What a plugin or chain is bound to: what it names, or else what it stands in.
    fn scope(&mut self, node: &Node, holder: &Holder) -> Scope {
        let route = self.reference(ROUTE, node).or(holder.scope.route);
        let service = self.reference(SERVICE, node).or(holder.scope.service);
        Scope { route, service }
    }

    fn attach(&mut self, holder: &Holder) {
        let dot = if holder.place.is_empty() { "" } else { "." };
        let below = format!("{}{dot}", holder.place);
        for (node, place) in items(&holder.node, "plugins", &below) {
            let Some((name, at)) = name(node) else {
                continue;
            };
            let scope = self.scope(node, holder);
            if name == "jobgate" {
                self.gate(at, &place, scope, false, off(node));
            } else if off(node).is_none() {
                self.plugins.push(Plugin {
                    name: name.to_owned(),
                    at,
                    node: Rc::clone(node),
                    scope,
                    of_consumer: holder.of_consumer || names_consumers(node),
                });
            }
        }
        for (chain, place) in items(&holder.node, "filter_chains", &below) {
            let scope = self.scope(chain, holder);
            for (node, place) in items(chain, "filters", &format!("{place}.")) {
                if let Some(("jobgate", at)) = name(node) {
                    self.gate(at, &place, scope, true, off(chain).or_else(|| off(node)));
                }
            }
        }
    }

    fn gate(&mut self, at: Span, place: &str, scope: Scope, in_chain: bool, off: Option<Span>) {
        // One for everything, or for consumers, is refused by Kong.
        if scope != Scope::default() {
            self.gates.push(Gate {
                at,
                place: format!("{place}.config"),
                scope,
                in_chain,
                off,
            });
        }
    }
}

/// The items of a member of a map, with their places.
fn items<'n>(node: &'n Node, member: &str, below: &str) -> Vec<(&'n Rc<Node>, String)> {
    let list = node.get(member).map_or(&[][..], |list| list.items());
    list.iter()
        .enumerate()
        .map(|(nth, item)| (item, format!("{below}{member}[{nth}]")))
        .collect()
}

fn name(node: &Node) -> Option<(&str, Span)> {
    let name = node.get("name")?;
    Some((name.text()?, name.span.clone()))
}

/// Whether it is for some consumers alone.
fn names_consumers(node: &Node) -> bool {
    let named = |member| node.get(member).map(|named| &named.kind);
    ["consumer", "consumer_group"]
        .iter()
        .any(|member| !matches!(named(member), None | Some(Kind::Bare(Value::Null))))
}

/// Where something is switched off.
fn off(node: &Node) -> Option<Span> {
    let enabled = node.get("enabled")?;
    let is_off = matches!(enabled.kind, Kind::Bare(Value::Bool(false)));
    is_off.then(|| enabled.span.clone())
}

/// The place of protocols, if they are those of streams. Kong takes no others beside them.
fn stream(protocols: &Node) -> Option<Span> {
    let of_streams = ["tcp", "tls", "tls_passthrough", "udp"];
    let first = protocols.items().first()?;
    let is_stream = first.text().is_some_and(|name| of_streams.contains(&name));
    is_stream.then(|| first.span.clone())
}
