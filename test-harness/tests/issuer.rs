//! The issuer as a gateway sees it, in health and in every sickness.

use std::time::{Duration, Instant};

use jobgate_harness::client::{Body, Error, Request, Response};
use jobgate_harness::issuer::{Endpoint, Fault, FaultOrder, Issuer};
use jobgate_harness::mint::TokenSpec;
use serde_json::{Value, json};

const AUDIENCE: &str = "https://deploy.acme.example";
const JWKS: &str = "/.well-known/jwks";
const DISCOVERY: &str = "/.well-known/openid-configuration";

fn start() -> Issuer {
    Issuer::start(AUDIENCE).unwrap()
}

fn get(issuer: &Issuer, path: &str) -> Result<Response, Error> {
    Request::new("GET", path).send(issuer.addr())
}

fn post(issuer: &Issuer, path: &str, body: &Value) -> Response {
    Request::new("POST", path)
        .header("content-type", "application/json")
        .body(Body::Sized(body.to_string().into()))
        .send(issuer.addr())
        .unwrap()
}

/// An issuer whose next answers for its keys meet `fault`.
fn faulty(fault: Fault, times: Option<u32>) -> Issuer {
    let issuer = start();
    issuer.order(&FaultOrder {
        endpoint: Endpoint::Jwks,
        fault: Some(fault),
        times,
    });
    issuer
}

#[test]
fn discovery_names_the_issuer_byte_for_byte() {
    let issuer = start();
    let document: Value = get(&issuer, DISCOVERY).unwrap().json().unwrap();
    assert_eq!(document["issuer"], issuer.base_url());
    assert_eq!(document["issuer"], format!("http://{}", issuer.addr()));
    assert_eq!(document["jwks_uri"], issuer.jwks_uri());
    assert_eq!(
        document["id_token_signing_alg_values_supported"],
        json!(["RS256"])
    );
}

#[test]
fn the_served_keys_are_those_that_sign() {
    let issuer = start();
    let response = get(&issuer, JWKS).unwrap();
    assert_eq!(response.header("content-type"), ["application/json"]);
    let jwks: Value = response.json().unwrap();
    assert_eq!(jwks, issuer.jwks());
    assert_eq!(jwks["keys"][0]["kid"], issuer.minter().current_key().kid());
}

#[test]
fn a_token_can_be_had_over_http() {
    let issuer = start();
    let response = post(&issuer, "/mint", &json!({ "raw": "verbatim" }));
    assert_eq!(
        response.json::<Value>().unwrap(),
        json!({ "token": "verbatim" })
    );
    let response = post(&issuer, "/mint", &json!({}));
    let token = response.json::<Value>().unwrap()["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let header = token.split('.').next().unwrap();
    assert_eq!(
        issuer.mint(&TokenSpec::default()).split('.').next(),
        Some(header)
    );
    assert_eq!(post(&issuer, "/mint", &json!({ "clams": {} })).status, 422);
}

#[test]
fn rotation_over_http_keeps_the_old_key_unless_told_otherwise() {
    let issuer = start();
    let kids = || -> Vec<Value> {
        let jwks = get(&issuer, JWKS).unwrap().json::<Value>().unwrap();
        jwks["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["kid"].clone())
            .collect()
    };
    let rotate = |body: Value| {
        post(&issuer, "/keys/rotate", &body)
            .json::<Value>()
            .unwrap()["kid"]
            .clone()
    };
    let first = kids()[0].clone();
    let second = rotate(json!({}));
    assert_eq!(kids(), [second, first]);
    let third = rotate(json!({ "keep_old": false }));
    assert_eq!(kids(), [third]);
}

#[test]
fn requests_are_counted_whatever_their_answer() {
    let issuer = faulty(Fault::Disconnect, Some(1));
    assert!(get(&issuer, JWKS).is_err());
    get(&issuer, JWKS).unwrap();
    get(&issuer, DISCOVERY).unwrap();
    let stats = get(&issuer, "/stats").unwrap().json::<Value>().unwrap();
    assert_eq!(
        stats,
        json!({ "jwks_requests": 2, "discovery_requests": 1 })
    );
    assert_eq!(issuer.stats().jwks_requests, 2);
}

#[test]
fn a_status_comes_without_a_document() {
    let issuer = faulty(Fault::Status(503), None);
    let response = get(&issuer, JWKS).unwrap();
    assert_eq!((response.status, response.body.len()), (503, 0));
    assert_eq!(
        get(&issuer, DISCOVERY).unwrap().status,
        200,
        "only the keys were to fail"
    );
}

#[test]
fn a_late_answer_is_a_good_one() {
    let delay = Duration::from_millis(300);
    let issuer = faulty(Fault::DelayMs(300), None);
    let start = Instant::now();
    let response = get(&issuer, JWKS).unwrap();
    assert!(start.elapsed() >= delay);
    assert_eq!(response.json::<Value>().unwrap(), issuer.jwks());
}

#[test]
fn a_client_may_give_up_on_a_late_answer() {
    let issuer = faulty(Fault::DelayMs(60_000), None);
    let error = Request::new("GET", JWKS)
        .timeout(Duration::from_millis(100))
        .send(issuer.addr())
        .unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
}

#[test]
fn garbage_looks_right_until_it_is_read() {
    let response = get(&faulty(Fault::Garbage, None), JWKS).unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), ["application/json"]);
    assert!(response.json::<Value>().is_err());
}

#[test]
fn a_huge_body_has_its_size_and_is_valid_otherwise() {
    let issuer = faulty(Fault::BodyBytes(5_000_000), None);
    let response = get(&issuer, JWKS).unwrap();
    assert_eq!(response.header("transfer-encoding"), ["chunked"]);
    assert_eq!(response.body.len(), 5_000_000);
    assert_eq!(response.json::<Value>().unwrap(), issuer.jwks());
}

#[test]
fn a_disconnect_gives_no_answer_at_all() {
    let error = get(&faulty(Fault::Disconnect, None), JWKS).unwrap_err();
    assert!(matches!(error, Error::NoResponse), "{error}");
}

#[test]
fn a_fault_ends_by_its_count_or_by_order() {
    let issuer = start();
    let order = |fault: Value| {
        let order = json!({ "endpoint": "all", "fault": fault, "times": 2 });
        assert_eq!(post(&issuer, "/faults", &order).status, 204);
    };
    let statuses = || [JWKS, JWKS, JWKS].map(|path| get(&issuer, path).unwrap().status);
    order(json!({ "status": 500 }));
    assert_eq!(statuses(), [500, 500, 200]);
    order(json!({ "status": 500 }));
    order(json!("none"));
    assert_eq!(statuses(), [200; 3]);
    order(json!({ "status": 500 }));
    issuer.heal();
    assert_eq!(statuses(), [200; 3]);
}

#[test]
fn a_dropped_issuer_takes_no_more_connections() {
    let issuer = start();
    let addr = issuer.addr();
    drop(issuer);
    assert!(matches!(
        Request::new("GET", JWKS).send(addr),
        Err(Error::Io(_))
    ));
}
