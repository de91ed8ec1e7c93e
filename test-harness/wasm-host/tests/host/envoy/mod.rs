//! Envoy's facts.

mod calls;
mod lifecycle;
mod requests;
mod route;
mod state;
mod waiting;

use crate::guest::{Do, Guest, On};
use jobgate_wasm_host::Profile;

const ENVOY: Profile = Profile::Envoy;

/// Traps where the client asks for it, counts requests otherwise.
fn trapping() -> Guest {
    Guest::headers([Do::IfHeader("x-trap", vec![Do::Trap]), Do::Count])
        .on(On::Configure, [Do::Say("configured")])
}
