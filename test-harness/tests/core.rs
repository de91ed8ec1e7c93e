//! The shared cases through the core, natively: no host, no network, no clock.

use jobgate::audit::{answer, record, upstream_headers};
use jobgate::fetch::{Answer, Remote};
use jobgate::gate::{Decision, DecisionId, Request, State, judge};
use jobgate::policy::{ClientCertificate, Policy, Severity};
use jobgate::reason::{Reason, Refusal};
use jobgate::request::{HeaderMap, HeaderPower, neutralise};
use jobgate::shared_data::NoSharedData;
use jobgate::time::UnixTime;
use jobgate_harness::case::{
    self, Case, CaseFile, Forwarded, Host, KeyState, Observed, Outcome, Placeholders,
};
use jobgate_harness::configurations;
use jobgate_harness::mint::Minter;
use jobgate_harness::repository;

const NOW: u64 = 1_800_000_000;
const ISSUER: &str = "https://ci.example";
const AUDIENCE: &str = "https://deploy.acme.example";

fn placeholders() -> Placeholders {
    Placeholders {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        jwks_uri: format!("{ISSUER}/.well-known/jwks"),
    }
}

/// What the shell does, without a host: neutralise, judge, and put the decision's headers on the request.
fn run(file: &CaseFile, case: &Case, minter: &Minter, token: Option<&str>) -> Observed {
    let now = UnixTime::from_secs(NOW);
    let id = DecisionId::new(now, 1, 1);
    let configuration = file.policies[&case.policy]
        .fill(&placeholders())
        .to_string();
    let policy = match Policy::from_json(configuration.as_bytes()) {
        Ok(policy) => policy,
        Err(_) => {
            let refusal = Refusal::new(Reason::ConfigInvalid, "the configuration has errors");
            return observe(&Decision::refuse(None, refusal, id, now), None);
        }
    };
    let mut state = State::alone(&policy);
    if case.keys == KeyState::Available {
        for store in state.keys.stores() {
            let mut store = store.borrow_mut();
            let body = minter.jwks().to_string().into_bytes();
            let fetch = store
                .poll(now, &NoSharedData)
                .expect("the first fetch is wanted at once");
            store.finish(
                fetch.flight,
                Ok(Answer::Document { etag: None, body }),
                now,
                &NoSharedData,
            );
        }
    }
    let headers: HeaderMap = case.request.headers_with(token).into_iter().collect();
    let carrier = &policy.carrier.header;
    let plan = match neutralise(&headers, &policy.headers, carrier, HeaderPower::Remove) {
        Ok(plan) => plan,
        Err(refusal) => return observe(&Decision::refuse(Some(&policy), refusal, id, now), None),
    };
    let asked = &case.request;
    let certificate = certificate(&asked.client_certificate);
    let request = Request {
        host: asked.host.as_ref().map(|host| host.0.as_slice()),
        route: asked.route.as_deref(),
        service: asked.service.as_deref(),
        certificate: &certificate,
        ..Request::new(&headers, asked.method.as_bytes(), asked.path.as_bytes())
    };
    let decision = judge(&policy, &mut state, &NoSharedData, request, id, now);
    if decision.blocks() {
        return observe(&decision, None);
    }
    let set = upstream_headers(&decision);
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let kept = headers
        .iter()
        .map(|header| (text(header.name), text(header.value)))
        .filter(|(name, _)| !plan.remove.contains(name))
        .filter(|(name, _)| !decision.strip_token || name != carrier);
    let forwarded = Forwarded {
        target: case.request.path.clone(),
        headers: kept
            .chain(
                set.iter()
                    .map(|(name, value)| ((*name).to_owned(), value.to_string())),
            )
            .collect(),
    };
    observe(&decision, Some(forwarded))
}

/// What a gateway would tell that tells everything.
fn certificate(client: &case::ClientCertificate) -> ClientCertificate {
    let (verified, names) = match client {
        case::ClientCertificate::NoTls => (None, None),
        case::ClientCertificate::None | case::ClientCertificate::Unverified(_) => {
            (Some(false), None)
        }
        case::ClientCertificate::Verified(names) => (Some(true), Some(names.clone())),
    };
    let names = names.unwrap_or_default();
    ClientCertificate {
        verified,
        subject: names.subject,
        uri_san: names.uri_san,
        dns_san: names.dns_san,
    }
}

fn observe(decision: &Decision<'_>, upstream: Option<Forwarded>) -> Observed {
    let answer = answer(decision);
    let problem: Option<serde_json::Value> = answer
        .as_ref()
        .map(|answer| serde_json::from_str(&answer.body).expect("a problem document is JSON"));
    Observed {
        status: answer.map_or(200, |answer| answer.status),
        code: problem.map(|problem| problem["code"].as_str().unwrap_or_default().to_owned()),
        upstream,
        record: record(decision, Some("a-route")),
    }
}

#[test]
fn every_case_is_decided_as_it_says() {
    let files =
        case::load_all(&repository().join("test-harness/cases")).expect("the case files are sound");
    let mut minter = Minter::new(ISSUER, AUDIENCE);
    minter.publish_every_algorithm();
    let with = placeholders();
    let mut failures = Vec::new();
    let mut run_cases = 0;
    for file in &files {
        for case in &file.cases {
            let Outcome::Expect(expect) = case.expected_on(Host::Core) else {
                continue;
            };
            run_cases += 1;
            let token = case.token(&with).map(|spec| minter.mint(&spec, NOW));
            let seen = run(file, case, &minter, token.as_deref());
            for difference in expect.differences(&seen, token.as_deref(), &with, Host::Core) {
                failures.push(format!("{}: {}: {difference}", file.name, case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    println!("{run_cases} cases");
    assert!(run_cases >= 350, "only {run_cases} cases were run");
}

#[test]
fn every_wrong_configuration_is_named_with_its_place_and_remedy() {
    let mut failures = Vec::new();
    for wrong in configurations::load().expect("configurations.yaml is sound") {
        match Policy::from_json(wrong.document.as_bytes()) {
            Ok(_) => failures.push(format!("{}: it was accepted", wrong.name)),
            Err(errors) => {
                let said: Vec<_> = errors.0.iter().map(ToString::to_string).collect();
                if said != wrong.errors {
                    failures.push(format!(
                        "{}:\n  said {said:?}\n  not  {:?}",
                        wrong.name, wrong.errors
                    ));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The blocks of a page in this language; at least one.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository().join(page)).expect("the page is there");
    let fence = format!("```{language}\n");
    let blocks: Vec<_> = text
        .split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect();
    assert!(!blocks.is_empty(), "{page} has no such block");
    blocks
}

#[test]
fn the_policies_in_the_docs_are_policies_without_warnings() {
    let mut policies: Vec<(&str, String)> = Vec::new();
    for readme in blocks("README.md", "json") {
        policies.push(("README.md", readme));
    }
    for yaml in blocks("docs/policy.md", "yaml") {
        let policy: serde_json::Value =
            serde_saphyr::from_str(&yaml).expect("docs/policy.md: YAML");
        policies.push(("docs/policy.md", policy.to_string()));
    }
    for page in ["envoy/jobgate.yaml", "envoy/per-route.yaml"] {
        let before = policies.len();
        let text = std::fs::read_to_string(repository().join(page)).expect("the file is there");
        // A policy is a text of several lines, which are further in than its name.
        for rest in text.split("value: |\n").skip(1) {
            let indent = rest.len() - rest.trim_start().len();
            let inside = |line: &&str| line.len() - line.trim_start().len() >= indent;
            let policy: Vec<_> = rest.lines().take_while(inside).collect();
            policies.push((page, policy.join("\n")));
        }
        assert!(policies.len() > before, "{page} has no policy");
    }
    for (page, document) in policies {
        let policy = Policy::examine(document.as_bytes())
            .unwrap_or_else(|errors| panic!("{page}: {errors}\n{document}"));
        let findings = policy.findings().into_iter();
        let warnings: Vec<_> = findings
            .filter(|finding| finding.severity > Severity::Note)
            .map(|finding| finding.to_string())
            .collect();
        assert!(warnings.is_empty(), "{page}: {warnings:#?}\n{document}");
    }
}

/// The gateways' limiters count by a header that the policy beside them reserves for the gate.
#[test]
fn the_examples_for_fleets_count_by_a_header_that_the_gate_sets() {
    let read = |file: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(repository().join(file)).expect("it is there");
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
    };
    let envoy = read("envoy/rate-limit.yaml");
    let kong = read("kong/rate-limiting.yml");
    let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    let plugin = kong["plugins"]
        .as_array()
        .and_then(|plugins| {
            plugins
                .iter()
                .find(|plugin| plugin["name"] == "rate-limiting")
        })
        .expect("kong/rate-limiting.yml has the plugin");
    for (file, policy, header) in [
        (
            "envoy/rate-limit.yaml",
            envoy.pointer(&format!("{manager}/http_filters/0/typed_config/config/configuration/value")),
            envoy.pointer(&format!("{manager}/route_config/virtual_hosts/0/routes/0/route/rate_limits/0/actions/0/request_headers/header_name")),
        ),
        (
            "kong/rate-limiting.yml",
            kong.pointer("/filter_chains/0/filters/0/config"),
            plugin.pointer("/config/header_name"),
        ),
    ] {
        let text = |value: Option<&serde_json::Value>| {
            value.and_then(|value| value.as_str()).map(str::to_owned)
        };
        // On Kong it is an object, on Envoy a text.
        let policy = text(policy)
            .or_else(|| policy.map(ToString::to_string))
            .unwrap_or_else(|| panic!("{file} has a policy"));
        let policy = Policy::from_json(policy.as_bytes())
            .unwrap_or_else(|errors| panic!("{file}: {errors}"));
        let header = text(header).unwrap_or_else(|| panic!("{file} names a header"));
        assert!(policy.headers.all().any(|name| name == header), "{file}: {header}");
    }
}
