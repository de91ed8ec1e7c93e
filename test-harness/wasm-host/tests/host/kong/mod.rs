//! Kong's facts.

mod calls;
mod fail_open;
mod lifecycle;
mod requests;
mod shared;
mod state;

use crate::guest::{Do, GET, Guest, PAUSE};
use jobgate_wasm_host::{CallResponse, Gateway, Profile, Request};

const KONG: Profile = Profile::Kong;

/// Waits for a call where the client asks for it, traps where it asks for that, and counts.
fn waiting_or_trapping() -> Guest {
    Guest::headers([
        Do::IfHeader("x-wait", vec![Do::Dispatch("keys:80", GET), PAUSE]),
        Do::IfHeader("x-trap", vec![Do::Trap]),
        Do::Count,
    ])
}

fn waiting() -> Request {
    Request::get("/").header("x-wait", "1")
}

fn trapping() -> Request {
    Request::get("/").header("x-trap", "1")
}

/// Ends the oldest call.
fn respond(gateway: &mut Gateway) {
    let call = gateway.pending_calls().remove(0);
    gateway
        .respond(call.id, CallResponse::new(200, "{}"))
        .unwrap();
}
