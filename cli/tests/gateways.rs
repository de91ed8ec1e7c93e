//! `jobgate check` on what stands around a gate in a gateway's configuration, and lets requests past it.

mod command;

use command::run;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// A policy without findings, as flow YAML.
const POLICY: &str = "{ issuers: [{ preset: gitlab, audience: https://deploy.acme.example }], rules: [{ id: a, methods: [GET], claims: { namespace_id: '7', project_path: acme/web } }] }";
const FORWARDS: &str = "{ token: { forward: true }, issuers: [{ preset: gitlab, audience: https://deploy.acme.example }], rules: [{ id: a, methods: [GET], claims: { namespace_id: '7', project_path: acme/web } }] }";
const ELSEWHERE: &str = "{ token: { header: X-Job }, issuers: [{ preset: gitlab, audience: https://deploy.acme.example }], rules: [{ id: a, methods: [GET], claims: { namespace_id: '7', project_path: acme/web } }] }";

/// `GATE` is a gate as a plugin, `P`, `F` and `H` are policies: one that takes the token out, one that leaves it, one
/// that finds it in another header.
fn checked(configuration: &str) -> String {
    let configuration = configuration
        .replace("GATE", "{ name: jobgate, config: P }")
        .replace("config: P", &format!("config: {POLICY}"))
        .replace("config: F", &format!("config: {FORWARDS}"))
        .replace("config: H", &format!("config: {ELSEWHERE}"));
    let ran = run(&["check", "--format", "plain", "-"], &configuration);
    assert_eq!(ran.stderr, "", "{configuration}");
    let counted = ran.stdout.contains("0 errors, 0 warnings");
    assert_eq!(ran.code, i32::from(!counted), "{}", ran.stdout);
    // What is said of the policies themselves is not what these tests are about.
    let lines = ran.stdout.lines().filter(|line| !line.contains("mutable-"));
    let lines: Vec<_> = lines.filter(|line| line.contains("stdin")).collect();
    match lines.as_slice() {
        [] => "nothing\n".into(),
        _ => lines.join("\n") + "\n",
    }
}

fn all(cases: &[(&str, &str)]) -> String {
    let mut all = String::new();
    for (name, configuration) in cases {
        writeln!(all, "## {name}\n{}", checked(configuration)).expect("it fits");
    }
    all
}

#[test]
fn plugins_of_kong_that_act_before_the_gate_are_told() {
    let said = all(&[
        (
            "on the gate's route",
            "services: [{ name: s, routes: [{ name: r, plugins: [GATE, { name: proxy-cache }] }] }]",
        ),
        (
            "on its service",
            "services: [{ name: s, plugins: [{ name: redirect }], routes: [{ name: r, plugins: [GATE] }] }]",
        ),
        (
            "global",
            "services: [{ name: s, routes: [{ name: r, plugins: [GATE] }] }]\nplugins: [{ name: ai-proxy }]",
        ),
        (
            "of a consumer",
            "services: [{ name: s, routes: [{ name: r, plugins: [GATE] }] }]\nconsumers: [{ username: c, plugins: [{ name: aws-lambda }] }]",
        ),
        (
            "named at the top",
            "services: [{ name: s, routes: [{ name: r }] }]\nplugins: [{ name: jobgate, route: r, config: P }, { name: azure-functions, service: s }]",
        ),
        (
            "named by id",
            "services: [{ name: s, id: 5a6e }]\nroutes: [{ name: r, service: { id: 5a6e }, plugins: [GATE] }]\nplugins: [{ name: azure-functions, service: 5a6e }]",
        ),
        (
            "on a route of the gate's service",
            "services: [{ name: s, plugins: [GATE], routes: [{ name: r, plugins: [{ name: proxy-cache }] }] }]",
        ),
        (
            "beside a filter chain",
            "services: [{ name: s, routes: [{ name: r, plugins: [{ name: ai-request-transformer }], filter_chains: [{ filters: [{ name: jobgate, config: P }] }] }] }]",
        ),
        (
            "beside a filter chain of a route in another file",
            "filter_chains: [{ route: r, filters: [{ name: jobgate, config: P }] }]\nplugins: [{ name: mocking, route: r }, { name: mocking, route: other }]",
        ),
        (
            "before many gates",
            "services: [{ name: s, routes: [{ name: a, plugins: [GATE] }, { name: b, plugins: [GATE] }, { name: c, plugins: [GATE] }, { name: d, plugins: [GATE] }] }]\nplugins: [{ name: proxy-cache }]",
        ),
        (
            "without names",
            "services: [{ routes: [{ plugins: [GATE, { name: proxy-cache }] }] }]",
        ),
        (
            "on another route",
            "services: [{ name: s, routes: [{ name: r, plugins: [GATE] }] }, { name: t, routes: [{ name: q, plugins: [{ name: proxy-cache }] }] }]",
        ),
        (
            "switched off",
            "services: [{ name: s, routes: [{ name: r, plugins: [GATE, { name: proxy-cache, enabled: false }] }] }]",
        ),
        (
            "in whose place another runs",
            "services: [{ name: s, routes: [{ name: r, plugins: [GATE, { name: request-termination }] }] }]\nplugins: [{ name: request-termination, config: { status_code: 200 } }]",
        ),
        (
            "in whose place another runs for a consumer",
            "services: [{ name: s, routes: [{ name: r, plugins: [GATE] }] }]\nplugins: [{ name: request-termination, config: { status_code: 200 } }, { name: request-termination, consumer: c }]",
        ),
    ]);
    insta::assert_snapshot!("plugins by place", said);
}

#[test]
fn what_a_plugin_of_kong_does_decides() {
    let mut all = String::new();
    for plugin in [
        "{ name: request-termination }",
        "{ name: request-termination, config: { status_code: 403 } }",
        "{ name: request-termination, config: { status_code: 204 } }",
        "{ name: key-auth }",
        "{ name: cors }",
        "{ name: ai-prompt-guard }",
        "{ name: ai-response-transformer }",
        "{ name: our-own }",
        "{ name: openid-connect }",
        "{ name: pre-function, config: { access: ['kong.service.request.enable_buffering()'] } }",
        "{ name: post-function, config: { access: ['return kong.response.exit(200, {})'] } }",
        "{ name: pre-function, config: { access: ['kong.log.info(1)', 'ngx.say(1)'] } }",
        "{ name: pre-function, config: { access: ['return kong.response.exit(code)'] } }",
        "{ name: pre-function, config: { access: ['return kong.response.exit(403)'] } }",
        // Kong runs the code of this phase for global plugins only.
        "{ name: pre-function, config: { rewrite: ['kong.service.request.enable_buffering()'] } }",
        "{ name: pre-function, config: { header_filter: ['kong.response.exit(200)'] } }",
    ] {
        for (place, on_route, global) in [("route", plugin, ""), ("global", "", plugin)] {
            let said = checked(&format!(
                "services: [{{ name: s, routes: [{{ name: r, plugins: [GATE, {on_route}] }}] }}]\nplugins: [{global}]"
            ));
            writeln!(all, "## {place} {plugin}\n{said}").expect("it fits");
        }
    }
    insta::assert_snapshot!("plugins by kind", all);
}

#[test]
fn what_leaves_a_route_of_kong_open_is_told() {
    let said = all(&[
        (
            "a plugin that is off",
            "services: [{ name: s, plugins: [{ name: jobgate, enabled: false, config: P }], routes: [{ name: r }] }]",
        ),
        (
            "a chain that is off",
            "services: [{ name: s }]\nfilter_chains: [{ service: s, enabled: false, filters: [{ name: jobgate, config: P }] }]",
        ),
        (
            "a filter that is off",
            "services: [{ name: s }]\nfilter_chains: [{ service: s, filters: [{ name: jobgate, enabled: false, config: P }] }]",
        ),
        (
            "nothing is before a gate that is off",
            "services: [{ name: s, plugins: [{ name: jobgate, enabled: false, config: P }, { name: proxy-cache }] }]",
        ),
        (
            "a route beside a gated one",
            "services: [{ name: s, routes: [{ name: r, plugins: [GATE] }, { name: q }] }]\nroutes: [{ name: p, service: s }]",
        ),
        (
            "a gate on the service",
            "services: [{ name: s, plugins: [GATE], routes: [{ name: r }, { name: q }] }]",
        ),
        (
            "another service's route",
            "services: [{ name: s, routes: [{ name: r, plugins: [GATE] }] }, { name: t, routes: [{ name: q }] }]",
        ),
        (
            "a stream",
            "services: [{ name: s, url: 'tcp://s:1', plugins: [GATE], routes: [{ name: r, protocols: [tcp, tls] }] }]",
        ),
        (
            "a service's gate that takes the token from the route's",
            "services: [{ name: s, plugins: [GATE], routes: [{ name: r, plugins: [GATE] }] }]",
        ),
        (
            "the same of filter chains",
            "services: [{ name: s, routes: [{ name: r }] }]\nfilter_chains: [{ route: r, filters: [{ name: jobgate, config: P }] }, { service: s, filters: [{ name: jobgate, config: P }] }]",
        ),
        (
            "two filters of a chain, and a plugin after them",
            "services: [{ name: s, routes: [{ name: r, plugins: [GATE], filter_chains: [{ filters: [{ name: jobgate, config: F }, { name: jobgate, config: P }] }] }] }]",
        ),
        (
            "one that leaves it",
            "services: [{ name: s, plugins: [{ name: jobgate, config: F }], routes: [{ name: r, plugins: [GATE] }] }]",
        ),
        (
            "one that takes another header's",
            "services: [{ name: s, plugins: [{ name: jobgate, config: H }], routes: [{ name: r, plugins: [GATE] }] }]",
        ),
        (
            "one that is off",
            "services: [{ name: s, plugins: [{ name: jobgate, config: P }], routes: [{ name: r, plugins: [{ name: jobgate, enabled: false, config: P }] }] }]",
        ),
    ]);
    insta::assert_snapshot!("routes and gates", said);
}

/// HTTP filters of Envoy's: a gate with these settings.
fn envoy(settings: &str) -> String {
    format!(
        "http_filters: [{{ name: jobgate, typed_config: {{ '@type': type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {{ name: jobgate, {settings} configuration: {{ '@type': type.googleapis.com/google.protobuf.StringValue, value: '{{\"issuers\": [{{\"preset\": \"gitlab\", \"audience\": \"a\", \"jwks\": {{\"cluster\": \"c\"}}}}], \"rules\": [{{\"id\": \"a\", \"methods\": [\"GET\"], \"claims\": {{\"namespace_id\": \"7\", \"project_path\": \"acme/web\"}}}}]}}' }} }} }} }}]"
    )
}

/// In Envoy's own words and in JSON's.
#[test]
fn what_passes_envoys_gate_by_an_upgrade_is_told() {
    let gate = envoy("");
    let own = gate.replace("http_filters: ", "filters: ");
    let router = "filters: [{ name: envoy.filters.http.router }]";
    let with =
        |upgrades: &str| format!("static_resources: {{ listeners: [{{ {gate}, {upgrades} }}] }}");
    let cases = [
        (
            "filters without the gate",
            with(&format!(
                "upgrade_configs: [{{ upgrade_type: websocket, {router} }}]"
            )),
        ),
        (
            "the second of three",
            with(&format!(
                "upgrade_configs: [{{ upgrade_type: websocket }}, {{ upgrade_type: CONNECT, {router} }}, {{ upgrade_type: x, {own} }}]"
            )),
        ),
        (
            "in JSON's names",
            with(&format!(
                "upgradeConfigs: [{{ upgradeType: websocket, {router} }}]"
            ))
            .replace("http_filters", "httpFilters"),
        ),
        (
            "no filters",
            with("upgrade_configs: [{ upgrade_type: websocket, filters: [] }]"),
        ),
        (
            "the gate among them",
            with(&format!(
                "upgrade_configs: [{{ upgrade_type: websocket, {own} }}]"
            )),
        ),
        (
            "another listener's",
            format!(
                "listeners: [{{ {gate} }}, {{ http_filters: [], upgrade_configs: [{{ {router} }}] }}]"
            ),
        ),
        (
            "at the top",
            format!("{{ {gate}, upgrade_configs: [{{ {router} }}] }}"),
        ),
    ];
    let cases: Vec<_> = cases
        .iter()
        .map(|(name, configuration)| (*name, configuration.as_str()))
        .collect();
    insta::assert_snapshot!("upgrades", all(&cases));
}

#[test]
fn what_makes_envoy_fail_open_is_told() {
    let kubernetes = |group: &str, kind: &str, spec: &str| {
        format!(
            "{{ apiVersion: {group}, kind: {kind}, metadata: {{ name: jobgate }}, spec: {spec} }}"
        )
    };
    let istio = |settings: &str| {
        let spec = format!("{{ {settings} pluginConfig: P }}")
            .replace("Config: P", &format!("Config: {POLICY}"));
        kubernetes("extensions.istio.io/v1alpha1", "WasmPlugin", &spec)
    };
    let gateway = |settings: &str| {
        let spec = format!("{{ wasm: [{{ name: jobgate, {settings} config: P }}] }}");
        kubernetes(
            "gateway.envoyproxy.io/v1alpha1",
            "EnvoyExtensionPolicy",
            &spec,
        )
    };
    let cases = [
        ("Envoy", envoy("failure_policy: FAIL_OPEN,")),
        ("Envoy in JSON's names", envoy("failurePolicy: FAIL_OPEN,")),
        ("Envoy as it was", envoy("fail_open: true,")),
        ("Envoy that reloads", envoy("failure_policy: FAIL_RELOAD,")),
        ("Envoy that is closed", envoy("fail_open: false,")),
        ("Envoy by default", envoy("")),
        ("Istio", istio("failStrategy: FAIL_OPEN,")),
        ("Istio that is closed", istio("failStrategy: FAIL_CLOSE,")),
        ("Envoy Gateway", gateway("failOpen: true,")),
        ("Envoy Gateway that is closed", gateway("failOpen: false,")),
    ];
    let cases: Vec<_> = cases
        .iter()
        .map(|(name, configuration)| (*name, configuration.as_str()))
        .collect();
    let said = all(&cases);
    insta::assert_snapshot!("fails open", said);
}

/// In each format, with the exit codes that the reference says.
#[test]
fn they_are_shown_and_counted_as_all_else_is() {
    for (format, args) in [
        ("human", &[][..]),
        ("plain", &[]),
        ("json", &["--allow-warnings"]),
    ] {
        let args = [&["check", "kong-open.yml", "--format", format], args].concat();
        let ran = run(&args, "");
        let code = i32::from(format != "json");
        assert_eq!((ran.code, ran.stderr.as_str()), (code, ""), "{format}");
        insta::assert_snapshot!(format!("kong-open.yml {format}"), ran.stdout);
    }
}

/// Their plugins stand where they should; one of their routes is meant to be without a gate of its own, but has the
/// service's.
#[test]
fn the_examples_let_nothing_past_their_gates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut seen = 0;
    for folder in ["kong", "envoy"] {
        for entry in fs::read_dir(root.join(folder)).expect("it is there") {
            let path = entry.expect("it is there").path();
            let kind = path.extension().unwrap_or_default();
            if kind != "yml" && kind != "yaml" {
                continue;
            }
            let path = path.to_str().expect("it is UTF-8");
            let ran = run(&["check", "--format", "json", path], "");
            assert_eq!(ran.code, 0, "{path}: {}", ran.stdout);
            let of_the_policy = [
                "mutable-claim",
                "mode-shadow",
                "rule-allows-all",
                "forks-not-excluded",
            ];
            let found: serde_json::Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
            for each in found.as_array().expect("it is a list") {
                let code = each["code"].as_str().expect("it is a text");
                assert!(of_the_policy.contains(&code), "{each}");
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}
