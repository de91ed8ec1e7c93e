//! The gate on gateways that run elsewhere: Kong and Envoy, in containers or not, by their addresses.
//!
//! One source for both. [`Topology`] says where everything is, [`Plan`] what is asked of the gateways: a gate for each
//! policy, chosen by a header ([`ROUTE_HEADER`]). [`prepare`] writes their configurations and certificates into a
//! folder; [`play`](fn@play) plays the shared cases and some checks of its own; [`scenario`] holds the stories in
//! which something breaks.
//!
//! What differs between the gateways sits in [`Gateway`], [`kong`] and [`envoy`], and nowhere else.

mod cases;
mod checks;
pub mod envoy;
mod gateway;
pub mod healthy;
pub mod kong;
mod log;
mod plan;
mod play;
mod player;
mod ready;
pub mod remote;
mod report;
pub mod scenario;
mod topology;
mod world;

pub use cases::cases;
pub use gateway::Gateway;
pub use plan::{Gate, Keys, Place, Plan, ROUTE_HEADER};
pub use play::play;
pub use player::{Error, Player};
pub use report::{Counts, Played, Report, Verdict};
pub use topology::{Addresses, Topology};
pub use world::{Error as PrepareError, GATEWAY, configure, prepare};
