//! What the built filter costs, in instructions and calls to its host.

mod paths;
mod world;

use world::BOTH;

#[test]
fn costs() {
    for profile in BOTH {
        println!("\n== {profile:?}");
        for (name, cost) in paths::measure(profile) {
            println!(
                "{name:<32}{:>12} fuel, {} calls, {} bytes of memory more",
                cost.fuel,
                cost.calls.values().sum::<u64>(),
                cost.memory
            );
            for (call, count) in &cost.calls {
                println!("      {:>4} {}", count, call.name());
            }
            for (callback, fuel) in &cost.callbacks {
                println!("            {fuel:>12} {callback}");
            }
        }
    }
}
