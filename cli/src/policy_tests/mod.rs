//! Tests of policies: files that say what must become of which job's request.
//!
//! [`format`] is what is written, [`suite`] what that means with its policy beside it, [`run`] one test's outcome,
//! and [`coverage`] what the tests have shown of the rules.

pub(crate) mod coverage;
pub(crate) mod format;
pub(crate) mod junit;
pub(crate) mod run;
pub(crate) mod suite;
