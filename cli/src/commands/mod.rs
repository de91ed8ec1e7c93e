//! The sub-commands.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod schema;
