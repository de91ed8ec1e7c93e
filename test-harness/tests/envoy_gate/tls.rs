//! Who the gate takes keys from: only from a server that proves its name, where Envoy is told to verify it. And why
//! there are none, in a metric of its own for each cause.

use std::net::SocketAddr;

use jobgate_harness::envoy::{Cluster, Envoy, EnvoyConfig, Listener, Server, Tls};
use jobgate_harness::exchange::eventually;
use jobgate_harness::issuer::{Endpoint, Fault, FaultOrder};
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::tls::Authority;
use jobgate_harness::upstream::Upstream;
use serde_json::json;

use super::world::{SOON, bearing, issuer, log_tail, policy, start};

/// Since 1.38.1 Envoy keeps it to itself why a connection failed, unless this is set to false.
const HIDES: &str = "envoy.reloadable_features.hide_transport_failure_reason_in_response_body";

const NAME: &str = "keys.ci.example";

fn fetched(envoy: &Envoy, outcome: &str) -> u64 {
    let stats = envoy.stats().unwrap();
    stats.get(&format!("wasmcustom.jobgate_fetch_{outcome}"))
}

/// The first line of the log that says why this gate has no keys.
fn failure(envoy: &Envoy, gate: &str) -> String {
    let line = eventually(SOON, || {
        let log = envoy.log_text();
        let from = format!("wasm log {gate} ");
        let mut lines = log.lines().filter(|line| line.contains(&from));
        Some(
            lines
                .find(|line| line.contains("could not be fetched"))?
                .to_owned(),
        )
    });
    line.unwrap_or_else(|| panic!("{gate}: {}", log_tail(envoy)))
}

/// Pitfall 20: TLS to the key server isn't verified.
#[test]
fn pitfall_20_keys_come_only_from_a_server_that_proves_its_name() {
    let upstream = Upstream::start().unwrap();
    let (trusted, another) = (Authority::new().unwrap(), Authority::new().unwrap());
    let mut issuer = issuer();
    let servers = [
        ("good", trusted.sign(NAME)),
        ("another-authority", another.sign(NAME)),
        ("another-name", trusted.sign("evil.example")),
    ];
    let servers = servers.map(|(name, identity)| (name, issuer.serve_tls(&identity).unwrap()));
    let token = issuer.mint(&TokenSpec::default());
    let mut config = EnvoyConfig::new(upstream.addr(), issuer.addr());
    for (name, at) in servers {
        let mut policy = policy(&issuer);
        policy["issuers"][0]["jwks"]["uri"] = json!(format!("https://{NAME}/.well-known/jwks"));
        policy["issuers"][0]["jwks"]["cluster"] = json!(name);
        if name != "good" {
            policy["issuers"][0]["jwks"]["wait"] = json!("0s");
        }
        let tls = Tls {
            trusted_ca: trusted.file(),
            name: NAME.to_owned(),
        };
        config = config
            .cluster(name, Cluster::from(at).tls(tls))
            .listener(Listener::new(name).jobgate(policy));
    }
    for (is_hidden, cause) in [(true, "connect_or_tls"), (false, "tls")] {
        config.runtime.insert(HIDES.to_owned(), json!(is_hidden));
        let envoy = start(&config);
        let send = |gate| bearing(&token).send(envoy.addr(gate)).unwrap();
        assert_eq!(send("good").status, 200, "{}", log_tail(&envoy));
        for (gate, statistic) in [
            ("another-authority", "fail_verify_error"),
            ("another-name", "fail_verify_san"),
        ] {
            let response = send(gate);
            let problem: serde_json::Value = response.json().unwrap();
            assert_eq!(
                (response.status, &problem["code"]),
                (503, &json!("keys_unavailable"))
            );
            let line = failure(&envoy, gate);
            assert!(
                line.contains("certificate or the TLS handshake failed"),
                "{line}"
            );
            assert!(line.contains(&format!("({cause}); next try in ")), "{line}");
            let stats = envoy.stats().unwrap();
            assert!(
                stats.get(&format!("cluster.{gate}.ssl.{statistic}")) > 0,
                "{gate}"
            );
        }
        eventually(SOON, || (fetched(&envoy, cause) > 1).then_some(())).expect(cause);
        assert_eq!(fetched(&envoy, "ok"), 1);
    }
    assert_eq!(upstream.count(), 2);
    assert_eq!(
        issuer.stats().jwks_requests,
        2,
        "the others were not even asked"
    );
}

/// Pitfall 2: key fetch fails and nothing says why.
#[test]
fn pitfall_02_why_there_is_no_answer_is_counted() {
    let upstream = Upstream::start().unwrap();
    let (mut issuer, authority) = (issuer(), Authority::new().unwrap());
    issuer.order(&FaultOrder {
        endpoint: Endpoint::Jwks,
        fault: Some(Fault::Hang),
        times: None,
    });
    let by_tls = issuer.serve_tls(&authority.sign(NAME)).unwrap();
    let tls = || Tls {
        trusted_ca: authority.file(),
        name: NAME.to_owned(),
    };
    // Nothing listens on the first of all ports.
    let nobody: SocketAddr = ([127, 0, 0, 1], 1).into();
    // It takes connections, and says nothing on any.
    let mute = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mute = mute.local_addr().map(|addr| (mute, addr)).unwrap();
    // What is wrong, and the cause: as the gate names it, and as it does where Envoy tells it more.
    let causes = [
        ("refused", Cluster::from(nobody), "connect", "connect"),
        (
            "refused-tls",
            Cluster::from(nobody).tls(tls()),
            "connect_or_tls",
            "connect",
        ),
        (
            "no-tls",
            Cluster::from(issuer.addr()).tls(tls()),
            "connect_or_tls",
            "tls",
        ),
        ("only-tls", Cluster::from(by_tls), "connect", "connect"),
        (
            "mute",
            Cluster::from(mute.1).tls(tls()),
            "connect",
            "connect",
        ),
        (
            "hanging",
            Cluster::from(issuer.addr()),
            "timeout",
            "timeout",
        ),
        (
            "unknown-name",
            Cluster::new(Server::UnknownName("ci.invalid".into())),
            "dns",
            "dns",
        ),
        ("empty", Cluster::new(Server::None), "dns", "dns"),
    ];
    for is_hidden in [true, false] {
        let mut config = EnvoyConfig::new(upstream.addr(), issuer.addr());
        config.runtime.insert(HIDES.to_owned(), json!(is_hidden));
        for (name, cluster, ..) in &causes {
            let mut policy = policy(&issuer);
            let jwks = &mut policy["issuers"][0]["jwks"];
            let scheme = if cluster.tls.is_some() {
                "https"
            } else {
                "http"
            };
            jwks["uri"] = json!(format!("{scheme}://{NAME}/.well-known/jwks"));
            jwks["cluster"] = json!(name);
            jwks["timeout"] = json!("3s");
            config = config
                .cluster(*name, cluster.clone())
                .listener(Listener::new(*name).jobgate(policy));
        }
        let envoy = start(&config);
        for (name, _, hidden, told) in &causes {
            let cause = if is_hidden { hidden } else { told };
            let line = failure(&envoy, name);
            assert!(
                line.contains(&format!("({cause}); next try in ")),
                "{name}: {line}"
            );
            eventually(SOON, || (fetched(&envoy, cause) > 0).then_some(())).expect(name);
        }
    }
}
