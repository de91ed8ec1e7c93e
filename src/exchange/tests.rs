use super::call::{Reply, Server};
use super::credential::{Credential, Secret};
use super::template::Template;
use super::{
    AssumeRole, Client, Impersonation, Kept, Kind, Proof, Target, TokenExchange, Upstream,
    VaultLogin, oauth,
};
use crate::fetch::HttpUri;
use crate::gate::Request;
use crate::request::HeaderMap;
use crate::time::UnixTime;
use crate::token::Claims;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::rc::Rc;
use std::time::Duration;
use zeroize::Zeroizing;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const TOKEN: &str = "eyJ0b2tlbiI6MX0.eyJqb2IiOjF9.c2lnbmF0dXJl";

fn claims(claims: &Value) -> Claims {
    Claims::new(claims.as_object().unwrap().clone())
}

fn server(uri: &str) -> Server {
    let uri = HttpUri::parse(uri).unwrap();
    Server {
        cluster: uri.host_and_port(),
        uri,
        timeout: Duration::from_secs(5),
    }
}

fn reply(status: u16, body: &[u8]) -> Reply<'_> {
    Reply { status, body }
}

#[test]
fn a_template_takes_values_that_end_nothing_and_no_others() {
    let claims = claims(&json!({
        "pipeline_slug": "deploy-web", "build_number": 42, "sub": "organization:acme:pipeline:x",
        "https://acme.example/team": "a_b+c=d,e.f@g-h", "branch": "feature/x", "empty": "", "null": null,
        "list": ["a"], "umlaut": "ä", "line": "a\r\nb", "space": "a b", "amp": "a&b=c", "quote": "\"", "zero": "a\0",
        "percent": "%2e",
    }));
    for (written, expected) in [
        ("plain text: {}", None),
        ("a role", Some("a role")),
        ("{claims.pipeline_slug}", Some("deploy-web")),
        (
            "a/{claims.pipeline_slug}/{claims.build_number}",
            Some("a/deploy-web/42"),
        ),
        (
            "{claims.https://acme.example/team}",
            Some("a_b+c=d,e.f@g-h"),
        ),
        ("{claims.branch}", None),
        ("{claims.sub}", None),
        ("{claims.empty}", None),
        ("{claims.null}", None),
        ("{claims.missing}", None),
        ("{claims.list}", None),
        ("{claims.umlaut}", None),
        ("{claims.line}", None),
        ("{claims.space}", None),
        ("{claims.amp}", None),
        ("{claims.quote}", None),
        ("{claims.zero}", None),
        ("{claims.percent}", None),
        ("{claims.pipeline_slug", None),
        ("pipeline_slug}", None),
        ("{pipeline_slug}", None),
        ("{claims.}", None),
        ("", None),
        ("a\nb", None),
        ("ä", None),
    ] {
        let filled = Template::parse(written).map(|it| it.fill(&claims));
        let filled = filled.ok().and_then(Result::ok);
        assert_eq!(filled.as_deref(), expected, "{written}");
    }
    // What only names takes any text, with hyphens where it may not have a character.
    for (written, expected) in [
        ("{claims.sub}", "organization-acme-pipeline-x"),
        ("{claims.branch}@{claims.umlaut}", "feature-x@-"),
        ("{claims.line}", "a--b"),
    ] {
        let filled = Template::parse(written).unwrap().fill_name(&claims);
        assert_eq!(filled.as_deref(), Ok(expected), "{written}");
    }
}

proptest! {
    /// Whatever a claim holds, a parameter has what was written around it, and of the claim only characters of names.
    #[test]
    fn a_claim_never_breaks_out(value: String) {
        let claims = claims(&json!({ "x": value }));
        let template = Template::parse("arn:{claims.x}/end").unwrap();
        let is_of_names =
            |it: &str| it.chars().all(|it| it.is_ascii_alphanumeric() || "_+=,.@-".contains(it));
        match template.fill(&claims) {
            Ok(filled) => {
                prop_assert!(!value.is_empty() && is_of_names(&value));
                prop_assert_eq!(filled, format!("arn:{value}/end"));
            }
            Err(_) => prop_assert!(value.is_empty() || !is_of_names(&value) || value.len() > 2_000),
        }
        if let Ok(name) = template.fill_name(&claims) {
            let inner = name.strip_prefix("arn:").and_then(|it| it.strip_suffix("/end"));
            prop_assert!(inner.is_some_and(is_of_names));
        }
    }

    /// A form's value is one value, and is what was put in.
    #[test]
    fn a_form_keeps_values_apart(values: Vec<String>) {
        let mut form = super::form::Form::default();
        for value in &values {
            form.add("name", value);
        }
        let call = form.post(&server("https://sts.example/"), "x/y");
        let body = str::from_utf8(&call.body).unwrap();
        let members: Vec<_> = body.split('&').filter(|it| !it.is_empty()).collect();
        prop_assert_eq!(members.len(), values.len());
        for (member, value) in members.iter().zip(&values) {
            let encoded = member.strip_prefix("name=").unwrap();
            let mut bytes = Vec::new();
            let mut rest = encoded.bytes();
            while let Some(byte) = rest.next() {
                bytes.push(if byte == b'%' {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                } else {
                    byte
                });
            }
            prop_assert_eq!(str::from_utf8(&bytes).unwrap(), value);
        }
    }

    /// A credential serves while some of its life is left, never before it was got, and never after its end.
    #[test]
    fn a_credential_serves_within_its_life(life in 1_u64..100_000, at in 0_u64..200_000) {
        let credential = header(life);
        let then = NOW.plus(Duration::from_secs(at));
        let left = life.min(43_200).saturating_sub(at);
        let expected = left > 60 || left * 4 > life.min(43_200);
        prop_assert_eq!(credential.serves(then), expected);
        prop_assert!(!credential.serves(UnixTime::from_secs(NOW.as_secs() - 1)));
    }
}

fn header(life: u64) -> Credential {
    let secret = Secret::Header("authorization".into(), Zeroizing::new("x".repeat(100)));
    Credential::new(secret, Some(Duration::from_secs(life)), NOW).unwrap()
}

#[test]
fn what_is_kept_is_bounded_in_number_and_bytes() {
    let mut kept = Kept::default();
    let credential = Rc::new(header(600));
    let key = |nth: u32| {
        let mut digest = [0; 32];
        digest[..4].copy_from_slice(&nth.to_be_bytes());
        (digest, 0)
    };
    for nth in 0..2_000 {
        kept.keep(key(nth), &credential, NOW);
        // The first one serves on, so it stays.
        assert!(kept.find(&key(0), NOW).is_some());
    }
    let found = (0..2_000).filter(|nth| kept.find(&key(*nth), NOW).is_some());
    assert_eq!(found.count(), 512);
    // One target's credential is not another's.
    assert!(kept.find(&(key(0).0, 1), NOW).is_none());
    kept.forget_ended(NOW.plus(Duration::from_secs(590)));
    assert!((0..2_000).all(|nth| kept.find(&key(nth), NOW).is_none()));

    let large = Secret::Header("a".into(), Zeroizing::new("x".repeat(8_000)));
    let large = Rc::new(Credential::new(large, Some(Duration::from_secs(600)), NOW).unwrap());
    for nth in 0..500 {
        kept.keep(key(nth), &large, NOW);
    }
    let found = (0..500).filter(|nth| kept.find(&key(*nth), NOW).is_some());
    assert_eq!(found.count(), 131);
}

#[test]
fn answers_of_aws_are_read_only_as_aws_writes_them() {
    let good = "<R xmlns=\"x\"><A><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s/+=</SecretAccessKey>\
        <SessionToken>t</SessionToken><Expiration>2027-01-15T09:00:00Z</Expiration></Credentials></A></R>";
    let read = |text: &str| AssumeRole::read(&reply(200, text.as_bytes()), TOKEN, NOW).map(|_| ());
    assert_eq!(read(good), Ok(()));
    let echoed = format!("<SessionToken>{TOKEN}");
    for (what, with) in [
        ("<SessionToken>t</SessionToken>", ""),
        (
            "<SessionToken>t</SessionToken>",
            "<SessionToken></SessionToken>",
        ),
        ("<SessionToken>t</SessionToken>", "<SessionToken/>"),
        (
            "<SessionToken>t</SessionToken>",
            "<SessionToken>t</SessionToken><SessionToken>u</SessionToken>",
        ),
        ("<SessionToken>t", "<SessionToken>t\r\nx: y"),
        ("<SessionToken>t", &echoed),
        ("ASIA1", "ASIA1/x, SignedHeaders="),
        ("2027-01-15T09:00:00Z", "2027-01-15T08:00:00Z"),
        ("2027-01-15T09:00:00Z", "soon"),
        ("2027-01-15T09:00:00Z", "2027-13-15T09:00:00Z"),
        ("<Credentials>", "<Credentials><Credentials>"),
        ("</Credentials>", ""),
    ] {
        let spoilt = good.replacen(what, with, 1);
        assert_ne!(spoilt, good);
        let error = read(&spoilt).expect_err(&spoilt);
        assert!(!error.to_string().contains(TOKEN));
    }
    let refused = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>m</Message></Error></ErrorResponse>";
    let error = AssumeRole::read(&reply(403, refused.as_bytes()), TOKEN, NOW).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server answered with status 403: AccessDenied"
    );
}

#[test]
fn answers_of_vault_and_google_are_read_as_strictly() {
    let vault = |auth: Value| {
        let body = json!({ "auth": auth }).to_string();
        VaultLogin::read(&reply(200, body.as_bytes()), TOKEN, NOW).map(|it| it.serves(NOW))
    };
    assert_eq!(
        vault(json!({ "client_token": "hvs.x", "lease_duration": 600 })),
        Ok(true)
    );
    // One without an end serves for a minute.
    assert_eq!(
        vault(json!({ "client_token": "hvs.x", "lease_duration": 0 })),
        Ok(true)
    );
    for auth in [
        json!(null),
        json!({}),
        json!({ "client_token": "hvs.x" }),
        json!({ "client_token": "hvs.x", "lease_duration": -1 }),
        json!({ "client_token": "hvs.x", "lease_duration": "600" }),
        json!({ "client_token": "", "lease_duration": 600 }),
        json!({ "client_token": "a\nb", "lease_duration": 600 }),
        json!({ "client_token": TOKEN, "lease_duration": 600 }),
        json!({ "client_token": 7, "lease_duration": 600 }),
    ] {
        assert!(vault(auth.clone()).is_err(), "{auth}");
    }
    let kind = exchange();
    let google = |status, body: Value| {
        let body = body.to_string();
        oauth::impersonated(&kind, &reply(status, body.as_bytes()), TOKEN, NOW).map(|_| ())
    };
    assert_eq!(
        google(
            200,
            json!({ "accessToken": "ya29", "expireTime": "2027-01-15T09:00:00Z" })
        ),
        Ok(())
    );
    for body in [
        json!({ "accessToken": "ya29" }),
        json!({ "accessToken": "ya29", "expireTime": "2027-01-15T07:00:00Z" }),
        json!({ "accessToken": "ya29", "expireTime": 7 }),
        json!({ "accessToken": TOKEN, "expireTime": "2027-01-15T09:00:00Z" }),
        json!({ "expireTime": "2027-01-15T09:00:00Z" }),
    ] {
        assert!(google(200, body.clone()).is_err(), "{body}");
    }
    let refused =
        json!({ "error": { "code": 403, "status": "PERMISSION_DENIED", "message": TOKEN } });
    assert_eq!(
        google(403, refused).unwrap_err().to_string(),
        "the server answered with status 403: PERMISSION_DENIED"
    );
}

fn exchange() -> TokenExchange {
    TokenExchange {
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt".into(),
        parameters: vec![("scope", Template::parse("a {claims.x}").unwrap())],
        client: Some(Client {
            id: "gate:1".into(),
            proof: Proof::Post(Zeroizing::new("hush&hush".into())),
        }),
        impersonation: None,
        header: "authorization".into(),
    }
}

#[test]
fn no_secret_is_in_what_is_shown_of_anything() {
    let kind = exchange();
    let call = kind
        .call(
            &server("https://sts.example/token"),
            TOKEN,
            &claims(&json!({ "x": "b" })),
            None,
            "id",
            NOW,
        )
        .unwrap();
    assert_eq!(
        str::from_utf8(&call.body).unwrap(),
        format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token={TOKEN}\
             &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&scope=a%20b&client_id=gate%3A1\
             &client_secret=hush%26hush"
        )
    );
    let target = Target {
        name: "cloud".into(),
        server: server("https://sts.example/token"),
        kind: Kind::TokenExchange(kind),
    };
    let shown = format!("{call:?} {target:?} {:?}", header(600));
    for secret in ["hush", TOKEN, "xxxx"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// An account that is no address would ask for another path.
#[test]
fn a_service_account_is_an_address_or_nobody_is_asked() {
    let account = |account: &str| {
        let impersonation = Impersonation {
            server: server("https://iamcredentials.googleapis.com"),
            account: Template::parse("{claims.a}").unwrap(),
            scopes: vec!["s\"".into()],
            lifetime: Duration::from_secs(300),
        };
        impersonation.call(&claims(&json!({ "a": account }))).ok()
    };
    let call = account("deploy@p.iam.gserviceaccount.com").unwrap();
    assert_eq!(
        call.path,
        "/v1/projects/-/serviceAccounts/deploy@p.iam.gserviceaccount.com:generateAccessToken"
    );
    assert_eq!(*call.body, br#"{"scope":["s\""],"lifetime":"300s"}"#);
    for wrong in [
        "deploy", "@p.com", "a@b", "a@b.c/..", "a@b.c?x", "a@b.c:x", "a@@b.c=",
    ] {
        assert!(account(wrong).is_none(), "{wrong}");
    }
}

/// What is signed is what the upstream gets: with what the gateway cuts off the path, and all headers of AWS's own.
#[test]
fn a_request_is_signed_as_the_upstream_gets_it() {
    let headers = |headers: &[(&str, &str)]| -> HeaderMap { headers.iter().copied().collect() };
    let of = |method: &str, target: &str, cut: &str, list: &[(&str, &str)]| {
        let map = headers(list);
        let request = Request {
            cut: cut.as_bytes(),
            host: Some(b"bucket.example"),
            ..Request::new(&map, method.as_bytes(), target.as_bytes())
        };
        Upstream::of(&request)
    };
    let upstream = of(
        "GET",
        "/s3/a/b?x=1&y",
        "/s3",
        &[
            ("X-Amz-Acl", "a"),
            ("x-amz-acl", "b"),
            ("x-amz-date", "forged"),
            ("content-type", "t"),
            ("accept", "*"),
        ],
    );
    assert_eq!(
        (&*upstream.path, &*upstream.query),
        (&b"/a/b"[..], &b"x=1&y"[..])
    );
    assert!(!upstream.has_body);
    let signed = upstream.to_sign(None).unwrap();
    let expected = [
        ("x-amz-acl", "a,b"),
        ("content-type", "t"),
        ("host", "bucket.example"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(signed, expected);
    assert_eq!(of("GET", "/s3", "/s3", &[]).path, b"/");
    for (method, list, has_body) in [
        ("GET", &[][..], false),
        ("PUT", &[], true),
        ("PUT", &[("content-length", "0")], false),
        ("GET", &[("content-length", "5")], true),
        ("GET", &[("Transfer-Encoding", "chunked")], true),
    ] {
        assert_eq!(
            of(method, "/", "", list).has_body,
            has_body,
            "{method} {list:?}"
        );
    }
}
