//! What is exchanged for jobs' tokens, as rules write it. Its targets are read by their check alone.

use super::read_words;

/// What becomes of a request whose token could not be exchanged.
#[derive(Debug, Default, Clone, Copy)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "OnExchangeFailure", rename_all = "snake_case")
)]
pub(in crate::policy) enum RawOnFailure {
    /// It is refused with 502 `exchange_failed`.
    #[default]
    Refuse,
    /// It goes on without a credential.
    Pass,
}

read_words!(RawOnFailure {
    Refuse = "refuse",
    Pass = "pass",
});
