//! Every part of a policy is found again where it was written, whatever it was written in.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn find(text: &str, path: &str) -> Result<Vec<(String, LoadedPolicy)>, Flaw> {
    let (document, is_json) = document(text, Path::new(path))?;
    find::find(&document)
        .into_iter()
        .map(|found| match found.what {
            Given::Policy(node) => {
                let policy = policy(text, &node, is_json)?;
                Ok((found.place, policy))
            }
            Given::Nothing { at, message, fix } => Err(Flaw::new(at.span.clone(), message, fix)),
        })
        .collect()
}

/// The one policy of a text.
fn one(text: &str, path: &str) -> LoadedPolicy {
    let mut found = find(text, path).unwrap_or_else(|flaw| panic!("{flaw:?}\n{text}"));
    assert_eq!(found.len(), 1, "{text}");
    found.remove(0).1
}

/// All paths of a value, as the core writes them, with what they lead to.
fn paths(value: &Value, path: &str, all: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let dot = if path.is_empty() { "" } else { "." };
                paths(member, &format!("{path}{dot}{name}"), all);
            }
        }
        Value::Array(items) => {
            for (nth, item) in items.iter().enumerate() {
                paths(item, &format!("{path}[{nth}]"), all);
            }
        }
        _ => {}
    }
    all.push((path.to_owned(), value.clone()));
}

fn indented(text: &str, by: &str) -> String {
    text.lines().map(|line| format!("{by}{line}\n")).collect()
}

/// Makes what is written in a file JSON again.
type Decode = fn(&str) -> String;

/// A policy's JSON in each kind of file.
fn ways(policy: &Value) -> Vec<(&'static str, String, Decode)> {
    let compact = policy.to_string();
    let pretty = serde_json::to_string_pretty(policy).unwrap();
    let escaped: String = compact
        .encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        })
        .collect();
    let itself: Decode = str::to_owned;
    let quoted =
        |written: &str| -> String { serde_json::from_str(&format!("\"{written}\"")).unwrap() };
    let doubled = |written: &str| written.replace("''", "'");
    vec![
        ("policy.json", pretty.clone(), itself),
        ("policy.json", escaped.clone(), itself),
        ("policy.yaml", compact.clone(), itself),
        ("policy", pretty.clone(), itself),
        (
            "kong.yml",
            format!(
                "plugins:\n- name: jobgate\n  config: |\n{}- name: cors\n",
                indented(&pretty, "    ")
            ),
            itself,
        ),
        (
            "kong.yml",
            format!(
                "plugins:\n- name: jobgate\n  config: >2-\n\n{}",
                indented(&pretty, "    ")
            ),
            itself,
        ),
        (
            "kong.yml",
            format!(
                "plugins: [{{ config: '{}', name: jobgate }}]",
                compact.replace('\'', "''")
            ),
            doubled,
        ),
        (
            "kong.yml",
            format!(
                "services:\n- filter_chains:\n  - filters:\n    - name: jobgate\n      config: {}\n",
                Value::from(pretty.as_str())
            ),
            quoted,
        ),
        (
            "kong.json",
            json!({ "routes": [{ "plugins": [{ "name": "jobgate", "config": escaped }] }] })
                .to_string(),
            quoted,
        ),
        (
            "kong.json",
            json!({ "plugins": [{ "name": "jobgate", "config": policy }] }).to_string(),
            itself,
        ),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let text = proptest::collection::vec(
        proptest::sample::select(vec![
            "a", "b.c", "[0]", "'", "\"", "\\", "é", "😀", "/", ":", "# ", "-", "{", "\n", "\t",
            " ", "\u{1}",
        ]),
        0..5,
    )
    .prop_map(|parts| parts.concat());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(text.clone(), inner, 0..4)
                .prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_value_is_found_where_it_is_written(inner in json_value()) {
        let value = json!({ "issuers": [], "rules": [{ "claims": inner }] });
        for (file, text, decoded) in ways(&value) {
            let policy = one(&text, file);
            prop_assert_eq!(&policy.value, &value, "{}: {}", file, &text);
            prop_assert_eq!(&serde_json::from_str::<Value>(&policy.json).unwrap(), &value);
            // Names with dots and brackets may make two paths the same; then either is right.
            let mut all = Vec::new();
            paths(&value, "", &mut all);
            for (path, _) in &all {
                let span = policy.locate(path).value;
                let written = decoded(&text[span]);
                let found = serde_json::from_str::<Value>(&written);
                prop_assert!(found.is_ok(), "{}: {} is {:?} in\n{}", file, path, written, &text);
                let found = found.unwrap();
                let meant = all.iter().any(|(same, value)| same == path && *value == found);
                prop_assert!(meant, "{}: {} is {:?} in\n{}", file, path, written, &text);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-a-z:{}\\[\\]\"'|>&*!#\\\\ \n0-9,?%@é]{0,60}") {
        for file in ["policy.yaml", "policy.json", "policy"] {
            let _ = find(&text, file);
            let wrapped = format!("plugins:\n- name: jobgate\n  config: {text}");
            let _ = find(&wrapped, file);
        }
    }
}

#[test]
fn yaml_is_found_part_by_part() {
    let text = "\
issuers:
- &first
  preset: buildkite   # a comment
  audience: 'https://deploy'
rules:
  - id: deploy
    claims:
      build.branch: { in: [main, \"é\"] }
      build: { branch: x }
      country: no
    methods:
      - POST
  - id: again
    claims: *first
";
    let policy = one(text, "policy.yaml");
    assert_eq!(policy.value["rules"][0]["claims"]["country"], "no");
    assert_eq!(policy.value["rules"][1]["claims"]["preset"], "buildkite");
    for (path, key, value) in [
        ("issuers[0].preset", "preset", "buildkite"),
        ("issuers[0].audience", "audience", "'https://deploy'"),
        ("rules[0].claims.build.branch.in", "in", "[main, \"é\"]"),
        ("rules[0].claims.build.branch.in[1]", "", "\"é\""),
        // A member of a member, where no longer name fits.
        ("rules[0].claims.build.branches", "build", "{ branch: x }"),
        ("rules[0].methods[0]", "", "POST"),
        // What an alias stands for is where its anchor is.
        ("rules[1].claims.preset", "preset", "buildkite"),
        (
            "rules[1].claims",
            "claims",
            "preset: buildkite   # a comment\n  audience: 'https://deploy'",
        ),
        // What is not there: the innermost that is.
        ("rules[0].paths", "", "rules"),
        ("rules[7]", "rules", "rules"),
    ] {
        let place = policy.locate(path);
        let written = &text[place.value];
        if value == "rules" {
            assert!(
                written.starts_with("- id") || written.starts_with("id: deploy"),
                "{path}: {written}"
            );
            continue;
        }
        assert_eq!(written, value, "{path}");
        assert_eq!(place.key.map_or("", |key| &text[key]), key, "{path}");
    }
}

#[test]
fn what_could_be_read_in_two_ways_or_is_no_json_is_a_flaw_at_its_place() {
    for (text, at, message) in [
        (
            "rules: []\nissuers: []\nrules: []\n",
            "3:1",
            "is there twice",
        ),
        ("{rules: [], \"rules\": []}", "1:13", "is there twice"),
        ("{\"rules\": [], \"rules\": []}", "1:15", "is there twice"),
        ("rules: [{claims: {a: 1, a: 1}}]", "1:25", "is there twice"),
        ("rules: [{claims: {1: x}}]", "1:19", "a name must be a text"),
        (
            "rules: [{claims: {[a]: x}}]",
            "1:19",
            "a name must be a text",
        ),
        ("rules: .inf\n", "1:8", "JSON has no number"),
        ("rules: 99999999999999999999\n", "1:8", "too large"),
        ("rules: !env X\n", "1:13", "the tag !env"),
        ("rules: !!int x\n", "1:14", "tag"),
        ("rules: *none\n", "1:8", "this is not YAML"),
        ("rules: &all [*all]\n", "1:14", "is a part of"),
        ("rules: []\n---\nrules: []\n", "3:1", "a second document"),
        ("rules: []\n---\n", "2:4", "a second document"),
        (
            "{ apiVersion: v1, kind: List }\n---\nrules: []\n",
            "3:1",
            "a second document",
        ),
        (
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: { name: jobgate }\nspec: { url: x }\n",
            "4:7",
            "there is no configuration",
        ),
        (
            "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nspec: { wasm: [{ name: jobgate, config: '{}' }] }\n",
            "3:41",
            "is a text here",
        ),
        ("rules: [\n", "1:8", "this is not YAML"),
        ("# nothing\n", "1:1", "there is nothing here"),
        (
            "plugins:\n- name: jobgate\n  config: '{\"rules\": [1,]}'\n",
            "3:24",
            "this is not JSON",
        ),
        (
            "plugins:\n- name: jobgate\n  config: |\n    {\"rules\": 1,\n    \"rules\": 2}\n",
            "5:5",
            "is there twice",
        ),
        (
            "plugins:\n- name: jobgate\n  config: |\n    rules: []\n",
            "4:5",
            "this is not JSON",
        ),
        (
            "plugins:\n- name: jobgate\n",
            "2:3",
            "there is no configuration",
        ),
        (
            "plugins:\n- name: jobgate\n  config: {}\n",
            "3:11",
            "there is no configuration",
        ),
        (
            "a:\n  '@type': t/envoy.extensions.filters.http.wasm.v3.Wasm\n  config:\n    name: jobgate\n",
            "2:3",
            "there is no configuration",
        ),
        (
            "a:\n  '@type': t/envoy.extensions.filters.http.wasm.v3.Wasm\n  config:\n    name: x\n    configuration:\n      '@type': t/google.protobuf.Struct\n      value: { rules: [] }\n",
            "6:7",
            "protobuf's bytes",
        ),
    ] {
        let flaw = match find(text, "policy.yaml") {
            Err(flaw) => flaw,
            Ok(found) => panic!(
                "{text} is {:?}",
                found.iter().map(|(_, p)| &p.json).collect::<Vec<_>>()
            ),
        };
        let file = SourceFile {
            name: String::new(),
            text: text.to_owned(),
        };
        let (line, column) = file.line_and_column(flaw.span.start);
        assert_eq!(format!("{line}:{column}"), at, "{text}\n{flaw:?}");
        assert!(flaw.message.contains(message), "{text}\n{flaw:?}");
        assert!(!flaw.fix.is_empty());
    }
    // Each alias of ten, and so on: ten billion in all.
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for nth in 1..10 {
        let items = vec![format!("*a{}", nth - 1); 10].join(",");
        bomb += &format!("a{nth}: &a{nth} [{items}]\n");
    }
    assert!(
        find(&bomb, "policy.yaml")
            .err()
            .unwrap()
            .message
            .contains("aliases")
    );
}

#[test]
fn policies_are_found_in_gateways_configurations_and_nothing_else_is() {
    let places = |text: &str| -> Vec<String> {
        let found = find(text, "x.yaml").unwrap_or_else(|flaw| panic!("{flaw:?}\n{text}"));
        found.into_iter().map(|(place, _)| place).collect()
    };
    let policy = "{ issuers: [], rules: [] }";
    assert_eq!(places(policy), [""]);
    assert_eq!(places("mode: shadow"), [""]);
    let kong = format!(
        "_format_version: '3.0'
plugins: [{{ name: cors, config: {{ rules: [] }} }}, {{ name: jobgate, config: {policy} }}]
services:
- plugins: [{{ name: jobgate, config: {policy} }}]
  routes:
  - plugins: [{{ name: jobgate, config: {policy} }}]
  filter_chains: [{{ filters: [{{ name: other, config: x }}, {{ name: jobgate, config: {policy} }}] }}]
consumers:
- plugins: [{{ name: jobgate, config: {policy} }}]
"
    );
    assert_eq!(
        places(&kong),
        [
            "plugins[1].config",
            "services[0].plugins[0].config",
            "services[0].routes[0].plugins[0].config",
            "services[0].filter_chains[0].filters[1].config",
            "consumers[0].plugins[0].config",
        ]
    );
    let wasm = |name: &str, value: &str| {
        format!(
            "- {{ '@type': t/envoy.extensions.filters.http.wasm.v3.Wasm, config: {{ name: {name}, configuration: {{ '@type': t/google.protobuf.StringValue, value: '{value}' }} }} }}\n"
        )
    };
    let envoy = wasm("other", "{}")
        + &wasm("jobgate-1", "{}")
        + &wasm("other", "{\"rules\": []}")
        + &wasm("x", "text");
    assert_eq!(
        places(&envoy),
        [
            "[1].config.configuration.value",
            "[2].config.configuration.value"
        ]
    );
    assert!(places("services: []").is_empty());
    assert!(places("plugins: [{ name: cors }]").is_empty());
    let istio = |name: &str, config: &str| {
        format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{ name: {name} }}\nspec: {{ url: oci://registry/{name}, pluginConfig: {config} }}\n"
        )
    };
    assert_eq!(places(&istio("jobgate", "{ a: 1 }")), ["spec.pluginConfig"]);
    let several = format!(
        "---\n# An empty one.\n---\n{}---\n{}---\n{}---\n",
        istio("other", "{ a: 1 }"),
        istio("x", policy),
        istio("jobgate", policy)
    );
    assert_eq!(
        places(&several),
        ["[1].spec.pluginConfig", "[2].spec.pluginConfig"]
    );
    let envoy_gateway = |name: &str, wasm: &str| {
        format!(
            "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nmetadata: {{ name: {name} }}\nspec: {{ wasm: [{wasm}] }}\n"
        )
    };
    let (named, pulled) = (
        format!("{{ name: jobgate, config: {policy} }}"),
        format!("{{ code: {{ image: {{ url: r/jobgate:1 }} }}, config: {policy} }}"),
    );
    let other = "{ name: other, config: { a: 1 } }";
    assert_eq!(
        places(&envoy_gateway("x", &format!("{other}, {named}, {pulled}"))),
        ["spec.wasm[1].config", "spec.wasm[2].config"]
    );
    assert_eq!(
        places(&envoy_gateway("jobgate", "{ config: { mode: shadow } }")),
        ["spec.wasm[0].config"]
    );
    assert!(places(&envoy_gateway("jobgate", &format!("{other}, {other}"))).is_empty());
    let list = r#"{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "extensions.istio.io/v1alpha1",
        "kind": "WasmPlugin", "spec": {"url": "jobgate", "pluginConfig": {"rules": []}}}]}"#;
    assert_eq!(places(list), ["items[0].spec.pluginConfig"]);
}

#[test]
fn secrets_are_stars_in_what_is_shown_and_all_else_is_as_it_is_written() {
    let text = "issuers: []\nrules: []\nassertion:\n  keys:\n  - pem: abc-DEF9\nsessions:\n  end:\n    path: /end\n    webhook:\n      secret: \"5ecret-0f it\"\n      issuer: github\n";
    let file = SourceFile {
        name: String::new(),
        text: text.to_owned(),
    };
    let loaded = Loaded {
        file,
        policies: vec![one(text, "policy.yaml")],
        flaws: Vec::new(),
        remarks: Vec::new(),
    };
    let shown = loaded.shown_text();
    assert_eq!(shown.len(), text.len());
    for secret in ["abc", "DEF9", "5ecret", "0f", "it\""] {
        assert!(!shown.contains(secret), "{secret} is shown in {shown}");
    }
    for other in ["path: /end", "secret: \"", "issuer: github"] {
        assert!(shown.contains(other), "{other} is not shown in {shown}");
    }
}
