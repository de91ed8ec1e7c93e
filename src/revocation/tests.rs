//! Lists of revocations against a model that reads the entries as they are written, one after the other.

use super::*;
use crate::fetch::{Answer, HttpUri, Polling, Remote};
use crate::policy::{Issuer, Policy};
use crate::reason::Reason;
use crate::shared_data::NoSharedData;
use crate::time::UnixTime;
use crate::token::{Claims, VerifiedToken};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use std::time::Duration;

const LEEWAY: u64 = 30;
const ISSUER: &str = "https://ci.example";

fn issuer() -> Issuer {
    let document = json!({
        "issuers": [{
            "issuer": ISSUER, "audience": "a", "algorithms": ["RS256"], "leeway": "30s",
            "jwks": { "uri": "https://ci.example/jwks" },
        }],
        "rules": [],
    });
    let mut policy = Policy::from_json(document.to_string().as_bytes()).unwrap();
    policy.issuers.remove(0)
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn token(claims: &Value, kid: Option<&str>, digest: u8) -> VerifiedToken {
    let claims = Claims::new(claims.as_object().unwrap().clone());
    VerifiedToken::unproven_with(claims, kid, [digest; 32])
}

fn list(entries: &Value) -> RevocationList {
    RevocationList::parse(json!({ "revocations": entries }).to_string().as_bytes()).unwrap()
}

fn hex(digest: u8) -> String {
    format!("{digest:02x}").repeat(32)
}

#[test]
fn an_entry_covers_what_meets_all_of_it() {
    let acme = token(
        &json!({"organization_slug": "acme", "build_number": 42, "groups": ["a", 7], "empty": [], "none": null}),
        Some("k1"),
        0xab,
    );
    for (entry, covers) in [
        (json!({"kid": "k1"}), true),
        (json!({"kid": "k2"}), false),
        (json!({"kid": "K1"}), false),
        (json!({"token_sha256": hex(0xab)}), true),
        (json!({"token_sha256": hex(0xab).to_uppercase()}), true),
        (
            json!({"token_sha256": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s"}),
            true,
        ),
        (json!({"token_sha256": hex(0xac)}), false),
        (json!({"claims": {"organization_slug": "acme"}}), true),
        (json!({"claims": {"organization_slug": "ACME"}}), false),
        (json!({"claims": {"build_number": 42}}), true),
        (json!({"claims": {"build_number": "42"}}), true),
        (json!({"claims": {"build_number": 43}}), false),
        (json!({"claims": {"groups": "a"}}), true),
        (json!({"claims": {"groups": 7}}), true),
        (json!({"claims": {"groups": "b"}}), false),
        (json!({"claims": {"empty": "a"}}), false),
        (json!({"claims": {"none": "null"}}), false),
        (json!({"claims": {"missing": "x"}}), false),
        (
            json!({"claims": {"organization_slug": "acme", "build_number": 42}}),
            true,
        ),
        (
            json!({"claims": {"organization_slug": "acme", "build_number": 43}}),
            false,
        ),
        (
            json!({"claims": {"organization_slug": "acme"}, "kid": "k2"}),
            false,
        ),
        (
            json!({"kid": "k1", "token_sha256": hex(0xab), "claims": {"groups": 7}, "issuer": ISSUER}),
            true,
        ),
        (
            json!({"kid": "k1", "issuer": "https://other.example"}),
            false,
        ),
        (json!({"kid": "k1", "expires": 1_000}), true),
        // For the leeway longer: so long a token is accepted that expires at the same moment.
        (json!({"kid": "k1", "expires": 971}), true),
        (json!({"kid": "k1", "expires": 970}), false),
        (
            json!({"kid": "k1", "expires": "1970-01-01T00:16:12Z"}),
            true,
        ),
    ] {
        let found = list(&json!([entry]))
            .find(&acme, &issuer(), at(1_000))
            .is_some();
        assert_eq!(found, covers, "{entry}");
    }
    assert_eq!(LEEWAY, 30);
}

#[test]
fn a_token_is_covered_by_the_digest_of_what_it_signs_too() {
    // Whoever turns an ECDSA signature into its twin does not get out.
    let twin = VerifiedToken::unproven_with_digests(Claims::new(Map::new()), [1; 32], [2; 32]);
    for (digest, covers) in [(1, true), (2, true), (3, false)] {
        let list = list(&json!([{ "token_sha256": hex(digest) }]));
        assert_eq!(list.find(&twin, &issuer(), at(0)).is_some(), covers);
    }
}

#[test]
fn an_entry_that_is_not_understood_makes_the_whole_list_an_error() {
    let secret = "eyJhbGciOiJSUzI1NiJ9.e30.c2ln";
    for (entry, said) in [
        (json!("k1"), "revocations[1] is not an object"),
        (json!(["k1"]), "revocations[1] is not an object"),
        (json!(null), "revocations[1] is not an object"),
        (json!({}), "revocations[1] names no token"),
        (
            json!({"issuer": ISSUER, "expires": 1, "note": "x"}),
            "revocations[1] names no token",
        ),
        (
            json!({"kid": "k1", secret: 1}),
            "revocations[1] has a member that is none of",
        ),
        (
            json!({"kid": "k1", "claim": {"a": 1}}),
            "revocations[1] has a member that is none of",
        ),
        (json!({"kid": null}), "revocations[1].kid: is not a text"),
        (json!({"kid": ""}), "revocations[1].kid: is not a text"),
        (json!({"kid": 7}), "revocations[1].kid: is not a text"),
        (
            json!({"kid": "k1", "issuer": null}),
            "revocations[1].issuer: is not a text",
        ),
        (
            json!({"kid": "k1", "claims": {}}),
            "revocations[1].claims: is empty",
        ),
        (
            json!({"kid": "k1", "claims": null}),
            "revocations[1].claims: is not an object",
        ),
        (
            json!({"claims": ["a"]}),
            "revocations[1].claims: is not an object",
        ),
        (
            json!({"claims": secret}),
            "revocations[1].claims: is not an object",
        ),
        (
            json!({"claims": {"a": null}}),
            "revocations[1].claims.a: is not a text",
        ),
        (
            json!({"claims": {"a": ["x"]}}),
            "revocations[1].claims.a: is not a text",
        ),
        (
            json!({"claims": {"a": {"equals": "x"}}}),
            "revocations[1].claims.a: is not a text",
        ),
        (
            json!({"claims": {"a": 1e17}}),
            "revocations[1].claims.a: is not a text",
        ),
        (
            json!({"token_sha256": secret}),
            "revocations[1].token_sha256: is not a SHA-256",
        ),
        (
            json!({"token_sha256": hex(1)[1..]}),
            "revocations[1].token_sha256: is not a SHA-256",
        ),
        (
            json!({"token_sha256": format!("{}g", &hex(1)[1..])}),
            "revocations[1].token_sha256: is not a SHA-256",
        ),
        (
            json!({"token_sha256": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s="}),
            "revocations[1].token_sha256: is not a SHA-256",
        ),
        (
            json!({"token_sha256": 7}),
            "revocations[1].token_sha256: is not a SHA-256",
        ),
        (
            json!({"kid": "k1", "expires": null}),
            "revocations[1].expires: is no moment",
        ),
        (
            json!({"kid": "k1", "expires": "tomorrow"}),
            "revocations[1].expires: is no moment",
        ),
        (
            json!({"kid": "k1", "note": 7}),
            "revocations[1].note: is not a text",
        ),
        (
            json!({"kid": "k1", "note": "n".repeat(201)}),
            "revocations[1].note: is not a text",
        ),
    ] {
        let document = json!({ "revocations": [{ "kid": "good" }, entry] });
        let error = RevocationList::parse(document.to_string().as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(said), "{error} for {document}");
        assert!(!error.contains("eyJ"), "{error}");
    }
}

#[test]
fn a_document_that_is_no_list_is_an_error() {
    use RevocationsError::{NoList, NotJson, TooLarge, TooMany};
    let many = json!({ "revocations": vec![json!({"kid": "k"}); MAX_ENTRIES + 1] }).to_string();
    let huge = format!("{{\"revocations\":[]{}}}", " ".repeat(MAX_DOCUMENT_BYTES));
    for (document, error) in [
        ("", NotJson),
        ("<html>", NotJson),
        (r#"{"revocations":[]} x"#, NotJson),
        (r#"{"revocations":[],"revocations":[]}"#, NotJson),
        (r#"{"revocations":[{"kid":"a","kid":"b"}]}"#, NotJson),
        ("[]", NoList),
        ("{}", NoList),
        (r#"{"revocations":{}}"#, NoList),
        (r#"{"revocations":null}"#, NoList),
        (r#"{"revocations":[],"more":[]}"#, NoList),
        (&many, TooMany(MAX_ENTRIES + 1)),
        (&huge, TooLarge(huge.len())),
    ] {
        let start = &document[..document.len().min(60)];
        assert_eq!(
            RevocationList::parse(document.as_bytes()).unwrap_err(),
            error,
            "{start}"
        );
    }
    assert!(list(&json!([])).is_empty());
}

#[test]
fn ten_thousand_entries_are_found_by_what_tells_them_apart() {
    // What all entries have in common would put them all in one place.
    let entries: Vec<_> = (0..MAX_ENTRIES)
        .map(|nth| match nth % 2 {
            0 => json!({"kid": "k", "claims": {"build_source": "ui", "job_id": nth, "organization_slug": "acme"}}),
            _ => json!({"kid": "k", "claims": {"organization_slug": "acme", "step": nth, "zone": "eu"}}),
        })
        .collect();
    let list = list(&json!(entries));
    assert_eq!(list.longest_look_up(), 1);
    let last = json!({"organization_slug": "acme", "step": 9_999, "zone": "eu"});
    let found = list.find(&token(&last, Some("k"), 0), &issuer(), at(0));
    assert_eq!(found.map(|(place, _)| place), Some(9_999));
}

/// Whether a claim has a value, by the policy page's words.
fn claim_is(claim: Option<&Value>, wanted: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    match claim {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => items
            .iter()
            .any(|item| claim_is(Some(item), wanted) && !item.is_array()),
        Some(scalar) => text(scalar).is_some() && text(scalar) == text(wanted),
    }
}

fn model(
    entries: &[Value],
    claims: &Value,
    kid: Option<&str>,
    digest: u8,
    now: u64,
) -> Option<usize> {
    entries.iter().position(|entry| {
        let member = |name: &str| entry.get(name);
        member("issuer").is_none_or(|issuer| issuer == ISSUER)
            && member("kid").is_none_or(|wanted| Some(wanted.as_str().unwrap()) == kid)
            && member("token_sha256").is_none_or(|wanted| *wanted == hex(digest))
            && member("expires").is_none_or(|expires| now < expires.as_u64().unwrap() + LEEWAY)
            && member("claims").is_none_or(|wanted| {
                let wanted = wanted.as_object().unwrap();
                wanted
                    .iter()
                    .all(|(name, value)| claim_is(claims.get(name), value))
            })
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    select(vec![
        json!("x"),
        json!("y"),
        json!(7),
        json!("7"),
        json!(true),
        json!(""),
    ])
}

fn entry() -> impl Strategy<Value = Value> {
    let name = || select(&["a", "b", "c.d"][..]);
    (
        proptest::option::weighted(0.3, select(&[ISSUER, "https://other.example"][..])),
        proptest::option::weighted(0.6, proptest::collection::btree_map(name(), scalar(), 1..3)),
        proptest::option::weighted(0.3, select(&["k1", "k2"][..])),
        proptest::option::weighted(0.3, 0..3_u8),
        proptest::option::weighted(0.3, 0..200_u64),
    )
        .prop_filter_map(
            "it names a token",
            |(issuer, claims, kid, digest, expires)| {
                if claims.is_none() && kid.is_none() && digest.is_none() {
                    return None;
                }
                let members = [
                    ("issuer", issuer.map(Value::from)),
                    ("claims", claims.map(|claims| json!(claims))),
                    ("kid", kid.map(Value::from)),
                    ("token_sha256", digest.map(|digest| hex(digest).into())),
                    ("expires", expires.map(Value::from)),
                ];
                let members = members
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), value?)));
                Some(Value::Object(members.collect()))
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_entry_that_is_found_is_the_models(
        entries in proptest::collection::vec(entry(), 0..12),
        claims in proptest::collection::btree_map(
            select(&["a", "b", "c.d", "e"][..]),
            prop_oneof![
                4 => scalar(),
                2 => proptest::collection::vec(scalar(), 0..3).prop_map(Value::Array),
                1 => select(vec![json!(null), json!({"a": "x"}), json!([["x"]]), json!([null])]),
            ],
            0..4,
        ),
        kid in proptest::option::of(select(&["k1", "k3"][..])),
        digest in 0..4_u8,
        now in 0..250_u64,
    ) {
        let claims = json!(claims);
        let found = list(&json!(entries)).find(&token(&claims, kid, digest), &issuer(), at(now)).map(|(place, _)| place);
        prop_assert_eq!(found, model(&entries, &claims, kid, digest, now));
    }
}

fn policy(unavailable: WhenUnavailable) -> RevocationPolicy {
    RevocationPolicy {
        entries: list(&json!([{ "claims": {"job": "inline"}, "note": "see INC-7" }])),
        source: Some(RevocationSource {
            uri: HttpUri::parse("https://revoked.example/list").unwrap(),
            polling: Polling {
                cluster: None,
                refresh: Duration::from_secs(30),
                timeout: Duration::from_secs(5),
                max_stale: Duration::from_secs(600),
            },
            unavailable,
        }),
    }
}

/// A store that fetched, at 10,000 s, a list that revokes one job; or has fetched nothing.
fn store(fetched: bool) -> RevocationStore {
    let source = policy(WhenUnavailable::Deny).source.unwrap();
    let mut store = RevocationStore::new(source, 1);
    if fetched {
        let body = json!({ "revocations": [{ "claims": {"job": "fetched"} }] });
        answer(&mut store, 10_000, Some(body.to_string()));
    }
    store
}

/// Answers the fetch that is due, with a document or that it has not changed.
fn answer(store: &mut RevocationStore, now: u64, body: Option<String>) {
    let fetch = store.poll(at(now), &NoSharedData).expect("a fetch is due");
    let answer = match body {
        None => Answer::Unchanged,
        Some(body) => Answer::Document {
            etag: None,
            body: body.into_bytes(),
        },
    };
    store.finish(fetch.flight, Ok(answer), at(now), &NoSharedData);
}

fn check(
    store: &mut RevocationStore,
    unavailable: WhenUnavailable,
    job: &str,
    now: u64,
) -> Result<(), Reason> {
    let (list, counts) = store.current(at(now), &NoSharedData);
    let token = token(&json!({ "job": job }), None, 0);
    policy(unavailable)
        .check(list, counts, &token, &issuer(), at(now))
        .map_err(|refusal| refusal.reason)
}

#[test]
fn what_is_known_to_be_revoked_stays_so_and_the_policy_says_what_becomes_of_the_rest() {
    let (revoked, unknown) = (Err(Reason::Revoked), Err(Reason::RevocationsUnavailable));
    // How long ago a document was asked for, if one was; the job; and what comes of it with deny and allow.
    for (age, job, deny, allow) in [
        (None, "inline", revoked, revoked),
        (None, "fetched", unknown, Ok(())),
        (None, "good", unknown, Ok(())),
        (Some(0), "inline", revoked, revoked),
        (Some(0), "fetched", revoked, revoked),
        (Some(0), "good", Ok(()), Ok(())),
        (Some(600), "good", Ok(()), Ok(())),
        (Some(601), "good", unknown, Ok(())),
        (Some(601), "fetched", revoked, revoked),
        // The clock went back.
        (Some(-600), "good", Ok(()), Ok(())),
        (Some(-601), "good", unknown, Ok(())),
        (Some(-601), "fetched", revoked, revoked),
        // Nobody asked for longer than it is fetched: it is fetched again before it counts.
        (Some(9 * 86_400), "good", unknown, Ok(())),
    ] {
        for (unavailable, outcome) in [
            (WhenUnavailable::Deny, deny),
            (WhenUnavailable::Allow, allow),
        ] {
            let mut store = store(age.is_some());
            let now = 10_000_u64.saturating_add_signed(age.unwrap_or_default());
            let checked = check(&mut store, unavailable, job, now);
            assert_eq!(checked, outcome, "{age:?} {job} {unavailable:?}");
        }
    }
}

#[test]
fn a_document_that_has_not_changed_is_as_good_as_a_new_one() {
    let mut store = store(true);
    let good = |store: &mut _, now| check(store, WhenUnavailable::Deny, "good", now).is_ok();
    assert!(good(&mut store, 10_600) && !good(&mut store, 10_601));
    answer(&mut store, 10_590, None);
    assert!(good(&mut store, 11_190) && !good(&mut store, 11_191));
}

#[test]
fn the_record_is_told_which_entry_it_was_and_its_note() {
    let token = token(&json!({"job": "inline"}), None, 0);
    let refusal = policy(WhenUnavailable::Deny)
        .check(None, false, &token, &issuer(), at(0))
        .unwrap_err();
    assert_eq!(
        refusal.detail,
        "revocations[0] of the policy revokes it: see INC-7"
    );
}
