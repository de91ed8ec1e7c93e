//! The gateway's configuration is replaced under load.

use super::super::Gateway;
use super::Error;
use super::control::Applied;
use super::driver::Ask;
use super::load;
use super::stage::Stage;

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
        stage.step("Kong is reloaded under load")?;
        let player = stage.player.clone();
        let (tally, reloaded) = load::under(&player, &kinds, || stage.ask(Ask::ReloadGateway))?;
        stage.step(&tally.to_string())?;
        reloaded?;
        stage.check(
            "no request went undecided, and none was lost, in the reload",
            tally.verdict(),
        )?;
    }
    stage.apply(&plan, 0).map(|_| ())
}
