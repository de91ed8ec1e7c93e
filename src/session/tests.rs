use super::webhook::{MAX_BODY, Signature, finished_job};
use super::*;
use crate::limit::page::MAX_ENTRIES;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::request::HeaderMap;
use crate::shared_data::memory::Memory;
use crate::shared_data::{NoSharedData, SharedData as _};
use crate::time::UnixTime;
use crate::token::Claims;
use serde_json::{Value, json};
use zeroize::Zeroizing;

const NOW: u64 = 1_800_000_000;

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_secs(NOW + seconds)
}

fn policy(document: &Value) -> Policy {
    Policy::from_json(document.to_string().as_bytes()).expect("it is a policy")
}

fn issuers() -> Policy {
    policy(&json!({
        "issuers": [
            { "preset": "buildkite", "audience": "a", "jwks": { "cluster": "c" } },
            { "preset": "gitlab", "audience": "a", "jwks": { "cluster": "c" } },
            { "issuer": "https://ci.example", "audience": "a", "algorithms": ["ES256"], "jwks": { "cluster": "c" } },
        ],
        "rules": [],
    }))
}

fn token(claims: Value, signed: u8) -> VerifiedToken {
    let Value::Object(claims) = claims else {
        panic!("no claims");
    };
    VerifiedToken::unproven_with_digests(Claims::new(claims), [signed ^ 0xff; 32], [signed; 32])
}

#[test]
fn all_tokens_of_a_job_are_of_one_session_and_those_of_no_other_are() {
    let policy = issuers();
    let [buildkite, gitlab, other] = &policy.issuers[..] else {
        panic!("three issuers");
    };
    let one = token(json!({ "job_id": "7", "aud": "a" }), 1);
    let again = token(json!({ "job_id": "7", "jti": "x" }), 2);
    let session = Session::of(buildkite, &one);
    assert_eq!(session, Session::of(buildkite, &again));
    assert_eq!(session, Session::of_job(buildkite, "7"));
    // A number is its text.
    assert_eq!(
        session,
        Session::of(buildkite, &token(json!({ "job_id": 7 }), 3))
    );
    for another in [
        Session::of(gitlab, &one),
        Session::of(buildkite, &token(json!({ "job_id": "8" }), 1)),
        Session::of(buildkite, &token(json!({ "job_id": "" }), 1)),
        Session::of(buildkite, &token(json!({}), 1)),
        Session::of(other, &one),
        Session::of_job(buildkite, "77"),
    ] {
        assert_ne!(session, another);
    }
    // Without a claim that names the job each token is a session, whoever turns its signature into another.
    let signed = |of| Session::of(other, &token(json!({ "job_id": "7" }), of));
    assert_eq!(signed(1), signed(1));
    assert_ne!(signed(1), signed(2));
}

#[test]
fn a_session_that_ended_stays_so_for_all_workers_until_its_time_is_over() {
    let policy = issuers();
    let [buildkite, ..] = &policy.issuers[..] else {
        panic!("three issuers");
    };
    for overwrites in [true, false] {
        let data = Memory::that_overwrites(overwrites);
        let (told, other) = (Ended::default(), Ended::default());
        let job = |nth: u32| Session::of_job(buildkite, &nth.to_string());
        told.end(&data, job(1), at(100), at(0)).unwrap();
        for worker in [&told, &other, &Ended::default()] {
            assert_eq!(worker.has(&data, job(1), at(0)), Ok(true));
            assert_eq!(worker.has(&data, job(1), at(99)), Ok(true));
            assert_eq!(worker.has(&data, job(1), at(100)), Ok(false));
            assert_eq!(worker.has(&data, job(2), at(0)), Ok(false));
        }
        // Whoever says it again does not make it shorter.
        other.end(&data, job(1), at(50), at(1)).unwrap();
        assert_eq!(other.has(&data, job(1), at(99)), Ok(true));
        other.end(&data, job(1), at(300), at(2)).unwrap();
        assert_eq!(told.has(&data, job(1), at(299)), Ok(true));
        // Neither the token nor the job is written down.
        let values = data.values.borrow();
        assert!(
            values
                .keys()
                .all(|key| key.starts_with("jobgate/1/session/"))
        );
    }
}

#[test]
fn without_shared_data_a_worker_knows_what_it_was_told() {
    let policy = issuers();
    let session = Session::of_job(&policy.issuers[0], "1");
    let (told, other) = (Ended::default(), Ended::default());
    told.end(&NoSharedData, session, at(100), at(0)).unwrap();
    assert_eq!(told.has(&NoSharedData, session, at(1)), Ok(true));
    assert_eq!(other.has(&NoSharedData, session, at(1)), Ok(false));
}

#[test]
fn a_page_that_cannot_be_read_tells_nothing_and_is_made_anew_by_the_next_end() {
    let policy = issuers();
    let session = Session::of_job(&policy.issuers[0], "1");
    let data = Memory::default();
    let key = format!("jobgate/1/session/{}", session.page);
    data.set(&key, b"something else", None).unwrap();
    let worker = Ended::default();
    assert!(worker.has(&data, session, at(0)).is_err());
    worker.end(&data, session, at(100), at(0)).unwrap();
    assert_eq!(Ended::default().has(&data, session, at(0)), Ok(true));
}

#[test]
fn the_record_is_bounded_and_what_ended_first_makes_way() {
    let policy = issuers();
    let issuer = &policy.issuers[0];
    let (data, worker) = (Memory::default(), Ended::default());
    let mut on_one_page = (0..).filter_map(|nth: u32| {
        let session = Session::of_job(issuer, &nth.to_string());
        (session.page == 0).then_some(session)
    });
    let mut end = |until, later| {
        let session = on_one_page.next().expect("there is no end of them");
        let has_dropped = worker.end(&data, session, at(until), at(later)).unwrap();
        (session, has_dropped)
    };
    let (first, _) = end(100, 0);
    let (second, _) = end(100, 0);
    for _ in 2..MAX_ENTRIES {
        assert!(!end(1_000, 0).1);
    }
    let (last, has_dropped) = end(1_000, 0);
    assert!(has_dropped);
    for (session, is_known) in [(first, false), (second, true), (last, true)] {
        assert_eq!(worker.has(&data, session, at(0)), Ok(is_known));
        assert_eq!(Ended::default().has(&data, session, at(0)), Ok(is_known));
    }
    // Those whose time is over make way first, and nobody misses them.
    assert!(!end(1_000, 200).1);
    let size = data
        .values
        .borrow()
        .values()
        .map(|(value, _)| value.len())
        .max();
    assert_eq!(size, Some(crate::limit::page::BYTES));
}

fn secret(text: &str) -> Secret {
    Secret(Zeroizing::new(text.into()))
}

fn headers(values: &[&str]) -> HeaderMap {
    let header = |value: &&str| (webhook::SIGNATURE.to_owned(), value.as_bytes().to_vec());
    values.iter().map(header).collect()
}

fn hmac(key: &str, message: &[u8]) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
    crate::hex::hex(ring::hmac::sign(&key, message).as_ref())
}

/// The signature that Buildkite would write, at so many seconds from now.
fn signed(key: &str, body: &str, offset: i64) -> String {
    let timestamp = NOW.checked_add_signed(offset).unwrap();
    let code = hmac(key, format!("{timestamp}.{body}").as_bytes());
    format!("timestamp={timestamp},signature={code}")
}

fn verdict(header: &str, key: &str, body: &str) -> Result<(), Reason> {
    Signature::read(&headers(&[header]), at(0))
        .and_then(|signature| signature.verify(&secret(key), body.as_bytes()))
        .map_err(|refusal| refusal.reason)
}

#[test]
fn a_webhook_is_believed_only_if_it_is_signed_with_its_secret_and_now() {
    let body = r#"{"event":"ping"}"#;
    let good = signed("s3cret", body, 0);
    assert_eq!(verdict(&good, "s3cret", body), Ok(()));
    for offset in [-300, -1, 1, 300] {
        assert_eq!(
            verdict(&signed("s3cret", body, offset), "s3cret", body),
            Ok(())
        );
    }
    let refused = Err(Reason::WebhookSignatureInvalid);
    for offset in [-301, 301, -86_400, 1_000_000] {
        assert_eq!(
            verdict(&signed("s3cret", body, offset), "s3cret", body),
            refused
        );
    }
    assert_eq!(verdict(&good, "another", body), refused);
    assert_eq!(verdict(&good, "s3cret", r#"{"event":"pong"}"#), refused);
    assert_eq!(verdict(&signed("", body, 0), "", body), refused);
    // A timestamp of now before the code of another.
    let (_, code) = signed("s3cret", body, -900)
        .split_once(',')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert_eq!(
        verdict(&format!("timestamp={NOW},{code}"), "s3cret", body),
        refused
    );
    let code = hmac("s3cret", format!("{NOW}.{body}").as_bytes());
    for header in [
        String::new(),
        code.clone(),
        format!("signature={code}"),
        format!("timestamp=,signature={code}"),
        format!("timestamp={NOW}"),
        format!("timestamp={NOW},signature="),
        format!("timestamp={NOW},signature={}", &code[..62]),
        format!("timestamp={NOW},signature={code}00"),
        format!("timestamp={NOW},signature={}zz", &code[..62]),
        format!("timestamp=+{NOW},signature={code}"),
        format!("timestamp={NOW}.0,signature={code}"),
        format!("timestamp=00000{NOW},signature={code}"),
        format!("timestamp={NOW},signature=+{}", &code[1..]),
        format!("timestamp={NOW},timestamp={NOW},signature={code}"),
        format!("signature={code},timestamp={NOW}"),
    ] {
        assert_eq!(verdict(&header, "s3cret", body), refused, "{header}");
    }
    assert!(Signature::read(&headers(&[]), at(0)).is_err());
}

/// RFC 4231, test case 2, and Buildkite's own form around it.
#[test]
fn the_code_is_hmac_sha_256() {
    let code = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
    let is_mac = |parts: &[&[u8]], code: &str| {
        let code = crate::hex::unhex(code).expect("it is hex");
        jobgate_signing::mac::is_mac(b"Jefe", parts, &code)
    };
    assert!(is_mac(&parts, code));
    assert!(!is_mac(&parts[..1], code));
    assert!(!is_mac(&parts, &code[..62]));
    assert!(is_mac(&parts, &code.to_uppercase()));
}

#[test]
fn only_a_job_that_is_over_is_told_of() {
    let id = "b63254c0-3271-4a98-8270-7cfbd6c2f14e";
    let read = |body: &Value| finished_job(body.to_string().as_bytes()).map_err(|it| it.reason);
    let job = |id: &str| json!({ "event": "job.finished", "job": { "id": id, "state": "canceled" }, "build": {} });
    assert_eq!(read(&job(id)), Ok(Some(id.to_owned())));
    assert_eq!(read(&job(&id.to_uppercase())), Ok(Some(id.to_owned())));
    for event in ["ping", "build.finished", "job.started", "job.activated", ""] {
        let body = json!({ "event": event, "job": { "id": id } });
        assert_eq!(read(&body), Ok(None), "{event}");
    }
    let malformed = Err(Reason::WebhookMalformed);
    for body in [
        job(""),
        job("1"),
        job(&id[1..]),
        job(&id.replace('b', "g")),
        json!({ "event": "job.finished" }),
        json!({ "event": "job.finished", "job": id }),
        json!({ "event": "job.finished", "job": { "id": 7 } }),
        json!({ "event": 1 }),
        json!({ "job": { "id": id } }),
        json!([]),
        json!("job.finished"),
    ] {
        assert_eq!(read(&body), malformed, "{body}");
    }
    for body in [
        String::new(),
        "{".into(),
        format!("{{\"event\":\"job.finished\",\"event\":\"ping\",\"job\":{{\"id\":\"{id}\"}}}}"),
    ] {
        assert_eq!(
            finished_job(body.as_bytes()).map_err(|it| it.reason),
            malformed,
            "{body}"
        );
    }
    let mut large = job(id);
    let padding = MAX_BODY - large.to_string().len() - r#","pad":"""#.len();
    large["pad"] = " ".repeat(padding).into();
    assert_eq!(large.to_string().len(), MAX_BODY);
    assert_eq!(read(&large), Ok(Some(id.to_owned())));
    large["pad"] = " ".repeat(padding + 1).into();
    assert_eq!(read(&large), malformed);
}

#[test]
fn a_secret_shows_itself_nowhere() {
    assert_eq!(format!("{:?}", secret("s3cret")), "Secret(..)");
}

#[test]
fn what_is_wrong_with_the_policy_is_named_without_the_secret() {
    let with = |sessions: Value, issuers: Value| {
        let document = json!({
            "issuers": issuers,
            "rules": [],
            "assertion": {
                "issuer": "g", "audience": "u",
                "keys": [{ "jwk": {
                    "kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                } }],
            },
            "sessions": sessions,
        });
        Policy::from_json(document.to_string().as_bytes())
    };
    let buildkite = json!({ "preset": "buildkite", "audience": "a", "jwks": { "cluster": "c" } });
    let other = json!({ "issuer": "https://ci.example", "audience": "a", "algorithms": ["ES256"], "jwks": { "cluster": "c" } });
    let one = || json!([buildkite, other]);
    let webhook = |members: Value| json!({ "end": { "webhook": members } });
    for (sessions, path) in [
        (json!(true), "sessions"),
        (json!([]), "sessions"),
        (json!({ "ends": {} }), "sessions.ends"),
        (json!({ "end": true }), "sessions.end"),
        (json!({ "end": { "token": false } }), "sessions.end"),
        (
            json!({ "end": { "token": "s3cret" } }),
            "sessions.end.token",
        ),
        (json!({ "end": { "path": 7 } }), "sessions.end.path"),
        (json!({ "end": { "path": "/a/../b" } }), "sessions.end.path"),
        (json!({ "end": { "path": "/a%20b" } }), "sessions.end.path"),
        (json!({ "end": { "path": "/" } }), "sessions.end.path"),
        (
            json!({ "end": { "path": "/.well-known/jobgate/jwks.json" } }),
            "sessions.end.path",
        ),
        (webhook(json!("s3cret")), "sessions.end.webhook"),
        (webhook(json!({})), "sessions.end.webhook.secret"),
        (
            webhook(json!({ "secret": "" })),
            "sessions.end.webhook.secret",
        ),
        (
            webhook(json!({ "secret": ["s3cret"] })),
            "sessions.end.webhook.secret",
        ),
        (
            webhook(json!({ "secret": { "env": "NONE" } })),
            "sessions.end.webhook.secret",
        ),
        (
            webhook(json!({ "secret": { "env": "s3cret!" } })),
            "sessions.end.webhook.secret",
        ),
        (
            webhook(json!({ "secret": "s3cret", "issuer": "https://nobody.example" })),
            "sessions.end.webhook.issuer",
        ),
        // Nothing tells this one's jobs apart.
        (
            webhook(json!({ "secret": "s3cret", "issuer": "https://ci.example" })),
            "sessions.end.webhook.issuer",
        ),
    ] {
        let errors = with(sessions.clone(), one()).expect_err("it is wrong");
        assert_eq!(errors.0[0].path, path, "{sessions}: {errors}");
        assert!(!errors.to_string().contains("s3cret"), "{errors}");
    }
    let none = with(webhook(json!({ "secret": "s3cret" })), json!([other]));
    assert!(none.is_err());
    let policy = with(webhook(json!({ "secret": "s3cret" })), one()).expect("it is good");
    assert!(!format!("{policy:?}").contains("s3cret"));
    for good in [
        json!({}),
        json!({ "end": {} }),
        json!({ "end": { "path": "/x", "token": true } }),
    ] {
        assert!(with(good.clone(), one()).is_ok(), "{good}");
    }
}
