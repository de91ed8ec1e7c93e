//! The servers that a job's token is exchanged at, which check and answer as the real ones do, and a service that takes
//! only what they gave.
//!
//! None of it shares code with the filter: tokens and clients' assertions are verified by `jsonwebtoken`.

mod client;
mod desk;
mod form;
mod google;
mod guarded;
mod jobs;
mod ledger;
mod token_endpoint;
mod vault;

pub use client::{Client, Proof};
pub use desk::{Counterpart, Mood};
pub use google::Google;
pub use guarded::{Guarded, Seen};
pub use jobs::Jobs;
pub use ledger::{Kind, Ledger};
pub use token_endpoint::TokenEndpoint;
pub use vault::{Role, Vault};
