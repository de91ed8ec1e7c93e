//! What everything cost when it was recorded, and how far from that it may be.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use jobgate_wasm_host::{Cost, Profile};
use serde_json::{Value, json};

/// How many per cent more instructions than recorded fail.
const MORE: u64 = 8;

/// How many per cent fewer fail: what was won must not be lost again unseen.
const FEWER: u64 = 20;

/// In place of [`MORE`] and [`FEWER`], where another compiler built the filter than when it was recorded.
const OF_ANOTHER_COMPILER: u64 = 35;

const ANEW: &str = "`make budgets` records what is there now, for a commit that says why";

/// Compares with what is recorded, or records it if `UPDATE_BUDGETS` says so. Gives every difference that counts.
pub(crate) fn compare(profile: Profile, sheet: &BTreeMap<&'static str, Cost>) -> Vec<String> {
    let compiler = compiler();
    let name = format!("{profile:?}").to_lowercase();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(format!("tests/budgets/recorded/{name}.json"));
    let measured: BTreeMap<_, _> = sheet.iter().map(|(of, cost)| (*of, entry(cost))).collect();
    if env::var("UPDATE_BUDGETS").is_ok_and(|wanted| wanted != "0") {
        let document = json!({ "compiler": compiler, "costs": measured });
        let text = serde_json::to_string_pretty(&document).expect("it is JSON");
        fs::write(&path, text + "\n").expect("the record can be written");
        return Vec::new();
    }
    let recorded = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; {ANEW}", path.display()));
    let recorded: Value = serde_json::from_str(&recorded).expect("the record is JSON");
    let slack = if recorded["compiler"] == *compiler {
        (MORE, FEWER)
    } else {
        println!(
            "recorded with {}, built with {compiler}: {OF_ANOTHER_COMPILER} % of slack",
            recorded["compiler"]
        );
        (OF_ANOTHER_COMPILER, OF_ANOTHER_COMPILER)
    };
    let costs = recorded["costs"].as_object().cloned().unwrap_or_default();
    let gone = costs.keys().filter(|of| !sheet.contains_key(of.as_str()));
    let gone = gone.map(|of| format!("{name}, {of}: recorded and not measured; {ANEW}"));
    let wrong = measured.iter().filter_map(|(of, now)| {
        let why = differs(costs.get(*of)?, now, slack)?;
        Some(format!("{name}, {of}: {why}"))
    });
    let fresh = measured.keys().filter(|of| !costs.contains_key(**of));
    let fresh = fresh.map(|of| format!("{name}, {of}: measured and not recorded; {ANEW}"));
    gone.chain(wrong).chain(fresh).collect()
}

fn entry(cost: &Cost) -> Value {
    let calls = cost.calls.iter().map(|(call, count)| (call.name(), *count));
    json!({ "fuel": cost.fuel, "calls": calls.collect::<BTreeMap<_, _>>() })
}

fn differs(recorded: &Value, now: &Value, (more, fewer): (u64, u64)) -> Option<String> {
    if recorded["calls"] != now["calls"] {
        return Some(format!(
            "other calls to the host: {}, recorded are {}; {ANEW}",
            now["calls"], recorded["calls"]
        ));
    }
    let (was, is) = (recorded["fuel"].as_u64()?, now["fuel"].as_u64()?);
    let why = if is * 100 > was * (100 + more) {
        "more instructions than are allowed"
    } else if is * 100 < was * (100 - fewer) {
        "so few instructions that the budget guards nothing any more"
    } else {
        return None;
    };
    Some(format!("{why}: {is}, recorded are {was}; {ANEW}"))
}

/// The compiler that builds here.
fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc).arg("--version").output();
    let told = told.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let told = told.unwrap_or_default();
    told.split(' ')
        .nth(1)
        .unwrap_or("unknown")
        .trim()
        .to_owned()
}
