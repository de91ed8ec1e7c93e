//! Mutual TLS between client and gateway: a rule's `client_certificate` lets in only who has proven to be who it says.

use jobgate_harness::case::CertificateNames;
use jobgate_harness::client::SERVER_NAME;
use jobgate_harness::envoy::{ClientCertificates, DownstreamTls, EnvoyConfig, Listener};
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::tls::Authority;
use jobgate_harness::upstream::Upstream;
use serde_json::{Value, json};

use super::world::{bearing, issuer, log_tail, policy, start};

const LACKING: &str = "client_certificate_required";

#[test]
fn only_a_verified_certificate_of_the_right_name_is_believed() {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let (trusted, another) = (Authority::new().unwrap(), Authority::new().unwrap());
    let named = |uri: &str| CertificateNames {
        subject: Some("CN=runner,O=Acme".to_owned()),
        uri_san: Some(uri.to_owned()),
        dns_san: None,
    };
    let agent = named("spiffe://acme.example/ci/agent");
    let by_subject = CertificateNames {
        uri_san: None,
        ..agent.clone()
    };
    let web = named("spiffe://acme.example/web");
    let clients = [
        ("right", trusted.client(Some((&trusted, &agent)))),
        ("web", trusted.client(Some((&trusted, &web)))),
        ("by-subject", trusted.client(Some((&trusted, &by_subject)))),
        ("impostor", trusted.client(Some((&another, &agent)))),
        ("nobody", trusted.client(None)),
    ];

    let mut policy = policy(&issuer);
    policy["rules"][0]["client_certificate"] = json!({
        "subject": "CN=runner,O=*", "uri_san": "spiffe://acme.example/ci/*",
    });
    let mut config = EnvoyConfig::new(upstream.addr(), issuer.addr());
    let ca = || trusted.file();
    for (name, clients, resumes) in [
        ("required", ClientCertificates::Required(ca()), false),
        ("optional", ClientCertificates::Optional(ca()), false),
        ("any", ClientCertificates::AcceptUntrusted(ca()), false),
        ("unverified", ClientCertificates::RequiredUnverified, false),
        ("resuming", ClientCertificates::Required(ca()), true),
    ] {
        let tls = DownstreamTls {
            server: trusted.sign_to_files(SERVER_NAME).unwrap(),
            clients,
            resumes,
        };
        config = config.listener(Listener::new(name).jobgate(policy.clone()).tls(tls));
    }
    let envoy = start(&config);
    let request = bearing(&issuer.mint(&TokenSpec::default()));

    // What comes of it: the status and the code, or nothing where Envoy ends the handshake. And whether the session
    // was resumed.
    let (passes, lacks) = (Some((200, None)), Some((403, Some(LACKING))));
    for (listener, client, expected, is_resumed) in [
        // The first waits for keys, and passes by the certificate that its connection came with.
        ("required", "right", passes, false),
        ("required", "right", passes, false),
        ("required", "web", lacks, false),
        ("required", "by-subject", lacks, false),
        ("required", "impostor", None, false),
        ("required", "nobody", None, false),
        ("optional", "right", passes, false),
        ("optional", "web", lacks, false),
        ("optional", "impostor", None, false),
        ("optional", "nobody", lacks, false),
        // Envoy lets all of these connect, and says of each certificate that it is there (`connection.mtls`).
        ("any", "right", passes, false),
        ("any", "impostor", lacks, false),
        ("any", "nobody", lacks, false),
        ("unverified", "right", lacks, false),
        ("unverified", "impostor", lacks, false),
        // Of a session that is resumed Envoy does not say that its certificate was verified. This refuses too much,
        // so listeners should not let sessions be resumed.
        ("resuming", "right", passes, false),
        ("resuming", "right", lacks, true),
    ] {
        let (_, identity) = clients.iter().find(|(name, _)| *name == client).unwrap();
        let answer = request.send_as(identity, envoy.addr(listener));
        let problem: Option<Value> = answer.as_ref().ok().and_then(|a| a.response.json().ok());
        let code = problem
            .as_ref()
            .and_then(|problem| problem["code"].as_str());
        let seen = answer.as_ref().ok().map(|a| (a.response.status, code));
        let resumed = answer.as_ref().is_ok_and(|answer| answer.is_resumed);
        assert_eq!(
            (seen, resumed),
            (expected, is_resumed),
            "{listener}, {client}: {answer:?}\n{}",
            log_tail(&envoy)
        );
    }
    assert_eq!(upstream.count(), 5);
}
