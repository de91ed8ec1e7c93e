//! What arrived: the request's headers and path, in the one form that is decided on.
//!
//! Bytes enter as the host hands them over. What leaves can be matched and compared without a second
//! reading: names in one spelling, a path with one meaning.

mod headers;
mod path;
mod reserved;

pub use headers::{Header, HeaderMap, Headers, NoHeaderMap};
#[cfg(target_family = "wasm")]
pub(crate) use headers::{same_name, starts_like};
pub use path::{NormalPath, PathAmbiguous};
pub(crate) use path::{cuts_a_segment, normalise, visible_escape};
pub use reserved::{HeaderPower, Neutralise, neutralise};
