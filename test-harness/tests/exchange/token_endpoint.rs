//! A token endpoint by RFC 8693, in all ways in which the gate can prove who it is.

use std::thread;
use std::time::Duration;

use jobgate_harness::client::{Body, Request};
use jobgate_harness::counterpart::{Client, Jobs, Proof, TokenEndpoint};
use jobgate_harness::keys::Algorithm;
use jobgate_harness::mint::TokenSpec;
use serde_json::{Value, json};

use super::world::{Stage, World, bearing};

/// With everything that a form or a header would read in another way.
const SECRET: &str = "hush: 100%+ä&b=c \"d\"/\\?";

/// What Basic makes of an id and a secret like that.
const ID: &str = "gate:of+acme %41";

pub(super) fn endpoint(stage: &Stage, client: Option<Client>) -> TokenEndpoint {
    TokenEndpoint {
        jobs: stage.jobs(),
        client,
        audiences: vec!["//deploy/deploy-web".to_owned()],
        scopes: vec!["read".to_owned(), "write:main".to_owned()],
        life: Duration::from_secs(600),
        ledger: stage.ledger.clone(),
    }
}

pub(super) fn target() -> Value {
    json!({ "token_exchange": {
        "uri": "/token",
        "audience": "//deploy/{claims.pipeline_slug}", "scope": "read write:{claims.build_branch}",
        "requested_token_type": "access_token",
    } })
}

fn world(client: Client, written: &Value, assertion: Option<&Value>) -> World {
    let stage = Stage::new();
    let counterpart = endpoint(&stage, Some(client)).start().unwrap();
    let mut target = target();
    target["token_exchange"]["client"] = written.clone();
    let change = |policy: &mut Value| {
        if let Some(assertion) = assertion {
            policy["assertion"] = assertion.clone();
        }
    };
    stage.world_with(vec![(target, counterpart)], "authorization", change, |_| {})
}

#[test]
fn a_token_is_exchanged_once_and_what_it_brought_serves_on() {
    let client = Client::new(ID, Proof::Basic(SECRET.to_owned()));
    let world = world(client, &json!({ "id": ID, "secret": SECRET }), None);
    let token = world.token();
    let first = world.passes(&bearing(&token));
    let post = Request::new("POST", "/a/b?c=d")
        .header("authorization", format!("Bearer {token}"))
        .header("x-vault-token", "the client's own")
        .body(Body::Sized(b"a body".to_vec()));
    let second = world.passes(&post);
    assert_eq!(second.line, "POST /a/b?c=d");
    assert_eq!(second.body, "a body");
    assert_eq!(second.header("x-vault-token"), ["the client's own"]);
    assert_eq!(second.header("x-jobgate-rule"), ["any-job"]);
    assert_eq!(
        first.header("authorization"),
        second.header("authorization")
    );
    let records: Vec<_> = [&first, &second]
        .map(|seen| world.record(seen.header("x-jobgate-decision-id")[0]))
        .into();
    assert_eq!(records[0]["exchange"], json!({ "target": "cloud" }));
    assert_eq!(
        records[1]["exchange"],
        json!({ "target": "cloud", "kept": true })
    );
    assert_eq!(
        (world.counterpart().asked(), world.counterpart().granted()),
        (1, 1)
    );

    // Another token of the same job is another one.
    let other = world.passes(&bearing(&world.token()));
    assert_ne!(other.header("authorization"), first.header("authorization"));
    assert_eq!(world.counterpart().granted(), 2);
    world.kept_its_secrets(&[SECRET]);
}

#[test]
fn the_gate_proves_who_it_is_by_a_secret_in_the_body() {
    let client = Client::new(ID, Proof::Post(SECRET.to_owned()));
    let written = json!({ "id": ID, "secret": SECRET, "method": "post" });
    let world = world(client, &written, None);
    world.passes(&bearing(&world.token()));
    world.kept_its_secrets(&[SECRET]);
}

/// The private key, as a policy has it, and the public one. It is that of RFC 8037, appendix A.
fn ed25519() -> (Value, Value) {
    let public = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "gate-1", "alg": "EdDSA",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let mut private = public.clone();
    private["d"] = json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A");
    (private, public)
}

/// The one of RFC 7517, appendix A.2.
fn p256() -> (Value, Value) {
    let public = json!({
        "kty": "EC", "crv": "P-256", "kid": "gate-2", "alg": "ES256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    });
    let mut private = public.clone();
    private["d"] = json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE");
    (private, public)
}

#[test]
fn the_gate_proves_who_it_is_by_a_key() {
    for (private, public) in [ed25519(), p256()] {
        let client = Client::new(ID, Proof::Key(json!({ "keys": [public] })));
        let assertion = json!({
            "issuer": "https://gate.example", "audience": "https://web.example",
            "keys": [{ "jwk": private }],
        });
        let written = json!({ "id": ID, "assertion": true });
        let world = world(client, &written, Some(&assertion));
        // Each exchange needs an assertion of its own.
        for _ in 0..3 {
            world.passes(&bearing(&world.token()));
        }
        assert_eq!(world.counterpart().granted(), 3);
        world.kept_its_secrets(&[private["d"].as_str().unwrap()]);
    }
}

#[test]
fn what_the_server_does_not_take_is_named_and_nothing_goes_on() {
    type Change = fn(&Stage, &mut TokenEndpoint, &mut Value);
    let cases: [(Change, &str); 8] = [
        (
            |_, _, target| target["audience"] = json!("//deploy/other"),
            "400: invalid_target",
        ),
        (
            |_, _, target| target["scope"] = json!("read admin"),
            "400: invalid_scope",
        ),
        (
            |_, _, target| target["subject_token_type"] = json!("saml2"),
            "400: invalid_request",
        ),
        (
            |_, _, target| target["client"]["secret"] = json!("another"),
            "401: invalid_client",
        ),
        (
            |_, _, target| target["client"]["method"] = json!("post"),
            "401: invalid_client",
        ),
        (
            |_, _, target| target["client"]["id"] = json!("another"),
            "401: invalid_client",
        ),
        // It does not take the job's token, and quotes it.
        (
            |stage, endpoint, _| endpoint.jobs = Jobs::of(&stage.issuer, "https://another.example"),
            "400: invalid_request",
        ),
        (
            |_, _, target| target["scope"] = json!("{claims.nothing}"),
            "the token has no text in its claim nothing",
        ),
    ];
    let stage = Stage::new();
    let gates = cases.iter().map(|(change, _)| {
        let client = Client::new(ID, Proof::Basic(SECRET.to_owned()));
        let mut endpoint = endpoint(&stage, Some(client));
        let mut target = target();
        target["token_exchange"]["client"] = json!({ "id": ID, "secret": SECRET });
        change(&stage, &mut endpoint, &mut target["token_exchange"]);
        (target, endpoint.start().unwrap())
    });
    let gates = gates.collect();
    let mut world = stage.gates(gates, "authorization");
    for (nth, (_, why)) in cases.into_iter().enumerate() {
        world.turn_to(nth);
        let cause = world.fails(&bearing(&world.token()));
        assert!(cause.ends_with(why), "{why}: {cause}");
        assert_eq!(world.counterpart().granted(), 0);
    }
    world.kept_its_secrets(&[SECRET]);
}

/// The counterpart checks for itself: what the gate lets in by its own keys is not yet good there.
#[test]
fn a_token_that_only_the_gate_takes_brings_nothing() {
    let stage = Stage::new();
    let counterpart = endpoint(&stage, None).start().unwrap();
    stage.issuer.publish_every_algorithm();
    let allow = |policy: &mut Value| {
        policy["issuers"][0]["algorithms"] = json!(["RS256", "ES256"]);
    };
    let gates = vec![(target(), counterpart)];
    let world = stage.world_with(gates, "authorization", allow, |_| {});
    let spec = TokenSpec {
        algorithm: Some(Algorithm::Es256),
        ..TokenSpec::default()
    };
    let cause = world.fails(&bearing(&world.mint(&spec)));
    assert!(cause.ends_with("400: invalid_request"), "{cause}");
    world.passes(&bearing(&world.token()));
    world.kept_its_secrets(&[]);
}

/// The upstream takes no credential that has ended, and the gate hands on none.
#[test]
fn a_credential_is_got_anew_before_it_ends() {
    let stage = Stage::new();
    let mut endpoint = endpoint(&stage, None);
    endpoint.life = Duration::from_secs(4);
    let counterpart = endpoint.start().unwrap();
    let mut target = target();
    target["token_exchange"]["header"] = json!("X-Service-Token");
    let world = stage.world(target, counterpart, "x-service-token");
    let token = world.token();
    let first = world.passes(&bearing(&token));
    assert_eq!(first.header("authorization").concat(), "");
    for _ in 0..12 {
        thread::sleep(Duration::from_millis(500));
        world.passes(&bearing(&token));
    }
    let granted = world.counterpart().granted();
    assert!((2..12).contains(&granted), "{granted}");
    world.kept_its_secrets(&[]);
}
