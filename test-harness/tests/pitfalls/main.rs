//! What went wrong in systems of this kind, tried on this one: each test is named for its row in
//! `docs/threat-model.md`, which another test keeps true.

mod document;
mod forge;
mod forged;
mod forged_keys;
mod forged_kinds;
mod forged_signatures;
mod forged_texts;
mod issuers;
mod requests;
mod world;
