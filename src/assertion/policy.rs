//! What a policy says of assertions.

use super::{KeySetDocument, SigningKey};
use std::time::Duration;

/// How the gate vouches for jobs.
#[derive(Debug)]
pub struct AssertionPolicy {
    /// `iss`.
    pub issuer: String,
    /// `aud`: the upstream.
    pub audience: String,
    /// How long an assertion lives at most, in whole seconds.
    pub lifetime: Duration,
    /// The header that carries it, in lower case.
    pub header: String,
    /// The path at which the key set is served.
    pub jwks_path: String,
    /// The keys: the first signs, all are published. Without any, as where a policy is only examined, nothing is signed.
    pub keys: Vec<SigningKey>,
    /// Their public halves.
    pub jwks: KeySetDocument,
}
