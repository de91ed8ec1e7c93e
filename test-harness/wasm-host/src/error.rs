//! Why a gateway would not start, or would not take a new configuration.

use std::fmt;

/// A filter that can't be started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// It imports what the gateway doesn't have, or its start function traps.
    Instantiate(String),
    /// It trapped in a callback on the way up.
    Trapped(String),
    /// `on_vm_start` said no.
    VmStartRefused,
    /// `on_configure` said no, for the route of this name.
    ConfigureRefused(String),
    /// Kong: a host call ended the worker process.
    WorkerCrashed(String),
    /// Envoy with [`FailurePolicy::Closed`](crate::FailurePolicy::Closed): a VM that trapped
    /// before isn't replaced.
    VmFailed,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instantiate(why) => write!(f, "the filter can't be instantiated: {why}"),
            Self::Trapped(why) => write!(f, "the filter trapped: {why}"),
            Self::VmStartRefused => f.write_str("on_vm_start returned false"),
            Self::ConfigureRefused(route) => {
                write!(f, "on_configure returned false for route {route}")
            }
            Self::WorkerCrashed(why) => write!(f, "the worker crashed: {why}"),
            Self::VmFailed => f.write_str("the VM has failed and isn't replaced"),
        }
    }
}

impl std::error::Error for StartError {}

/// No call with that id is pending: it has ended, or its VM has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchCall;

impl fmt::Display for NoSuchCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such call is pending")
    }
}

impl std::error::Error for NoSuchCall {}
