//! Stories in which something breaks, and what must hold meanwhile and after.
//!
//! Each is written once for both gateways. What a process in a container can't do to its own world it asks of the
//! driver that started it ([`Ask`]).

mod answer;
mod configuration;
mod control;
mod driver;
mod gates;
mod keys;
mod load;
mod reload;
mod stage;

use std::io::{BufRead, Write};

pub use answer::Answer;
pub use driver::{Ask, Counts};
pub(super) use gates::gates;
pub use gates::{IMPOSTOR, STEADY};
pub use load::{Kind, Tally};

use super::{Gateway, PrepareError, Topology, player, remote};
use driver::Driver;
use stage::Stage;

/// A story.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in a line.
    pub about: &'static str,
    /// What it asks of its driver on this gateway.
    pub asks: fn(Gateway) -> &'static [Ask],
    run: fn(&mut Stage<'_>) -> Result<(), Error>,
}

/// All of them.
pub const ALL: [Scenario; 8] = [
    Scenario {
        name: "issuer-stopped",
        about: "the issuer is gone, and comes back with other keys",
        asks: |_| &[Ask::StopIssuer, Ask::StartIssuer],
        run: keys::issuer_stopped,
    },
    Scenario {
        name: "issuer-slow",
        about: "the issuer answers too late while its keys change",
        asks: |_| &[],
        run: keys::issuer_slow,
    },
    Scenario {
        name: "issuer-moved",
        about: "the issuer has another address while its keys change",
        asks: |_| &[Ask::MoveIssuer],
        run: keys::issuer_moved,
    },
    Scenario {
        name: "network-cut",
        about: "the gateway can't reach the issuer while its keys change",
        asks: |_| &[Ask::CutNetwork, Ask::MendNetwork],
        run: keys::network_cut,
    },
    Scenario {
        name: "keys-rotated-under-load",
        about: "the keys change twice at 200 requests a second",
        asks: |_| &[],
        run: keys::rotated_under_load,
    },
    Scenario {
        name: "reload-under-load",
        about: "the gateway's configuration is replaced at 200 requests a second",
        asks: |gateway| match gateway {
            Gateway::Kong => &[Ask::ReloadGateway],
            Gateway::Envoy => &[],
        },
        run: reload::under_load,
    },
    Scenario {
        name: "impostor",
        about: "a server with the issuer's name has a certificate that nobody trusts",
        asks: |_| &[],
        run: keys::impostor,
    },
    Scenario {
        name: "wrong-configuration",
        about: "a policy is wrong, and only its own route suffers",
        asks: |_| &[],
        run: configuration::wrong,
    },
];

/// Why a scenario could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of this name.
    #[error("there is no scenario {0:?}; `runner list` has them")]
    Unknown(String),
    /// Something of the world isn't there.
    #[error(transparent)]
    Player(#[from] player::Error),
    /// A server of the world doesn't answer.
    #[error(transparent)]
    Remote(#[from] remote::Error),
    /// A configuration can't be written.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The driver can't be talked to.
    #[error("the driver: {0}")]
    Io(#[from] std::io::Error),
    /// The driver could not do what it was asked for.
    #[error("{what} could not be done: {why}")]
    Ask {
        /// What.
        what: Ask,
        /// Why not.
        why: String,
    },
    /// The gateway did not do what it was told.
    #[error("the gateway: {0}")]
    Gateway(String),
}

/// Plays one: events go to `events`, a JSON line each, and what was asked for is answered in `answers`.
///
/// # Errors
///
/// If it could not be played to its end. A check that fails is no error.
pub fn play(
    name: &str,
    gateway: Gateway,
    topology: &Topology,
    answers: &mut dyn BufRead,
    events: &mut dyn Write,
) -> Result<Counts, Error> {
    let scenario = ALL.iter().find(|scenario| scenario.name == name);
    let scenario = scenario.ok_or_else(|| Error::Unknown(name.to_owned()))?;
    let mut stage = Stage::new(gateway, topology, Driver::new(answers, events))?;
    (scenario.run)(&mut stage)?;
    stage.end()
}
