//! A job's access ends with the job: who may say so, what is refused from then on, and that none of these calls reaches
//! the upstream.

use std::time::Duration;

use jobgate_harness::mint::TokenSpec;
use jobgate_wasm_host::{
    Exchange, Fault, Gateway, HostCall, Options, Outcome, Profile, Request, RouteConfig, Status,
};
use ring::hmac;
use serde_json::{Value, json};

use crate::common::{
    BOTH, ISSUER, assert_passed, assert_refused, code, gateway_with, give_keys, lines, minter,
    module, options, policy, unix, with_token,
};

const PATH: &str = "/.well-known/jobgate/sessions/end";
const SECRET: &str = "5ecret-0f-the-web-hook";
const JOB: &str = "b63254c0-3271-4a98-8270-7cfbd6c2f14e";

fn ending(profile: Profile) -> Value {
    let mut policy = policy(profile);
    policy["sessions"] = json!({ "end": { "webhook": { "secret": SECRET } } });
    policy
}

fn with(options: Options, profile: Profile, policy: &Value) -> Gateway {
    let mut gateway = gateway_with(profile, options, &policy.to_string());
    give_keys(&mut gateway, &minter().jwks());
    gateway
}

/// Envoy as it must be for a webhook.
fn listening() -> Options {
    Options {
        body_of_paused: true,
        ..options()
    }
}

fn token_of(gateway: &Gateway, job: &str, nth: u32) -> String {
    let claims = json!({ "job_id": job, "nth": nth });
    let spec = TokenSpec {
        claims: claims.as_object().unwrap().clone(),
        ..TokenSpec::default()
    };
    minter().mint(&spec, unix(gateway))
}

fn end_with(token: &str) -> Request {
    Request::new("POST", PATH).header("authorization", format!("Bearer {token}"))
}

fn webhook_at(seconds: u64, secret: &str, body: &str) -> Request {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let hex: String = tag
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Request::new("POST", PATH)
        .header("x-buildkite-event", "job.finished")
        .header(
            "x-buildkite-signature",
            format!("timestamp={seconds},signature={hex}"),
        )
        .header("content-type", "application/json")
        .body(body)
}

fn webhook(gateway: &Gateway, body: &str) -> Request {
    webhook_at(unix(gateway), SECRET, body)
}

fn finished(job: &str) -> String {
    json!({ "event": "job.finished", "job": { "id": job, "state": "failed", "agent": "x" } })
        .to_string()
}

/// The answer to a call that was taken.
#[track_caller]
fn answer(exchange: &Exchange) -> Value {
    assert!(exchange.traps.is_empty(), "{:?}", exchange.traps);
    let answer = exchange
        .local()
        .unwrap_or_else(|| panic!("{:?}", exchange.outcome));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    serde_json::from_str(&answer.text()).expect("it is JSON")
}

#[test]
fn from_then_on_every_token_of_the_job_is_refused_and_no_other() {
    for profile in BOTH {
        let mut policy = ending(profile);
        // Nothing is fetched: a day is to pass.
        let issuer = policy["issuers"][0].as_object_mut().unwrap();
        issuer.remove("jwks");
        issuer.insert("keys".to_owned(), minter().jwks());
        let mut gateway = with(options(), profile, &policy);
        let [own, known, fresh] = [1, 2, 3].map(|nth| token_of(&gateway, JOB, nth));
        let other = token_of(&gateway, "another", 1);
        for token in [&own, &known, &other] {
            assert_passed(&gateway.request(0, with_token(token)));
            assert_passed(&gateway.request(0, with_token(token)));
        }
        let now = unix(&gateway);
        let told = answer(&gateway.request(0, end_with(&own)));
        // Up to the next whole second.
        let expires = now + 30 + 7_200 + 1;
        assert_eq!(
            told["revocation"],
            json!({
                "issuer": ISSUER, "claims": { "job_id": JOB }, "expires": expires,
                "note": "the session was ended",
            })
        );
        for token in [&own, &known, &fresh] {
            let refused = gateway.request(0, with_token(token));
            assert_refused(&refused, "session_ended");
            assert_eq!(refused.refused_with(), Some(403));
        }
        assert_passed(&gateway.request(0, with_token(&other)));
        // Twice is once.
        assert_eq!(
            answer(&gateway.request(0, end_with(&known)))["revocation"],
            told["revocation"]
        );
        let records = lines(&gateway, "jobgate.session");
        assert_eq!(records.len(), 2);
        let record: Value = serde_json::from_str(&records[0].1).unwrap();
        assert_eq!(
            [
                &record["decision"],
                &record["way"],
                &record["identity"]["job"],
                &record["expires"]
            ],
            [&json!("end"), &json!("token"), &json!(JOB), &json!(expires)]
        );
        for token in [&own, &known, &fresh] {
            let signature = token.rsplit('.').next().unwrap();
            assert!(lines(&gateway, signature).is_empty());
        }
        // A day later all of these have expired, and nothing is known of the job any more.
        gateway.advance(Duration::from_secs(86_400));
        assert_passed(&gateway.request(0, with_token(&token_of(&gateway, JOB, 4))));
    }
}

#[test]
fn whoever_cannot_prove_its_token_ends_nothing() {
    for profile in BOTH {
        let mut policy = ending(profile);
        policy["issuers"][0]["claims"] = json!({ "organization_slug": "acme" });
        let mut gateway = with(options(), profile, &policy);
        let good = token_of(&gateway, JOB, 1);
        let forged = format!("{}AAAA", &good[..good.len() - 4]);
        for (request, expected) in [
            (Request::new("POST", PATH), "token_missing"),
            (end_with("a.b.c"), "token_malformed"),
            (end_with(&forged), "signature_invalid"),
            (
                end_with(&minter().mint(
                    &TokenSpec {
                        age: 9_000,
                        ..TokenSpec::default()
                    },
                    unix(&gateway),
                )),
                "token_expired",
            ),
            // A stranger's, on the same issuer.
            (
                end_with(
                    &minter().mint(
                        &TokenSpec {
                            claims: json!({ "organization_slug": "evil", "job_id": JOB })
                                .as_object()
                                .unwrap()
                                .clone(),
                            ..TokenSpec::default()
                        },
                        unix(&gateway),
                    ),
                ),
                "no_rule_matched",
            ),
        ] {
            assert_refused(&gateway.request(0, request), expected);
        }
        assert_passed(&gateway.request(0, with_token(&good)));
        // Each is on record, as a call and not as a request that the policy decides.
        assert_eq!(lines(&gateway, r#""event":"jobgate.session""#).len(), 5);
        assert_eq!(lines(&gateway, r#""event":"jobgate.decision""#).len(), 1);
    }
}

#[test]
fn the_path_is_the_gates_own_and_takes_nothing_but_post() {
    for profile in BOTH {
        for mode in ["enforce", "shadow"] {
            let mut policy = ending(profile);
            policy["mode"] = json!(mode);
            let mut gateway = with(options(), profile, &policy);
            let token = token_of(&gateway, JOB, 1);
            for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "post"] {
                let request =
                    Request::new(method, PATH).header("authorization", format!("Bearer {token}"));
                let other = gateway.request(0, request);
                let answer = other.local().expect("the gate answers");
                assert_eq!(
                    (answer.status, answer.all("allow")),
                    (405, vec!["POST".to_owned()])
                );
            }
            let missing = gateway.request(0, Request::new("POST", format!("{PATH}?a=b")).body("x"));
            assert_refused(&missing, "token_missing");
            let many = (0..100).fold(end_with(&token), |request, nth| {
                request.header(format!("x-{nth}"), "x")
            });
            if profile == Profile::Kong {
                assert_refused(&gateway.request(0, many), "header_reserved");
            }
            assert_passed(&gateway.request(0, with_token(&token)));
            assert!(answer(&gateway.request(0, end_with(&token).body("what a hook sends")))["revocation"].is_object());
            let ended = gateway.request(0, with_token(&token));
            match mode {
                "enforce" => assert_refused(&ended, "session_ended"),
                _ => assert_eq!(
                    ended.upstream().expect("it passed").all("x-jobgate-reason"),
                    ["session_ended"]
                ),
            }
            // Any other spelling is a path like any other.
            let other = gateway.request(
                0,
                Request::new("POST", "/.well-known/jobgate/sessions/end/"),
            );
            assert_eq!(other.upstream().is_some(), mode == "shadow");
        }
    }
}

#[test]
fn all_workers_know_and_a_new_policy_does_where_there_is_shared_data() {
    for profile in BOTH {
        for has_zone in [true, false] {
            let shares = has_zone || profile == Profile::Envoy;
            let options = Options {
                workers: 3,
                shared_data_zone: has_zone,
                ..options()
            };
            let mut policy = ending(profile);
            policy["shared_data"] = json!(has_zone);
            let mut gateway = Gateway::new(profile, module(), options);
            gateway
                .start(&[RouteConfig::new("deploy", policy.to_string())])
                .expect("it starts");
            give_keys(&mut gateway, &minter().jwks());
            gateway.advance(Duration::from_secs(2));
            give_keys(&mut gateway, &minter().jwks());
            let token = token_of(&gateway, JOB, 1);
            for worker in 0..3 {
                assert_passed(&gateway.request_on(worker, 0, with_token(&token)));
            }
            answer(&gateway.request_on(1, 0, end_with(&token)));
            let knows = |gateway: &mut Gateway, worker| {
                let exchange = gateway.request_on(worker, 0, with_token(&token));
                code(&exchange).as_deref() == Some("session_ended")
            };
            assert!(knows(&mut gateway, 1));
            assert_eq!(knows(&mut gateway, 0), shares, "{profile:?}");
            assert_eq!(knows(&mut gateway, 2), shares, "{profile:?}");
            policy["audit"] = json!({ "detail": "claims" });
            let changed = [RouteConfig::new("deploy", policy.to_string())];
            gateway.reload(&changed).expect("it takes it");
            give_keys(&mut gateway, &minter().jwks());
            gateway.advance(Duration::from_secs(2));
            give_keys(&mut gateway, &minter().jwks());
            assert_eq!(knows(&mut gateway, 1), shares, "{profile:?}");
        }
    }
}

#[test]
fn on_envoy_the_ci_ends_sessions_by_its_webhook() {
    let mut gateway = with(listening(), Profile::Envoy, &ending(Profile::Envoy));
    let token = token_of(&gateway, JOB, 1);
    let other = token_of(&gateway, "another", 1);
    assert_passed(&gateway.request(0, with_token(&token)));
    let now = unix(&gateway);
    let body = finished(JOB);
    for (request, expected) in [
        (
            webhook_at(now, "another", &body),
            "webhook_signature_invalid",
        ),
        (
            webhook_at(now - 301, SECRET, &body),
            "webhook_signature_invalid",
        ),
        (
            webhook_at(now + 301, SECRET, &body),
            "webhook_signature_invalid",
        ),
        (
            webhook_at(now, SECRET, "{}").body(body.replace(JOB, "x")),
            "webhook_signature_invalid",
        ),
        (
            Request::new("POST", PATH)
                .header("x-buildkite-event", "job.finished")
                .body(&body),
            "webhook_signature_invalid",
        ),
        (webhook(&gateway, ""), "webhook_malformed"),
        (webhook(&gateway, "{"), "webhook_malformed"),
        (webhook(&gateway, &finished("x")), "webhook_malformed"),
        (
            webhook(&gateway, &body).trailer("x-late", "1"),
            "webhook_malformed",
        ),
        (
            webhook(&gateway, &" ".repeat(256 * 1024 + 1)),
            "webhook_malformed",
        ),
    ] {
        let refused = gateway.request(0, request);
        assert_refused(&refused, expected);
        let status = if expected == "webhook_malformed" {
            400
        } else {
            401
        };
        assert_eq!(refused.refused_with(), Some(status));
    }
    for event in ["ping", "build.finished"] {
        let body = json!({ "event": event, "job": { "id": JOB } }).to_string();
        assert_eq!(
            answer(&gateway.request(0, webhook(&gateway, &body))),
            json!({})
        );
    }
    assert_passed(&gateway.request(0, with_token(&token)));
    let told = answer(&gateway.request(0, webhook(&gateway, &body)));
    assert_eq!(told["revocation"]["claims"], json!({ "job_id": JOB }));
    assert_refused(&gateway.request(0, with_token(&token)), "session_ended");
    assert_passed(&gateway.request(0, with_token(&other)));
    // The job's own way is open still.
    answer(&gateway.request(0, end_with(&other)));
    assert_refused(&gateway.request(0, with_token(&other)), "session_ended");
    let (_, record) = lines(&gateway, r#""way":"webhook""#)
        .pop()
        .expect("it is on record");
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(
        [&record["issuer"], &record["identity"]["job"]],
        [&json!(ISSUER), &json!(JOB)]
    );
    let sent = webhook(&gateway, &body);
    let (_, sent) = sent.headers.last_chunk::<2>().expect("it has some")[0].clone();
    let code = String::from_utf8_lossy(&sent[sent.len() - 64..]).into_owned();
    for secret in [SECRET, &code, "\"state\""] {
        assert!(lines(&gateway, secret).is_empty(), "{secret}");
    }
}

#[test]
fn where_no_body_is_told_of_a_webhooks_call_is_answered_all_the_same_and_goes_nowhere() {
    // Envoy without the setting: the next tick after ten seconds says what it needs.
    let mut gateway = with(options(), Profile::Envoy, &ending(Profile::Envoy));
    let request = webhook(&gateway, &finished(JOB));
    let waits = gateway.request(0, request);
    assert_eq!(waits.outcome, Outcome::Paused);
    gateway.advance(Duration::from_secs(11));
    let late = gateway.exchange(waits.id).unwrap().clone();
    assert_refused(&late, "webhook_unavailable");
    assert_eq!(late.refused_with(), Some(501));
    assert_eq!(lines(&gateway, "allow_on_headers_stop_iteration").len(), 1);
    // Kong would let it go on while it waits, so it never does; the log says so when the policy is loaded.
    let mut gateway = with(options(), Profile::Kong, &ending(Profile::Kong));
    let request = webhook(&gateway, &finished(JOB));
    assert_refused(&gateway.request(0, request), "webhook_unavailable");
    assert_eq!(
        lines(&gateway, "so the webhook is answered with 501").len(),
        1
    );
    let token = token_of(&gateway, JOB, 1);
    assert_passed(&gateway.request(0, with_token(&token)));
    answer(&gateway.request(0, end_with(&token)));
    assert_refused(&gateway.request(0, with_token(&token)), "session_ended");
}

#[test]
fn whatever_host_call_fails_no_call_that_ends_a_session_reaches_the_upstream() {
    let faults = [
        Fault::Trap,
        Fault::Status(Status::InternalFailure),
        Fault::Status(Status::BadArgument),
    ];
    let kinds: [fn(&Gateway) -> Request; 3] = [
        |gateway| end_with(&token_of(gateway, JOB, 1)).body("x"),
        |gateway| webhook(gateway, &finished(JOB)),
        |_| Request::new("POST", PATH).body("x"),
    ];
    for profile in BOTH {
        for (kind, make) in kinds.iter().enumerate() {
            for (call, fault) in HostCall::ALL
                .iter()
                .flat_map(|call| faults.map(|fault| (call, fault)))
            {
                for nth in 1.. {
                    let mut policy = ending(profile);
                    policy["shared_data"] = json!(true);
                    policy["mode"] = json!(if kind == 1 { "shadow" } else { "enforce" });
                    let options = Options {
                        shared_data_zone: true,
                        ..listening()
                    };
                    let mut gateway = with(options, profile, &policy);
                    let request = make(&gateway);
                    gateway.reset_host_calls();
                    gateway.set_fault(*call, nth, fault);
                    let exchange = gateway.request(0, request);
                    let made = gateway.host_calls().get(call).copied().unwrap_or_default();
                    gateway.advance(Duration::from_secs(12));
                    let exchange = gateway.exchange(exchange.id).unwrap();
                    assert!(
                        exchange.upstream().is_none(),
                        "{profile:?}, {kind}: {call:?} number {nth} answers {fault:?}: {:?}",
                        exchange.outcome
                    );
                    if made < nth {
                        break;
                    }
                }
            }
        }
    }
}

/// On Kong what waits goes upstream when its neighbour traps; a call that ends a session never waits.
#[test]
fn a_neighbour_that_traps_lets_no_such_call_through() {
    for profile in BOTH {
        let mut gateway = with(options(), profile, &ending(profile));
        let request = webhook(&gateway, &finished(JOB));
        let call = gateway.request(0, request);
        gateway.set_fault(HostCall::GetHeaderMapPairs, 1, Fault::Trap);
        gateway.request(0, Request::get("/"));
        gateway.advance(Duration::from_secs(30));
        let call = gateway.exchange(call.id).unwrap();
        assert!(call.upstream().is_none(), "{:?}", call.outcome);
    }
}

#[test]
fn a_policy_without_sessions_has_no_such_path_and_asks_the_host_for_nothing_more() {
    for profile in BOTH {
        let zone = || Options {
            shared_data_zone: true,
            ..options()
        };
        let mut policy = policy(profile);
        policy["shared_data"] = json!(true);
        let mut without = with(zone(), profile, &policy);
        let shared = |gateway: &mut Gateway| {
            let token = token_of(gateway, JOB, 1);
            assert_passed(&gateway.request(0, with_token(&token)));
            gateway.reset_host_calls();
            assert_passed(&gateway.request(0, with_token(&token)));
            gateway
                .host_calls()
                .get(&HostCall::GetSharedData)
                .copied()
                .unwrap_or_default()
        };
        assert_eq!(shared(&mut without), 0);
        let path = without.request(0, Request::new("POST", PATH));
        assert_refused(&path, "token_missing");
        assert_eq!(lines(&without, "jobgate.session").len(), 0);
        // One that takes no calls asks once for each request.
        policy["sessions"] = json!({});
        let mut asks = with(zone(), profile, &policy);
        assert_eq!(shared(&mut asks), 1);
        assert_refused(
            &asks.request(0, Request::new("POST", PATH)),
            "token_missing",
        );
        assert_eq!(lines(&asks, "jobgate.session").len(), 0);
    }
}
