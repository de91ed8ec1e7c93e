//! One world: the containers, networks and volumes of one gateway's run.

use std::time::{Duration, Instant};

use tokio::process::Command;

use super::command::{CommandError, capture};
use super::engine::Engine;
use super::fault::Faults;
use super::gateway::service;
use super::images;
use super::subnet::Subnet;
use crate::suite::Gateway;

/// How long a container may take until it is healthy: two workers compile the filter, maybe on a busy machine.
const HEALTHY_WITHIN: Duration = Duration::from_secs(120);

/// How long to wait between two looks at it.
const POLL: Duration = Duration::from_millis(200);

/// How often another subnet is tried when somebody else was faster.
const SUBNETS: u8 = 8;

/// The label by which compose marks what belongs to a project.
const PROJECT: &str = "label=com.docker.compose.project";

/// Why a world isn't up.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// All subnets are taken.
    #[error(
        "all of 10.213.0.0/16 is in use by Docker networks: remove some (`docker network prune`)"
    )]
    NoSubnet,
    /// A container isn't there.
    #[error("there is no container of {0}")]
    NoContainer(String),
    /// A container did not become healthy.
    #[error("{service} is {state} after {} s", .after.as_secs())]
    Unhealthy {
        /// Its service.
        service: String,
        /// What the engine says of it.
        state: String,
        /// How long it was given.
        after: Duration,
    },
}

/// A world. It is only a name until it is brought [up](Self::up), and goes only by [`down`](Self::down).
#[derive(Debug)]
pub(super) struct World<'a> {
    engine: &'a Engine,
    gateway: Gateway,
    project: String,
    subnet: Subnet,
    tag: &'a str,
}

impl<'a> World<'a> {
    /// One that clashes with no other: `tag` is this run's alone, and tags its images too.
    pub(super) async fn new(
        engine: &'a Engine,
        gateway: Gateway,
        tag: &'a str,
    ) -> Result<Self, WorldError> {
        Ok(Self {
            engine,
            gateway,
            project: format!("jobgate-{gateway}-{tag}"),
            subnet: free_subnet(engine).await?,
            tag,
        })
    }

    /// Its gateway.
    pub(super) fn gateway(&self) -> Gateway {
        self.gateway
    }

    /// The name that compose knows it by.
    pub(super) fn project(&self) -> &str {
        &self.project
    }

    /// A compose command on it.
    pub(super) fn compose(&self) -> Command {
        let mut compose = images::compose(self.engine);
        compose
            .args(["--project-name", &self.project])
            .envs(self.environment());
        compose
    }

    /// What a compose command on it must find in its environment.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = images::tagged(self.tag);
        environment.push(("KEYS_SUBNET", self.subnet.to_string()));
        environment
    }

    /// A docker command.
    pub(super) fn docker<const N: usize>(&self, arguments: [&str; N]) -> Command {
        self.engine.docker(arguments)
    }

    /// Brings it up, and comes back when everything in it is healthy.
    pub(super) async fn up(&mut self) -> Result<Faults, WorldError> {
        for attempt in 1.. {
            let gateway = service(self.gateway);
            let mut up = self.compose();
            up.args(["up", "--detach", "--no-build", gateway]);
            match capture(&mut up).await {
                Ok(_) => break,
                Err(error) if attempt < SUBNETS && error.to_string().contains("overlaps") => {
                    self.subnet = free_subnet(self.engine).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let gateway = self.container(service(self.gateway)).await?;
        self.healthy(service(self.gateway), &gateway).await?;
        let issuer = self.container("issuer").await?;
        let network = format!("{}_keys", self.project);
        Ok(Faults::new(
            self.gateway,
            gateway,
            issuer,
            network,
            self.subnet,
        ))
    }

    /// Waits until a container is healthy.
    pub(super) async fn healthy(&self, service: &str, container: &str) -> Result<(), WorldError> {
        let until = Instant::now() + HEALTHY_WITHIN;
        loop {
            let format = "{{.State.Status}} {{.State.Health.Status}}";
            let mut inspect = self.docker(["inspect", "--format", format, container]);
            let state = capture(&mut inspect).await?;
            if state == "running healthy" {
                return Ok(());
            }
            // One that has ended stays so.
            if !state.starts_with("running") || Instant::now() >= until {
                return Err(WorldError::Unhealthy {
                    service: service.to_owned(),
                    state,
                    after: HEALTHY_WITHIN.saturating_sub(until - Instant::now()),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The container of a service.
    pub(super) async fn container(&self, service: &str) -> Result<String, WorldError> {
        let project = format!("{PROJECT}={}", self.project);
        let service_label = format!("label=com.docker.compose.service={service}");
        let ids = capture(&mut self.docker([
            "ps",
            "--all",
            "--quiet",
            "--filter",
            &project,
            "--filter",
            &service_label,
            "--filter",
            "label=com.docker.compose.oneoff=False",
        ]))
        .await?;
        let id = ids.lines().next();
        id.map(str::to_owned)
            .ok_or_else(|| WorldError::NoContainer(service.to_owned()))
    }

    /// Takes down all that it is made of, also what was only being made when it was given up.
    pub(super) async fn down(&self) -> Result<(), CommandError> {
        let mut down = self.compose();
        down.args(["down", "--volumes", "--remove-orphans", "--timeout", "2"]);
        // What it leaves is removed by its label.
        let _ = capture(&mut down).await;
        for (list, remove) in [
            (["ps", "--all"], ["rm", "--force"]),
            (["network", "ls"], ["network", "rm"]),
            (["volume", "ls"], ["volume", "rm"]),
        ] {
            let ids = self.ids(list).await?;
            if !ids.is_empty() {
                capture(self.docker(remove).args(ids.lines())).await?;
            }
        }
        Ok(())
    }

    /// The ids of what a command lists of this world.
    pub(super) async fn ids(&self, list: [&str; 2]) -> Result<String, CommandError> {
        let project = format!("{PROJECT}={}", self.project);
        capture(self.docker(list).args(["--quiet", "--filter", &project])).await
    }
}

/// A subnet that no network has. Where the search starts is left to chance, so that two runs seldom find the same.
async fn free_subnet(engine: &Engine) -> Result<Subnet, WorldError> {
    let networks = capture(&mut engine.docker(["network", "ls", "--quiet"])).await?;
    let format = "{{range .IPAM.Config}}{{.Subnet}} {{end}}";
    let mut inspect = engine.docker(["network", "inspect", "--format", format]);
    // A network may go between the two. Then nothing is known, and a subnet that is taken is found out later.
    let in_use = capture(inspect.args(networks.lines())).await;
    Subnet::free(&in_use.unwrap_or_default(), rand::random()).ok_or(WorldError::NoSubnet)
}
