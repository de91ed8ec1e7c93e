use std::collections::BTreeSet;

use serde_json::json;

use super::*;

const POLICIES: &str = r#"
policies:
  acme: { issuers: [{ issuer: "{{issuer}}", keys: "{{jwks_uri}}?a={{audience}}&b={{issuer}}" }], limit: 3 }
cases:
"#;

fn placeholders() -> Placeholders {
    Placeholders {
        issuer: "http://issuer".to_owned(),
        audience: "me".to_owned(),
        jwks_uri: "http://issuer/jwks".to_owned(),
    }
}

fn parse(case: &str) -> Result<Case, String> {
    let text = format!("{POLICIES}  - {{ name: it holds, policy: acme, {case} }}\n");
    let (_, mut cases) = load::parse(&text, &mut BTreeSet::new()).map_err(|e| e.to_string())?;
    Ok(cases.remove(0))
}

fn expect(case: &Case, host: Host) -> &Expect {
    match case.expected_on(host) {
        Outcome::Expect(expect) => expect,
        Outcome::Skip(why) => panic!("skipped: {why}"),
    }
}

#[test]
fn what_is_not_said_has_its_default() {
    let case = parse("request: { path: / }, expect: { decision: allow }").unwrap();
    assert_eq!(case.request.method, "GET");
    assert_eq!(case.keys, KeyState::Available);
    assert_eq!(case.token(&placeholders()), None);
    assert_eq!(expect(&case, Host::Core).status, 200);
    assert_eq!(case.request.headers_with(None), []);
}

#[test]
fn the_decision_follows_from_the_status() {
    let decision = |expectation: &str| {
        let case = parse(&format!("request: {{ path: / }}, expect: {expectation}")).unwrap();
        expect(&case, Host::Core).decision
    };
    assert_eq!(decision("{ status: 200 }"), Decision::Allow);
    assert_eq!(
        decision("{ status: 403, reason: no_rule_matched }"),
        Decision::Deny
    );
    assert_eq!(
        decision("{ status: 200, reason: no_rule_matched }"),
        Decision::ShadowDeny
    );
    assert_eq!(decision("{ decision: shadow-deny }"), Decision::ShadowDeny);
}

#[test]
fn a_host_may_come_to_another_outcome() {
    let case = parse(
        "request: { path: / }, expect: { status: 200, rule: deploy, upstream: { X-A: b } },
         hosts: { kong: { status: 400, reason: header_reserved }, envoy: { rule: other }, core: { skip: no headers } }",
    )
    .unwrap();
    let kong = expect(&case, Host::Kong);
    assert_eq!((kong.status, kong.decision), (400, Decision::Deny));
    assert_eq!((&kong.rule, kong.upstream.len()), (&None, 0));
    let envoy = expect(&case, Host::Envoy);
    assert_eq!(envoy.rule.as_deref(), Some("other"));
    assert_eq!(envoy.upstream["x-a"], "b");
    assert_eq!(
        *case.expected_on(Host::Core),
        Outcome::Skip("no headers".to_owned())
    );
}

#[test]
fn the_token_goes_where_the_case_puts_it() {
    let sent = |headers: &str| {
        let case = format!(
            "token: {{}}, request: {{ path: /, headers: {headers} }}, expect: {{ status: 200 }}"
        );
        parse(&case).unwrap().request.headers_with(Some("T"))
    };
    let field = |name: &str, value: &[u8]| (name.as_bytes().to_vec(), value.to_vec());
    assert_eq!(
        sent(r"[[x, 'caf\xe9']]"),
        [field("x", b"caf\xe9"), field("authorization", b"Bearer T")]
    );
    assert_eq!(
        sent(r"[[x-token, '{{token}}'], [x-token, '<{{token}}{{token}}>']]"),
        [field("x-token", b"T"), field("x-token", b"<TT>")]
    );
}

#[test]
fn placeholders_are_filled_in_policies_and_tokens() {
    let (policies, _) = load::parse(
        &format!("{POLICIES}  - {{ name: a, policy: acme, request: {{ path: / }}, expect: {{ status: 200 }} }}"),
        &mut BTreeSet::new(),
    )
    .unwrap();
    assert_eq!(
        policies["acme"].fill(&placeholders()),
        json!({
            "issuers": [{ "issuer": "http://issuer", "keys": "http://issuer/jwks?a=me&b=http://issuer" }],
            "limit": 3,
        })
    );
    let case = parse(
        "token: { claims: { aud: ['{{audience}}', other] }, raw_payload: '{\"a\":{\"iss\":\"{{issuer}}\"}}' },
         request: { path: / }, expect: { status: 200 }",
    );
    let token = case.unwrap().token(&placeholders()).unwrap();
    assert_eq!(token.claims["aud"], json!(["me", "other"]));
    assert_eq!(
        token.raw_payload.as_deref(),
        Some(r#"{"a":{"iss":"http://issuer"}}"#)
    );
}

#[test]
fn a_request_may_have_what_gateways_tell_and_a_decision_a_trial() {
    let case = parse(
        "request: { path: /, host: 'a\\xff', route: r, service: s, client_certificate: { verified: { uri_san: u } } },
         expect: { status: 200, trial: { deny: [a, b] } }, hosts: { kong: { trial: { allow: [c] } } }",
    )
    .unwrap();
    assert_eq!(case.request.host, Some(Bytes(b"a\xff".to_vec())));
    let names = CertificateNames {
        uri_san: Some("u".to_owned()),
        ..CertificateNames::default()
    };
    assert_eq!(
        case.request.client_certificate,
        ClientCertificate::Verified(names)
    );
    let trial = |host| expect(&case, host).trial.clone().unwrap();
    let rules = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(trial(Host::Envoy), (Decision::Deny, rules(&["a", "b"])));
    assert_eq!(trial(Host::Kong), (Decision::Allow, rules(&["c"])));
    // What is not expected must not be there.
    let seen = Observed {
        status: 200,
        upstream: Some(Forwarded::default()),
        record: json!({
            "event": "jobgate.decision", "decision": "allow",
            "trial": { "decision": "deny", "rules": ["a"] },
        })
        .to_string(),
        ..Observed::default()
    };
    let case = parse("request: { path: / }, expect: { status: 200 }").unwrap();
    let expect = expect(&case, Host::Core);
    let differences = expect.differences(&seen, None, &placeholders(), Host::Core);
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert!(differences[0].starts_with("the record's trial"));
}

#[test]
fn words_that_yaml_1_1_took_for_booleans_are_words() {
    let case =
        parse("token: { claims: { a: on, b: no } }, request: { path: / }, expect: { status: 200 }");
    let claims = case.unwrap().token(&placeholders()).unwrap().claims;
    assert_eq!((&claims["a"], &claims["b"]), (&json!("on"), &json!("no")));
}

#[test]
fn mistakes_are_told_with_case_and_field() {
    for (case, message) in [
        (
            "request: { path: /, pth: 1 }, expect: { status: 200 }",
            "request.pth: unknown field `pth`",
        ),
        (
            "token: { claim: {} }, request: { path: / }, expect: { status: 200 }",
            "token.claim: unknown field `claim`",
        ),
        (
            r"request: { path: /, headers: [[a, '\q']] }, expect: { status: 200 }",
            r"request.headers[0][1]: `\q`",
        ),
        (
            "request: { path: /, headers: [[a, '{{token}}']] }, expect: { status: 200 }",
            "there is no token",
        ),
        (
            "token: { raw: '{{isuer}}' }, request: { path: / }, expect: { status: 200 }",
            "token: nothing stands for `{{isuer}}`",
        ),
        (
            "request: { path: / }, expect: {}",
            "expect: `status` or `decision`",
        ),
        (
            "request: { path: / }, expect: { decision: deny }",
            "must have its `status`",
        ),
        (
            "request: { path: / }, expect: { status: 403, decision: allow }",
            "the decision is allow, but the status 403",
        ),
        (
            "request: { path: / }, expect: { status: 403, upstream: {} }",
            "what is refused has no `upstream`",
        ),
        (
            "request: { path: / }, expect: { status: 200, decision: allow, reason: x }",
            "no `reason`",
        ),
        (
            "request: { path: / }, expect: { status: 200, trial: { allow: [a], deny: [b] } }",
            "a `trial` is `allow` or `deny`",
        ),
        (
            "request: { path: /, client_certificate: some }, expect: { status: 200 }",
            "request.client_certificate: unknown variant `some`",
        ),
        (
            "request: { path: / }, expect: { status: 200 }, hosts: { nginx: {} }",
            "unknown variant `nginx`",
        ),
        (
            "request: { path: / }, expect: { status: 200 }, hosts: { kong: { skip: x, status: 1 } }",
            "hosts.kong: what is skipped",
        ),
    ] {
        let error = parse(case).unwrap_err();
        assert!(error.starts_with("case `it holds`: "), "{error}");
        assert!(error.contains(message), "{error}\nshould say: {message}");
    }
}

#[test]
fn a_policy_must_exist_and_know_its_placeholders() {
    let parse = |text: &str| {
        load::parse(text, &mut BTreeSet::new())
            .unwrap_err()
            .to_string()
    };
    let error = parse(
        "{policies: {a: {}}, cases: [{name: n, policy: b, request: {path: /}, expect: {status: 200}}]}",
    );
    assert_eq!(error, "case `n`: policy: there is no `b` but a");
    let error = parse("{policies: {a: {x: ['{{no}}']}}, cases: []}");
    assert_eq!(error, "policy `a`: nothing stands for `{{no}}`");
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let error = parse("request: { path: / }, expect: { status: 200, status: 403 }").unwrap_err();
    assert!(error.contains("duplicate"), "{error}");
}

#[test]
fn a_folder_is_read_whole_and_its_cases_have_their_own_names() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, name: &str| {
        let text = format!(
            "{POLICIES}  - {{ name: {name}, policy: acme, request: {{ path: / }}, expect: {{ status: 200 }} }}"
        );
        std::fs::write(folder.path().join(file), text).unwrap();
    };
    assert!(matches!(
        load_all(folder.path()).unwrap_err().problem,
        Problem::Empty
    ));

    write("b.yaml", "second");
    write("a.yaml", "first");
    write("notes.txt", "none of the cases");
    let files = load_all(folder.path()).unwrap();
    let names: Vec<_> = files
        .iter()
        .map(|file| (file.name.as_str(), file.cases[0].name.as_str()))
        .collect();
    assert_eq!(names, [("a", "first"), ("b", "second")]);

    write("b.yaml", "first");
    let error = load_all(folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("b.yaml: case `first`: name: another case has this name"),
        "{error}"
    );
}
