//! A webhook's call, whose body must be read before anything of it goes on.

use std::time::{SystemTime, UNIX_EPOCH};

use jobgate_harness::client::{Body, Request};
use jobgate_harness::envoy::GateConfig;
use jobgate_harness::mint::TokenSpec;
use serde_json::json;

use super::world::{World, issuer, log_tail, policy};

const PATH: &str = "/.well-known/jobgate/sessions/end";
const SECRET: &str = "5ecret-0f-the-web-hook";
const JOB: &str = "b63254c0-3271-4a98-8270-7cfbd6c2f14e";

fn webhook(secret: &str, chunks: &[&str]) -> Request {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let message = format!("{now}.{}", chunks.concat());
    let code = hmac_sha256::HMAC::mac(message, secret);
    let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    Request::new("POST", PATH)
        .header("x-buildkite-event", "job.finished")
        .header(
            "x-buildkite-signature",
            format!("timestamp={now},signature={code}"),
        )
        .body(Body::Chunked {
            chunks: chunks
                .iter()
                .map(|chunk| chunk.as_bytes().to_vec())
                .collect(),
            trailers: Vec::new(),
        })
}

#[test]
fn a_webhooks_body_is_read_and_nothing_of_the_call_reaches_the_upstream() {
    let issuer = issuer();
    let mut policy = policy(&issuer);
    policy["sessions"] = json!({ "end": { "webhook": { "secret": SECRET } } });
    let world = World::start(issuer, GateConfig::ToldOfBodies(policy));
    let claims = json!({ "job_id": JOB });
    let token = world.issuer.mint(&TokenSpec {
        claims: claims.as_object().unwrap().clone(),
        ..TokenSpec::default()
    });
    world.wait_until_it_passes(&token);
    let before = world.upstream.count();
    let body = json!({ "event": "job.finished", "job": { "id": JOB } }).to_string();
    let (first, rest) = body.split_at(20);
    let large = "x".repeat(300 * 1024);
    for (request, status) in [
        (webhook("another", &[first, rest]), 401),
        (webhook(SECRET, &[first]), 400),
        (webhook(SECRET, &[]), 400),
        (webhook(SECRET, &[&large]), 400),
        (webhook(SECRET, &[first, rest]), 200),
    ] {
        let exchange = world.send(&request);
        assert_eq!(
            exchange.response.status,
            status,
            "{}",
            log_tail(&world.envoy)
        );
        assert!(exchange.forwarded.is_empty());
        if status != 200 {
            assert_eq!(
                exchange.recorded("event").as_deref(),
                Some("jobgate.session")
            );
            assert_eq!(exchange.recorded("reason"), exchange.code());
        }
    }
    assert_eq!(world.upstream.count(), before);
    assert_eq!(world.refusal(&token).as_deref(), Some("session_ended"));
    assert_eq!(world.refusal(&world.token()), None);
}
