//! The issuers' keys: what a JWKS document holds, and when to fetch it again.
//!
//! What enters are documents that someone else fetched and the time; what leaves are keys to verify with
//! and fetches that are wanted. Nothing here does I/O. Each issuer has a state of its own, so that one
//! that is broken does not stop the others.

mod discovery;
mod jwk;
mod key_set;
mod public_key;
mod ring;
mod signature;
#[cfg(test)]
mod simulation;
mod source;
mod store;
#[cfg(test)]
mod tests;

pub use key_set::{JwksError, KeySet, SkippedKey};
pub use public_key::PublicKey;
pub use ring::KeyRing;
pub(crate) use signature::der::P256 as P256_ALGORITHM;
pub use signature::{BuiltIn, Question, SignatureVerifier};
pub use source::{JwksLocation, JwksSource};
pub use store::{KeyMiss, KeyStore, MAX_DOCUMENT_BYTES};
