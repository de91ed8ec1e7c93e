//! The Docker engine, and the compose command to use with it.

use tokio::process::Command;

use super::command::{CommandError, capture, command};

/// The oldest docker-compose that knows a service which must have completed (`service_completed_successfully`).
const OLDEST: (u32, u32) = (1, 29);

/// Which compose there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compose {
    /// `docker compose`, the plugin.
    Plugin,
    /// `docker-compose`, a program of its own.
    Standalone,
}

/// Why there is nothing to work with.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No engine answers.
    #[error(
        "no Docker engine answers ({0}): install Docker and start it (`systemctl start docker`), join the group `docker` \
         or use an account that may speak to it, or set DOCKER_HOST to one elsewhere"
    )]
    NoEngine(String),
    /// There is an engine, but nothing to bring a compose file up with.
    #[error(
        "neither `docker compose` nor `docker-compose` is here: install the package docker-compose-plugin (Docker's) or \
         docker-compose (Debian's)"
    )]
    NoCompose,
    /// The only compose is too old.
    #[error("docker-compose {0} is too old: 1.29 or newer is needed, or `docker compose`")]
    TooOld(String),
}

/// An engine that answers, and how to speak to it.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    compose: Compose,
}

impl Engine {
    /// Asks for the engine and for both composes.
    pub(super) async fn find() -> Result<Self, EngineError> {
        let mut version = command("docker");
        version.args(["version", "--format", "{{.Server.Version}}"]);
        capture(&mut version).await.map_err(|error| {
            EngineError::NoEngine(match &error {
                CommandError::Start { .. } => "there is no `docker` command".to_owned(),
                CommandError::Failed { .. } => error.said().to_owned(),
            })
        })?;
        let plugin = capture(command("docker").args(["compose", "version", "--short"])).await;
        let standalone = capture(command("docker-compose").args(["version", "--short"])).await;
        let compose = Compose::choose(plugin.ok().as_deref(), standalone.ok().as_deref())?;
        Ok(Self { compose })
    }

    /// The command `docker`.
    pub(super) fn docker<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut docker = command("docker");
        docker.args(arguments);
        docker
    }

    /// The compose command, without arguments.
    pub(super) fn compose(&self) -> Command {
        match self.compose {
            Compose::Plugin => self.docker(["compose"]),
            Compose::Standalone => command("docker-compose"),
        }
    }
}

impl Compose {
    /// The one to use of those that told their version: the plugin if it is there, since the other is no longer
    /// maintained.
    ///
    /// # Errors
    ///
    /// If there is none, or only one that is too old.
    pub fn choose(plugin: Option<&str>, standalone: Option<&str>) -> Result<Self, EngineError> {
        // A docker without the plugin may print its help and succeed.
        if plugin.is_some_and(|version| numbers(version).is_some()) {
            return Ok(Self::Plugin);
        }
        let version = standalone.ok_or(EngineError::NoCompose)?;
        match numbers(version) {
            Some(numbers) if numbers >= OLDEST => Ok(Self::Standalone),
            _ => Err(EngineError::TooOld(version.to_owned())),
        }
    }
}

/// The first two numbers of a version.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v').unwrap_or(version).split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_is_preferred() {
        assert_eq!(
            Compose::choose(Some("v2.26.1"), Some("1.29.2")).unwrap(),
            Compose::Plugin
        );
        assert_eq!(
            Compose::choose(Some("5.0.0"), None).unwrap(),
            Compose::Plugin
        );
    }

    #[test]
    fn without_the_plugin_it_is_docker_compose() {
        assert_eq!(
            Compose::choose(None, Some("1.29.2")).unwrap(),
            Compose::Standalone
        );
        let help = "Usage: docker [OPTIONS] COMMAND";
        assert_eq!(
            Compose::choose(Some(help), Some("2.0.1")).unwrap(),
            Compose::Standalone
        );
    }

    #[test]
    fn an_old_docker_compose_is_refused_with_its_version() {
        let error = Compose::choose(None, Some("1.25.0")).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("docker-compose 1.25.0 is too old")
        );
    }

    #[test]
    fn without_either_the_error_says_what_to_install() {
        let error = Compose::choose(None, None).unwrap_err();
        assert!(error.to_string().contains("docker-compose-plugin"));
    }
}
