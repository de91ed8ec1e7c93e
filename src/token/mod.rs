//! Who sent it: from the header that carries a token to a [`VerifiedToken`].
//!
//! What enters is bytes that anyone could have written. What leaves is either a proof, which only
//! [`verify::verify`] can make, or a [`Refusal`](crate::reason::Refusal). Nothing here trusts a claim
//! before the signature was checked, except to choose whose key to check it with.

use crate::reason::{Reason, Refusal};
use std::borrow::Cow;
use std::time::Duration;

mod algorithm;
mod budget;
mod cache;
mod claims;
mod compact;
mod examine;
mod extract;
mod failures;
pub(crate) mod footprint;
mod jws;
mod marks;
mod presented;
mod rejected;
mod times;
mod verified;
mod verify;

pub use algorithm::Algorithm;
pub use budget::Budget;
pub use cache::{CacheLimits, TokenCache};
pub use claims::{Claims, scalar_text};
pub use examine::{Check, Examination, Finding, examine, issuer_of};
pub use extract::{Carried, Carrier, extract};
pub use failures::{FailureTables, Failures};
pub use jws::{JoseHeader, Jws};
pub use marks::Marks;
pub use presented::{Claimed, Presented, Prover};
pub use times::Times;
pub use verified::{Digest, VerifiedToken};
pub use verify::verify;

/// The largest token that is looked at, in bytes of its compact form. The providers' tokens are 1 to 3 kB;
/// hosts accept headers of some 60 kB.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The largest `leeway` that a policy may give an issuer.
///
/// What is remembered of a token until it can't be accepted any more is remembered for this long past its
/// `exp`: the leeway may be raised meanwhile.
pub const MAX_LEEWAY: Duration = Duration::from_secs(600);

/// The refusal of what is no well-formed token; the detail never holds a word of it.
fn malformed(detail: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(Reason::TokenMalformed, detail)
}
