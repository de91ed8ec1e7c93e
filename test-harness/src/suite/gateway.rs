//! Which gateway, and what of it the suite must know.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use crate::case::Host;

/// A gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Gateway {
    /// Kong.
    Kong,
    /// Envoy.
    Envoy,
}

impl Gateway {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Kong, Self::Envoy];

    /// As the cases name it.
    pub fn host(self) -> Host {
        match self {
            Self::Kong => Host::Kong,
            Self::Envoy => Host::Envoy,
        }
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.host().fmt(f)
    }
}
