//! Who sent it: from the header that carries a token to a [`VerifiedToken`].
//!
//! What enters is bytes that anyone could have written. What leaves is either a proof, which only
//! [`verify::verify`] can make, or a [`Refusal`](crate::reason::Refusal). Nothing here trusts a claim
//! before the signature was checked, except to choose whose key to check it with.

use crate::reason::{Reason, Refusal};
use std::borrow::Cow;

mod algorithm;
mod claims;
mod extract;
mod jws;
mod verify;

pub use algorithm::Algorithm;
pub use claims::{Claims, scalar_text};
pub use extract::{Carrier, extract};
pub use jws::{JoseHeader, Jws};
pub use verify::{VerifiedToken, verify};

/// The largest token that is looked at, in bytes of its compact form. The providers' tokens are 1 to 3 kB;
/// hosts accept headers of some 60 kB.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The refusal of what is no well-formed token; the detail never holds a word of it.
fn malformed(detail: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(Reason::TokenMalformed, detail)
}
