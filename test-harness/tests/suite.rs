//! The suite that is played in containers, here against a real Envoy on this machine.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use jobgate_harness::envoy::{Envoy, EnvoyConfig, Listener};
use jobgate_harness::issuer::Issuer;
use jobgate_harness::repository;
use jobgate_harness::suite::{self, Gateway, Topology, scenario};
use jobgate_harness::tls::ServerIdentity;
use jobgate_harness::upstream::Upstream;

/// A world as `docker-compose.yml` has it, on loopback. Dropped in this order.
struct World {
    envoy: Envoy,
    _issuer: Issuer,
    _upstream: Upstream,
    topology: Topology,
    _folder: tempfile::TempDir,
}

impl World {
    fn start() -> Self {
        let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let folder = tempfile::tempdir().unwrap();
        let mut upstream = Upstream::listen(any).unwrap();
        let control = upstream.control(any).unwrap();
        let mut topology = Topology {
            world: folder.path().to_owned(),
            upstream: upstream.addr().to_string(),
            control: control.to_string(),
            // Nothing listens on the first of all ports.
            nowhere: "127.0.0.1:1".to_owned(),
            filter: repository().join("dist/jobgate.wasm"),
            envoy: free(),
            envoy_tls: free(),
            // Envoy's own choice.
            envoy_admin: "127.0.0.1:0".to_owned(),
            envoy_bind: "127.0.0.1".to_owned(),
            ..Topology::default()
        };
        // Its certificates come first, and then the addresses that the rest of the world must know.
        suite::prepare(&topology).unwrap();
        let identity = |name: &str| {
            let file = |kind: &str| folder.path().join(format!("{name}.{kind}"));
            ServerIdentity::read(&file("pem"), &file("key")).unwrap()
        };
        let (own, impostor) = (identity("issuer"), identity("impostor"));
        let mut issuer =
            Issuer::listen_as(any, &topology.audience, Some(&topology.issuer_url)).unwrap();
        issuer.publish_every_algorithm();
        topology.issuer = issuer.addr().to_string();
        topology.issuer_tls = issuer.serve_tls(&own).unwrap().to_string();
        topology.impostor = issuer.serve_tls(&impostor).unwrap().to_string();
        suite::configure(&topology).unwrap();

        let bootstrap = std::fs::read(folder.path().join("envoy.json")).unwrap();
        let mut config = EnvoyConfig::new(upstream.addr(), issuer.addr());
        config.bootstrap = Some(serde_json::from_slice(&bootstrap).unwrap());
        config.listeners = suite::envoy::LISTENERS.map(Listener::new).to_vec();
        let envoy = Envoy::start(&config).unwrap_or_else(|error| panic!("{error}"));
        topology.envoy_admin = envoy.admin_addr().to_string();
        topology.envoy_log = envoy.log_path();
        Self {
            envoy,
            _issuer: issuer,
            _upstream: upstream,
            topology,
            _folder: folder,
        }
    }
}

/// An address that nobody has, for listeners that are replaced where they are.
fn free() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn every_case_comes_out_on_envoy_as_it_says() {
    let world = World::start();
    let report = suite::play(Gateway::Envoy, &world.topology, None)
        .unwrap_or_else(|error| panic!("{error}\n{}", world.envoy.log_text()));
    println!("{report}");
    let counts = report.counts();
    assert_eq!(counts.failed, 0, "{report}");
    assert!(counts.passed >= 350, "only {} were run", counts.passed);
}

#[test]
fn every_scenario_that_needs_nobody_else_comes_out_on_envoy() {
    let world = World::start();
    let scenarios = scenario::ALL.iter();
    let alone: Vec<_> = scenarios
        .filter(|scenario| (scenario.asks)(Gateway::Envoy).is_empty())
        .collect();
    assert!(alone.len() >= 5);
    for scenario in alone {
        let mut events = Vec::new();
        let counts = scenario::play(
            scenario.name,
            Gateway::Envoy,
            &world.topology,
            &mut std::io::empty(),
            &mut events,
        );
        let events = String::from_utf8(events).unwrap();
        println!("{}\n{events}", scenario.name);
        let counts = counts.unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
        assert_eq!(counts.failed, 0, "{}\n{events}", scenario.name);
        assert!(counts.passed >= 3, "{}\n{events}", scenario.name);
    }
}
