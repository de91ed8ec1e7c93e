//! The world in containers: what `make harness` does.
//!
//! [`run`] brings `test-harness/docker-compose.yml` up once for each gateway, has its runner play the suite and the
//! scenarios there, carries out the faults that a scenario asks for, and takes everything down again, whatever
//! happens. [`images`] makes the images that this takes.

mod command;
mod engine;
mod fault;
mod gateway;
mod images;
mod interrupt;
mod logs;
mod only;
mod play;
mod progress;
mod protocol;
mod report;
mod runner;
mod stand_in;
mod subnet;
mod verdicts;
mod world;

pub use crate::suite::Gateway;
pub use command::CommandError;
pub use engine::{Compose, EngineError};
pub use images::ImageError;
pub use only::Only;
pub use play::{Options, run};
pub use report::{Missing, Outcome, Report, Row};
pub use stand_in::StandInError;
pub use world::WorldError;

use engine::Engine;

/// Why the harness could not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no engine, or no compose.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Our own images couldn't be built, or the compose file couldn't be read.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// No stand-in could be made.
    #[error(transparent)]
    StandIn(#[from] StandInError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// There is no world to play in.
    #[error(transparent)]
    World(#[from] WorldError),
    /// Nothing is called so.
    #[error("there is nothing called {name:?} to run; there are: suite, {known}")]
    NothingCalled {
        /// What was asked for.
        name: String,
        /// The scenarios that there are.
        known: String,
    },
    /// A folder could not be written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Somebody wants it to end.
    #[error("interrupted; everything is taken down")]
    Interrupted,
}

/// Builds our own images and, where a gateway's image is neither here nor to be had, a stand-in for it.
///
/// # Errors
///
/// If one of ours can't be built, or a stand-in that could be made can't.
pub async fn images(gateways: &[Gateway]) -> Result<(), Error> {
    interrupt::unless_interrupted(async {
        let engine = Engine::find().await?;
        images::build(&engine, None).await?;
        for gateway in gateways {
            stand_in::provide(&engine, *gateway).await?;
        }
        Ok(())
    })
    .await
}
