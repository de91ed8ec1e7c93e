//! The shared cases through the built module in a real Envoy.

use std::net::SocketAddr;
use std::time::Duration;

use jobgate::policy::Policy;
use jobgate_harness::case::{
    self, Case, CaseFile, ClientCertificate, Host, KeyState, Outcome, Placeholders,
};
use jobgate_harness::client::{Request, SERVER_NAME};
use jobgate_harness::envoy::{
    ClientCertificates, DownstreamTls, Envoy, EnvoyConfig, Listener, Route,
};
use jobgate_harness::exchange::{Exchange, eventually};
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::repository;
use jobgate_harness::tls::{Authority, ClientIdentity};
use jobgate_harness::upstream::Upstream;

/// One worker fetches the keys of all policies at its first ticks; a busy machine may take a while.
const KEYS_TIMEOUT: Duration = Duration::from_secs(30);

/// Nothing listens there: the issuer of the gates that never have keys.
const NOWHERE: ([u8; 4], u16) = ([127, 0, 0, 1], 1);

/// The cluster of the cases that name none.
const OWN_CLUSTER: &str = "upstream";

/// The cases' world: one Envoy whose gates have keys, and one whose gates never will.
struct World {
    with_keys: Envoy,
    without_keys: Envoy,
    upstream: Upstream,
    issuer: Issuer,
    authority: Authority,
    /// Its servers are trusted by all clients, and its clients by no gate.
    stranger: Authority,
}

impl World {
    fn start(files: &[CaseFile]) -> Self {
        let upstream = Upstream::start().unwrap();
        let issuer = Issuer::start("https://deploy.acme.example").unwrap();
        issuer.publish_every_algorithm();
        let with = Placeholders::from(&issuer);
        let (authority, stranger) = (Authority::new().unwrap(), Authority::new().unwrap());
        let server = authority.sign_to_files(SERVER_NAME).unwrap();
        let tls = DownstreamTls {
            server,
            clients: ClientCertificates::AcceptUntrusted(authority.file()),
            resumes: false,
        };
        let envoy = |keys: SocketAddr| {
            let mut config = EnvoyConfig::new(upstream.addr(), keys);
            for file in files {
                for (name, policy) in &file.policies {
                    let gate = policy.fill(&with);
                    let cases: Vec<_> = file.cases.iter().filter(|c| c.policy == *name).collect();
                    let mut listener = Listener::new(listener_name(file, name)).jobgate(gate);
                    listener.routes = cases.iter().copied().filter_map(route).collect();
                    listener.routes.sort();
                    listener.routes.dedup();
                    for route in &listener.routes {
                        if route.cluster != OWN_CLUSTER {
                            config = config.cluster(&route.cluster, upstream.addr());
                        }
                    }
                    if cases.into_iter().any(speaks_tls) {
                        let mut listener = listener.clone().tls(tls.clone());
                        listener.name = tls_listener_name(file, name);
                        config.listeners.push(listener);
                    }
                    config.listeners.push(listener);
                }
            }
            Envoy::start(&config).unwrap_or_else(|error| panic!("{error}"))
        };
        let world = Self {
            with_keys: envoy(issuer.addr()),
            without_keys: envoy(NOWHERE.into()),
            upstream,
            issuer,
            authority,
            stranger,
        };
        for file in files {
            for (name, policy) in &file.policies {
                let policy = policy.fill(&with).to_string();
                // A gate whose policy is wrong never has keys.
                if let Ok(policy) = Policy::from_json(policy.as_bytes()) {
                    world.wait_for_keys(&listener_name(file, name), &policy);
                }
            }
        }
        world
    }

    /// Asks until the gate has an opinion of a good token of each of its issuers.
    fn wait_for_keys(&self, listener: &str, policy: &Policy) {
        for issuer in &policy.issuers {
            let mut spec = TokenSpec::default();
            spec.claims
                .insert("iss".to_owned(), issuer.issuer.as_str().into());
            spec.claims
                .insert("aud".to_owned(), issuer.audiences.clone().into());
            let token = self.issuer.mint(&spec);
            let request = Request::new("GET", "/")
                .header(policy.carrier.header.as_str(), format!("Bearer {token}"));
            eventually(KEYS_TIMEOUT, || {
                let exchange = self.send(&self.with_keys, listener, &request);
                let waits = exchange.recorded("reason").as_deref() == Some("keys_unavailable");
                (!waits).then_some(())
            })
            .unwrap_or_else(|| panic!("{listener} got no keys of {}", issuer.issuer));
        }
    }

    fn send(&self, envoy: &Envoy, listener: &str, request: &Request) -> Exchange {
        Exchange::run(envoy, listener, &self.upstream, request)
            .unwrap_or_else(|error| panic!("{listener}: {error}"))
    }

    /// The client of a case that speaks TLS.
    fn client(&self, case: &Case) -> Option<ClientIdentity> {
        Some(match &case.request.client_certificate {
            ClientCertificate::NoTls => return None,
            ClientCertificate::None => self.authority.client(None),
            ClientCertificate::Verified(names) => {
                self.authority.client(Some((&self.authority, names)))
            }
            ClientCertificate::Unverified(names) => {
                self.authority.client(Some((&self.stranger, names)))
            }
        })
    }

    /// Everything in which a case comes out differently.
    fn differences(&self, file: &CaseFile, case: &Case) -> Vec<String> {
        let Outcome::Expect(expect) = case.expected_on(Host::Envoy) else {
            return Vec::new();
        };
        let with = Placeholders::from(&self.issuer);
        let token = case.token(&with).map(|spec| self.issuer.mint(&spec));
        let mut request =
            Request::new(case.request.method.as_bytes(), case.request.path.as_bytes());
        request
            .headers
            .extend(case.request.headers_with(token.as_deref()));
        if let Some(host) = &case.request.host {
            request.headers[0].1.clone_from(&host.0);
        }
        if let Some(route) = route(case) {
            request = request.header(Route::HEADER, route.key());
        }
        let envoy = match case.keys {
            KeyState::Available => &self.with_keys,
            KeyState::NeverFetched => &self.without_keys,
        };
        let seen = match self.client(case) {
            None => self.send(envoy, &listener_name(file, &case.policy), &request),
            Some(client) => {
                let listener = tls_listener_name(file, &case.policy);
                Exchange::run_as(&client, envoy, &listener, &self.upstream, &request)
                    .unwrap_or_else(|error| panic!("{listener}: {error}"))
            }
        };
        let mut differences =
            expect.differences(&seen.observed(), token.as_deref(), &with, Host::Envoy);
        let due = usize::from(expect.status < 400);
        if seen.forwarded.len() != due {
            let times = seen.forwarded.len();
            differences.push(format!(
                "it reached the upstream {times} times, expected {due}"
            ));
        }
        differences
    }
}

fn speaks_tls(case: &Case) -> bool {
    case.request.client_certificate != ClientCertificate::NoTls
}

/// The route of a case that names one, or a cluster.
fn route(case: &Case) -> Option<Route> {
    let request = &case.request;
    (request.route.is_some() || request.service.is_some()).then(|| Route {
        name: request.route.clone(),
        cluster: request
            .service
            .clone()
            .unwrap_or_else(|| OWN_CLUSTER.to_owned()),
    })
}

fn tls_listener_name(file: &CaseFile, policy: &str) -> String {
    format!("{}-tls", listener_name(file, policy))
}

fn listener_name(file: &CaseFile, policy: &str) -> String {
    format!("{}-{policy}", file.name)
}

#[test]
fn every_case_comes_out_on_envoy_as_it_says() {
    let files =
        case::load_all(&repository().join("test-harness/cases")).expect("the case files are sound");
    let world = World::start(&files);
    let cases = || {
        files
            .iter()
            .flat_map(|file| file.cases.iter().map(move |case| (file, case)))
    };
    let failures: Vec<_> = cases()
        .flat_map(|(file, case)| {
            let differences = world.differences(file, case);
            differences
                .into_iter()
                .map(move |difference| format!("{}: {}: {difference}", file.name, case.name))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let run = cases()
        .filter(|(_, case)| matches!(case.expected_on(Host::Envoy), Outcome::Expect(_)))
        .count();
    println!("{run} cases");
    assert!(run >= 350, "only {run} cases were run");
}
