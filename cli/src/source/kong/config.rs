//! The parts of Kong's declarative configuration that decide which plugins and gates a request meets.

use crate::source::tree::{Node, Span};
use std::collections::HashMap;
use std::rc::Rc;

/// What a plugin or a gate is bound to; or which route and service a request has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) route: Option<usize>,
    pub(super) service: Option<usize>,
}

impl Scope {
    /// Whether what is bound so is there for a request.
    pub(super) fn holds(self, request: Self) -> bool {
        self.route.is_none_or(|route| Some(route) == request.route)
            && (self.service).is_none_or(|service| Some(service) == request.service)
    }

    /// All that holds for a request, in Kong's order of precedence.
    pub(super) fn closest_first(self) -> [Self; 4] {
        let nothing = Self::default();
        let route = self.route;
        let service = self.service;
        [
            self,
            Self { route, ..nothing },
            Self { service, ..nothing },
            nothing,
        ]
    }
}

/// A route or a service.
#[derive(Debug)]
pub(super) struct Entity {
    /// `route "deploy"`.
    pub(super) label: String,
    /// Its name, or its first line; nothing if it is only referred to.
    pub(super) at: Option<Span>,
    /// A route's service.
    pub(super) service: Option<usize>,
    /// A route's protocols, where they are none of HTTP's.
    pub(super) stream: Option<Span>,
}

/// A plugin that is not switched off, and is no gate.
#[derive(Debug)]
pub(super) struct Plugin {
    pub(super) name: String,
    /// Its name's place.
    pub(super) at: Span,
    pub(super) node: Rc<Node>,
    pub(super) scope: Scope,
    /// For some consumers, or a group of them, alone.
    pub(super) of_consumer: bool,
}

#[derive(Debug)]
pub(super) struct Gate {
    /// Its name's place.
    pub(super) at: Span,
    /// The place of its policy.
    pub(super) place: String,
    pub(super) scope: Scope,
    pub(super) in_chain: bool,
    /// Where it is switched off.
    pub(super) off: Option<Span>,
}

impl Gate {
    /// When a request comes to it: the service's gates first, of each the filter chain's before the plugin.
    pub(super) fn turn(&self) -> (bool, bool) {
        (self.scope.route.is_some(), !self.in_chain)
    }
}

#[derive(Debug, Default)]
pub(super) struct Kong {
    pub(super) services: Vec<Entity>,
    pub(super) routes: Vec<Entity>,
    pub(super) plugins: Vec<Plugin>,
    /// In the order of the file, as far as they are on the same route or service.
    pub(super) gates: Vec<Gate>,
    /// The routes and services, each by its kind with its name and with its id.
    pub(super) by_name: HashMap<(&'static str, String), usize>,
}

impl Kong {
    /// The requests that a gate is for: those of a route, or of each of a service's routes.
    pub(super) fn requests(&self, gate: &Gate) -> Vec<Scope> {
        if let Some(nth) = gate.scope.route {
            let route = self.routes.get(nth);
            let service = gate.scope.service;
            return vec![Scope {
                route: Some(nth),
                service: route.and_then(|route| route.service).or(service),
            }];
        }
        let routes = self.routes.iter().enumerate();
        let requests: Vec<_> = routes
            .filter(|(_, route)| route.service == gate.scope.service)
            .map(|(nth, route)| Scope {
                route: Some(nth),
                service: route.service,
            })
            .collect();
        match requests.as_slice() {
            // Its routes are elsewhere.
            [] => vec![gate.scope],
            _ => requests,
        }
    }

    /// What a gate stands on.
    fn label(&self, gate: &Gate) -> &str {
        let route = gate.scope.route.and_then(|nth| self.routes.get(nth));
        let service = || gate.scope.service.and_then(|nth| self.services.get(nth));
        let entity = route.or_else(service);
        entity.map_or("", |entity| &entity.label)
    }

    /// `the gate of route "deploy"`.
    pub(super) fn the_gate(&self, gate: &Gate) -> String {
        format!("the gate of {}", self.label(gate))
    }

    /// `the gates of route "deploy", service "web" and 3 more`.
    pub(super) fn the_gates(&self, gates: &[&Gate]) -> String {
        let mut labels: Vec<_> = gates.iter().map(|gate| self.label(gate)).collect();
        labels.dedup();
        match labels.as_slice() {
            [] => String::new(),
            [one] => format!("the gate of {one}"),
            [one, other] => format!("the gates of {one} and {other}"),
            [one, other, third] => format!("the gates of {one}, {other} and {third}"),
            [one, other, more @ ..] => {
                format!("the gates of {one}, {other} and {} more", more.len())
            }
        }
    }
}
