//! The sub-commands.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod explain;
pub(crate) mod schema;
pub(crate) mod suggest;
pub(crate) mod test;
