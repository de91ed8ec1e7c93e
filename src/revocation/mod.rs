//! Revocations: tokens that are good and are refused all the same.
//!
//! What enters are entries that someone wrote, in the policy or in a document that is fetched; what leaves
//! is whether one of them covers a proven token. An entry that is not understood is an error, of its whole
//! list: left out, it would let in whom it was to keep out. Nothing here does I/O.

mod date;
mod entry;
mod list;
mod state;
mod store;

pub(crate) use date::date_time;
pub use entry::{EntryError, Revocation};
pub use list::{MAX_DOCUMENT_BYTES, MAX_ENTRIES, RevocationList, RevocationsError};
pub use state::{RevocationPolicy, RevocationSource, WhenUnavailable};
pub use store::RevocationStore;

#[cfg(test)]
mod tests;
