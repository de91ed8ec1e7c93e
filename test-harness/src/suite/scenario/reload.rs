//! The gateway's configuration is replaced under load.

use std::time::Duration;

use serde_json::Value;

use super::super::remote::Remote;
use super::super::{Gateway, Plan, Player, PrepareError, kong, world};
use super::Error;
use super::answer::Answer;
use super::control::Applied;
use super::driver::Ask;
use super::gates::STEADY;
use super::load;
use super::load::{Kind, Tally};
use super::stage::Stage;
use crate::exchange::eventually;

/// How long new workers may take to serve.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How often the configuration is replaced; on Envoy every other time with new VMs.
const TIMES: u32 = 4;

pub(super) fn under_load(stage: &mut Stage<'_>) -> Result<(), Error> {
    stage.begin()?;
    let kinds = load::mixed(&stage.player)?;
    let plan = stage.player.plan.clone();
    stage.step("the configuration is replaced under load")?;
    let (tally, applied) = load::under(&stage.player, &kinds, || {
        (1..=TIMES)
            .map(|generation| stage.apply(&plan, generation))
            .collect::<Result<Vec<_>, _>>()
    })?;
    stage.step(&tally.to_string())?;
    let refused = applied?.into_iter().find(|each| *each != Applied::Taken);
    stage.check(
        "the gateway takes each configuration",
        refused.map_or(Ok(()), |refused| Err(format!("{refused:?}"))),
    )?;
    stage.check(
        "no request went undecided, and none was lost, while it was replaced",
        tally.verdict(),
    )?;
    if stage.player.gateway == Gateway::Kong {
        let reloaded = reload_kong(stage, &plan, &kinds);
        // Whatever came of it: what is started next reads the file.
        write(stage, &plan)?;
        reloaded?;
    }
    stage.apply(&plan, 0).map(|_| ())
}

/// In a reload Kong starts new workers, and empties the zone of what they share (ngx_wasm_module does not take it
/// over). So a gate knows no keys until it has fetched them, unless its policy brings some.
fn reload_kong(stage: &mut Stage<'_>, plan: &Plan, kinds: &[Kind]) -> Result<(), Error> {
    stage.step("Kong is reloaded under load")?;
    let tally = reload(stage, kinds)?;
    stage.check(
        "no request went undecided, and none passed that must not, in the reload",
        tally.verdict_but_for_keys(),
    )?;
    let good = stage.token()?;
    let keyless = Answer::Refused("keys_unavailable".to_owned());
    let fetched = stage.settles(STEADY, &good, &Answer::Passed, &[keyless])?;
    stage.check("after the reload the gate fetches its keys again", fetched)?;
    stage.step("Kong is reloaded under load, where the policy brings the issuer's keys")?;
    let keys: Value = stage.player.issuer.0.get("/.well-known/jwks")?;
    let mut with_keys = plan.clone();
    for gate in &mut with_keys.gates {
        if gate.name == STEADY {
            *gate = gate.bringing(&keys);
        }
    }
    write(stage, &with_keys)?;
    let applied = stage.apply(&with_keys, TIMES + 1)?;
    let taken = match applied {
        Applied::Taken => Ok(()),
        Applied::Refused(why) => Err(why),
    };
    stage.check("Kong takes the policy with keys", taken)?;
    let tally = reload(stage, kinds)?;
    stage.check(
        "no request went undecided, and none was lost, in the reload",
        tally.verdict(),
    )
}

fn reload(stage: &mut Stage<'_>, kinds: &[Kind]) -> Result<Tally, Error> {
    let player = stage.player.clone();
    let before = workers(&player)?;
    let (tally, reloaded) = load::under(&player, kinds, || {
        stage.ask(Ask::ReloadGateway)?;
        let new = eventually(TIMEOUT, || {
            let now = workers(&player).ok()?;
            before.iter().all(|old| !now.contains(old)).then_some(())
        });
        new.ok_or_else(|| Error::Gateway("the old workers go on".to_owned()))
    })?;
    stage.step(&tally.to_string())?;
    reloaded.map(|()| tally)
}

/// The processes that serve, as the Admin API tells: one of the new ones, once they do.
fn workers(player: &Player) -> Result<Vec<Value>, Error> {
    let about: Value = Remote(player.topology.kong_admin.clone()).get("/")?;
    let workers = about["pids"]["workers"].as_array();
    workers
        .cloned()
        .ok_or_else(|| Error::Gateway("Kong's Admin API does not tell its workers".to_owned()))
}

/// Writes the file that Kong reads when it is reloaded.
fn write(stage: &Stage<'_>, plan: &Plan) -> Result<(), Error> {
    let topology = &stage.player.topology;
    let document = kong::configuration(plan, topology, 0).map_err(PrepareError::Kong)?;
    Ok(world::write(&topology.world.join("kong.yml"), &document)?)
}
