//! What a gate remembers between requests: tokens it has proven, tokens that were used, what is revoked. With real
//! tokens, through the whole core.

mod assertions;
mod cache;
mod failures;
mod limits;
mod memory;
mod replay;
mod revocations;
mod sessions;
mod world;
