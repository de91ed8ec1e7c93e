//! Jobgate: a gate for CI jobs in front of private things.
//!
//! The crate is a pure core and one thin shell. The core takes the time, what is known of a request,
//! and what was fetched, and returns values: a verdict, headers to set, a fetch it would like. It never
//! reads a clock and never does I/O, so it is built and tested natively. The shell ([`filter`], only on
//! `wasm32`) is the one place that talks to the proxy.
//!
//! In the order of a request: [`request`] says what arrived, [`token`] proves who sent it with the keys
//! that [`keys`] holds, [`session`], [`revocation`] and [`policy`] decide, [`limit`] and [`replay`] see to it that it is not
//! too often, [`assertion`] vouches for the job in its token's place, [`exchange`] gets the upstream a credential for it, [`audit`] puts the decision into words, and [`gate`] is the
//! whole of it. Every failure on that way is a [`reason::Refusal`].

// A panic on the request path takes the worker's whole VM with it, and Kong would let paused requests
// through: nothing in here may panic on input.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        clippy::arithmetic_side_effects,
        clippy::unreachable,
        clippy::todo,
        clippy::unimplemented
    )
)]

pub mod assertion;
pub mod audit;
mod base64url;
mod calendar;
pub mod exchange;
pub mod fetch;
#[cfg(target_family = "wasm")]
pub mod filter;
pub mod gate;
mod hex;
mod json;
pub mod keys;
pub mod limit;
pub mod policy;
pub mod reason;
pub mod replay;
pub mod request;
pub mod revocation;
pub mod session;
mod sha256;
pub mod shared_data;
mod sort;
pub mod time;
pub mod token;
