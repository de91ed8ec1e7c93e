//! What the gateways are asked for: a gate for each policy, and the places where it stands.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Gateway, Topology, scenario};
use crate::case::{Case, CaseFile, KeyState, Policy};
use crate::envoy::Route;

/// The header by which a client chooses a [`Place`]. No gate touches it.
pub const ROUTE_HEADER: &str = Route::HEADER;

/// All gates.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In an order that is always the same.
    pub gates: Vec<Gate>,
}

/// A policy at work.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Its name: `<file>.<policy>`; unique, and in lower case.
    pub name: String,
    /// Where its keys come from.
    pub keys: Keys,
    /// Where it stands; never empty.
    pub places: Vec<Place>,
    policy: Policy,
}

/// Where a gate's keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// From the issuer.
    Issuer,
    /// From a server whose certificate is of an authority that the gateways don't trust: never.
    Impostor,
    /// From where nothing listens: never.
    Nowhere,
}

/// A route with a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What [`ROUTE_HEADER`] says for it; unique, and in lower case.
    pub key: String,
    /// The gateway's name for the route, if a case gives one.
    pub route: Option<String>,
    /// The gateway's name for the service behind it, if a case gives one.
    pub service: Option<String>,
}

impl Keys {
    /// The server: a cluster's name on Envoy, an address on Kong.
    fn server(self, gateway: Gateway, topology: &Topology) -> &str {
        match (gateway, self) {
            (Gateway::Envoy, Self::Issuer) => "issuer",
            (Gateway::Envoy, Self::Impostor) => "impostor",
            (Gateway::Envoy, Self::Nowhere) => "nowhere",
            (Gateway::Kong, Self::Issuer) => &topology.issuer_tls,
            (Gateway::Kong, Self::Impostor) => &topology.impostor,
            (Gateway::Kong, Self::Nowhere) => &topology.nowhere,
        }
    }
}

impl Gate {
    /// A gate at one place, whose route and service are the gateway's own choice.
    pub fn new(name: impl Into<String>, policy: Value, keys: Keys) -> Self {
        let mut gate = Self::nowhere(name.into(), Policy::new(policy), keys);
        gate.place_for(None, None);
        gate
    }

    fn nowhere(name: String, policy: Policy, keys: Keys) -> Self {
        Self {
            name,
            keys,
            places: Vec::new(),
            policy,
        }
    }

    /// What [`ROUTE_HEADER`] says for its first place.
    pub fn key(&self) -> &str {
        self.places.first().map_or(&self.name, |place| &place.key)
    }

    /// The same, whose policy brings keys for its first issuer, until they were fetched.
    pub fn bringing(&self, keys: &Value) -> Self {
        let mut policy = self.policy.written().clone();
        policy["issuers"][0]["keys"] = keys.clone();
        Self {
            policy: Policy::new(policy),
            ..self.clone()
        }
    }

    /// Its configuration on this gateway.
    pub fn configuration(&self, gateway: Gateway, topology: &Topology) -> Value {
        let mut policy = self.policy.fill(&topology.placeholders());
        let server = self.keys.server(gateway, topology);
        let issuers = policy.get_mut("issuers").and_then(Value::as_array_mut);
        for issuer in issuers.into_iter().flatten() {
            if let Some(jwks) = issuer.get_mut("jwks") {
                jwks["cluster"] = json!(server);
            }
        }
        if let Some(members) = policy.as_object_mut() {
            let member = match gateway {
                // It can't be asked whether it has a zone, and here it has.
                Gateway::Kong => "shared_data",
                // Routes serve only what was judged as theirs.
                Gateway::Envoy => "note_route",
            };
            members.entry(member).or_insert(json!(true));
        }
        policy
    }

    /// Adds a place, unless it has it.
    fn place_for(&mut self, route: Option<&str>, service: Option<&str>) {
        if self.place(route, service).is_some() {
            return;
        }
        let key = match self.places.len() {
            0 => self.name.clone(),
            nth => format!("{}.{nth}", self.name),
        };
        self.places.push(Place {
            key,
            route: route.map(str::to_owned),
            service: service.map(str::to_owned),
        });
    }

    fn place(&self, route: Option<&str>, service: Option<&str>) -> Option<&Place> {
        self.places
            .iter()
            .find(|place| place.route.as_deref() == route && place.service.as_deref() == service)
    }
}

impl Plan {
    /// All that these cases need, and the gates of the [scenarios](super::scenario).
    pub fn whole(files: &[CaseFile]) -> Self {
        let mut plan = Self::of(files);
        plan.gates.extend(scenario::gates());
        plan
    }

    /// All that these cases need.
    pub fn of(files: &[CaseFile]) -> Self {
        let mut plan = Self::default();
        for file in files {
            let mut gates: BTreeMap<String, Gate> = BTreeMap::new();
            for case in &file.cases {
                let name = name(file, case);
                let gate = gates.entry(name.clone()).or_insert_with(|| {
                    let keys = match case.keys {
                        KeyState::Available => Keys::Issuer,
                        KeyState::NeverFetched => Keys::Nowhere,
                    };
                    Gate::nowhere(name, file.policies[&case.policy].clone(), keys)
                });
                gate.place_for(
                    case.request.route.as_deref(),
                    case.request.service.as_deref(),
                );
            }
            plan.gates.extend(gates.into_values());
        }
        plan
    }

    /// Where a case is played. There is such a place for each case that the plan was made of.
    pub fn find(&self, file: &CaseFile, case: &Case) -> Option<(&Gate, &Place)> {
        let name = name(file, case);
        let gate = self.gates.iter().find(|gate| gate.name == name)?;
        let place = gate.place(
            case.request.route.as_deref(),
            case.request.service.as_deref(),
        )?;
        Some((gate, place))
    }
}

fn name(file: &CaseFile, case: &Case) -> String {
    let keys = match case.keys {
        KeyState::Available => "",
        KeyState::NeverFetched => ".never",
    };
    format!("{}.{}{keys}", file.name, case.policy)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::cases;
    use super::*;

    #[test]
    fn every_case_has_a_place_and_every_place_a_key_of_its_own() {
        let files = cases().unwrap();
        let plan = Plan::of(&files);
        for file in &files {
            for case in &file.cases {
                let (_, place) = plan.find(file, case).unwrap();
                assert_eq!(place.route, case.request.route);
                assert_eq!(place.service, case.request.service);
            }
        }
        let places = plan.gates.iter().flat_map(|gate| &gate.places);
        let keys: Vec<_> = places.map(|place| &place.key).collect();
        let different: BTreeSet<_> = keys.iter().map(|key| key.to_lowercase()).collect();
        assert_eq!(different.len(), keys.len());
        // Kong compares headers whatever their case.
        assert!(keys.iter().all(|key| **key == key.to_lowercase()));
    }

    #[test]
    fn a_gate_is_told_where_its_keys_are() {
        let policy = json!({ "issuers": [{ "jwks": { "cluster": "x" } }, { "keys": {} }] });
        let topology = Topology::default();
        let gate = Gate::new("a", policy, Keys::Nowhere);
        let on = |gateway| gate.configuration(gateway, &topology);
        assert_eq!(
            on(Gateway::Envoy),
            json!({
                "issuers": [{ "jwks": { "cluster": "nowhere" } }, { "keys": {} }],
                "note_route": true,
            })
        );
        assert_eq!(
            on(Gateway::Kong),
            json!({
                "issuers": [{ "jwks": { "cluster": "issuer:1" } }, { "keys": {} }],
                "shared_data": true,
            })
        );
    }
}
