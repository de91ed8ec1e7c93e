//! Stories in which something breaks.

mod gates;

pub(super) use gates::gates;
pub use gates::{IMPOSTOR, STEADY};
