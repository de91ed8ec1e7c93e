//! Numbers that a run is given: how many cases, and the seed of an earlier one.

use std::env;

/// The number in an environment variable; none where that is not set, or empty.
///
/// # Panics
///
/// If something else is in it.
pub fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}: {text} is no number")),
    )
}
