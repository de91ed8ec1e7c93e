//! Keys whose address the issuer's metadata tells.

use jobgate_harness::envoy::{EnvoyConfig, Listener};
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::Upstream;
use serde_json::{Value, json};

use super::world::{World, bearing, issuer, start, wait_for_log};

fn policy(issuer: &Issuer) -> Value {
    json!({
        "issuers": [{
            "issuer": issuer.base_url(),
            "audience": issuer.audience(),
            "algorithms": ["RS256"],
            "jwks": { "cluster": "issuer" },
        }],
        "rules": [{ "id": "any-job", "claims": { "organization_slug": "acme" } }],
    })
}

#[test]
fn an_issuers_metadata_leads_to_its_keys() {
    let issuer = issuer();
    let policy = policy(&issuer);
    let world = World::start(issuer, policy);
    assert_eq!(world.refusal(&world.token()), None);
    let stats = world.issuer.stats();
    assert_eq!((stats.discovery_requests, stats.jwks_requests), (1, 1));
}

#[test]
fn metadata_that_names_another_issuer_gives_no_keys() {
    let (named, asked, upstream) = (issuer(), issuer(), Upstream::start().unwrap());
    let config = EnvoyConfig::new(upstream.addr(), asked.addr())
        .listener(Listener::new("gate").jobgate(policy(&named)));
    let envoy = start(&config);
    let token = named.mint(&TokenSpec::default());
    let response = bearing(&token).send(envoy.addr("gate")).unwrap();
    let problem: Value = response.json().unwrap();
    assert_eq!(
        (response.status, &problem["code"]),
        (503, &json!("keys_unavailable"))
    );
    wait_for_log(
        &envoy,
        &format!(
            "could not be fetched: the metadata is that of another issuer than {:?}",
            named.base_url()
        ),
    );
    assert_eq!(upstream.count(), 0);
    assert_eq!(asked.stats().jwks_requests, 0);
}
