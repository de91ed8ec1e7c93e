//! What the built filter, `dist/jobgate.wasm`, costs: in instructions and calls to its host for each way that a
//! request can take, beside very much that is not about the request, and in memory. None of it depends on the machine.
//!
//! `recorded/` says what each way cost when somebody last looked. What costs more fails, and so does what costs much
//! less, so that what was won stays won. `make budgets` records anew; the change shows in the commit. A newer compiler
//! gets more slack, and a record of its own when it comes to stay.
//!
//! `cargo test -p jobgate-wasm-host --test budgets -- --nocapture` prints what there is to know.

mod memory;
mod paths;
mod record;
mod scale;
mod world;

use jobgate_wasm_host::Profile;
use paths::Sheet;

fn assert_recorded(profile: Profile) {
    let sheet = paths::measure(profile);
    print(profile, &sheet);
    let differences = record::compare(profile, &sheet);
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

#[test]
fn on_envoy_every_way_costs_what_is_recorded() {
    assert_recorded(Profile::Envoy);
}

#[test]
fn on_kong_every_way_costs_what_is_recorded() {
    assert_recorded(Profile::Kong);
}

fn print(profile: Profile, sheet: &Sheet) {
    let mut text = format!("{profile:?}\n");
    for (name, cost) in sheet {
        let calls: u64 = cost.calls.values().sum();
        text += &format!("{name:<32}{:>12} fuel {calls:>5} calls\n", cost.fuel);
        let calls = cost.calls.iter();
        for (call, count) in calls.map(|(call, count)| (call.name(), count)) {
            text += &format!("{:>12} calls {call}\n", count);
        }
        for (callback, fuel) in &cost.callbacks {
            text += &format!("{:>12} fuel  {callback}\n", fuel);
        }
    }
    println!("{text}");
}
