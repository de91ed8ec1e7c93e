//! What arrived: the request's headers and path, in the one form that is decided on.
//!
//! Bytes enter as the host hands them over. What leaves can be matched and compared without a second
//! reading: names in one spelling, a path with one meaning.

mod headers;
mod path;
mod reserved;

#[cfg(target_family = "wasm")]
pub(crate) use headers::same_name;
pub use headers::{Header, HeaderMap, Headers, NoHeaderMap};
pub use path::{NormalPath, PathAmbiguous};
pub(crate) use path::{cuts_a_segment, normalise, visible_escape};
#[cfg(target_family = "wasm")]
pub(crate) use reserved::is_reserved;
pub use reserved::{HeaderPower, Neutralise, neutralise};
