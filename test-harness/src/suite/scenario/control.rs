//! Replacing a gateway's configuration while it runs.

use std::time::{Duration, Instant};

use serde_json::json;

use super::super::remote::{Remote, resolve};
use super::super::{Gateway, Plan, PrepareError, envoy, kong, world};
use super::{Error, Stage};
use crate::envoy::Admin;
use crate::exchange::eventually;

/// How long a gateway may take to have an opinion of a configuration.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What a gateway makes of a configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Applied {
    /// It is in force, or about to be.
    Taken,
    /// It is refused, and the one before is in force.
    Refused(String),
}

impl Stage<'_> {
    /// Gives the gateway this plan. Another `generation` makes another configuration that does the same; every
    /// other one brings new VMs where the gateway keeps them otherwise.
    pub(super) fn apply(&self, plan: &Plan, generation: u32) -> Result<Applied, Error> {
        match self.player.gateway {
            Gateway::Kong => self.apply_kong(plan, generation),
            Gateway::Envoy => self.apply_envoy(plan, generation),
        }
    }

    fn apply_kong(&self, plan: &Plan, generation: u32) -> Result<Applied, Error> {
        const PATH: &str = "/config";
        let topology = &self.player.topology;
        let document =
            kong::configuration(plan, topology, generation).map_err(PrepareError::Kong)?;
        let admin = Remote(topology.kong_admin.clone());
        let answer = admin.post(PATH, &json!({ "config": document.to_string() }))?;
        match answer.status {
            201 => Ok(Applied::Taken),
            400 => Ok(Applied::Refused(answer.text())),
            _ => Err(admin.unexpected(PATH, &answer).into()),
        }
    }

    fn apply_envoy(&self, plan: &Plan, generation: u32) -> Result<Applied, Error> {
        const UPDATES: &str = "listener_manager.lds.update_success";
        const REJECTED: &str = "listener_manager.lds.update_rejected";
        const WARMING: &str = "listener_manager.total_listeners_warming";
        let topology = &self.player.topology;
        let admin = Admin::new(resolve(&topology.envoy_admin)?);
        let unheard = |error: crate::client::Error| Error::Gateway(error.to_string());
        let before = admin.stats().map_err(unheard)?;
        let document = envoy::listeners(plan, topology, generation, generation / 2);
        world::write(&topology.world.join("envoy-listeners.json"), &document)?;
        let deadline = Instant::now() + TIMEOUT;
        eventually(TIMEOUT, || {
            let now = match admin.stats() {
                Ok(now) => now,
                Err(error) => return (Instant::now() >= deadline).then(|| Err(unheard(error))),
            };
            if now.get(REJECTED) > before.get(REJECTED) {
                return Some(Ok(Applied::Refused("the log says why".to_owned())));
            }
            let taken = now.get(UPDATES) > before.get(UPDATES) && now.get(WARMING) == 0;
            taken.then_some(Ok(Applied::Taken))
        })
        .unwrap_or_else(|| Err(Error::Gateway("it takes no listeners".to_owned())))
    }
}
