//! Kong's declarative configuration: a route for each place, and on it the gate.
//!
//! The gates take turns in how they are put there: as a plugin on the route, in a filter chain on the route, and in
//! one on the service.
//!
//! Beside it Kong must be told, by settings of its own (`KONG_` before them in the environment):
//!
//! | setting | why |
//! |---|---|
//! | `wasm`, `wasm_filters_path` | the filter |
//! | `nginx_wasm_shm_kv` | the gates' `shared_data` is `true` |
//! | `nginx_wasm_resolver` | the issuer has a name |
//! | `nginx_wasm_tls_trusted_certificate`, `lua_ssl_trusted_certificate` | it proves it by `authority.pem` |
//! | `nginx_http_large_client_header_buffers` | `4 32k`: nginx refuses header lines over 8 KiB otherwise, and tokens may have 16 |
//! | `nginx_proxy_ssl_verify_client`, `nginx_proxy_ssl_client_certificate` | `optional_no_ca`, `authority.pem`: clients' certificates |
//! | `ssl_cert`, `ssl_cert_key` | `gateway.pem`, `gateway.key` |

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Gate, Gateway, Place, Plan, ROUTE_HEADER, Topology};

/// The service of the places whose case names none.
const OWN_SERVICE: &str = "upstream";

/// What the filter is called: the name of its file.
const FILTER: &str = "jobgate";

/// Two routes of one name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "two cases need a route {name:?}, with different services or policies, and on Kong names are unique: \
     let one of them use another name"
)]
pub struct SameName {
    /// The name.
    pub name: String,
}

/// How a gate is put in front of its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plugin,
    ChainOnRoute,
    ChainOnService,
}

impl Form {
    fn of(nth: usize, gate: &Gate) -> Self {
        match nth % 4 {
            0 | 2 => Self::Plugin,
            // A service that several gates' places lead to can have no gate of its own.
            3 if gate.places.iter().all(|place| place.service.is_none()) => Self::ChainOnService,
            _ => Self::ChainOnRoute,
        }
    }
}

/// Why Kong can't have this place, if it can't.
pub fn unplayable(gate: &Gate, place: &Place) -> Option<String> {
    let names = [("route", &place.route), ("service", &place.service)];
    for (kind, name) in names {
        if let Some(name) = name.as_deref().filter(|name| !is_name(name)) {
            return Some(format!("Kong takes no {kind} of the name {name:?}"));
        }
    }
    let configuration = gate.configuration(Gateway::Kong, &Topology::default());
    let lacks = ["issuers", "rules"].map(|member| configuration.get(member).is_none());
    // The scenario `wrong-configuration` looks at that.
    lacks
        .contains(&true)
        .then(|| "Kong refuses the policy by its schema when it is loaded".to_owned())
}

/// What Kong allows in a name: letters, digits, `.`, `-`, `_`, `~`, and all beyond ASCII.
fn is_name(name: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || ".-_~".contains(c) || !c.is_ascii())
}

/// The whole configuration, without what is [`unplayable`]. Another `generation` makes another configuration that
/// does the same.
///
/// # Errors
///
/// If names clash.
pub fn configuration(plan: &Plan, topology: &Topology, generation: u32) -> Result<Value, SameName> {
    let tag = format!("generation-{generation}");
    let mut services = BTreeMap::new();
    let mut names = BTreeSet::new();
    let (mut routes, mut plugins, mut chains) = (Vec::new(), Vec::new(), Vec::new());
    for (nth, gate) in plan.gates.iter().enumerate() {
        let form = Form::of(nth, gate);
        let config = gate.configuration(Gateway::Kong, topology);
        let filters = json!([{ "name": FILTER, "config": config }]);
        let mut has_place = false;
        for place in &gate.places {
            if unplayable(gate, place).is_some() {
                continue;
            }
            has_place = true;
            let name = place.route.as_ref().unwrap_or(&place.key);
            if !names.insert(name) {
                return Err(SameName { name: name.clone() });
            }
            let service = match (&place.service, form) {
                (Some(service), _) => service.clone(),
                (None, Form::ChainOnService) => own_service(gate),
                (None, _) => OWN_SERVICE.to_owned(),
            };
            routes.push(route(name, &place.key, &service));
            services
                .entry(service.clone())
                .or_insert_with_key(|name| self::service(name, topology, &tag));
            match form {
                Form::Plugin => {
                    plugins.push(json!({ "name": FILTER, "route": name, "config": config }));
                }
                Form::ChainOnRoute => {
                    let chain = format!("on-route.{}", place.key);
                    chains.push(json!({ "name": chain, "route": name, "filters": filters }));
                }
                Form::ChainOnService => {}
            }
        }
        if has_place && form == Form::ChainOnService {
            let chain = format!("on-service.{}", gate.name);
            chains.push(json!({ "name": chain, "service": own_service(gate), "filters": filters }));
        }
    }
    Ok(json!({
        "_format_version": "3.0",
        "services": services.into_values().collect::<Vec<_>>(),
        "routes": routes,
        "plugins": plugins,
        "filter_chains": chains,
    }))
}

fn own_service(gate: &Gate) -> String {
    format!("service-of.{}", gate.name)
}

fn service(name: &str, topology: &Topology, tag: &str) -> Value {
    json!({
        "name": name,
        "url": format!("http://{}", topology.upstream),
        // A request that came is one that came: it must not come twice.
        "retries": 0,
        "tags": [tag],
    })
}

fn route(name: &str, key: &str, service: &str) -> Value {
    json!({
        "name": name,
        "service": service,
        "paths": ["/"],
        "headers": { ROUTE_HEADER: [key] },
        "strip_path": false,
        "preserve_host": true,
    })
}

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::*;

    fn document() -> Value {
        let plan = Plan::of(&cases().unwrap());
        configuration(&plan, &Topology::default(), 0).unwrap()
    }

    fn names<'a>(document: &'a Value, list: &str, member: &str) -> Vec<&'a str> {
        let items = document[list].as_array().unwrap();
        let names = items.iter().filter_map(|item| item[member].as_str());
        names.collect()
    }

    #[test]
    fn names_are_unique_and_kong_takes_them() {
        let document = document();
        for list in ["services", "routes", "filter_chains"] {
            let names = names(&document, list, "name");
            let different: BTreeSet<_> = names.iter().collect();
            assert_eq!(different.len(), names.len(), "{list}");
            assert!(names.iter().all(|name| is_name(name)), "{names:?}");
        }
    }

    #[test]
    fn every_route_has_its_service_and_one_gate() {
        let document = document();
        let services = names(&document, "services", "name");
        let gated = |by: &str, name: &str| {
            let lists = ["plugins", "filter_chains"];
            let gates = lists.iter().flat_map(|list| names(&document, list, by));
            gates.filter(|gated| *gated == name).count()
        };
        let mut by_service = 0;
        for route in document["routes"].as_array().unwrap() {
            let name = |member: &str| route[member].as_str().unwrap();
            assert!(services.contains(&name("service")));
            let (route, service) = (
                gated("route", name("name")),
                gated("service", name("service")),
            );
            assert_eq!(route + service, 1, "{}", name("name"));
            by_service += service;
        }
        assert!(by_service > 0);
        assert!(names(&document, "plugins", "route").len() > 10);
        assert!(names(&document, "filter_chains", "route").len() > 5);
    }

    #[test]
    fn every_case_can_be_played_or_says_why_not() {
        let files = cases().unwrap();
        let plan = Plan::of(&files);
        let document = document();
        let routes = document["routes"].as_array().unwrap();
        let mut left_out = Vec::new();
        for file in &files {
            for case in &file.cases {
                let (gate, place) = plan.find(file, case).unwrap();
                let reachable = routes
                    .iter()
                    .any(|route| route["headers"][ROUTE_HEADER] == json!([place.key]));
                assert_eq!(
                    reachable,
                    unplayable(gate, place).is_none(),
                    "{}",
                    case.name
                );
                if !reachable {
                    left_out.push(case.name.as_str());
                }
            }
        }
        assert_eq!(
            left_out,
            [
                "a route's name may hold anything",
                "a policy that is none denies everything"
            ]
        );
    }

    #[test]
    fn two_routes_of_one_name_are_told() {
        let mut plan = Plan::default();
        for name in ["a", "b"] {
            let mut gate = Gate::new(
                name,
                json!({ "issuers": [], "rules": [] }),
                super::super::Keys::Issuer,
            );
            gate.places[0].route = Some("same".to_owned());
            plan.gates.push(gate);
        }
        let error = configuration(&plan, &Topology::default(), 0).unwrap_err();
        assert_eq!(error.name, "same");
    }
}
