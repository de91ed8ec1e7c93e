//! Tokens exchanged for credentials: what is asked for, what the upstream gets, and what becomes of requests when the
//! exchange goes wrong.

use std::time::Duration;

use jobgate_harness::mint::TokenSpec;
use jobgate_wasm_host::{
    CallFailure, CallResponse, Exchange, Fault, Gateway, HostCall, HttpCall, Outcome, Profile,
    Request, RouteConfig, Status,
};
use serde_json::{Value, json};

use crate::common::{
    BOTH, TICK, answer, assert_passed, assert_refused, cluster_of, gateway, give_keys, good_token,
    lines, minter, module, options, policy, ready, send_good, unix, with_token,
};

const CREDENTIAL: &str = "credential-of-the-upstreams-world";

/// A policy whose one rule exchanges the job's token for this.
fn exchanging(profile: Profile, target: &Value) -> Value {
    let mut policy = policy(profile);
    policy["exchange"] = json!({ "cloud": target });
    policy["rules"][0]["exchange"] = json!("cloud");
    policy
}

/// A token endpoint.
fn endpoint(profile: Profile) -> Value {
    json!({
        "token_exchange": {
            "uri": "https://sts.example/token", "cluster": cluster_of(profile, "sts.example"),
            "audience": "//deploy/{claims.pipeline_slug}", "timeout": "2s",
            "client": { "id": "gate", "secret": "hush-hush" },
        },
    })
}

fn vault(profile: Profile) -> Value {
    json!({
        "vault_login": {
            "uri": "https://vault.example", "cluster": cluster_of(profile, "vault.example"),
            "role": "{claims.pipeline_slug}", "timeout": "2s",
        },
    })
}

fn aws(profile: Profile) -> Value {
    json!({
        "assume_role": {
            "role_arn": "arn:aws:iam::123456789012:role/{claims.pipeline_slug}",
            "session_name": "{claims.sub}",
            "service": "s3", "region": "eu-central-1",
            "cluster": cluster_of(profile, "sts.eu-central-1.amazonaws.com"),
        },
    })
}

fn granted() -> CallResponse {
    let body = json!({
        "access_token": CREDENTIAL, "token_type": "Bearer", "expires_in": 600,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    });
    CallResponse::new(200, body.to_string())
}

fn assumed() -> CallResponse {
    CallResponse::new(
        200,
        format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>{CREDENTIAL}-key</SecretAccessKey>\
             <SessionToken>{CREDENTIAL}</SessionToken><Expiration>2027-01-15T08:30:00Z</Expiration>\
             </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        ),
    )
}

fn logged_in() -> CallResponse {
    let body = json!({ "auth": { "client_token": CREDENTIAL, "lease_duration": 600 } });
    CallResponse::new(200, body.to_string())
}

/// The one call that is pending.
#[track_caller]
fn the_call(gateway: &Gateway) -> HttpCall {
    let calls = gateway.pending_calls();
    let [call] = calls.as_slice() else {
        panic!("one call: {calls:?}");
    };
    call.clone()
}

fn now(gateway: &Gateway, exchange: &Exchange) -> Exchange {
    gateway.exchange(exchange.id).expect("it was sent").clone()
}

fn waits(exchange: &Exchange) -> bool {
    exchange.outcome == Outcome::Paused
}

#[track_caller]
fn assert_passed_with_credential(exchange: &Exchange) {
    assert_passed(exchange);
    assert_eq!(
        exchange.upstream().unwrap().only("authorization"),
        Some(format!("Bearer {CREDENTIAL}"))
    );
}

/// A gateway that has got a credential for a token, by this answer.
fn with_kept(profile: Profile, target: &Value, reply: CallResponse) -> (Gateway, String) {
    let mut gateway = ready(profile, &exchanging(profile, target));
    let token = good_token(&gateway);
    let first = gateway.request(0, with_token(&token));
    let call = the_call(&gateway);
    answer(&mut gateway, &call, reply);
    assert_passed(&now(&gateway, &first));
    (gateway, token)
}

/// The members of a form.
fn form(call: &HttpCall) -> Vec<(String, String)> {
    assert_eq!(
        call.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    form_urlencoded::parse(&call.body).into_owned().collect()
}

fn member<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    let mut values = form.iter().filter(|(member, _)| member == name);
    let value = values.next().unwrap_or_else(|| panic!("it has {name}"));
    assert!(values.next().is_none(), "{name} is there once");
    &value.1
}

/// All that the upstream got, and all that was logged or answered.
fn everything(exchange: &Exchange) -> String {
    let upstream = exchange.upstream().map(|request| {
        let lines = request.headers.iter().map(|(name, value)| {
            format!(
                "{}: {}\n",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value)
            )
        });
        lines.collect::<String>() + &String::from_utf8_lossy(&request.path)
    });
    let local = exchange
        .local()
        .map(|answer| format!("{:?}{}", answer.headers, answer.text()));
    format!(
        "{}{}",
        upstream.unwrap_or_default(),
        local.unwrap_or_default()
    )
}

#[track_caller]
fn record_of(gateway: &Gateway) -> Value {
    let records = lines(gateway, "jobgate.decision");
    serde_json::from_str(&records.last().expect("there is a record").1).expect("it is JSON")
}

#[test]
fn the_upstream_gets_the_credential_and_never_the_jobs_token() {
    for profile in BOTH {
        for (target, reply, header, kind) in [
            (endpoint(profile), granted(), "authorization", "sts"),
            (vault(profile), logged_in(), "x-vault-token", "vault"),
            (aws(profile), assumed(), "x-amz-security-token", "aws"),
        ] {
            let mut gateway = ready(profile, &exchanging(profile, &target));
            let token = good_token(&gateway);
            let request = || {
                with_token(&token)
                    .header("x-vault-token", "forged")
                    .header("x-amz-security-token", "forged")
                    .host("bucket.example")
            };
            let first = gateway.request(0, request());
            assert!(waits(&first), "{kind}: {:?}", first.outcome);
            let call = the_call(&gateway);
            assert_eq!(call.header(":method"), Some("POST"));
            match kind {
                "sts" => {
                    let form = form(&call);
                    assert_eq!(call.header(":path"), Some("/token"));
                    assert_eq!(call.header(":authority"), Some("sts.example"));
                    assert_eq!(
                        call.header("authorization"),
                        Some("Basic Z2F0ZTpodXNoLWh1c2g=")
                    );
                    assert_eq!(member(&form, "subject_token"), token);
                    assert_eq!(member(&form, "audience"), "//deploy/deploy-web");
                    assert_eq!(
                        member(&form, "grant_type"),
                        "urn:ietf:params:oauth:grant-type:token-exchange"
                    );
                    assert_eq!(
                        member(&form, "subject_token_type"),
                        "urn:ietf:params:oauth:token-type:jwt"
                    );
                }
                "vault" => {
                    assert_eq!(call.header(":path"), Some("/v1/auth/jwt/login"));
                    let body: Value = serde_json::from_slice(&call.body).expect("it is JSON");
                    assert_eq!(body, json!({ "jwt": token, "role": "deploy-web" }));
                }
                _ => {
                    let form = form(&call);
                    assert_eq!(member(&form, "Action"), "AssumeRoleWithWebIdentity");
                    assert_eq!(member(&form, "WebIdentityToken"), token);
                    assert_eq!(
                        member(&form, "RoleArn"),
                        "arn:aws:iam::123456789012:role/deploy-web"
                    );
                    let session = member(&form, "RoleSessionName");
                    assert!(
                        session.starts_with("organization-acme-pipeline-"),
                        "{session}"
                    );
                    assert!(session.len() <= 64, "{session}");
                }
            }
            answer(&mut gateway, &call, reply);
            let first = now(&gateway, &first);
            // The second one needs no call.
            let second = gateway.request(0, request());
            for (exchange, came) in [(&first, "got"), (&second, "kept")] {
                assert_passed(exchange);
                let upstream = exchange.upstream().expect("it passed");
                let value = upstream.only(header).expect("there is one");
                let expected = match kind {
                    "sts" => format!("Bearer {CREDENTIAL}"),
                    _ => CREDENTIAL.to_owned(),
                };
                assert_eq!(value, expected, "{came}");
                let authorization = upstream.only("authorization");
                match kind {
                    "aws" => {
                        let authorization = authorization.expect("it is signed");
                        assert!(authorization.starts_with(
                            "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20270115/eu-central-1/s3/aws4_request, \
                             SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature="
                        ), "{authorization}");
                    }
                    "vault" => assert_eq!(authorization.unwrap_or_default(), ""),
                    _ => assert_eq!(upstream.only("x-vault-token").as_deref(), Some("forged")),
                }
                assert_eq!(upstream.only("x-jobgate-rule").as_deref(), Some("any-job"));
                assert!(!everything(exchange).contains(&token), "{profile:?} {kind}");
            }
            assert!(gateway.pending_calls().is_empty());
            assert_eq!(
                record_of(&gateway)["exchange"],
                json!({ "target": "cloud", "kept": true })
            );
            for secret in [
                CREDENTIAL,
                token.as_str(),
                "hush-hush",
                "Z2F0ZTpodXNoLWh1c2g",
            ] {
                assert!(lines(&gateway, secret).is_empty(), "{kind}: {secret}");
            }
        }
    }
}

/// A token endpoint whose tokens are exchanged once more, for a service account's.
fn service_account(profile: Profile) -> Value {
    let mut target = endpoint(profile);
    target["token_exchange"]["impersonate"] = json!({
        "service_account": "{claims.pipeline_slug}@project.iam.gserviceaccount.com",
        "lifetime": "10m", "cluster": cluster_of(profile, "iamcredentials.googleapis.com"),
    });
    target
}

/// What the first step brings.
fn federated() -> CallResponse {
    let body = json!({ "access_token": "federated", "token_type": "Bearer" });
    CallResponse::new(200, body.to_string())
}

/// What the second one brings.
fn impersonated() -> CallResponse {
    let body = json!({ "accessToken": CREDENTIAL, "expireTime": "2027-01-15T08:10:00Z" });
    CallResponse::new(200, body.to_string())
}

#[test]
fn a_service_accounts_token_takes_two_steps() {
    for profile in BOTH {
        let mut gateway = ready(profile, &exchanging(profile, &service_account(profile)));
        let exchange = send_good(&mut gateway);
        let call = the_call(&gateway);
        answer(&mut gateway, &call, federated());
        assert!(waits(&now(&gateway, &exchange)));
        let call = the_call(&gateway);
        assert_eq!(
            call.header(":path"),
            Some(
                "/v1/projects/-/serviceAccounts/deploy-web@project.iam.gserviceaccount.com:generateAccessToken"
            )
        );
        assert_eq!(
            call.header(":authority"),
            Some("iamcredentials.googleapis.com")
        );
        assert_eq!(call.header("authorization"), Some("Bearer federated"));
        let body: Value = serde_json::from_slice(&call.body).expect("it is JSON");
        assert_eq!(
            body,
            json!({ "scope": ["https://www.googleapis.com/auth/cloud-platform"], "lifetime": "600s" })
        );
        answer(&mut gateway, &call, impersonated());
        assert_passed_with_credential(&now(&gateway, &exchange));
        assert!(lines(&gateway, "federated").is_empty());
    }
}

/// What the first step brought is no credential of the upstream's.
#[test]
fn what_fails_between_two_steps_leaves_nothing() {
    type Step = fn(&mut Gateway, &HttpCall);
    let ways: [(Step, &str); 4] = [
        (
            |gateway, call| {
                let body = r#"{"error":{"code":403,"status":"PERMISSION_DENIED"}}"#;
                answer(gateway, call, CallResponse::new(403, body));
            },
            "the server answered with status 403: PERMISSION_DENIED",
        ),
        // The first step's answer once more.
        (
            |gateway, call| answer(gateway, call, federated()),
            "does not say when it ends",
        ),
        (
            |gateway, call| gateway.fail(call.id, CallFailure::Reset).expect("pending"),
            "",
        ),
        (
            |gateway, call| {
                gateway
                    .fail(call.id, CallFailure::Timeout)
                    .expect("pending");
            },
            "",
        ),
    ];
    for profile in BOTH {
        for (nth, (second, why)) in ways.into_iter().enumerate() {
            let mut gateway = ready(profile, &exchanging(profile, &service_account(profile)));
            let token = good_token(&gateway);
            let exchange = gateway.request(0, with_token(&token));
            let call = the_call(&gateway);
            answer(&mut gateway, &call, federated());
            let call = the_call(&gateway);
            second(&mut gateway, &call);
            let exchange = now(&gateway, &exchange);
            assert_refused(&exchange, "exchange_failed");
            let record = record_of(&gateway);
            assert!(
                record["detail"].as_str().is_some_and(|it| it.contains(why)),
                "{profile:?} {nth}: {record}"
            );
            assert!(!everything(&exchange).contains("federated"));
            assert!(lines(&gateway, "federated").is_empty());
            // The next one begins with the first step.
            assert!(waits(&gateway.request(0, with_token(&token))));
            assert_eq!(the_call(&gateway).header(":path"), Some("/token"));
        }
        // Where the second call can't be made.
        let mut gateway = ready(profile, &exchanging(profile, &service_account(profile)));
        let exchange = send_good(&mut gateway);
        let call = the_call(&gateway);
        gateway.set_fault(
            HostCall::HttpCall,
            1,
            Fault::Status(Status::InternalFailure),
        );
        answer(&mut gateway, &call, federated());
        assert_refused(&now(&gateway, &exchange), "exchange_failed");
        assert!(gateway.pending_calls().is_empty());
    }
}

/// On Envoy those that joined it go on with the step that is due.
#[test]
fn a_client_that_goes_away_between_two_steps_takes_no_others_credential_with_it() {
    let profile = Profile::Envoy;
    let mut gateway = ready(profile, &exchanging(profile, &service_account(profile)));
    let token = good_token(&gateway);
    let [first, second] = [(); 2].map(|()| gateway.request(0, with_token(&token)));
    let call = the_call(&gateway);
    answer(&mut gateway, &call, federated());
    assert!(gateway.disconnect(first.id));
    gateway.advance(TICK);
    let calls = gateway.pending_calls();
    let second_steps = calls
        .iter()
        .all(|call| call.header("authorization") == Some("Bearer federated"));
    assert!(second_steps, "{calls:?}");
    for call in calls {
        answer(&mut gateway, &call, impersonated());
    }
    assert_passed_with_credential(&now(&gateway, &second));
    assert_eq!(gateway.vm_recycled(), 0);
}

#[test]
fn a_thousand_requests_of_a_job_cause_one_exchange() {
    let mut gateway = ready(
        Profile::Envoy,
        &exchanging(Profile::Envoy, &endpoint(Profile::Envoy)),
    );
    let token = good_token(&gateway);
    let all: Vec<_> = (0..1_000)
        .map(|_| gateway.request(0, with_token(&token)))
        .collect();
    assert!(all.iter().all(waits));
    let one_more = gateway.request(0, with_token(&token));
    assert_refused(&one_more, "exchange_pending");
    let call = the_call(&gateway);
    answer(&mut gateway, &call, granted());
    for exchange in &all {
        assert_passed_with_credential(&now(&gateway, exchange));
    }
    assert!(gateway.pending_calls().is_empty());
}

#[test]
fn where_requests_cannot_be_resumed_together_the_others_are_told_to_come_again() {
    let profile = Profile::Kong;
    let mut gateway = ready(profile, &exchanging(profile, &endpoint(profile)));
    let token = good_token(&gateway);
    let first = gateway.request(0, with_token(&token));
    for _ in 0..999 {
        let other = gateway.request(0, with_token(&token));
        assert_refused(&other, "exchange_pending");
        let answer = other.local().expect("it is answered");
        assert_eq!(answer.status, 503);
        assert_eq!(answer.only("retry-after").as_deref(), Some("1"));
    }
    let call = the_call(&gateway);
    answer(&mut gateway, &call, granted());
    assert_passed(&now(&gateway, &first));
    assert_passed(&gateway.request(0, with_token(&token)));
}

/// Ends the pending call in one of the ways that give no credential. Whether there is such a way of this number, and
/// what the record says of it.
fn spoil(gateway: &mut Gateway, nth: usize, token: &str) -> Option<&'static str> {
    let json = |value: Value| CallResponse::new(200, value.to_string());
    let with = |name: &str, value: Value| {
        let mut body = json!({
            "access_token": CREDENTIAL, "token_type": "Bearer", "expires_in": 600,
        });
        body[name] = value;
        json(body)
    };
    let call = the_call(gateway);
    let replies: Vec<(CallResponse, &str)> = vec![
        (
            CallResponse::new(400, r#"{"error":"invalid_grant"}"#),
            "the server answered with status 400: invalid_grant",
        ),
        (
            CallResponse::new(403, format!(r#"{{"error":"{token} is not wanted"}}"#)),
            "the server answered with status 403",
        ),
        (CallResponse::new(500, ""), "status 500"),
        (
            CallResponse::new(302, "").header("location", "/"),
            "status 302",
        ),
        (
            CallResponse::new(201, with("x", json!(1)).body),
            "status 201",
        ),
        (CallResponse::new(200, "<html>"), "no bearer token"),
        (CallResponse::new(200, vec![0xff; 80]), "no bearer token"),
        (json(json!([])), "no bearer token"),
        (with("token_type", json!("DPoP")), "no bearer token"),
        (with("token_type", json!(7)), "no bearer token"),
        (with("access_token", Value::Null), "lacks the credential"),
        (with("access_token", json!("")), "no header can carry"),
        (with("access_token", json!("a b")), "no header can carry"),
        (
            with("access_token", json!("a\r\nx: y")),
            "no header can carry",
        ),
        (
            with("access_token", json!("x".repeat(9_000))),
            "no header can carry",
        ),
        (with("access_token", json!(token)), "the job's own token"),
        (
            with("access_token", json!(format!("x{token}"))),
            "the job's own token",
        ),
        (with("expires_in", json!(0)), "has ended already"),
        (with("expires_in", json!(-1)), "does not say in seconds"),
        (with("expires_in", json!("600")), "does not say in seconds"),
        (
            CallResponse::new(
                200,
                format!(
                    r#"{{"access_token":"a","access_token":"{CREDENTIAL}","token_type":"Bearer"}}"#
                ),
            ),
            "no bearer token",
        ),
        (
            with("padding", json!("x".repeat(70_000))),
            "at most 65536 are read",
        ),
    ];
    let failures = [
        (CallFailure::Timeout, ""),
        (CallFailure::Connect, ""),
        (CallFailure::Resolve, ""),
        (CallFailure::Tls, ""),
        (CallFailure::Reset, ""),
        (CallFailure::Protocol, ""),
        (CallFailure::Truncated, ""),
    ];
    if let Some((reply, why)) = replies.get(nth) {
        answer(gateway, &call, reply.clone());
        return Some(why);
    }
    let (failure, why) = failures.get(nth - replies.len())?;
    gateway.fail(call.id, *failure).expect("it is pending");
    Some(why)
}

#[test]
fn a_server_that_errs_or_lies_makes_no_request_pass() {
    for profile in BOTH {
        for nth in 0.. {
            let mut gateway = ready(profile, &exchanging(profile, &endpoint(profile)));
            let token = good_token(&gateway);
            let exchange = gateway.request(0, with_token(&token));
            let Some(why) = spoil(&mut gateway, nth, &token) else {
                assert!(nth > 20, "all were tried");
                break;
            };
            let exchange = now(&gateway, &exchange);
            assert_refused(&exchange, "exchange_failed");
            assert_eq!(exchange.refused_with(), Some(502));
            let record = record_of(&gateway);
            assert!(
                record["detail"].as_str().is_some_and(|it| it.contains(why)),
                "{nth} {why}: {record}"
            );
            assert!(record["exchange"]["failed"].is_string());
            let told = everything(&exchange);
            for secret in [CREDENTIAL, token.as_str(), "hush-hush"] {
                assert!(lines(&gateway, secret).is_empty(), "{nth}: {secret}");
                assert!(!told.contains(secret), "{nth}: {secret}");
            }
            // Nothing of it is kept: the next one asks anew.
            let again = gateway.request(0, with_token(&token));
            assert!(waits(&again), "{nth}");
            let call = the_call(&gateway);
            answer(&mut gateway, &call, granted());
            assert_passed(&now(&gateway, &again));
        }
    }
}

#[test]
fn a_rule_may_let_requests_go_on_without() {
    for profile in BOTH {
        let mut policy = exchanging(profile, &vault(profile));
        policy["rules"][0]["on_exchange_failure"] = json!("pass");
        let mut gateway = ready(profile, &policy);
        let token = good_token(&gateway);
        let exchange = gateway.request(0, with_token(&token).header("x-vault-token", "forged"));
        let call = the_call(&gateway);
        answer(&mut gateway, &call, CallResponse::new(500, ""));
        let exchange = now(&gateway, &exchange);
        assert_passed(&exchange);
        let upstream = exchange.upstream().unwrap();
        assert!(!everything(&exchange).contains("forged"));
        assert!(upstream.all("x-vault-token").concat().is_empty());
        assert!(!everything(&exchange).contains(&token));
        assert_eq!(
            record_of(&gateway)["exchange"]["failed"],
            "the server answered with status 500"
        );
    }
}

#[test]
fn what_is_not_let_in_is_not_exchanged() {
    for profile in BOTH {
        for mode in ["enforce", "shadow"] {
            let mut policy = exchanging(profile, &endpoint(profile));
            policy["mode"] = json!(mode);
            policy["rules"][0]["methods"] = json!(["GET"]);
            let mut gateway = ready(profile, &policy);
            let token = good_token(&gateway);
            let post = Request::new("POST", "/").header("authorization", format!("Bearer {token}"));
            let denied = gateway.request(0, post);
            assert_eq!(denied.upstream().is_some(), mode == "shadow");
            assert!(gateway.pending_calls().is_empty());
            if mode == "shadow" {
                // What would be exchanged is not either: shadow mode changes no traffic.
                let passed = gateway.request(0, with_token(&token));
                assert_passed(&passed);
                assert!(gateway.pending_calls().is_empty());
            }
        }
    }
}

#[test]
fn a_credential_serves_its_token_alone_and_until_shortly_before_its_end() {
    for profile in BOTH {
        let body = json!({ "access_token": CREDENTIAL, "token_type": "bearer", "expires_in": 120 });
        let reply = CallResponse::new(200, body.to_string());
        let (mut gateway, token) = with_kept(profile, &endpoint(profile), reply);
        gateway.advance(Duration::from_secs(50));
        assert_passed(&gateway.request(0, with_token(&token)));
        let other = send_good(&mut gateway);
        assert!(waits(&other), "another token of the job is another one");
        let call = the_call(&gateway);
        answer(&mut gateway, &call, granted());
        gateway.advance(Duration::from_secs(45));
        let late = gateway.request(0, with_token(&token));
        assert!(waits(&late), "less than a quarter of its life is left");
    }
}

/// On Envoy the others wait on, whoever went first.
#[test]
fn a_client_that_goes_away_takes_no_others_credential_with_it() {
    let profile = Profile::Envoy;
    let mut gateway = ready(profile, &exchanging(profile, &endpoint(profile)));
    let token = good_token(&gateway);
    let [first, second, third] = [(); 3].map(|()| gateway.request(0, with_token(&token)));
    assert!(gateway.disconnect(second.id));
    assert!(gateway.disconnect(first.id));
    // The answer to its call would come to nobody, so the call is made again.
    gateway.advance(TICK);
    let calls = gateway.pending_calls();
    assert_eq!(calls.len(), 2);
    for call in calls {
        answer(&mut gateway, &call, granted());
    }
    assert_passed(&now(&gateway, &third));
    assert_eq!(now(&gateway, &first).outcome, Outcome::Cut);
    assert_eq!(gateway.vm_recycled(), 0);
    // With the last one the errand ends.
    gateway.advance(Duration::from_secs(590));
    let alone = send_good(&mut gateway);
    assert!(gateway.disconnect(alone.id));
    gateway.advance(TICK);
    let call = the_call(&gateway);
    answer(&mut gateway, &call, granted());
    assert!(gateway.pending_calls().is_empty());
    assert_eq!(gateway.vm_recycled(), 0);
}

/// A host that does not tell of a call costs its timeout and a little more.
#[test]
fn a_call_that_the_host_forgets_ends_the_wait() {
    let profile = Profile::Envoy;
    for target in [endpoint(profile), service_account(profile)] {
        let mut gateway = ready(profile, &exchanging(profile, &target));
        let exchange = send_good(&mut gateway);
        if target["token_exchange"]["impersonate"].is_object() {
            let call = the_call(&gateway);
            answer(&mut gateway, &call, federated());
        }
        gateway.advance(Duration::from_secs(5));
        assert!(waits(&now(&gateway, &exchange)));
        gateway.advance(Duration::from_secs(3));
        assert_refused(&now(&gateway, &exchange), "exchange_failed");
    }
}

/// A tick can answer nobody there, and whoever tries lets the request go on. It stays where it is until the host tells.
#[test]
fn on_kong_no_tick_touches_a_request_that_waits() {
    let profile = Profile::Kong;
    let mut gateway = ready(profile, &exchanging(profile, &endpoint(profile)));
    let exchange = send_good(&mut gateway);
    let call = the_call(&gateway);
    gateway.advance(Duration::from_secs(60));
    assert!(waits(&now(&gateway, &exchange)));
    assert_eq!(gateway.vm_recycled(), 0);
    answer(&mut gateway, &call, granted());
    assert_passed_with_credential(&now(&gateway, &exchange));
}

#[test]
fn a_request_that_waited_for_keys_may_wait_for_its_credential_too() {
    let profile = Profile::Envoy;
    let mut policy = exchanging(profile, &endpoint(profile));
    policy["issuers"][0]["jwks"]
        .as_object_mut()
        .expect("jwks is an object")
        .remove("wait");
    let mut gateway = gateway(profile, &policy);
    let exchange = send_good(&mut gateway);
    assert!(waits(&exchange));
    give_keys(&mut gateway, &minter().jwks());
    assert!(waits(&now(&gateway, &exchange)));
    let call = the_call(&gateway);
    assert_eq!(call.header(":path"), Some("/token"));
    answer(&mut gateway, &call, granted());
    assert_passed_with_credential(&now(&gateway, &exchange));
}

/// Whichever of a VM's routes reviews the waiting requests of all, the answer to a call finds the request.
#[test]
fn a_request_that_waited_for_keys_gets_its_credential_whichever_route_woke_it() {
    let profile = Profile::Envoy;
    let routes: Vec<_> = (0..3)
        .map(|nth| {
            let mut policy = exchanging(profile, &endpoint(profile));
            policy["rules"][0]["id"] = json!(format!("rule-{nth}"));
            let issuer = policy["issuers"][0]["jwks"].as_object_mut();
            issuer.expect("jwks is an object").remove("wait");
            RouteConfig::new(format!("route-{nth}"), policy.to_string())
        })
        .collect();
    let mut gateway = Gateway::new(profile, module(), options());
    gateway.start(&routes).expect("the gateway starts");
    let token = good_token(&gateway);
    let waiting = [0, 1, 2].map(|route| gateway.request(route, with_token(&token)));
    give_keys(&mut gateway, &minter().jwks());
    let calls = gateway.pending_calls();
    assert_eq!(calls.len(), waiting.len());
    for call in calls {
        answer(&mut gateway, &call, granted());
    }
    for exchange in waiting {
        assert_passed(&now(&gateway, &exchange));
    }
}

/// Kong lets a paused request go on whatever goes wrong. What slips is a request that was let in, made ready for the
/// upstream: without the job's token, without what the client forged, and without a credential.
#[test]
fn what_slips_through_on_kong_is_permitted_and_has_no_token() {
    let profile = Profile::Kong;
    let calls = [
        HostCall::GetHeaderMapValue,
        HostCall::GetHeaderMapPairs,
        HostCall::GetBuffer,
        HostCall::GetCurrentTime,
        HostCall::SetEffectiveContext,
        HostCall::SendLocalResponse,
        HostCall::ReplaceHeaderMapValue,
        HostCall::ContinueStream,
        HostCall::Log,
    ];
    let mut slipped = 0;
    for call in calls {
        for nth in 1..4 {
            for good in [true, false] {
                let mut gateway = ready(profile, &exchanging(profile, &vault(profile)));
                let token = good_token(&gateway);
                let request = with_token(&token)
                    .header("x-vault-token", "forged")
                    .header("x-jobgate-rule", "forged");
                let exchange = gateway.request(0, request);
                let pending = the_call(&gateway);
                gateway.set_fault(call, nth, Fault::Trap);
                let reply = if good {
                    logged_in()
                } else {
                    CallResponse::new(500, "")
                };
                _ = gateway.respond(pending.id, reply);
                let exchange = now(&gateway, &exchange);
                let Some(upstream) = exchange.upstream() else {
                    continue;
                };
                if !exchange.decided() {
                    slipped += 1;
                }
                assert!(!everything(&exchange).contains(&token), "{call:?} {nth}");
                assert_eq!(
                    upstream.only("x-jobgate-rule").as_deref(),
                    Some("any-job"),
                    "{call:?} {nth}"
                );
                let credential = upstream.all("x-vault-token");
                assert!(
                    credential.is_empty() || credential == [""] || credential == [CREDENTIAL],
                    "{call:?} {nth}: {credential:?}"
                );
            }
        }
    }
    assert!(slipped > 5, "the host did as Kong does: {slipped}");
}

/// The same where a neighbour traps while a request waits.
#[test]
fn a_neighbour_that_traps_lets_no_token_slip() {
    let profile = Profile::Kong;
    let mut gateway = ready(profile, &exchanging(profile, &vault(profile)));
    let token = good_token(&gateway);
    let exchange = gateway.request(0, with_token(&token).header("x-vault-token", "forged"));
    assert!(waits(&exchange));
    gateway.set_fault(HostCall::GetHeaderMapPairs, 1, Fault::Trap);
    gateway.request(0, with_token("e30.e30."));
    gateway.advance(TICK);
    let exchange = now(&gateway, &exchange);
    if exchange.upstream().is_some() {
        assert!(!everything(&exchange).contains(&token));
        assert!(!everything(&exchange).contains("forged"));
    }
}

/// Whatever traps on Envoy, no request goes on without its verdict and its credential.
#[test]
fn on_envoy_no_request_goes_on_without_its_credential() {
    let profile = Profile::Envoy;
    for call in [
        HostCall::GetHeaderMapValue,
        HostCall::GetBuffer,
        HostCall::GetCurrentTime,
        HostCall::SetEffectiveContext,
        HostCall::ReplaceHeaderMapValue,
        HostCall::ContinueStream,
    ] {
        for nth in 1..3 {
            let mut gateway = ready(profile, &exchanging(profile, &vault(profile)));
            let token = good_token(&gateway);
            let both = [(); 2].map(|()| gateway.request(0, with_token(&token)));
            let pending = the_call(&gateway);
            gateway.set_fault(call, nth, Fault::Trap);
            _ = gateway.respond(pending.id, logged_in());
            gateway.advance(Duration::from_secs(20));
            for exchange in both {
                let exchange = now(&gateway, &exchange);
                if let Some(upstream) = exchange.upstream() {
                    assert_eq!(
                        upstream.all("x-vault-token"),
                        [CREDENTIAL],
                        "{call:?} {nth}"
                    );
                }
            }
        }
    }
}

/// A claim that would end the name that it stands in is refused, with no call.
#[test]
fn a_claim_that_would_break_out_of_a_parameter_is_no_part_of_one() {
    for profile in BOTH {
        for branch in ["main/../x", "a b", "a&b", "ä", "x\"", ""] {
            let mut target = aws(profile);
            target["assume_role"]["role_arn"] =
                json!("arn:aws:iam::123456789012:role/{claims.build_branch}");
            let mut gateway = ready(profile, &exchanging(profile, &target));
            let spec = jobgate_harness::mint::TokenSpec {
                claims: json!({ "build_branch": branch })
                    .as_object()
                    .unwrap()
                    .clone(),
                ..Default::default()
            };
            let token = minter().mint(&spec, crate::common::unix(&gateway));
            let exchange = gateway.request(0, with_token(&token));
            assert_refused(&exchange, "exchange_failed");
            assert!(gateway.pending_calls().is_empty());
        }
    }
}

/// Forged credentials in all spellings go, and answers have none.
#[test]
fn only_the_gate_sets_the_headers_of_credentials() {
    for profile in BOTH {
        let (mut gateway, token) = with_kept(profile, &vault(profile), logged_in());
        for names in [
            &["X-Vault-Token"][..],
            &["x_vault_token"],
            &["x.vault.token"],
            &["x-vault-token", "X-VAULT-TOKEN"],
        ] {
            let request = names
                .iter()
                .fold(with_token(&token), |it, name| it.header(name, "forged"));
            let exchange = gateway.request(0, request);
            let Some(upstream) = exchange.upstream() else {
                assert_refused(&exchange, "header_reserved");
                continue;
            };
            assert_eq!(upstream.all("x-vault-token"), [CREDENTIAL], "{names:?}");
            assert!(!everything(&exchange).contains("forged"), "{names:?}");
        }
    }
}

/// A wait is no way around the end of the job.
#[test]
fn a_job_that_ends_while_its_request_waits_gets_no_credential() {
    for profile in BOTH {
        let mut policy = exchanging(profile, &vault(profile));
        policy["sessions"] = json!({ "end": { "path": "/ended" } });
        policy["rules"][0]["on_exchange_failure"] = json!("pass");
        let mut gateway = ready(profile, &policy);
        let token = good_token(&gateway);
        let exchange = gateway.request(0, with_token(&token));
        assert!(waits(&exchange));
        let call = the_call(&gateway);
        let over =
            Request::new("POST", "/ended").header("authorization", format!("Bearer {token}"));
        let over = gateway.request(0, over);
        assert_eq!(over.local().map(|answer| answer.status), Some(200));
        answer(&mut gateway, &call, logged_in());
        assert_refused(&now(&gateway, &exchange), "session_ended");
        assert_refused(&gateway.request(0, with_token(&token)), "session_ended");
    }
}

/// Nor around the end of the token.
#[test]
fn a_token_that_ends_while_its_request_waits_brings_nothing() {
    for profile in BOTH {
        let mut target = endpoint(profile);
        target["token_exchange"]["timeout"] = json!("10s");
        let mut policy = exchanging(profile, &target);
        policy["issuers"][0]["leeway"] = json!("0s");
        policy["rules"][0]["on_exchange_failure"] = json!("pass");
        let mut gateway = ready(profile, &policy);
        let spec = TokenSpec {
            age: 60,
            exp_in: Some(3),
            ..TokenSpec::default()
        };
        let token = minter().mint(&spec, unix(&gateway));
        for (wait, ends) in [(2, false), (2, true)] {
            let exchange = gateway.request(0, with_token(&token));
            assert!(waits(&exchange));
            let call = the_call(&gateway);
            gateway.advance(Duration::from_secs(wait));
            let reply =
                json!({ "access_token": CREDENTIAL, "token_type": "Bearer", "expires_in": 0 });
            answer(
                &mut gateway,
                &call,
                CallResponse::new(200, reply.to_string()),
            );
            let exchange = now(&gateway, &exchange);
            match ends {
                false => assert_passed(&exchange),
                true => assert_refused(&exchange, "token_expired"),
            }
        }
    }
}

/// A header that a client names in `Connection` would be dropped on the way to the upstream, or after the gate set it.
#[test]
fn a_client_cannot_have_the_credential_dropped_or_kept_from_the_gate() {
    for profile in BOTH {
        let (mut gateway, token) = with_kept(profile, &vault(profile), logged_in());
        for nominated in ["x-vault-token", "close, X-Vault-Token", "x_vault_token"] {
            let request = with_token(&token)
                .header("connection", nominated)
                .header("x-vault-token", "forged");
            let exchange = gateway.request(0, request);
            match exchange.upstream() {
                None => assert_refused(&exchange, "header_reserved"),
                Some(upstream) => {
                    assert_eq!(upstream.all("x-vault-token"), [CREDENTIAL], "{nominated}");
                    let connection = upstream.all("connection").concat().to_lowercase();
                    assert!(!connection.contains("x-vault-token"), "{nominated}");
                }
            }
        }
        // Trailers are no way either.
        let request = with_token(&token)
            .body("x")
            .trailer("x-vault-token", "forged");
        let exchange = gateway.request(0, request);
        if let Some(upstream) = exchange.upstream() {
            let forged = upstream
                .trailers
                .iter()
                .any(|(_, value)| value == b"forged");
            assert!(!forged, "{:?}", upstream.trailers);
        }
    }
}
