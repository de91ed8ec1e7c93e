//! Revocations that are fetched: how soon they are in force, and what becomes of them when they can't be had.

use std::time::{Duration, Instant};

use jobgate_harness::documents::DocumentServer;
use jobgate_harness::envoy::{EnvoyConfig, Listener};
use jobgate_harness::exchange::eventually;
use jobgate_harness::issuer::Issuer;
use jobgate_harness::mint::TokenSpec;
use jobgate_harness::upstream::Upstream;
use serde_json::{Value, json};

use super::world::{SOON, bearing, issuer, log_tail, policy, start, wait_for_log};

const INTERVAL: Duration = Duration::from_secs(5);

/// For a machine that is busy.
const MARGIN: Duration = Duration::from_secs(2);

fn token_of_job(issuer: &Issuer, job: &str) -> String {
    let mut spec = TokenSpec::default();
    spec.claims.insert("job_id".to_owned(), json!(job));
    issuer.mint(&spec)
}

#[test]
fn a_revocation_is_in_force_within_an_interval_and_outlives_a_bad_document_and_its_server() {
    let (issuer, upstream) = (issuer(), Upstream::start().unwrap());
    let documents = DocumentServer::start(json!({ "revocations": [] })).unwrap();
    let mut config =
        EnvoyConfig::new(upstream.addr(), issuer.addr()).cluster("security", documents.addr());
    for unavailable in ["deny", "allow"] {
        let mut policy = policy(&issuer);
        policy["revocations"] = json!({
            "uri": documents.uri(),
            "cluster": "security",
            "interval": "5s",
            "max_stale": "12s",
            "unavailable": unavailable,
        });
        config = config.listener(Listener::new(unavailable).jobgate(policy));
    }
    let envoy = start(&config);
    let (stolen, good) = (
        token_of_job(&issuer, "stolen"),
        token_of_job(&issuer, "good"),
    );
    let refusal = |gate: &str, token: &str| -> Option<String> {
        let response = bearing(token).send(envoy.addr(gate)).unwrap();
        let problem: Value = response.json().unwrap();
        assert_eq!(
            response.status == 200,
            problem["code"].is_null(),
            "{problem}"
        );
        Some(problem["code"].as_str()?.to_owned())
    };
    let becomes = |gate: &str, token: &str, reason: &str| {
        eventually(SOON, || (refusal(gate, token)? == reason).then_some(()))
            .unwrap_or_else(|| panic!("it is not {reason}:\n{}", log_tail(&envoy)));
    };
    // The second time it comes out of the cache.
    for _ in 0..2 {
        assert_eq!(refusal("deny", &stolen), None);
    }
    eventually(SOON, || (documents.unchanged() > 0).then_some(()))
        .expect("a document that is as it was is not sent again");
    assert_eq!(documents.served(), 1, "the gates share what was fetched");

    documents.set(json!({ "revocations": [{ "claims": { "job_id": "stolen" } }] }));
    let start = Instant::now();
    becomes("deny", &stolen, "revoked");
    let took = start.elapsed();
    assert!(took < INTERVAL + MARGIN, "{took:?}");
    becomes("allow", &stolen, "revoked");
    assert_eq!(refusal("deny", &good), None);

    documents.set("{ this is no document");
    wait_for_log(&envoy, "the revocations could not be fetched: ");
    assert_eq!(refusal("deny", &stolen).as_deref(), Some("revoked"));
    assert_eq!(refusal("deny", &good), None);

    drop(documents);
    becomes("deny", &good, "revocations_unavailable");
    assert_eq!(refusal("allow", &good), None);
    for gate in ["deny", "allow"] {
        assert_eq!(refusal(gate, &stolen).as_deref(), Some("revoked"));
    }
}
