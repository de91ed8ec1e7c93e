//! Where an issuer's keys are fetched from.

use crate::fetch::{HttpUri, Polling};
use std::fmt;
use std::time::Duration;

/// How an issuer's keys are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksSource {
    /// Where they are.
    pub location: JwksLocation,
    /// How often they are fetched, and how.
    pub polling: Polling,
    /// How long a request may wait for keys that are being fetched, where the host fails closed.
    pub wait: Duration,
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksLocation {
    /// The key set's own address.
    Address(HttpUri),
    /// The issuer's metadata (OpenID Connect Discovery 1.0, section 4) tells the address.
    Discovery {
        /// What `issuer` must be in the metadata, byte for byte.
        issuer: String,
        /// The metadata's address.
        configuration: HttpUri,
    },
}

impl fmt::Display for JwksLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(uri) => uri.fmt(f),
            Self::Discovery { configuration, .. } => configuration.fmt(f),
        }
    }
}
