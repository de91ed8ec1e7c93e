//! The shared cases, on both hosts.

use std::time::Duration;

use jobgate_harness::case::{
    self, Case, CaseFile, CertificateNames, ClientCertificate, Host, KeyState, Outcome,
    Placeholders,
};
use jobgate_harness::repository;
use jobgate_wasm_host::{Certificate, Client, Gateway, Profile, Request, RouteConfig};
use serde_json::Value;

use crate::common::{AUDIENCE, ISSUER, cluster, give_keys, minter, module, observe, options, unix};

fn placeholders() -> Placeholders {
    Placeholders {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        jwks_uri: format!("{ISSUER}/.well-known/jwks"),
    }
}

/// The policy with the issuers' server named as this host does.
fn configuration(file: &CaseFile, case: &Case, profile: Profile) -> Value {
    let mut policy = file.policies[&case.policy].fill(&placeholders());
    let issuers = policy.get_mut("issuers").and_then(Value::as_array_mut);
    for issuer in issuers.into_iter().flatten() {
        if let Some(jwks) = issuer.get_mut("jwks") {
            jwks["cluster"] = cluster(profile).into();
        }
    }
    policy
}

fn client(shown: &ClientCertificate) -> Client {
    let certified = |names: &CertificateNames, verified| {
        let text = |name: &Option<String>| name.clone().unwrap_or_default();
        Client::Certified(Certificate {
            verified,
            subject: text(&names.subject),
            uri_san: text(&names.uri_san),
            dns_san: text(&names.dns_san),
        })
    };
    match shown {
        ClientCertificate::NoTls => Client::Plain,
        ClientCertificate::None => Client::Anonymous,
        ClientCertificate::Verified(names) => certified(names, true),
        ClientCertificate::Unverified(names) => certified(names, false),
    }
}

fn run(profile: Profile, host: Host) {
    let files =
        case::load_all(&repository().join("test-harness/cases")).expect("the case files are sound");
    let with = placeholders();
    let mut minter = minter().clone();
    minter.publish_every_algorithm();
    let (mut failures, mut ran) = (Vec::new(), 0);
    for file in &files {
        for case in &file.cases {
            let Outcome::Expect(expect) = case.expected_on(host) else {
                continue;
            };
            ran += 1;
            let policy = configuration(file, case, profile);
            // On Kong one after the other, since all are at the same server.
            let issuers = policy["issuers"].as_array().map_or(1, Vec::len);
            let mut route = RouteConfig::new(
                case.request.route.as_deref().unwrap_or("some-route"),
                policy.to_string(),
            );
            if let Some(service) = &case.request.service {
                route.service.clone_from(service);
            }
            let mut gateway = Gateway::new(profile, module(), options());
            gateway.start(&[route]).expect("the gateway starts");
            if case.keys == KeyState::Available {
                for _ in 0..issuers {
                    give_keys(&mut gateway, &minter.jwks());
                }
            }
            let token = case
                .token(&with)
                .map(|spec| minter.mint(&spec, unix(&gateway)));
            let mut request =
                Request::new(case.request.method.as_str(), case.request.path.as_str());
            for (name, value) in case.request.headers_with(token.as_deref()) {
                request = request.header(name, value);
            }
            if let Some(host) = &case.request.host {
                request = request.host(&host.0);
            }
            request = request.client(client(&case.request.client_certificate));
            gateway.take_logs();
            let id = gateway.request(0, request).id;
            // On Envoy a request may wait for keys, which don't come here.
            gateway.advance(Duration::from_secs(3));
            let exchange = gateway.exchange(id).expect("the request was sent").clone();
            let seen = observe(&exchange, gateway.logs());
            for difference in expect.differences(&seen, token.as_deref(), &with, host) {
                failures.push(format!("{}: {}: {difference}", file.name, case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(ran >= 350, "only {ran} cases were run");
}

#[test]
fn every_case_is_decided_as_it_says_on_envoys_profile() {
    run(Profile::Envoy, Host::Envoy);
}

#[test]
fn every_case_is_decided_as_it_says_on_kongs_profile() {
    run(Profile::Kong, Host::Kong);
}
