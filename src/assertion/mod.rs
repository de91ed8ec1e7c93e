//! The identity assertion: a short-lived JWT by which the gate vouches to the upstream for the job that it let in,
//! in place of the job's token.
//!
//! What enters are keys as an operator writes them ([`SigningKey`]), and a decision that allows; what leaves is the
//! compact JWT and the key set by which anyone verifies it. A private key leaves nothing but signatures: it is in no
//! error, no `Debug` and no key set, and is overwritten when it goes.

mod der;
mod jwk;
mod jwks;
mod kept;
mod key;
mod mint;
mod pem;
mod policy;
mod serve;

pub use jwks::KeySetDocument;
pub(crate) use kept::{Kept, Vouched};
pub use key::SigningKey;
pub use mint::{Assertion, Job};
pub use policy::AssertionPolicy;
pub use serve::KeySetAnswer;
