//! How long the built filter takes to read policies of ten and of ten thousand rules, in CPU time where Linux tells
//! it, and how much memory its VM then has.
//!
//! `make dist && cargo run -p jobgate-wasm-host --example configure`

use jobgate_wasm_host::{Gateway, Module, Options, Profile, RouteConfig};
use serde_json::{Value, json};
use std::error::Error;
use std::sync::LazyLock;
use std::time::Instant;

/// The fastest of so many starts counts: what is slower was slowed down.
const STARTS: usize = 7;

fn policy(rules: usize, with_roles: bool) -> Value {
    let pins = |nth: usize| json!({ "organization_slug": "acme", "pipeline_slug": format!("app-{nth}"), "build_branch": "main" });
    let rule = |nth: usize| {
        let mut rule = json!({
            "id": format!("rule-{nth}"), "methods": ["POST"], "paths": [format!("/deploy/app-{nth}/**")],
        });
        match with_roles {
            true => rule["roles"] = json!([format!("role-{nth}")]),
            false => rule["claims"] = pins(nth),
        }
        rule
    };
    let roles = (0..rules).filter(|_| with_roles);
    json!({
        "issuers": [{
            "preset": "buildkite", "audience": "a", "jwks": { "cluster": "buildkite" },
        }],
        "roles": roles.map(|nth| (format!("role-{nth}"), json!({ "claims": pins(nth) }))).collect::<Value>(),
        "rules": (0..rules).map(rule).collect::<Vec<_>>(),
    })
}

fn millis() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat");
    let on_cpu = told
        .ok()
        .and_then(|line| line.split(' ').next()?.parse::<f64>().ok());
    on_cpu.map_or_else(|| START.elapsed().as_secs_f64() * 1e3, |nanos| nanos / 1e6)
}

fn main() -> Result<(), Box<dyn Error>> {
    let module = Module::load(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../dist/jobgate.wasm"
    ))?;
    println!(
        "{:<12}{:>8}{:>12}{:>16}{:>12}",
        "pinned by", "rules", "JSON, KiB", "configure, ms", "VM, KiB"
    );
    for (name, with_roles) in [("claims", false), ("roles", true)] {
        for rules in [10, 10_000] {
            let document = policy(rules, with_roles).to_string();
            let mut best = f64::INFINITY;
            let mut memory = 0;
            for _ in 0..STARTS {
                let mut gateway = Gateway::new(Profile::Kong, &module, Options::default());
                let route = RouteConfig::new("route", document.clone());
                let start = millis();
                gateway.start(&[route])?;
                best = best.min(millis() - start);
                memory = gateway.memory_bytes();
                let errors = gateway.logs().iter().map(|(_, text)| text);
                if let Some(error) = errors
                    .into_iter()
                    .find(|text| text.contains("config_invalid"))
                {
                    return Err(error.clone().into());
                }
            }
            println!(
                "{name:<12}{rules:>8}{:>12}{best:>16.1}{:>12}",
                document.len() / 1024,
                memory / 1024
            );
        }
    }
    Ok(())
}
